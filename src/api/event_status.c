#include "api/event_status.h"

#include <stdlib.h>

#include "api/listing.h"
#include "base/clock.h"
#include "router/document.h"
#include "router/router.h"
#include "json/member.h"

static void add_counts(struct buf *out, const struct member *member)
{
    const struct survey_row row = survey_row(member);

    member_u64(out, "queued", row.stats.entries);
    member_u64(out, "oldestAgeMs", row.oldest_age_ms);
    member_u64(out, "parked", row.stats.parked);
    member_u64(out, "inFlight", row.in_flight);
    member_u64(out, "deadLetters", row.stats.dead);
    member_u64(out, "delivered", row.counts.delivered);
    member_u64(out, "failed", row.counts.failed);
    member_u64(out, "retried", row.counts.retried);
    member_u64(out, "deadLettered", row.counts.dead);
    member_u64(out, "dropped", row.counts.dropped);
    member_u64(out, "restsForMs", row.rests_for_ms);
}

void event_counts_json(struct buf *out, const struct member *member)
{
    add_counts(out, member);
    buf_add_byte(out, '}');
}

static void write_member(struct buf *out, const void *what, const void *ctx)
{
    const struct member *member = what;
    struct slice document = slice_of(member->document);
    char *name = document_text(document, "name");

    (void)ctx;
    member_text(out, "name", slice_of(name));
    member_text(out, "state", slice_of(document_state(document, clock_unix_ms())));
    add_counts(out, member);
    buf_add_byte(out, '}');
    free(name);
}

static void write_topic(struct buf *out, const void *what, const void *ctx)
{
    const struct scope *scope = what;
    const struct topic_counts *counts = &scope->tally->counts;
    struct listing members = {0};
    const struct member *member;

    (void)ctx;
    list_each (&scope->members, struct member, node, member)
        listing_add(&members, member->id, member);
    member_text(out, "name", slice_of(scope->topic->name));
    member_text(out, "id", slice_of(scope->topic->id));
    member_u64(out, "published", counts->published);
    member_u64(out, "matched", counts->matched);
    member_u64(out, "unmatched", counts->unmatched);
    member_u64(out, "refused", counts->refused);
    member_open(out, "subscriptions");
    listing_write_array(out, &members, write_member, NULL);
    buf_add_byte(out, '}');
}

void event_status_json(struct buf *out, struct router *router)
{
    struct listing topics = {0};
    struct scope *scope;

    if (router != NULL)
        for (size_t at = 0; catalog_next_scope(router_catalog(router), &at, &scope);)
            if (scope->topic != NULL)
                listing_add(&topics, scope->id, scope);
    listing_write_array(out, &topics, write_topic, NULL);
}
