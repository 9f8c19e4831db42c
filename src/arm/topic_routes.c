#include "arm/topic_routes.h"

#include <stdlib.h>

#include "arm/accepted.h"
#include "arm/arm_internal.h"
#include "arm/removal.h"
#include "arm/scope.h"
#include "base/sha1.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "json/scan.h"

#define URL_ROOM_BYTES 4096

/* ---- as it is shown ---- */

/* One GUID for one resource, always the same. */
static void write_metric_id(struct buf *out, const struct scope *scope)
{
    char hex[SHA1_HEX_BYTES];

    sha1_hex(slice_of(scope->id), hex);
    member_open(out, "metricResourceId");
    buf_addf(out, "\"%.8s-%.4s-%.4s-%.4s-%.12s\"", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void write_endpoint(struct buf *out, const struct topic *topic,
                           const struct http_request *request)
{
    struct buf url;

    buf_init(&url, URL_ROOM_BYTES);
    http_request_add_url(&url, request);
    buf_addf(&url, "/topics/%s/api/events", topic->name);
    member_text(out, "endpoint", buf_slice(&url));
    buf_done(&url);
}

static void write_properties(struct buf *out, const struct scope *scope,
                             const struct http_request *request, const char *state)
{
    const struct topic *topic = scope->topic;

    member_open(out, "properties");
    member_text(out, "provisioningState", slice_of(state != NULL ? state : "Succeeded"));
    write_metric_id(out, scope);
    if (topic->source == NULL) {
        member_text(out, "publicNetworkAccess", SLICE("Enabled"));
        if (state != NULL)
            member_json(out, "endpoint", SLICE_NONE); /* not yet */
        else
            write_endpoint(out, topic, request);
    }
    topic_write(out, topic);
    buf_add_byte(out, '}');
}

/* `state` NULL: it is there. */
static void write_topic(struct buf *out, const struct scope *scope, struct router *router,
                        const struct http_request *request, const char *state)
{
    const struct topic *topic = scope->topic;
    const struct labels labels = labels_read(arm_document(router, slice_of(topic->id)));

    member_text(out, "id", slice_of(topic->id));
    member_text(out, "name", slice_of(topic->name));
    member_text(out, "type",
                topic->source != NULL ? SLICE("Microsoft.EventGrid/systemTopics")
                                      : SLICE("Microsoft.EventGrid/topics"));
    member_text(out, "location", arm_location(router, topic));
    member_json(out, "tags", labels.tags);
    member_json(out, "identity",
                labels.identity.data != NULL ? labels.identity : SLICE("{\"type\":\"None\"}"));
    member_json(out, "systemData", SLICE_NONE);
    write_properties(out, scope, request, state);
    buf_add_byte(out, '}');
}

void topic_body_write(struct buf *out, const struct scope *scope, const struct arm_call *call)
{
    write_topic(out, scope, call->router, call->request, NULL);
}

static void write_keys(struct buf *out, const struct topic *topic)
{
    member_text(out, "key1", slice_of(topic->keys.text[0]));
    member_text(out, "key2", slice_of(topic->keys.text[1]));
    buf_add(out, SLICE("}\n"));
}

/* The topic of that id; NULL, and answered. */
static const struct scope *find(const struct arm_call *call, struct slice id)
{
    const struct scope *scope = arm_topic(call->router, id);

    if (scope == NULL)
        arm_not_found(call, id);
    return scope;
}

/* ---- to look at ---- */

static void write_row(struct buf *out, const void *scope, const void *call)
{
    topic_body_write(out, scope, call);
}

static void list(const struct arm_call *call, bool is_system)
{
    struct slice within = arm_name(call, "scope");
    char room[ARM_PATH_MAX_BYTES], topic_room[ARM_PATH_MAX_BYTES];
    struct listing listing = {0};
    struct scope *scope;
    struct buf body;

    if (arm_id_group(within).data != NULL && !arm_group_is(call->router, within)) {
        arm_not_found(call, within);
        return;
    }
    within = slice_lower(within, room);
    for (size_t at = 0; catalog_next_scope(router_catalog(call->router), &at, &scope);) {
        if (scope->topic == NULL || (scope->topic->source != NULL) != is_system)
            continue;
        struct slice id = slice_first(slice_of(scope->topic->id), sizeof topic_room);
        if (resource_id_is_within(slice_lower(id, topic_room), within))
            listing_add(&listing, scope->topic->id, scope);
    }
    buf_init(&body, ANSWER_MAX_BYTES);
    listing_write(&body, &listing, write_row, call);
    arm_ok(call, &body);
}

void arm_topics_get(const struct arm_call *call)
{
    list(call, false);
}

void arm_system_topics_get(const struct arm_call *call)
{
    list(call, true);
}

void arm_topic_get(const struct arm_call *call)
{
    const struct scope *scope = find(call, arm_id(call));
    struct buf body;

    if (scope == NULL)
        return;
    buf_init(&body, ANSWER_MAX_BYTES);
    topic_body_write(&body, scope, call);
    buf_add_byte(&body, '\n');
    arm_ok(call, &body);
}

void arm_topic_keys(const struct arm_call *call)
{
    const struct scope *scope = find(call, arm_parent(call));
    struct buf body;

    if (scope == NULL)
        return;
    buf_init(&body, ANSWER_MAX_BYTES);
    write_keys(&body, scope->topic);
    arm_ok(call, &body);
}

/* ---- to change ---- */

/* The store's write is waited for, so the operation has ended when it is told of. */
static void on_changed(struct op *op, enum err err)
{
    struct errand *errand = container_of(op, struct errand, change.op);
    const struct cause why = op->why;

    errand_end(errand, err, &why);
}

static const struct errand_kind put_kind = {.name = "putTopic"};
static const struct errand_kind patch_kind = {.name = "patchTopic", .is_silent = true};

/* NULL, and answered: it has gone meanwhile. */
static const struct scope *changed(struct errand *errand)
{
    struct router *router = errand->arm->router;
    struct slice id = slice_of(errand->record.resource);
    const struct scope *scope = router != NULL ? arm_topic(router, id) : NULL;

    if (scope == NULL)
        answer_error(errand->request, 409, "Conflict", "it was removed meanwhile");
    return scope;
}

static void answer_put(struct errand *errand)
{
    const struct scope *scope = changed(errand);

    if (scope == NULL)
        return;
    write_topic(&errand->body, scope, errand->arm->router, errand->request,
                errand->is_update ? "Updating" : "Creating");
    buf_add_byte(&errand->body, '\n');
    accepted_answer(errand->request,
                    &(struct accepted){ACCEPTED_PUT, 201, slice_of(errand->record.resource),
                                       slice_of(errand->record.id)},
                    &errand->body);
}

static void answer_patch(struct errand *errand)
{
    const struct scope *scope = changed(errand);

    if (scope == NULL)
        return;
    write_topic(&errand->body, scope, errand->arm->router, errand->request, NULL);
    buf_add_byte(&errand->body, '\n');
    answer_json(errand->request, 200, &errand->body);
}

static void answer_keys(struct errand *errand)
{
    const struct scope *scope = changed(errand);

    if (scope == NULL)
        return;
    write_keys(&errand->body, scope->topic);
    answer_json(errand->request, 200, &errand->body);
}

static struct errand *new_errand(const struct arm_call *call, struct slice id,
                                 void (*answer)(struct errand *errand))
{
    const struct errand_kind *kind = answer == answer_put ? &put_kind : &patch_kind;
    struct errand *errand = errand_new(call->arm, kind, call->request, id);

    errand->answer = answer;
    errand->change = (struct change){.op.done = on_changed};
    return errand;
}

static void begun(struct errand *errand, enum err err)
{
    if (err != E_OK)
        errand_end(errand, err, &errand->change.op.why);
}

static bool is_of(struct slice json, char first)
{
    return json.len == 0 || json.data[0] == first || slice_eq(json, SLICE("null"));
}

/* labels_of reads those of a body; false, and answered. A PUT says all, what it leaves out is none,
 * but for the place. */
static bool labels_of(const struct arm_call *call, struct slice body, bool is_patch,
                      struct labels *ret)
{
    *ret = labels_read(body);
    if (!is_of(ret->location, '"') || !is_of(ret->tags, '{') || !is_of(ret->identity, '{')) {
        answer_error(call->request, 400, "InvalidRequestContent",
                     "location is no text, or tags or identity no object");
        return false;
    }
    if (!is_patch && ret->tags.data == NULL)
        ret->tags = SLICE("null");
    if (!is_patch && ret->identity.data == NULL)
        ret->identity = SLICE("{\"type\":\"None\"}");
    return true;
}

static void change(const struct arm_call *call, struct slice id, bool is_patch)
{
    struct slice body, properties;
    struct labels labels;

    if (!arm_body(call, &body) || !labels_of(call, body, is_patch, &labels))
        return;
    properties = jx_scan_member(body, SLICE("properties"));
    struct errand *errand = new_errand(call, id, is_patch ? answer_patch : answer_put);
    errand->is_update = arm_topic(call->router, id) != NULL;
    begun(errand, change_topic(router_changes(call->router),
                               &(struct change_request){.scope = id,
                                                        .name = arm_id_name(id),
                                                        .properties = properties,
                                                        .labels = labels,
                                                        .is_patch = is_patch},
                               &errand->change));
}

/* A system topic without its resource would never have an event. */
static bool has_source(const struct arm_call *call, struct slice id)
{
    struct slice properties = jx_scan_member(http_request_body(call->request), SLICE("properties"));
    char *source = document_text(properties, "source");
    bool is_there = source == NULL || !resource_id_is_system(id) ||
                    arm_document(call->router, slice_of(source)).data != NULL;

    if (!is_there)
        arm_not_found(call, slice_of(source));
    free(source);
    return is_there;
}

void arm_topic_put(const struct arm_call *call)
{
    struct slice body;
    struct buf id;

    buf_init(&id, ARM_PATH_MAX_BYTES);
    if (arm_new_id(call, &id) && arm_body(call, &body) && has_source(call, buf_slice(&id)))
        change(call, buf_slice(&id), false);
    buf_done(&id);
}

void arm_topic_patch(const struct arm_call *call)
{
    const struct scope *scope = find(call, arm_id(call));

    if (scope != NULL)
        change(call, slice_of(scope->topic->id), true);
}

void arm_topic_delete(const struct arm_call *call)
{
    const struct scope *scope = arm_topic(call->router, arm_id(call));

    if (scope != NULL)
        removal_start(call, slice_of(scope->topic->id));
    else
        arm_empty(call, 204);
}

void arm_topic_renew_key(const struct arm_call *call)
{
    const struct scope *scope = find(call, arm_parent(call));
    struct slice body;

    if (scope == NULL || !arm_body(call, &body))
        return;
    struct slice name = jx_scan_member(body, SLICE("keyName"));
    bool is_first = slice_eq_nocase(name, SLICE("\"key1\""));
    if (!is_first && !slice_eq_nocase(name, SLICE("\"key2\""))) {
        answer_error(call->request, 400, "InvalidRequest", "keyName: is neither key1 nor key2");
        return;
    }
    struct errand *errand = new_errand(call, slice_of(scope->topic->id), answer_keys);
    begun(errand, change_topic_key(router_changes(call->router), slice_of(scope->topic->id),
                                   is_first ? 0 : 1, &errand->change));
}
