#include "api/subscription_routes.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/changing.h"
#include "api/event_status.h"
#include "api/listing.h"
#include "api/looking.h"
#include "api/subscription_json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "router/source_topic.h"
#include "json/scan.h"

#define ID_MAX_BYTES 4096

/* ---- answers ---- */

/* With counts it is what is shown; without, what was set. */
static void write_subscription(struct buf *out, const struct member *member, bool has_counts)
{
    const struct scope *scope = member->scope;
    struct slice document = slice_of(member->document);
    char *name = document_text(document, "name");
    struct buf id;

    buf_init(&id, ID_MAX_BYTES);
    resource_id_subscription(&id, slice_of(topic_scope(scope->topic)), slice_of(name));
    member_text(out, "id", buf_slice(&id));
    member_text(out, "name", slice_of(name));
    member_text(out, "type", SLICE("Microsoft.EventGrid/eventSubscriptions"));
    member_open(out, "properties");
    member_text(out, "topic", slice_of(topic_scope(scope->topic)));
    member_text(out, "provisioningState", slice_of(document_state(document, clock_unix_ms())));
    subscription_json_settings(out, member);
    buf_add_byte(out, '}');
    if (has_counts) {
        member_open(out, "counts");
        event_counts_json(out, member);
    }
    buf_add_byte(out, '}');
    buf_done(&id);
    free(name);
}

static void answer_subscription(struct http_request *request, const struct member *member,
                                bool has_counts)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    write_subscription(&body, member, has_counts);
    buf_add_byte(&body, '\n');
    answer_json(request, 200, &body);
}

static void answer_changed(struct changing *changing)
{
    const struct scope *scope = changing_scope(changing);
    const struct member *member =
        scope != NULL ? catalog_member(scope, slice_of(changing->name)) : NULL;

    if (member != NULL)
        answer_subscription(changing->request, member, false);
    else
        changing_gone(changing);
}

static void answer_confirmed(struct changing *changing)
{
    answer_text(changing->request, 200, "message",
                SLICE("Webhook successfully validated as a subscription endpoint."));
}

/* ---- what is meant ---- */

static struct scope *look_up(struct router *router, struct slice topic, struct slice id)
{
    struct scope *scope = topic.len > 0 ? catalog_topic(router_catalog(router), topic)
                                        : catalog_find_scope(router_catalog(router), id);

    return scope != NULL && scope->topic != NULL ? scope : NULL;
}

/* What the query names; else NULL, and answered. */
static struct scope *find_scope(struct router *router, struct http_request *request)
{
    struct slice topic = http_request_parameter(request, SLICE("topic"));
    struct slice id = http_request_parameter(request, SLICE("scope"));
    struct scope *scope = look_up(router, topic, id);

    if ((topic.len == 0) == (id.len == 0)) {
        answer_error(request, 400, "BadRequest",
                     "say what it belongs to: topic=NAME or scope=RESOURCE-ID");
        return NULL;
    }
    if (scope != NULL)
        return scope;
    answer_error(request, 404, "ResourceNotFound",
                 "there is no topic '%.*s': `redgrid topic list` shows all",
                 SLICE_ARG(topic.len > 0 ? topic : id));
    return NULL;
}

const struct member *subscription_of(struct router *router, struct http_request *request)
{
    struct slice name = http_request_segment(request, 2);
    const struct scope *scope = find_scope(router, request);
    const struct member *member = scope != NULL ? catalog_member(scope, name) : NULL;

    if (scope != NULL && member == NULL)
        answer_error(request, 404, "ResourceNotFound",
                     "topic '%s' has no subscription '%.*s': `redgrid subscription list` shows all",
                     scope->topic->name, SLICE_ARG(name));
    return member;
}

/* ---- routes ---- */

static void add_members(struct listing *listing, const struct scope *scope)
{
    const struct member *member;

    list_each (&scope->members, struct member, node, member)
        listing_add(listing, member->id, member);
}

static void write_row(struct buf *out, const void *member, const void *ctx)
{
    (void)ctx;
    write_subscription(out, member, true);
}

static void answer_list(void *ctx, struct http_request *request)
{
    struct router *router = ctx;
    bool is_narrow = http_request_parameter(request, SLICE("topic")).data != NULL ||
                     http_request_parameter(request, SLICE("scope")).data != NULL;
    struct scope *scope = is_narrow ? find_scope(router, request) : NULL;
    struct listing listing = {0};
    struct buf body;

    if (is_narrow && scope == NULL)
        return;
    if (scope != NULL)
        add_members(&listing, scope);
    else
        for (size_t at = 0; catalog_next_scope(router_catalog(router), &at, &scope);)
            if (scope->topic != NULL)
                add_members(&listing, scope);
    buf_init(&body, ANSWER_MAX_BYTES);
    listing_write(&body, &listing, write_row, NULL);
    answer_json(request, 200, &body);
}

void subscriptions_get(struct router *router, struct http_request *request)
{
    looking_start(router, request, answer_list, router);
}

static void answer_one(void *ctx, struct http_request *request)
{
    const struct member *member = subscription_of(ctx, request);

    if (member != NULL)
        answer_subscription(request, member, true);
}

void subscription_get(struct router *router, struct http_request *request)
{
    looking_start(router, request, answer_one, router);
}

/* ---- the first subscription of a resource that emits events makes its topic ---- */

struct making {
    struct change change;
    struct router *router;
    struct http_request *request;
};

static void on_made(struct op *op, enum err err)
{
    struct making *making = container_of(op, struct making, change.op);

    if (err == E_OK)
        subscription_put(making->router, making->request);
    else
        changing_failed(making->request, err, &op->why);
    free(making);
}

/* Is it being made, or refused and answered? */
static bool makes_topic(struct router *router, struct http_request *request)
{
    struct slice id = http_request_parameter(request, SLICE("scope"));
    struct slice document = source_topic_document(router, id);

    if (id.len == 0 || look_up(router, SLICE_NONE, id) != NULL || document.data == NULL)
        return false;
    struct making *making = mem_new(struct making);
    making->change.op.done = on_made;
    making->router = router;
    making->request = request;
    enum err err = source_topic_make(router, document, &making->change);
    if (err != E_OK) {
        changing_failed(request, err, &making->change.op.why);
        free(making);
    }
    return true;
}

static void change(struct router *router, struct http_request *request, bool is_patch)
{
    struct slice name = http_request_segment(request, 2), properties;
    const struct scope *scope = find_scope(router, request);

    if (scope == NULL || !changing_properties(request, &properties))
        return;
    changing_subscription(
        router, request,
        &(struct subscription_change){scope, name, properties, is_patch, answer_changed});
}

void subscription_put(struct router *router, struct http_request *request)
{
    if (!makes_topic(router, request))
        change(router, request, false);
}

void subscription_patch(struct router *router, struct http_request *request)
{
    change(router, request, true);
}

void subscription_delete(struct router *router, struct http_request *request)
{
    const struct member *member = subscription_of(router, request);

    if (member == NULL)
        return;
    struct changing *changing =
        changing_new(router, request, slice_of(member->scope->id), SLICE_NONE);
    changing_begun(changing,
                   change_remove(router_changes(router), slice_of(member->id), &changing->change));
}

void subscription_confirm(struct router *router, struct http_request *request)
{
    struct changing *changing = changing_new(router, request, SLICE(""), SLICE_NONE);

    changing->answer = answer_confirmed;
    changing_begun(changing,
                   change_confirm(router_changes(router),
                                  &(struct confirmation){
                                      .name = http_request_segment(request, 1),
                                      .code = http_request_parameter(request, SLICE("id")),
                                      .token = http_request_parameter(request, SLICE("token"))},
                                  &changing->change));
}
