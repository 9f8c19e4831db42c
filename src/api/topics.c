#include "api/topics.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/credential.h"
#include "api/exchange.h"
#include "api/pull.h"
#include "base/clock.h"
#include "base/mem.h"
#include "router/router.h"

#define HEADERS_MAX 100
#define VERSION "2018-01-01"

/* The two ways in. */
struct entrance {
    struct scope *scope;
    bool is_namespace; /* :publish */
};

/* One request, until it is answered. */
struct publishing {
    struct publication publication;
    struct exchange exchange;
    bool is_namespace;
};

/* ---- answers ---- */

static void answer_options(const struct exchange *exchange, const struct topic *topic)
{
    exchange_begin(exchange);
    (void)http_reply_header(exchange->request, SLICE("Allow"), SLICE("POST,OPTIONS"));
    (void)http_reply_header(exchange->request, SLICE("aeg-input-event-schema"),
                            slice_of(schema_wire_name(topic->input)));
    http_respond(exchange->request, 200, NULL, NULL);
}

static void answer_published(const struct publishing *p)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    if (p->is_namespace) {
        buf_add(&body, SLICE("{}"));
        exchange_answer(&p->exchange, &body);
        return;
    }
    exchange_begin(&p->exchange);
    http_respond(p->exchange.request, 200, NULL, NULL);
}

static bool is_events_path(const struct http_request *request)
{
    return http_request_segment_count(request) == 4 &&
           slice_eq_nocase(http_request_segment(request, 2), SLICE("api")) &&
           slice_eq_nocase(http_request_segment(request, 3), SLICE("events"));
}

/* Counts it, if somebody wanted to publish. */
static void refuse_request(struct router *router, const struct exchange *exchange,
                           const struct refusal *why)
{
    const struct http_request *request = exchange->request;
    struct slice topic = SLICE_NONE;
    struct pull_path path;

    if (is_events_path(request))
        topic = http_request_segment(request, 1);
    else if (pull_read_path(request, &path) && path.verb == PULL_PUBLISH)
        topic = path.topic;
    if (router != NULL && topic.data != NULL)
        router_refused(router, catalog_topic(router_catalog(router), topic), why);
    exchange_refuse(exchange, why);
}

/* ---- publishing ---- */

static void on_published(struct op *op, enum err err)
{
    struct publishing *p = container_of(op, struct publishing, publication.op);
    struct refusal why;

    if (err == E_OK) {
        answer_published(p);
    } else {
        enum refusal_kind gone = p->is_namespace ? REFUSAL_GONE : REFUSAL_NOT_FOUND;
        (void)refuse(&why, err == E_NOT_FOUND ? gone : REFUSAL_UNAVAILABLE,
                     "The events could not be stored: %s. Send them again.",
                     cause_text(&op->why, err));
        refuse_request(p->publication.router, &p->exchange, &why);
    }
    free(p);
}

struct fields {
    struct publish_header rows[HEADERS_MAX];
    size_t count;
};

static void on_field(void *ctx, struct slice name, struct slice value)
{
    struct fields *fields = ctx;

    if (slice_has_prefix_nocase(name, SLICE("ce-")) && fields->count < HEADERS_MAX)
        fields->rows[fields->count++] = (struct publish_header){name, value};
}

static enum err read_events(const struct http_request *request, const struct entrance *entrance,
                            struct event_batch *ret, struct refusal *why)
{
    const struct publish_rules rules = {
        .event = topic_rules(entrance->scope->topic),
        .events_max = entrance->is_namespace ? PUBLISH_NAMESPACE_EVENTS_MAX : PUBLISH_EVENTS_MAX,
        .takes_any_type = entrance->is_namespace,
        .now_unix_us = clock_unix_us(),
        .next_id = id_next};
    struct fields fields; /* its rows are not touched unless there are some */

    fields.count = 0;
    http_request_each_header(request, on_field, &fields);
    enum err err = publish_read(&rules,
                                &(struct publish_request){.content_type = http_request_header(
                                                              request, SLICE("Content-Type")),
                                                          .headers = fields.rows,
                                                          .header_count = fields.count,
                                                          .body = http_request_body(request)},
                                ret, why);
    if (err != E_OK && entrance->is_namespace && why->kind == REFUSAL_TOO_LARGE)
        why->kind = REFUSAL_QUOTA; /* how namespaces call it */
    return err;
}

/* A request whose events are not read yet, since too much is being published. */
struct waiting {
    struct op op;
    struct router *router;
    struct http_request *request;
};

static void on_room(struct op *op, enum err err)
{
    struct waiting waiting = *container_of(op, struct waiting, op);

    (void)err;
    free(container_of(op, struct waiting, op));
    topics_handle(waiting.router, waiting.request); /* from the start: its topic may have gone */
}

static void wait_for_room(struct router *router, struct http_request *request)
{
    struct waiting *waiting = mem_new(struct waiting);

    *waiting = (struct waiting){.op.done = on_room, .router = router, .request = request};
    router_wait_for_room(router, &waiting->op);
}

static enum err publish(struct router *router, const struct entrance *entrance,
                        const struct exchange *exchange, struct refusal *why)
{
    const struct topic *topic = entrance->scope->topic;
    struct event_batch batch;
    enum err err = credential_check(exchange->request, topic, router_identity(router), why);

    if (err == E_OK && entrance->is_namespace && topic->input != SCHEMA_CLOUD_EVENT)
        err = refuse(why, REFUSAL_REQUEST,
                     "Only topics with input schema CloudEventSchemaV1_0 are published to by "
                     ":publish; send to /topics/%s/api/events.",
                     topic->name);
    if (err == E_OK && !router_has_room(router)) {
        wait_for_room(router, exchange->request);
        return E_OK;
    }
    if (err == E_OK)
        err = read_events(exchange->request, entrance, &batch, why);
    if (err != E_OK)
        return err;
    struct publishing *p = mem_new(struct publishing);
    p->exchange = *exchange;
    p->is_namespace = entrance->is_namespace;
    p->publication.op.done = on_published;
    if (router_publish(router, entrance->scope, &batch, &p->publication) == E_OK)
        return E_OK;
    free(p);
    return refuse(why, REFUSAL_UNAVAILABLE, "The server is stopping. Send the events again.");
}

/* ---- routes ---- */

bool topics_is_path(const struct http_request *request)
{
    return slice_eq_nocase(http_request_segment(request, 0), SLICE("topics"));
}

static enum err refuse_path(const struct http_request *request, struct refusal *why)
{
    return refuse(why, REFUSAL_NOT_FOUND,
                  "No HTTP resource was found that matches the request URI '%.*s'.",
                  SLICE_ARG(http_request_path(request)));
}

static enum err refuse_method(struct http_request *request, struct slice allowed,
                              struct refusal *why)
{
    (void)http_reply_header(request, SLICE("Allow"), allowed);
    return refuse(why, REFUSAL_METHOD,
                  "The requested resource does not support http method '%.*s'.",
                  SLICE_ARG(http_request_method(request)));
}

static enum err handle_events(struct router *router, struct exchange *exchange, struct refusal *why)
{
    struct http_request *request = exchange->request;
    struct slice method = http_request_method(request);
    struct entrance entrance = {
        catalog_topic(router_catalog(router), http_request_segment(request, 1)), false};

    if (entrance.scope == NULL || entrance.scope->topic->source != NULL ||
        slice_eq(method, SLICE("HEAD"))) /* where a resource speaks, nobody else does */
        return refuse_path(request, why);
    if (slice_eq(method, SLICE("OPTIONS"))) {
        answer_options(exchange, entrance.scope->topic);
        return E_OK;
    }
    if (!slice_eq(method, SLICE("POST")))
        return refuse_method(request, SLICE("OPTIONS, POST"), why);
    return publish(router, &entrance, exchange, why);
}

static enum err handle_pull(struct router *router, struct exchange *exchange,
                            const struct pull_path *path, struct refusal *why)
{
    struct entrance entrance = {catalog_topic(router_catalog(router), path->topic), true};

    exchange->versions = PULL_VERSIONS;
    if (!slice_eq(http_request_method(exchange->request), SLICE("POST")))
        return refuse_method(exchange->request, SLICE("POST"), why);
    if (entrance.scope == NULL)
        return refuse(why, REFUSAL_GONE, "There is no topic '%.*s'.", SLICE_ARG(path->topic));
    if (path->verb == PULL_PUBLISH)
        return publish(router, &entrance, exchange, why);
    enum err err =
        credential_check(exchange->request, entrance.scope->topic, router_identity(router), why);
    return err == E_OK ? pull_handle(entrance.scope, path, exchange, why) : err;
}

static enum err handle(struct router *router, struct exchange *exchange, struct refusal *why)
{
    struct pull_path path;

    if (router == NULL)
        return refuse(why, REFUSAL_UNAVAILABLE, "The event router has not started yet.");
    if (is_events_path(exchange->request))
        return handle_events(router, exchange, why);
    if (pull_read_path(exchange->request, &path))
        return handle_pull(router, exchange, &path, why);
    return refuse_path(exchange->request, why);
}

void topics_handle(struct router *router, struct http_request *request)
{
    struct exchange exchange;
    struct refusal why;

    exchange_init(&exchange, request, VERSION);
    if (handle(router, &exchange, &why) != E_OK)
        refuse_request(router, &exchange, &why);
}

/* A body may be of 16 MiB: whoever has no credential shall not fill memory with it. */
void topics_begin(struct router *router, struct http_request *request)
{
    struct slice topic = http_request_segment(request, 1);
    struct exchange exchange;
    struct pull_path path;
    struct refusal why;

    exchange_init(&exchange, request, VERSION);
    if (pull_read_path(request, &path)) {
        exchange.versions = PULL_VERSIONS;
        topic = path.topic;
    } else if (!is_events_path(request)) {
        topic = SLICE_NONE;
    }
    const struct scope *scope =
        router != NULL && topic.data != NULL ? catalog_topic(router_catalog(router), topic) : NULL;
    if (scope == NULL || !slice_eq(http_request_method(request), SLICE("POST")))
        topics_handle(router, request); /* without looking at the body */
    else if (credential_check(request, scope->topic, router_identity(router), &why) != E_OK)
        refuse_request(router, &exchange, &why);
}

void topics_write_docs(struct buf *out)
{
    buf_add(out, SLICE("| method | path | what it does |\n|---|---|---|\n"
                       "| POST | `/topics/{topic}/api/events` | Publishes events of the topic's "
                       "schema. |\n"
                       "| OPTIONS | `/topics/{topic}/api/events` | Which schema that is. |\n"));
    pull_write_docs(out);
}
