#include "arm/subscription_routes.h"

#include <stdlib.h>

#include "api/deadletter_routes.h"
#include "api/listing.h"
#include "api/subscription_json.h"
#include "arm/removal.h"
#include "arm/scope.h"
#include "arm/subscription_body.h"
#include "arm/subscription_errand.h"
#include "arm/type_routes.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "json/scan.h"

/* ---- one ---- */

/* The resource that {scope} names; false, and answered. */
static bool find_scope(const struct arm_call *call, struct arm_scope *ret)
{
    struct slice id = arm_name(call, "scope");

    if (arm_scope_find(call->router, id, ret))
        return true;
    arm_not_found(call, id);
    return false;
}

/* The subscription that the path names; NULL, and answered. */
static const struct member *find(const struct arm_call *call)
{
    struct arm_scope scope;

    if (!find_scope(call, &scope))
        return NULL;
    const struct member *member =
        scope.scope != NULL ? catalog_member(scope.scope, arm_name(call, "name")) : NULL;
    if (member == NULL)
        arm_not_found(call, arm_id(call));
    return member;
}

/* One that is being made is there already for those who ask here. */
static bool answer_coming(const struct arm_call *call)
{
    const struct errand *errand = errands_find(call->arm, arm_id(call));
    struct buf body;

    if (errand == NULL || errand->kind != &subscription_errand || errand->body.len == 0)
        return false;
    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, buf_slice(&errand->body));
    buf_add_byte(&body, '\n');
    arm_ok(call, &body);
    return true;
}

void arm_event_subscription_get(const struct arm_call *call)
{
    struct buf body;

    if (answer_coming(call))
        return;
    const struct member *member = find(call);
    if (member == NULL)
        return;
    buf_init(&body, ANSWER_MAX_BYTES);
    arm_subscription_write(&body, member);
    buf_add_byte(&body, '\n');
    arm_ok(call, &body);
}

/* May it be made there? Answered if not. */
static bool is_scope(const struct arm_call *call, struct arm_scope *ret)
{
    struct slice id = arm_name(call, "scope");

    if (resource_id_topic_name(id).data == NULL && event_source_of(id) == NULL) {
        answer_error(call->request, 400, "InvalidRequest",
                     "%.*s emits no events: topics, system topics and caches do", SLICE_ARG(id));
        return false;
    }
    return find_scope(call, ret);
}

static void put(const struct arm_call *call, bool is_patch)
{
    struct slice body, properties;
    struct arm_scope scope;

    if (!is_scope(call, &scope) || !arm_body(call, &body))
        return;
    properties = jx_scan_member(body, SLICE("properties"));
    char *source = scope.scope == NULL ? document_text(scope.document, "id") : NULL;
    const char *owner = scope.scope != NULL ? topic_scope(scope.scope->topic) : source;
    const struct subscription_asked asked = {.scope = slice_of(owner),
                                             .name = arm_name(call, "name"),
                                             .properties =
                                                 properties.data != NULL ? properties : body,
                                             .is_patch = is_patch};
    subscription_errand_start(call, &asked);
    free(source);
}

void arm_event_subscription_put(const struct arm_call *call)
{
    put(call, false);
}

/* The body is the properties, without a wrapper. */
void arm_event_subscription_patch(const struct arm_call *call)
{
    if (find(call) != NULL)
        put(call, true);
}

void arm_event_subscription_delete(const struct arm_call *call)
{
    const struct member *member = NULL;
    struct arm_scope scope;

    if (arm_scope_find(call->router, arm_name(call, "scope"), &scope) && scope.scope != NULL)
        member = catalog_member(scope.scope, arm_name(call, "name"));
    if (member == NULL) {
        arm_empty(call, 204);
        return;
    }
    char *id = document_text(slice_of(member->document), "id");
    removal_start(call, id != NULL ? slice_of(id) : slice_of(member->id));
    free(id);
}

/* ---- what is not shown otherwise ---- */

static void write_url(struct buf *out, const struct subscription *subscription)
{
    member_text(out, "endpointUrl", slice_of(subscription->destination.url));
    buf_add(out, SLICE("}\n"));
}

static void write_attributes(struct buf *out, const struct subscription *subscription)
{
    member_open(out, "value");
    subscription_write_attributes(out, subscription);
    buf_add(out, SLICE("}\n"));
}

static void answer_part(const struct arm_call *call,
                        void (*write)(struct buf *out, const struct subscription *subscription))
{
    const struct member *member = find(call);
    struct subscription subscription;
    struct cause why = {0};
    struct buf body;

    if (member == NULL)
        return;
    enum err err = subscription_json_read(member, &subscription, &why);
    if (err == E_OK) {
        buf_init(&body, ANSWER_MAX_BYTES);
        write(&body, &subscription);
        arm_ok(call, &body);
    } else {
        answer_error(call->request, 409, "Conflict", "it can no longer be read: %s",
                     cause_text(&why, err));
    }
    subscription_done(&subscription);
}

void arm_event_subscription_url(const struct arm_call *call)
{
    answer_part(call, write_url);
}

void arm_event_subscription_attributes(const struct arm_call *call)
{
    answer_part(call, write_attributes);
}

static void ask_dead_letters(const struct arm_call *call, enum sweep_kind kind)
{
    const struct member *member = find(call);

    if (member != NULL)
        deadletters_ask(call->router, member, call->request, kind);
}

void arm_dead_letters_list(const struct arm_call *call)
{
    ask_dead_letters(call, SWEEP_LIST);
}

void arm_dead_letters_redrive(const struct arm_call *call)
{
    ask_dead_letters(call, SWEEP_REDRIVE);
}

void arm_dead_letters_purge(const struct arm_call *call)
{
    ask_dead_letters(call, SWEEP_PURGE);
}

/* ---- lists ---- */

static bool is_wanted(const struct arm_call *call, const struct scope *scope)
{
    struct slice location = arm_name(call, "location"), type = arm_name(call, "type");

    return (location.data == NULL ||
            arm_location_eq(location, arm_location(call->router, scope->topic))) &&
           (type.data == NULL || arm_topic_type_is(type, scope->topic));
}

static void add_members(struct listing *listing, const struct scope *scope)
{
    const struct member *member;

    list_each (&scope->members, struct member, node, member)
        listing_add(listing, member->id, member);
}

static void write_row(struct buf *out, const void *member, const void *ctx)
{
    (void)ctx;
    arm_subscription_write(out, member);
}

static void answer_list(const struct arm_call *call, struct listing *listing)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    listing_write(&body, listing, write_row, NULL);
    arm_ok(call, &body);
}

static void list_resource(const struct arm_call *call)
{
    struct listing listing = {0};
    struct arm_scope scope;

    if (!find_scope(call, &scope))
        return;
    if (scope.scope != NULL && is_wanted(call, scope.scope))
        add_members(&listing, scope.scope);
    answer_list(call, &listing);
}

void arm_event_subscriptions_get(const struct arm_call *call)
{
    struct slice within = arm_name(call, "scope");
    char room[ARM_PATH_MAX_BYTES];
    struct listing listing = {0};
    struct scope *scope;

    if (arm_id_group_id(within).len < within.len) {
        list_resource(call);
        return;
    }
    if (arm_id_group(within).data != NULL && !arm_group_is(call->router, within)) {
        arm_not_found(call, within);
        return;
    }
    within = slice_lower(within, room);
    for (size_t at = 0; catalog_next_scope(router_catalog(call->router), &at, &scope);)
        if (scope->topic != NULL && resource_id_is_within(slice_of(scope->id), within) &&
            is_wanted(call, scope))
            add_members(&listing, scope);
    answer_list(call, &listing);
}
