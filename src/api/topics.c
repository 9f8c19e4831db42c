#include "api/topics.h"

#include <stdlib.h>

#include "api/answer.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "router/router.h"

#define HEADERS_MAX 100
#define URL_ROOM_BYTES 2048

/* One request, until it is answered. */
struct publishing {
    struct publication publication;
    struct http_request *request;
    struct id id; /* x-ms-request-id, and in what is reported */
};

/* ---- answers ---- */

static void add_headers(struct http_request *request, const struct id *id)
{
    (void)http_reply_header(request, SLICE("api-supported-versions"), SLICE("2018-01-01"));
    (void)http_reply_header(request, SLICE("x-ms-request-id"), id_slice(id));
}

static void answer_refusal(struct http_request *request, const struct id *id,
                           const struct refusal *why)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    refusal_write(&body, why, id_slice(id), clock_unix_ms());
    add_headers(request, id);
    http_respond(request, (int)refusal_status(why), "application/json; charset=utf-8", &body);
}

static void answer_options(struct http_request *request, const struct id *id,
                           const struct topic *topic)
{
    add_headers(request, id);
    (void)http_reply_header(request, SLICE("Allow"), SLICE("POST,OPTIONS"));
    (void)http_reply_header(request, SLICE("aeg-input-event-schema"),
                            slice_of(schema_wire_name(topic->input)));
    http_respond(request, 200, NULL, NULL);
}

/* ---- who may ---- */

/* The URL that a token was made for, as the client sees it. */
static struct slice url_of(const struct http_request *request, struct buf *room)
{
    buf_add(room, SLICE("http://"));
    buf_add(room, http_request_header(request, SLICE("Host")));
    buf_add(room, http_request_path(request));
    return buf_slice(room);
}

static enum err check_token(const struct http_request *request, const struct topic *topic,
                            struct slice token, struct cause *why)
{
    char bytes[URL_ROOM_BYTES];
    struct buf room = {.data = bytes, .cap = sizeof bytes, .max_bytes = sizeof bytes};
    struct slice url = url_of(request, &room);

    if (buf_err(&room))
        return cause_set(why, E_DENIED, "The request's URL is too long for a token.");
    return sas_verify(&topic->keys, token, url, clock_unix_ms(), why);
}

/* What came first of: a key in a header, the query or Authorization; a token in either header. */
struct credential {
    struct slice key, token; /* SLICE_NONE = there is none */
};

static struct credential credential_of(const struct http_request *request)
{
    struct credential given = {http_request_header(request, SLICE("aeg-sas-key")),
                               http_request_header(request, SLICE("aeg-sas-token"))};
    struct slice authorization = http_request_header(request, SLICE("Authorization"));
    const struct slice signature = SLICE("SharedAccessSignature ");
    const struct slice plain = SLICE("SharedAccessKey ");

    if (given.key.data == NULL)
        given.key = http_request_parameter(request, SLICE("aeg-sas-key"));
    if (given.key.data != NULL || given.token.data != NULL)
        return given;
    if (slice_has_prefix_nocase(authorization, signature))
        given.token = slice_trim(slice_from(authorization, signature.len));
    else if (slice_has_prefix_nocase(authorization, plain))
        given.key = slice_trim(slice_from(authorization, plain.len));
    return given;
}

static enum err refuse_credential(const struct http_request *request, const struct cause *cause,
                                  struct refusal *why)
{
    char room[256];
    struct buf host = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    buf_add_upper(&host, slice_first(http_request_header(request, SLICE("Host")), sizeof room));
    return refuse(why, REFUSAL_UNAUTHORIZED,
                  "The request authorization key is not authorized for %.*s. This is due to the "
                  "reason: %s",
                  SLICE_ARG(buf_slice(&host)), cause->text);
}

static enum err check_credential(const struct http_request *request, const struct topic *topic,
                                 struct refusal *why)
{
    struct credential given = credential_of(request);
    struct cause cause = {0};
    enum err err;

    if (given.key.data == NULL && given.token.data == NULL)
        return refuse(why, REFUSAL_UNAUTHORIZED,
                      "Request must contain one of the following authorization signature: "
                      "aeg-sas-token, aeg-sas-key.");
    if (given.key.data != NULL && given.key.len == 0)
        return refuse(why, REFUSAL_SAS, "Request must have a value for aeg-sas-key.");
    if (topic->is_local_auth_disabled)
        return refuse(why, REFUSAL_UNAUTHORIZED,
                      "Keys and SAS tokens are disabled for this topic (disableLocalAuth).");
    if (given.key.data != NULL)
        err = access_keys_fit(&topic->keys, given.key, &cause);
    else
        err = check_token(request, topic, given.token, &cause);
    return err == E_OK ? E_OK : refuse_credential(request, &cause, why);
}

/* ---- publishing ---- */

static void on_published(struct op *op, enum err err)
{
    struct publishing *p = container_of(op, struct publishing, publication.op);
    struct refusal why;

    if (err == E_OK) {
        add_headers(p->request, &p->id);
        http_respond(p->request, 200, NULL, NULL);
    } else {
        (void)refuse(&why, err == E_NOT_FOUND ? REFUSAL_NOT_FOUND : REFUSAL_UNAVAILABLE,
                     "The events could not be stored: %s. Send them again.",
                     cause_text(&op->why, err));
        answer_refusal(p->request, &p->id, &why);
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

static enum err read_events(const struct http_request *request, const struct topic *topic,
                            struct event_batch *ret, struct refusal *why)
{
    const struct publish_rules rules = {
        .event = topic_rules(topic), .now_unix_us = clock_unix_us(), .next_id = id_next};
    struct fields fields = {.count = 0};

    http_request_each_header(request, on_field, &fields);
    return publish_read(&rules,
                        &(struct publish_request){
                            .content_type = http_request_header(request, SLICE("Content-Type")),
                            .headers = fields.rows,
                            .header_count = fields.count,
                            .body = http_request_body(request)},
                        ret, why);
}

static enum err publish(struct router *router, const struct scope *scope,
                        struct http_request *request, const struct id *id, struct refusal *why)
{
    struct event_batch batch;
    enum err err = check_credential(request, scope->topic, why);

    if (err == E_OK)
        err = read_events(request, scope->topic, &batch, why);
    if (err != E_OK)
        return err;
    struct publishing *p = mem_new(struct publishing);
    p->request = request;
    p->id = *id;
    p->publication.op.done = on_published;
    if (router_publish(router, scope, &batch, &p->publication) == E_OK)
        return E_OK;
    free(p);
    return refuse(why, REFUSAL_UNAVAILABLE, "The server is stopping. Send the events again.");
}

/* ---- routes ---- */

bool topics_is_path(const struct http_request *request)
{
    return slice_eq_nocase(http_request_segment(request, 0), SLICE("topics"));
}

static const struct scope *find_topic(struct router *router, const struct http_request *request)
{
    if (http_request_segment_count(request) != 4 ||
        !slice_eq_nocase(http_request_segment(request, 2), SLICE("api")) ||
        !slice_eq_nocase(http_request_segment(request, 3), SLICE("events")))
        return NULL;
    return catalog_topic(router_catalog(router), http_request_segment(request, 1));
}

static enum err handle(struct router *router, struct http_request *request, const struct id *id,
                       struct refusal *why)
{
    struct slice method = http_request_method(request);

    if (router == NULL)
        return refuse(why, REFUSAL_UNAVAILABLE, "The event router has not started yet.");
    const struct scope *scope = find_topic(router, request);
    if (scope == NULL || slice_eq(method, SLICE("HEAD")))
        return refuse(why, REFUSAL_NOT_FOUND,
                      "No HTTP resource was found that matches the request URI '%.*s'.",
                      SLICE_ARG(http_request_path(request)));
    if (slice_eq(method, SLICE("OPTIONS"))) {
        answer_options(request, id, scope->topic);
        return E_OK;
    }
    if (!slice_eq(method, SLICE("POST"))) {
        (void)http_reply_header(request, SLICE("Allow"), SLICE("OPTIONS, POST"));
        return refuse(why, REFUSAL_METHOD,
                      "The requested resource does not support http method "
                      "'%.*s'.",
                      SLICE_ARG(method));
    }
    return publish(router, scope, request, id, why);
}

void topics_handle(struct router *router, struct http_request *request)
{
    struct id id = id_next();
    struct refusal why;

    if (handle(router, request, &id, &why) != E_OK)
        answer_refusal(request, &id, &why);
}
