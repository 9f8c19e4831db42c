#include "api/topic_routes.h"

#include "api/answer.h"
#include "api/changing.h"
#include "api/listing.h"
#include "router/resource_id.h"
#include "json/scan.h"

#define ID_MAX_BYTES 2048

/* ---- answers ---- */

static void write_topic(struct buf *out, const struct scope *scope,
                        const struct http_request *request)
{
    const struct topic *topic = scope->topic;
    struct buf endpoint;

    buf_init(&endpoint, ID_MAX_BYTES);
    http_request_add_url(&endpoint, request);
    buf_addf(&endpoint, "/topics/%s/api/events", topic->name);
    member_text(out, "id", slice_of(topic->id));
    member_text(out, "name", slice_of(topic->name));
    bool is_system = topic->source != NULL;
    member_text(out, "type",
                is_system ? SLICE("Microsoft.EventGrid/systemTopics")
                          : SLICE("Microsoft.EventGrid/topics"));
    member_open(out, "properties");
    member_text(out, "provisioningState", SLICE("Succeeded"));
    if (!is_system) /* nobody publishes there */
        member_text(out, "endpoint", buf_slice(&endpoint));
    buf_done(&endpoint);
    topic_write(out, topic);
    buf_add(out, SLICE("}}"));
}

static void write_keys(struct buf *out, const struct scope *scope,
                       const struct http_request *request)
{
    const struct access_keys *keys = &scope->topic->keys;

    (void)request;
    member_text(out, "key1", slice_of(keys->text[0]));
    member_text(out, "key2", slice_of(keys->text[1]));
    buf_add_byte(out, '}');
}

/* What a topic is answered with: write_topic or write_keys. */
typedef void writer(struct buf *out, const struct scope *scope, const struct http_request *request);

static void answer(struct http_request *request, const struct scope *scope, writer *write)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    write(&body, scope, request);
    buf_add_byte(&body, '\n');
    answer_json(request, 200, &body);
}

static void answer_changed(struct changing *changing, writer *write)
{
    const struct scope *scope = changing_scope(changing);

    if (scope != NULL)
        answer(changing->request, scope, write);
    else
        changing_gone(changing);
}

static void answer_topic(struct changing *changing)
{
    answer_changed(changing, write_topic);
}

static void answer_keys(struct changing *changing)
{
    answer_changed(changing, write_keys);
}

/* The topic that the path names; else NULL, and answered. */
static const struct scope *find_topic(struct router *router, struct http_request *request)
{
    struct slice name = http_request_segment(request, 2);
    const struct scope *scope = catalog_topic(router_catalog(router), name);

    if (scope == NULL)
        answer_error(request, 404, "ResourceNotFound",
                     "there is no topic '%.*s': `redgrid topic list` shows all", SLICE_ARG(name));
    return scope;
}

/* ---- routes ---- */

static void write_row(struct buf *out, const void *scope, const void *request)
{
    write_topic(out, scope, request);
}

void topics_get(struct router *router, struct http_request *request)
{
    struct listing listing = {0};
    struct scope *scope;
    struct buf body;

    for (size_t at = 0; catalog_next_scope(router_catalog(router), &at, &scope);)
        if (scope->topic != NULL)
            listing_add(&listing, scope->id, scope);
    buf_init(&body, ANSWER_MAX_BYTES);
    listing_write(&body, &listing, write_row, request);
    answer_json(request, 200, &body);
}

void topic_get(struct router *router, struct http_request *request)
{
    const struct scope *scope = find_topic(router, request);

    if (scope != NULL)
        answer(request, scope, write_topic);
}

static void change(struct router *router, struct http_request *request, bool is_patch)
{
    struct slice name = http_request_segment(request, 2), properties;
    const struct scope *scope = catalog_topic(router_catalog(router), name);
    struct buf id;

    if (!changing_properties(request, &properties))
        return;
    buf_init(&id, ID_MAX_BYTES);
    if (scope != NULL)
        buf_add(&id, slice_of(scope->topic->id));
    else
        resource_id_topic(&id, name);
    struct changing *changing = changing_new(router, request, buf_slice(&id), SLICE_NONE);
    changing->answer = answer_topic;
    changing_begun(changing,
                   change_topic(router_changes(router),
                                &(struct change_request){.scope = slice_of(changing->scope),
                                                         .name = name,
                                                         .properties = properties,
                                                         .is_patch = is_patch},
                                &changing->change));
    buf_done(&id);
}

void topic_put(struct router *router, struct http_request *request)
{
    change(router, request, false);
}

void topic_patch(struct router *router, struct http_request *request)
{
    change(router, request, true);
}

void topic_delete(struct router *router, struct http_request *request)
{
    const struct scope *scope = find_topic(router, request);

    if (scope == NULL)
        return;
    struct changing *changing =
        changing_new(router, request, slice_of(scope->topic->id), SLICE_NONE);
    changing_begun(changing, change_remove(router_changes(router), slice_of(changing->scope),
                                           &changing->change));
}

void topic_get_keys(struct router *router, struct http_request *request)
{
    const struct scope *scope = find_topic(router, request);

    if (scope != NULL)
        answer(request, scope, write_keys);
}

void topic_renew_key(struct router *router, struct http_request *request)
{
    const struct scope *scope = find_topic(router, request);
    struct slice body = jx_scan_trim(http_request_body(request)), name = SLICE_NONE;

    if (scope == NULL)
        return;
    if (jx_scan_is_object(body))
        name = jx_scan_member(body, SLICE("keyName"));
    bool is_first = slice_eq_nocase(name, SLICE("\"key1\""));
    if (!is_first && !slice_eq_nocase(name, SLICE("\"key2\""))) {
        answer_error(request, 400, "BadRequest", "keyName: is neither key1 nor key2");
        return;
    }
    struct changing *changing =
        changing_new(router, request, slice_of(scope->topic->id), SLICE_NONE);
    changing->answer = answer_keys;
    changing_begun(changing, change_topic_key(router_changes(router), slice_of(changing->scope),
                                              is_first ? 0 : 1, &changing->change));
}
