#include "event/subscription.h"

#include <stdlib.h>

#include "base/mem.h"
#include "event/date.h"
#include "event/destination.h"
#include "event/draft.h"
#include "event/write.h"
#include "json/member.h"

#define DAY_MS 86400000
#define MINUTE_MS 60000

static const char *const delivery_words[] = {[SCHEMA_EVENT_GRID] = "EventGridSchema",
                                             [SCHEMA_CLOUD_EVENT] = "CloudEventSchemaV1_0",
                                             [SCHEMA_CUSTOM] = "CustomInputSchema",
                                             NULL};

void subscription_init(struct subscription *sub, struct slice name,
                       const struct subscription_rules *rules)
{
    *sub = (struct subscription){
        .name = slice_dup(name),
        .queue = {.lock_seconds = 60, .max_deliveries = 10},
        .delivery = rules->input == SCHEMA_CLOUD_EVENT ? SCHEMA_CLOUD_EVENT : SCHEMA_EVENT_GRID,
        .retry = {RETRY_ATTEMPTS_MAX, RETRY_TTL_MAX_MINUTES},
    };
    destination_init(&sub->destination);
    if (rules->source != NULL) /* not all that it emits */
        (void)filter_read(SLICE_NONE, rules->source, &sub->filter, NULL);
}

void subscription_done(struct subscription *sub)
{
    destination_done(&sub->destination);
    filter_done(&sub->filter);
    free(sub->name);
    free(sub->filter_json);
    free(sub->dead_letter_account);
    free(sub->dead_letter_container);
    free(sub->order_by);
    free(sub->labels_json);
    *sub = (struct subscription){0};
}

/* The filter is read from its text, since jansson makes doubles of its numbers. */
static enum err read_filter(struct subscription *sub, const struct subscription_rules *rules,
                            struct slice properties, struct jx_audit *audit, struct cause *why)
{
    const char *name = "filter";
    struct slice json = jx_scan_member(properties, SLICE("filter"));
    struct filter fresh = {0};

    jx_audit_ask(audit, "", "filter");
    jx_audit_ask(audit, "", "filtersConfiguration");
    if (raw_is_null(json)) { /* as namespace topics call it */
        json = jx_scan_member(properties, SLICE("filtersConfiguration"));
        name = "filtersConfiguration";
    }
    if (raw_is_null(json))
        return E_OK;
    enum err err = audit != NULL ? filter_audit(json, rules->source, name, audit)
                                 : filter_read(json, rules->source, &fresh, why);
    if (err)
        return cause_wrap(why, err, "%s", name);
    filter_done(&sub->filter);
    sub->filter = fresh;
    free(sub->filter_json);
    sub->filter_json = slice_dup(json);
    return E_OK;
}

static void read_retry(struct jx_view *view, struct subscription *sub)
{
    struct jx_range attempts = {1, RETRY_ATTEMPTS_MAX}, minutes = {1, RETRY_TTL_MAX_MINUTES};
    struct jx_view retry;

    jx_view_down(view, "retryPolicy", &retry);
    (void)jx_u32(&retry, "maxDeliveryAttempts", attempts, &sub->retry.attempts);
    (void)jx_u32(&retry, "eventTimeToLiveInMinutes", minutes, &sub->retry.ttl_minutes);
    jx_view_join(view, &retry);
}

static void read_dead_letter(struct jx_view *view, struct subscription *sub)
{
    static const char *const types[] = {"StorageBlob", "redgrid.DeadLetterStream", NULL};
    struct jx_view dead, properties;
    size_t type = 0;

    if (jx_view_member(view, "deadLetterDestination") == NULL)
        return;
    jx_view_down(view, "deadLetterDestination", &dead);
    if (!jx_word(&dead, "endpointType", types, &type))
        jx_view_error(&dead, "endpointType", "is missing");
    jx_view_inner(&dead, "properties", &properties);
    if (type == 0) {
        jx_text_dup(&properties, "resourceId", &sub->dead_letter_account);
        jx_text_dup(&properties, "blobContainerName", &sub->dead_letter_container);
        if (sub->dead_letter_account == NULL)
            jx_view_error(&properties, "resourceId", "is missing");
        if (sub->dead_letter_container == NULL)
            jx_view_error(&properties, "blobContainerName", "is missing");
    } else {
        free(sub->dead_letter_account);
        free(sub->dead_letter_container);
        sub->dead_letter_account = sub->dead_letter_container = NULL;
    }
    jx_view_join(&dead, &properties);
    jx_view_join(view, &dead);
}

/* Either form: plain, or inside of one that names an identity, which is not needed here. */
static void read_dead_letters(struct jx_view *view, struct subscription *sub)
{
    struct jx_view inner;

    read_dead_letter(view, sub);
    jx_view_down(view, "deadLetterWithResourceIdentity", &inner);
    read_dead_letter(&inner, sub);
    jx_view_join(view, &inner);
}

static void read_ttl(struct jx_view *view, struct subscription *sub)
{
    const char *text;

    if (!jx_text(view, "eventTimeToLive", &text))
        return;
    if (!duration_parse_iso(slice_of(text), &sub->queue.ttl_ms) || sub->queue.ttl_ms < MINUTE_MS)
        jx_view_error(view, "eventTimeToLive", "is not an ISO 8601 duration of at least PT1M");
}

static void read_queue(struct jx_view *view, struct subscription *sub)
{
    struct jx_range lock = {60, 300}, deliveries = {1, 10};
    struct jx_view queue, inner;

    jx_view_down(view, "queue", &queue);
    (void)jx_u32(&queue, "receiveLockDurationInSeconds", lock, &sub->queue.lock_seconds);
    (void)jx_u32(&queue, "maxDeliveryCount", deliveries, &sub->queue.max_deliveries);
    read_ttl(&queue, sub);
    jx_view_down(&queue, "deadLetterDestinationWithResourceIdentity", &inner);
    read_dead_letter(&inner, sub);
    jx_view_join(&queue, &inner);
    jx_view_join(view, &queue);
}

static void read_mode(struct jx_view *view, struct subscription *sub)
{
    static const char *const modes[] = {"Queue", NULL};
    struct jx_view delivery;
    size_t mode;

    if (jx_view_member(view, "deliveryConfiguration") == NULL)
        return;
    jx_view_down(view, "deliveryConfiguration", &delivery);
    if (jx_word(&delivery, "deliveryMode", modes, &mode))
        sub->is_queue = true;
    else if (!sub->is_queue)
        jx_view_error(&delivery, "deliveryMode", "is missing");
    read_queue(&delivery, sub);
    jx_view_join(view, &delivery);
}

static void read_schema(struct jx_view *view, struct subscription *sub)
{
    size_t schema;

    if (sub->is_queue)
        sub->delivery = SCHEMA_CLOUD_EVENT;
    if (jx_word(view, "eventDeliverySchema", delivery_words, &schema)) {
        if (sub->is_queue && schema != SCHEMA_CLOUD_EVENT)
            jx_view_error(view, "eventDeliverySchema", "of queue mode is CloudEventSchemaV1_0");
        sub->delivery = (enum event_schema)schema;
    }
}

static void read_labels(struct jx_view *view, struct subscription *sub)
{
    const json_t *labels = jx_view_member(view, "labels");
    struct buf text;

    if (labels == NULL)
        return;
    bool is_good = json_is_array(labels);
    for (size_t i = 0; is_good && i < json_array_size(labels); i++)
        is_good = json_is_string(json_array_get(labels, i));
    if (!is_good) {
        jx_view_error(view, "labels", "is not an array of texts");
        return;
    }
    buf_init(&text, JX_TEXT_MAX_BYTES);
    jx_dump(&text, labels);
    free(sub->labels_json);
    sub->labels_json = buf_detach(&text);
    buf_done(&text);
}

static void read_expiration(struct jx_view *view, struct subscription *sub)
{
    const char *text;

    if (jx_text(view, "expirationTimeUtc", &text) &&
        !date_parse_iso(slice_of(text), &sub->expires_unix_ms, NULL))
        jx_view_error(view, "expirationTimeUtc",
                      "is not an ISO 8601 time, as 2030-01-01T00:00:00Z");
}

/* An empty text ends an order, as no other value can in a PATCH. */
static void read_order(struct jx_view *view, struct subscription *sub)
{
    jx_text_dup(view, "orderBy", &sub->order_by);
    if (sub->order_by == NULL || sub->order_by[0] != '\0')
        return;
    free(sub->order_by);
    sub->order_by = NULL;
}

static void read_rate(struct jx_view *view, struct subscription *sub)
{
    struct jx_range events = {0, EVENTS_PER_SECOND_MAX};
    (void)jx_u32(view, "maxEventsPerSecond", events, &sub->events_per_second);
}

static void check(struct jx_view *view, const struct subscription *sub,
                  const struct subscription_rules *rules)
{
    uint64_t retention_ms = (uint64_t)rules->retention_days * DAY_MS;
    const char *ttl = "deliveryConfiguration.queue.eventTimeToLive";

    if (sub->is_queue && sub->destination.kind != DESTINATION_NONE)
        jx_view_error(view, "destination", "is not possible in queue mode");
    if (!sub->is_queue && sub->destination.kind == DESTINATION_NONE)
        jx_view_error(view, "destination", "is missing");
    if (!schema_converts(rules->input, sub->delivery))
        jx_view_error(view, "eventDeliverySchema",
                      "events of a topic with input schema %s cannot be delivered as %s",
                      schema_name(rules->input), delivery_words[sub->delivery]);
    if (sub->is_queue && sub->order_by != NULL)
        jx_view_error(view, "orderBy", "is not possible in queue mode");
    if (sub->is_queue && sub->events_per_second != 0)
        jx_view_error(view, "maxEventsPerSecond", "is not possible in queue mode");
    if (sub->queue.ttl_ms != 0 && sub->queue.ttl_ms < sub->queue.lock_seconds * 1000ull)
        jx_view_error(view, ttl, "is shorter than the lock duration");
    if (sub->queue.ttl_ms > retention_ms)
        jx_view_error(view, ttl, "is longer than the topic's retention of %u days",
                      rules->retention_days);
}

static void read_members(struct jx_view *view, struct subscription *sub,
                         const struct subscription_rules *rules)
{
    struct jx_view destination;

    if (jx_view_member(view, "destination") != NULL) {
        jx_view_down(view, "destination", &destination);
        destination_read(&destination, &sub->destination, rules);
        jx_view_join(view, &destination);
    }
    read_mode(view, sub);
    read_schema(view, sub);
    read_retry(view, sub);
    read_dead_letters(view, sub);
    read_labels(view, sub);
    read_expiration(view, sub);
    read_order(view, sub);
    read_rate(view, sub);
    check(view, sub, rules);
}

/* All members but the filters, for jansson, which refuses what does not fit its numbers. */
static void write_without_filters(struct buf *out, struct slice properties)
{
    struct jx_field field;

    buf_add_byte(out, '{');
    while (jx_scan_next(&properties, &field)) {
        if (jx_scan_is_text_nocase(field.name, SLICE("filter")) ||
            jx_scan_is_text_nocase(field.name, SLICE("filtersConfiguration")))
            continue;
        if (out->len > 1)
            buf_add_byte(out, ',');
        buf_add(out, field.name);
        buf_add_byte(out, ':');
        buf_add(out, field.value);
    }
    buf_add_byte(out, '}');
}

static enum err read_properties(struct subscription *sub, const struct subscription_rules *rules,
                                struct slice properties, struct jx_audit *audit, struct cause *why)
{
    struct buf rest;
    json_t *json = NULL;
    struct jx_view view;

    if (!jx_scan_is_object(properties))
        return cause_set(why, E_BAD_INPUT, "properties is not an object");
    buf_init(&rest, JX_TEXT_MAX_BYTES);
    write_without_filters(&rest, properties);
    enum err err = read_filter(sub, rules, properties, audit, why);
    if (err == E_OK)
        err = jx_parse(buf_slice(&rest), NULL, NULL, &json, why);
    if (err == E_OK) {
        jx_view_init(&view, json, NULL);
        view.audit = audit;
        read_members(&view, sub, rules);
        err = view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
    }
    json_decref(json);
    buf_done(&rest);
    return err;
}

enum err subscription_read(struct subscription *sub, const struct subscription_rules *rules,
                           struct slice properties, struct cause *why)
{
    return read_properties(sub, rules, properties, NULL, why);
}

void subscription_audit(const struct subscription_rules *rules, struct slice properties,
                        struct jx_audit *audit)
{
    struct subscription sub;
    struct cause why = {0};

    subscription_init(&sub, SLICE("-"), rules);
    if (read_properties(&sub, rules, properties, audit, &why) != E_OK && audit->count == 0)
        jx_audit_note_cause(audit, "", why.text);
    subscription_done(&sub);
}

/* The filter as it was given, and what clients expect beside. */
static void write_filter(struct buf *out, const struct subscription *sub,
                         const struct subscription_rules *rules)
{
    struct slice json = slice_of(sub->filter_json), rest = json;
    struct jx_field field;

    member_open(out, "filter");
    while (jx_scan_next(&rest, &field))
        member_copy(out, &field);
    if (jx_scan_member(json, SLICE("subjectBeginsWith")).data == NULL)
        member_text(out, "subjectBeginsWith", SLICE(""));
    if (jx_scan_member(json, SLICE("subjectEndsWith")).data == NULL)
        member_text(out, "subjectEndsWith", SLICE(""));
    if (jx_scan_member(json, SLICE("includedEventTypes")).data == NULL && rules->source != NULL) {
        member_open(out, "includedEventTypes");
        for (size_t i = 0; i < rules->source->kind_count; i++)
            if (rules->source->kinds[i].is_default) {
                buf_add_byte(out, i == 0 ? '[' : ',');
                jx_write_string(out, slice_of(rules->source->kinds[i].name));
            }
        buf_add_byte(out, ']');
    }
    buf_add_byte(out, '}');
}

static void write_dead_letter(struct buf *out, const struct subscription *sub)
{
    if (sub->dead_letter_account == NULL) {
        member_json(out, "deadLetterDestination", SLICE_NONE);
        return;
    }
    member_open(out, "deadLetterDestination");
    member_text(out, "endpointType", SLICE("StorageBlob"));
    member_open(out, "properties");
    member_text(out, "resourceId", slice_of(sub->dead_letter_account));
    member_text_if(out, "blobContainerName", slice_of(sub->dead_letter_container));
    buf_add(out, SLICE("}}"));
}

static void write_queue(struct buf *out, const struct subscription *sub)
{
    member_open(out, "deliveryConfiguration");
    member_text(out, "deliveryMode", SLICE("Queue"));
    member_open(out, "queue");
    member_u64(out, "receiveLockDurationInSeconds", sub->queue.lock_seconds);
    member_u64(out, "maxDeliveryCount", sub->queue.max_deliveries);
    if (sub->queue.ttl_ms != 0) {
        member_open(out, "eventTimeToLive");
        buf_addf(out, "\"PT%lluS\"", (unsigned long long)sub->queue.ttl_ms / 1000);
    }
    buf_add(out, SLICE("}}"));
}

static void write_members(struct buf *out, const struct subscription *sub,
                          const struct subscription_rules *rules, bool is_stored)
{
    if (sub->is_queue) {
        write_queue(out, sub);
    } else {
        member_open(out, "destination");
        destination_write(out, &sub->destination, is_stored);
    }
    if (!is_stored)
        write_filter(out, sub, rules);
    else
        member_json_if(out, "filter", slice_of(sub->filter_json));
    member_json(out, "labels", slice_of(sub->labels_json));
    member_text(out, "eventDeliverySchema", slice_of(delivery_words[sub->delivery]));
    member_open(out, "retryPolicy");
    member_u64(out, "maxDeliveryAttempts", sub->retry.attempts);
    member_u64(out, "eventTimeToLiveInMinutes", sub->retry.ttl_minutes);
    buf_add_byte(out, '}');
    write_dead_letter(out, sub);
    member_text_if(out, "orderBy", slice_of(sub->order_by));
    if (sub->events_per_second != 0)
        member_u64(out, "maxEventsPerSecond", sub->events_per_second);
    if (sub->expires_unix_ms != 0)
        member_time(out, "expirationTimeUtc", sub->expires_unix_ms * 1000, 3);
}

void subscription_keep_secrets(struct subscription *sub, const struct subscription *old)
{
    destination_keep_secrets(&sub->destination, &old->destination);
}

void subscription_make_secrets(struct subscription *sub)
{
    signing_make(&sub->destination.signing);
}

void subscription_write(struct buf *out, const struct subscription *sub,
                        const struct subscription_rules *rules)
{
    write_members(out, sub, rules, false);
}

void subscription_write_stored(struct buf *out, const struct subscription *sub,
                               const struct subscription_rules *rules)
{
    write_members(out, sub, rules, true);
    buf_add_byte(out, '}');
}

void subscription_write_attributes(struct buf *out, const struct subscription *sub)
{
    destination_write_attributes(out, &sub->destination, true);
}
