#include "api/api.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/apply_route.h"
#include "api/caller.h"
#include "api/deadletter_routes.h"
#include "api/event_status.h"
#include "api/event_tail.h"
#include "api/log_ring.h"
#include "api/looking.h"
#include "api/signing_routes.h"
#include "api/status_json.h"
#include "api/subscription_routes.h"
#include "api/topic_routes.h"
#include "api/topics.h"
#include "base/mem.h"
#include "functions/host.h"
#include "http/server.h"
#include "router/router.h"
#include "json/json.h"

#define RESULT_MAX_BYTES (8 * 1024 * 1024)
#define REASONS_MAX_BYTES 16384
#define ALLOWED_MAX_BYTES 128
#define LOG_LINES 100 /* of the past, when nobody says how many */

struct api {
    struct loop *loop;
    struct metrics *metrics;
    struct log_ring *logs;
    struct event_tail *tail;
    struct host *host;
    struct router *router;
    char *token;
    struct api_program program;
    void (*rest)(void *ctx, struct http_request *request); /* NULL = nobody */
    void *rest_ctx;
};

/* A function run that somebody waits for. */
struct run {
    struct host_call call;
    struct buf result;
    struct http_request *request;
};

static void get_health(struct api *api, struct http_request *request)
{
    (void)api;
    answer_text(request, 200, "status", SLICE("ok"));
}

static void get_ready(struct api *api, struct http_request *request)
{
    struct buf body, reasons;
    struct slice rest, reason;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&reasons, REASONS_MAX_BYTES);
    api->program.reasons(api->program.ctx, &reasons);
    bool is_ready = reasons.len == 0;
    member_text(&body, "status", is_ready ? SLICE("ready") : SLICE("starting"));
    member_open(&body, "reasons");
    buf_add_byte(&body, '[');
    rest = buf_slice(&reasons);
    for (size_t count = 0; rest.len > 0 && slice_cut(&rest, '\n', &reason);) {
        if (reason.len == 0)
            continue;
        if (count++ > 0)
            buf_add_byte(&body, ',');
        jx_write_string(&body, reason);
    }
    buf_add(&body, SLICE("]}\n"));
    buf_done(&reasons);
    answer_json(request, is_ready ? 200 : 503, &body);
}

static void answer_metrics(void *ctx, struct http_request *request)
{
    struct api *api = ctx;
    struct buf body;

    if (api->router != NULL)
        survey_set_gauges(router_survey(api->router));
    api->program.refresh(api->program.ctx);
    buf_init(&body, ANSWER_MAX_BYTES);
    metrics_write(api->metrics, &body);
    http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void get_metrics(struct api *api, struct http_request *request)
{
    looking_start(api->router, request, answer_metrics, api);
}

static void answer_status(void *ctx, struct http_request *request)
{
    struct api *api = ctx;
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    member_text(&body, "version", SLICE(REDGRID_VERSION));
    api->program.describe(api->program.ctx, &body);
    member_open(&body, "functions");
    status_list_json(&body, api->host);
    member_open(&body, "topics");
    event_status_json(&body, api->router);
    buf_add(&body, SLICE("}\n"));
    answer_json(request, 200, &body);
}

static void get_status(struct api *api, struct http_request *request)
{
    looking_start(api->router, request, answer_status, api);
}

static void get_functions(struct api *api, struct http_request *request)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    status_list_json(&body, api->host);
    buf_add_byte(&body, '\n');
    answer_json(request, 200, &body);
}

static void answer_no_function(struct http_request *request, struct slice name)
{
    answer_error(request, 404, "FunctionNotFound",
                 "there is no function '%.*s': `redgrid function list` shows all", SLICE_ARG(name));
}

struct namesakes {
    struct slice name;
    size_t count;
};

static void count_namesake(void *ctx, const struct function_status *status)
{
    struct namesakes *namesakes = ctx;

    namesakes->count += slice_eq_nocase(slice_of(status->name), namesakes->name);
}

/* find_function answers the error itself. `at` is the path segment that holds the name. */
static bool find_function(struct api *api, struct http_request *request, size_t at,
                          struct function_status *ret)
{
    struct slice app = http_request_parameter(request, SLICE("app"));
    struct slice name = http_request_segment(request, at);

    if (api->host == NULL) {
        answer_error(request, 503, "Starting", "the functions are not started yet");
        return false;
    }
    if (!host_find(api->host, app, name, ret)) {
        answer_no_function(request, name);
        return false;
    }
    struct namesakes namesakes = {.name = name};
    host_each(api->host, count_namesake, &namesakes);
    if (app.data == NULL && namesakes.count > 1) {
        answer_error(request, 409, "FunctionNotUnique",
                     "%zu apps have a function '%.*s': name one (--app NAME, ?app=NAME)",
                     namesakes.count, SLICE_ARG(name));
        return false;
    }
    return true;
}

static void get_function(struct api *api, struct http_request *request)
{
    struct function_status status;
    struct buf body;

    if (!find_function(api, request, 2, &status))
        return;
    buf_init(&body, ANSWER_MAX_BYTES);
    status_json(&body, &status);
    buf_add_byte(&body, '\n');
    answer_json(request, 200, &body);
}

static void get_scale(struct api *api, struct http_request *request)
{
    struct function_status status;
    struct buf body;

    if (!find_function(api, request, 2, &status))
        return;
    buf_init(&body, ANSWER_MAX_BYTES);
    status_scale_json(&body, &status);
    buf_add_byte(&body, '\n');
    answer_json(request, 200, &body);
}

static void answer_run_error(struct http_request *request, enum err err, const struct cause *why)
{
    static const struct answer_row rows[] = {
        {E_NOT_FOUND, 404, "FunctionNotFound"}, {E_LIMIT, 429, "TooManyRuns"},
        {E_TIMEOUT, 504, "FunctionTimeout"},    {E_CRASHED, 502, "WorkerCrashed"},
        {E_CANCELED, 503, "Stopping"},          {E_BAD_INPUT, 400, "BadRequest"},
        {E_UNSUPPORTED, 400, "Unsupported"},
    };

    if (!answer_failure(request, rows, COUNT_OF(rows), err, why))
        answer_error(request, 500, "FunctionFailed", "%s", cause_text(why, err));
}

static void add_result(struct buf *body, struct slice result)
{
    json_t *value = NULL;

    member_open(body, "result");
    if (result.len == 0)
        buf_add(body, SLICE("null"));
    else if (jx_parse(result, NULL, NULL, &value, NULL) == E_OK)
        buf_add(body, slice_trim(result));
    else
        jx_write_string(body, result);
    json_decref(value);
}

static void on_run_done(struct op *op, enum err err)
{
    struct run *run = container_of(op, struct run, call.op);
    struct buf body;

    if (err) {
        answer_run_error(run->request, err, &op->why);
    } else if (buf_err(&run->result)) {
        answer_error(run->request, 500, "ResultTooLarge",
                     "it succeeded, but what it returned is larger than %d bytes",
                     RESULT_MAX_BYTES);
    } else {
        buf_init(&body, ANSWER_MAX_BYTES);
        member_text(&body, "status", SLICE("succeeded"));
        add_result(&body, buf_slice(&run->result));
        buf_add(&body, SLICE("}\n"));
        answer_json(run->request, 200, &body);
    }
    buf_done(&run->result);
    free(run);
}

static void post_invoke(struct api *api, struct http_request *request)
{
    struct slice app = http_request_parameter(request, SLICE("app"));
    struct slice name = http_request_segment(request, 2);
    struct function_status status;
    struct cause why = {0};

    if (!find_function(api, request, 2, &status))
        return;
    struct run *run = mem_new(struct run);
    run->request = request;
    buf_init(&run->result, RESULT_MAX_BYTES);
    run->call.result = &run->result;
    run->call.op.done = on_run_done;
    enum err err = host_invoke(api->host, app, name, http_request_body(request), &run->call, &why);
    if (err == E_OK)
        return;
    answer_run_error(request, err, &why);
    buf_done(&run->result);
    free(run);
}

static void get_logs(struct api *api, struct http_request *request)
{
    struct log_query query = {.function = http_request_parameter(request, SLICE("function")),
                              .lines = LOG_LINES};
    struct slice lines = http_request_parameter(request, SLICE("lines"));
    struct slice follow = http_request_parameter(request, SLICE("follow"));

    if (lines.data != NULL && !slice_to_u64(lines, &query.lines)) {
        answer_error(request, 400, "BadRequest", "lines: '%.*s' is not a number", SLICE_ARG(lines));
        return;
    }
    if (follow.len > 0 && !slice_to_bool(follow, &query.is_following)) {
        answer_error(request, 400, "BadRequest", "follow: '%.*s' is not 1 or 0", SLICE_ARG(follow));
        return;
    }
    struct function_status status;
    if (query.function.len > 0 && api->host != NULL &&
        !host_find(api->host, SLICE_NONE, query.function, &status)) {
        answer_no_function(request, query.function);
        return;
    }
    log_ring_answer(api->logs, &query, request);
}

static void get_events(struct api *api, struct http_request *request)
{
    event_tail_answer(api->tail, request);
}

static void post_reload(struct api *api, struct http_request *request)
{
    api->program.reload(api->program.ctx);
    answer_text(request, 202, "status", SLICE("reloading"));
}

enum access {
    WITH_TOKEN, /* if there is one; else from this machine */
    OPEN,       /* asks for no token */
    ANYWHERE,   /* under any name of this server too */
};

static const struct route {
    const char *method;
    const char *path; /* a segment in braces takes any text */
    enum access access;
    void (*handle)(struct api *api, struct http_request *request);
    void (*handle_events)(struct router *router, struct http_request *request); /* or this */
    const char *description;
} routes[] = {
    {"GET", "/healthz", OPEN, get_health, NULL, "200 while the process answers."},
    {"GET", "/readyz", OPEN, get_ready, NULL,
     "200 once everything has started, else 503 with the reasons."},
    {"GET", "/metrics", WITH_TOKEN, get_metrics, NULL, "Metrics for Prometheus."},
    {"GET", "/api/status", WITH_TOKEN, get_status, NULL,
     "All of it: versions, addresses, functions, topics with their subscriptions."},
    {"GET", "/api/functions", WITH_TOKEN, get_functions, NULL,
     "The functions with their state and counts."},
    {"GET", "/api/functions/{name}", WITH_TOKEN, get_function, NULL,
     "One function; ?app=NAME if several apps have one of that name, here and below."},
    {"POST", "/api/functions/{name}/invoke", WITH_TOKEN, post_invoke, NULL,
     "Runs a function once with the body as its message; answers what it returned."},
    {"GET", "/api/logs", WITH_TOKEN, get_logs, NULL,
     "Log lines, one JSON object each; ?function=NAME&lines=N&follow=1."},
    {"GET", "/api/events", WITH_TOKEN, get_events, NULL,
     "What happens to events on this node from now on, one JSON object a line, an empty one now "
     "and then, until the client leaves; ?topic=NAME&subscription=NAME."},
    {"GET", "/api/scale/{function}", WITH_TOKEN, get_scale, NULL,
     "Numbers for an outside scaler, as KEDA's metrics-api reads them."},
    {"POST", "/api/reload", WITH_TOKEN, post_reload, NULL,
     "Reads the settings and the apps again."},
    {"GET", "/api/topics", WITH_TOKEN, NULL, topics_get, "The topics."},
    {"GET", "/api/topics/{name}", WITH_TOKEN, NULL, topic_get, "One topic."},
    {"PUT", "/api/topics/{name}", WITH_TOKEN, NULL, topic_put,
     "Makes a topic, or says anew what it is: `{\"properties\":{\"inputSchema\":..}}`."},
    {"PATCH", "/api/topics/{name}", WITH_TOKEN, NULL, topic_patch,
     "Changes of a topic what the body names."},
    {"DELETE", "/api/topics/{name}", WITH_TOKEN, NULL, topic_delete,
     "Removes a topic with its subscriptions and all that they still had to deliver."},
    {"GET", "/api/topics/{name}/keys", WITH_TOKEN, NULL, topic_get_keys,
     "The two keys that publishers may use."},
    {"POST", "/api/topics/{name}/regenerate", WITH_TOKEN, NULL, topic_renew_key,
     "Makes a key anew, `{\"keyName\":\"key1\"}`; the old one is refused from then on."},
    {"GET", "/api/subscriptions", WITH_TOKEN, NULL, subscriptions_get,
     "The event subscriptions, all or those of ?topic=NAME or ?scope=RESOURCE-ID."},
    {"GET", "/api/subscriptions/{name}", WITH_TOKEN, NULL, subscription_get,
     "One event subscription of ?topic=NAME or ?scope=RESOURCE-ID, here and below."},
    {"PUT", "/api/subscriptions/{name}", WITH_TOKEN, NULL, subscription_put,
     "Makes one, or says anew what it is: `{\"properties\":{\"destination\":..}}`; answers when "
     "its "
     "endpoint has been asked."},
    {"PATCH", "/api/subscriptions/{name}", WITH_TOKEN, NULL, subscription_patch,
     "Changes of one what the body names; another endpoint is asked first."},
    {"DELETE", "/api/subscriptions/{name}", WITH_TOKEN, NULL, subscription_delete,
     "Removes one with its dead letters and all that it still had to deliver."},
    {"POST", "/api/subscriptions/{name}/getSigningSecrets", WITH_TOKEN, NULL, signing_get,
     "The secrets that its deliveries are signed with."},
    {"POST", "/api/subscriptions/{name}/rotateSigningSecret", WITH_TOKEN, NULL, signing_rotate,
     "Puts another in force, `{\"secret\":\"whsec_..\",\"keepPrevious\":true}`, or a fresh one; "
     "answers both."},
    {"GET", "/api/subscriptions/{name}/deadletters", WITH_TOKEN, NULL, deadletters_get,
     "Its dead letters; ?limit=N&from=ID&diedAfter=TIME&diedBefore=TIME&reason=R&filter=JSON."},
    {"GET", "/api/subscriptions/{name}/deadletters/{id}", WITH_TOKEN, NULL, deadletter_get,
     "One dead letter."},
    {"POST", "/api/subscriptions/{name}/listDeadLetters", WITH_TOKEN, NULL, deadletters_list,
     "The same as a body: `{\"ids\":[..],\"diedAfter\":..,\"reason\":..,\"filter\":{..}}`, here "
     "and below."},
    {"POST", "/api/subscriptions/{name}/redriveDeadLetters", WITH_TOKEN, NULL, deadletters_redrive,
     "Has dead letters delivered anew, all or those that are meant; `\"dryRun\":true`, "
     "`\"rate\":N` a second."},
    {"POST", "/api/subscriptions/{name}/purgeDeadLetters", WITH_TOKEN, NULL, deadletters_purge,
     "Removes dead letters for good: those that are meant, or `\"all\":true`."},
    {"POST", "/api/apply", WITH_TOKEN, NULL, declaration_post,
     "Brings topics and subscriptions to what the body says: "
     "`{\"topics\":[..],\"subscriptions\":[..]}`; ?dryRun=yes only tells, ?prune=yes removes too."},
    {"GET", "/eventsubscriptions/{name}/validate", ANYWHERE, NULL, subscription_confirm,
     "What the owner of an endpoint opens to confirm it by hand."},
    {"POST", "/eventsubscriptions/{name}/validate", ANYWHERE, NULL, subscription_confirm,
     "The same, for endpoints of CloudEvents."},
};

static bool path_matches(const struct http_request *request, const char *path)
{
    struct slice rest = slice_of(path + 1), part;
    size_t at = 0;

    while (slice_cut(&rest, '/', &part)) {
        struct slice segment = http_request_segment(request, at++);
        bool is_any = part.data[0] == '{' && segment.len > 0;
        if (segment.data == NULL || (!is_any && !slice_eq(part, segment)))
            return false;
    }
    return at == http_request_segment_count(request);
}

static bool is_allowed(const struct api *api, const struct http_request *request)
{
    return api->token == NULL || slice_eq_secret(caller_token(request), slice_of(api->token));
}

/* Without a token only this machine is served, under its own names. */
static bool is_foreign_name(const struct api *api, const struct http_request *request)
{
    return api->token == NULL && !caller_names_machine(request);
}

/* find_route adds the methods of that path to `allowed`; NULL if none is the request's. */
static const struct route *find_route(const struct http_request *request, struct buf *allowed)
{
    struct slice method = http_request_method(request);

    if (slice_eq(method, SLICE("HEAD")))
        method = SLICE("GET");
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!path_matches(request, routes[i].path))
            continue;
        if (slice_eq(method, slice_of(routes[i].method)))
            return &routes[i];
        buf_addf(allowed, "%s%s", allowed->len > 0 ? ", " : "", routes[i].method);
    }
    return NULL;
}

/* may_go_on answers the request itself if it may not. */
static bool may_go_on(const struct api *api, const struct route *route,
                      struct http_request *request)
{
    bool is_reading = slice_eq(slice_of(route->method), SLICE("GET"));

    if (route->access == WITH_TOKEN && !is_allowed(api, request)) {
        (void)http_reply_header(request, SLICE("WWW-Authenticate"), SLICE("Bearer"));
        answer_error(request, 401, "Unauthorized",
                     "send 'Authorization: Bearer TOKEN' with the setting listen.token");
        return false;
    }
    if (route->access != ANYWHERE && !is_reading && caller_is_foreign_page(request)) {
        answer_error(request, 403, "Forbidden", "not from a page of another origin");
        return false;
    }
    return true;
}

static void answer_route(struct api *api, const struct route *route, struct http_request *request)
{
    if (!may_go_on(api, route, request))
        return;
    if (route->handle != NULL)
        route->handle(api, request);
    else if (api->router != NULL)
        route->handle_events(api->router, request);
    else
        answer_error(request, 503, "Starting", "the event router has not started yet");
}

void api_handle(void *ctx, struct http_request *request)
{
    struct api *api = ctx;
    char room[ALLOWED_MAX_BYTES];
    struct buf allowed = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    if (topics_is_path(request)) { /* whoever has a topic's key, from anywhere */
        topics_handle(api->router, request);
        return;
    }
    const struct route *route = find_route(request, &allowed);
    if (route == NULL && allowed.len == 0 && api->rest != NULL) {
        api->rest(api->rest_ctx, request);
        return;
    }
    if ((route == NULL || route->access != ANYWHERE) && is_foreign_name(api, request))
        answer_error(request, 403, "Forbidden",
                     "call this server by localhost or its address, or set listen.token");
    else if (route == NULL)
        answer_no_route(request, &allowed);
    else
        answer_route(api, route, request);
}

void api_begin(void *ctx, struct http_request *request)
{
    struct api *api = ctx;
    char room[ALLOWED_MAX_BYTES];
    struct buf allowed = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    if (topics_is_path(request)) {
        topics_begin(api->router, request);
        return;
    }
    const struct route *route = find_route(request, &allowed);
    if (route != NULL)
        (void)may_go_on(api, route, request);
}

void api_router(struct api *api, struct router *router)
{
    api->router = router;
    event_tail_router(api->tail, router);
}

void api_end_streams(struct api *api)
{
    event_tail_end(api->tail);
    log_ring_end(api->logs);
}

struct api *api_new(const struct api_options *options)
{
    struct api *api = mem_new(struct api);

    api->loop = options->loop;
    api->metrics = options->metrics;
    api->logs = options->logs;
    api->tail = event_tail_new(options->loop);
    api->program = options->program;
    api->rest = options->rest;
    api->rest_ctx = options->rest_ctx;
    api_token(api, options->token);
    return api;
}

void api_token(struct api *api, const char *token)
{
    free(api->token);
    api->token = token != NULL && token[0] != '\0' ? slice_dup(slice_of(token)) : NULL;
}

void api_host(struct api *api, struct host *host)
{
    api->host = host;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    event_tail_free(api->tail);
    free(api->token);
    free(api);
}

void api_write_docs(struct buf *out)
{
    buf_add(out, SLICE("| method | path | what it does |\n|---|---|---|\n"));
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        buf_addf(out, "| %s | `%s` | %s |\n", routes[i].method, routes[i].path,
                 routes[i].description);
    buf_add(out, SLICE("\nPublishers and pull clients show a key or token of the topic, and may "
                       "write paths in "
                       "any case:\n\n"));
    topics_write_docs(out);
}
