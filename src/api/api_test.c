/* Through real HTTP, with the functions host replaced by the one below. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/api.h"
#include "api/log_ring.h"
#include "base/log.h"
#include "base/mem.h"
#include "functions/host.h"
#include "http/client.h"
#include "http/server.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/timer.h"
#include "json/json.h"

#define DEADLINE_MS 10000
#define TEXT_MAX_BYTES (1024 * 1024)

static struct world {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    struct metrics *metrics;
    struct log_ring *logs;
    struct api *api;
    struct timer *deadline;
    bool is_late;
    const char *reasons;
    int reloads;
    struct op closed;

    struct http_call call;
    int status;
    char type[64];
    struct buf text;
} world;

/* ---- the host ---- */

struct host {
    int unused;
};
static struct host fake_host;

static const struct function_status orders = {
    .app = "shop",
    .name = "orders",
    .trigger = "list",
    .source = "orderList",
    .language = "c",
    .state = "running",
    .succeeded = 7,
    .backlog = 250,
    .target_workers = 3,
    .workers = 1,
    .divisor = 100,
    .vote = 1,
    .average_ms = 1.5,
};

void host_each(struct host *host, void (*each)(void *ctx, const struct function_status *status),
               void *ctx)
{
    (void)host;
    each(ctx, &orders);
    struct function_status broken = {
        .app = "shop", .name = "broken", .state = "error", .error = "a \"b\""};
    each(ctx, &broken);
    broken.app = "mall";
    each(ctx, &broken);
}

bool host_find(struct host *host, struct slice app, struct slice function,
               struct function_status *ret)
{
    (void)host;
    if (!(slice_eq(function, SLICE("orders")) || slice_eq(function, SLICE("broken"))) ||
        (app.data != NULL && !slice_eq(app, SLICE("shop"))))
        return false;
    *ret = orders;
    return true;
}

enum err host_invoke(struct host *host, struct slice app, struct slice function, struct slice value,
                     struct host_call *call, struct cause *why)
{
    (void)host;
    (void)app;
    (void)function;
    if (slice_eq(value, SLICE("refuse")))
        return cause_set(why, E_LIMIT, "too many runs");
    if (slice_eq(value, SLICE("fail"))) {
        loop_later(world.loop, &call->op, E_FAILED);
        return cause_set(&call->op.why, E_OK, "it said no");
    }
    buf_add(call->result, value);
    loop_later(world.loop, &call->op, E_OK);
    return E_OK;
}

/* ---- the program ---- */

static void on_reasons(void *ctx, struct buf *ret)
{
    (void)ctx;
    buf_add(ret, slice_of(world.reasons));
}

static void on_describe(void *ctx, struct buf *out)
{
    (void)ctx;
    buf_add(out, SLICE(",\"state\":\"ready\""));
}

static void on_refresh(void *ctx)
{
    (void)ctx;
    series_set(metrics_series(world.metrics, METRIC_ID_UPTIME, NULL), 5);
}

static void on_reload(void *ctx)
{
    (void)ctx;
    world.reloads++;
}

static void on_deadline(void *ctx)
{
    (void)ctx;
    world.is_late = true;
    loop_stop(world.loop);
}

static void run_loop(void)
{
    timer_set(world.deadline, DEADLINE_MS);
    loop_run(world.loop);
    assert_false(world.is_late);
}

static void on_closed(struct op *op, enum err err)
{
    (void)op;
    (void)err;
    loop_stop(world.loop);
}

static void on_answer(struct op *op, enum err err)
{
    assert_string_equal(op->why.text, "");
    assert_int_equal(err, E_OK);
    struct slice type = http_call_header(&world.call, SLICE("Content-Type"));
    snprintf(world.type, sizeof world.type, "%.*s", SLICE_ARG(type));
    world.status = world.call.status;
    buf_add(&world.text, world.call.response);
    loop_stop(world.loop);
}

static int set_up_with(const char *token)
{
    struct cause why = {0};

    world = (struct world){.reasons = "", .closed = {.done = on_closed}};
    world.loop = loop_new();
    world.deadline = timer_new(world.loop, on_deadline, NULL);
    world.metrics = metrics_new();
    world.logs = log_ring_new(world.loop);
    world.client = http_client_new(world.loop, &(struct http_client_options){0});
    world.api = api_new(
        &(struct api_options){.loop = world.loop,
                              .metrics = world.metrics,
                              .logs = world.logs,
                              .token = token,
                              .program = {on_reasons, on_describe, on_refresh, on_reload, NULL}});
    api_host(world.api, &fake_host);
    buf_init(&world.text, TEXT_MAX_BYTES);
    return http_server_start(world.loop,
                             &(struct http_server_options){
                                 .address = "127.0.0.1:0", .handler = api_handle, .ctx = world.api},
                             &world.server, &why) != E_OK;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with("");
}

static int set_up_token(void **state)
{
    (void)state;
    return set_up_with("secret");
}

static int tear_down(void **state)
{
    (void)state;
    log_ring_free(world.logs);
    http_client_free(world.client);
    http_server_close(world.server, 1000, &world.closed);
    run_loop();
    api_free(world.api);
    metrics_free(world.metrics);
    timer_free(world.deadline);
    loop_free(world.loop);
    buf_done(&world.text);
    return 0;
}

/* ask sends a request and gives the answer's body. */
static const char *ask(const char *method, const char *path, const char *body, const char *header,
                       const char *value)
{
    char text[512];
    struct slice part = slice_of(body);
    struct http_header headers[] = {{slice_of(header), slice_of(value)}};

    snprintf(text, sizeof text, "http://127.0.0.1:%u%s", http_server_port(world.server), path);
    world.call = (struct http_call){.op = {.done = on_answer},
                                    .method = slice_of(method),
                                    .headers = headers,
                                    .header_count = header != NULL,
                                    .body = &part,
                                    .body_count = part.len > 0,
                                    .timeout_ms = DEADLINE_MS};
    assert_int_equal(url_parse(slice_of(text), &world.call.url, NULL), E_OK);
    buf_clear(&world.text);
    assert_int_equal(http_send(world.client, &world.call), E_OK);
    run_loop();
    return buf_text(&world.text);
}

static const char *get(const char *path)
{
    return ask("GET", path, NULL, NULL, NULL);
}

static void routes_answer(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int status;
        const char *expected; /* part of the answer */
    } rows[] = {
        {"GET", "/healthz", NULL, 200, "{\"status\":\"ok\"}"},
        {"GET", "/readyz", NULL, 200, "{\"status\":\"ready\",\"reasons\":[]}"},
        {"GET", "/metrics", NULL, 200, "redgrid_uptime_seconds 5\n"},
        {"GET", "/api/status", NULL, 200,
         "\"state\":\"ready\",\"functions\":[{\"name\":\"orders\""},
        {"GET", "/api/functions", NULL, 200, "\"error\":\"a \\\"b\\\"\""},
        {"GET", "/api/functions/orders", NULL, 200, "\"averageMs\":1.5"},
        {"GET", "/api/functions/orders?app=shop", NULL, 200, "\"succeeded\":7"},
        {"GET", "/api/functions/broken", NULL, 409, "2 apps have a function 'broken'"},
        {"GET", "/api/functions/broken?app=shop", NULL, 200, "{\"name\":"},
        {"POST", "/api/functions/broken/invoke", "x", 409, "FunctionNotUnique"},
        {"GET", "/api/functions/orders?app=other", NULL, 404, "\"code\":\"FunctionNotFound\""},
        {"GET", "/api/functions/none", NULL, 404, "there is no function 'none'"},
        {"GET", "/api/scale/orders", NULL, 200,
         "{\"monitor\":\"orders-RedisListTrigger-orderList\",\"function\":\"orders\",\"app\":"
         "\"shop\","
         "\"backlog\":250,\"target\":3,\"current\":1,"
         "\"divisor\":100,\"vote\":1}"},
        {"GET", "/api/scale/none", NULL, 404, "\"code\":\"FunctionNotFound\""},
        {"POST", "/api/functions/orders/invoke", "hello", 200,
         "{\"status\":\"succeeded\",\"result\":\"hello\"}"},
        {"POST", "/api/functions/orders/invoke", "{\"a\":1}", 200, "\"result\":{\"a\":1}"},
        {"POST", "/api/functions/orders/invoke", NULL, 200, "\"result\":null"},
        {"POST", "/api/functions/orders/invoke", "fail", 500,
         "{\"error\":{\"code\":\"FunctionFailed\",\"message\":\"it said no\"}}"},
        {"POST", "/api/functions/orders/invoke", "refuse", 429, "too many runs"},
        {"POST", "/api/functions/none/invoke", "x", 404, "FunctionNotFound"},
        {"POST", "/api/reload", NULL, 202, "reloading"},
        {"GET", "/api/reload", NULL, 405, "use POST"},
        {"GET", "/api/functions/orders/invoke", NULL, 405, "use POST"},
        {"GET", "/api/functions/orders/none", NULL, 404, "NotFound"},
        {"GET", "/", NULL, 404, "there is nothing at /"},
        {"GET", "/api/topics", NULL, 503, "the event router has not started yet"},
        {"PUT", "/api/topics/t", "{}", 503, "the event router has not started yet"},
        {"POST", "/api/topics/t", "{}", 405, "use GET, PUT, PATCH, DELETE"},
        {"POST", "/topics/t/api/events", "{}", 503, "The event router has not started yet."},
        {"POST", "/topics/t:publish", "{}", 503, "{\"error\":{\"code\":\"ServiceUnavailable\""},
        {"POST", "/TOPICS/t/eventSubscriptions/s:receive", NULL, 503, "ServiceUnavailable"},
        {"GET", "/api/logs?function=none", NULL, 404, "FunctionNotFound"},
        {"GET", "/api/logs?lines=x", NULL, 400, "lines: 'x' is not a number"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *text = ask(rows[i].method, rows[i].path, rows[i].body, NULL, NULL);
        json_t *json = NULL;
        if (world.status != rows[i].status || strstr(text, rows[i].expected) == NULL)
            fail_msg("%s %s: %d %s", rows[i].method, rows[i].path, world.status, text);
        if (strcmp(world.type, "application/json") == 0)
            assert_int_equal(jx_parse(buf_slice(&world.text), NULL, NULL, &json, NULL), E_OK);
        json_decref(json);
    }
    assert_int_equal(world.reloads, 1);
}

static void it_is_not_ready_while_there_are_reasons(void **state)
{
    (void)state;
    world.reasons = "store: starting\nfunctions: \"x\"\n";
    assert_string_equal(get("/readyz"), "{\"status\":\"starting\",\"reasons\":[\"store: starting\","
                                        "\"functions: \\\"x\\\"\"]}\n");
    assert_int_equal(world.status, 503);
    get("/healthz");
    assert_int_equal(world.status, 200);
}

static void before_there_is_a_host_functions_are_starting(void **state)
{
    (void)state;
    api_host(world.api, NULL);
    assert_string_equal(get("/api/functions"), "[]\n");
    get("/api/functions/orders");
    assert_int_equal(world.status, 503);
}

static void a_token_opens_all_but_health(void **state)
{
    (void)state;
    get("/healthz");
    assert_int_equal(world.status, 200);
    get("/readyz");
    assert_int_equal(world.status, 200);
    get("/metrics");
    assert_int_equal(world.status, 401);
    ask("GET", "/api/status", NULL, "Authorization", "Bearer secres");
    assert_int_equal(world.status, 401);
    ask("GET", "/api/status", NULL, "Authorization", "Bearer secret");
    assert_int_equal(world.status, 200);
}

static void pages_of_other_origins_cannot_post(void **state)
{
    char own[64];

    (void)state;
    ask("POST", "/api/reload", NULL, "Origin", "https://evil.example");
    assert_int_equal(world.status, 403);
    ask("POST", "/api/reload", NULL, "Origin", "null");
    assert_int_equal(world.status, 403);
    assert_int_equal(world.reloads, 0);
    snprintf(own, sizeof own, "http://127.0.0.1:%u", http_server_port(world.server));
    ask("DELETE", "/api/topics/t", NULL, "Origin", "https://evil.example");
    assert_int_equal(world.status, 403);
    ask("POST", "/api/reload", NULL, "Origin", own);
    assert_int_equal(world.status, 202);
}

static void say(const char *function, const char *text)
{
    log_write(&(struct log_record){.level = LOG_INFO,
                                   .id = SLICE("TEST"),
                                   .function = slice_of(function),
                                   .text = slice_of(text)});
}

static void the_log_is_kept_by_function(void **state)
{
    (void)state;
    say("orders", "one");
    say("other", "two");
    say("orders", "three \"x\"");
    const char *text = get("/api/logs?function=orders");
    assert_non_null(strstr(text,
                           "\"level\":\"info\",\"id\":\"TEST\",\"function\":\"orders\",\"message\":"
                           "\"one\"}\n"));
    assert_null(strstr(text, "two"));
    text = get("/api/logs?function=orders&lines=1");
    assert_null(strstr(text, "\"one\""));
    assert_non_null(strstr(text, "three \\\"x\\\""));
    text = get("/api/logs");
    assert_non_null(strstr(text, "two"));
}

static void the_ring_forgets_the_oldest(void **state)
{
    char line[32];

    (void)state;
    for (int i = 0; i < LOG_RING_LINES + 5; i++) {
        snprintf(line, sizeof line, "line %d.", i);
        say("orders", line);
    }
    const char *text = get("/api/logs?function=orders&lines=1000000");
    assert_null(strstr(text, "line 4."));
    assert_non_null(strstr(text, "line 5."));
    snprintf(line, sizeof line, "line %d.", LOG_RING_LINES + 4);
    assert_non_null(strstr(text, line));
}

/* ---- by hand, over a stream ---- */

static struct follower {
    struct stream *stream;
    struct op op;
    struct buf in;
    const char *wanted;
    struct slice request;
    int step;
} follower;

static void on_follow(struct op *op, enum err err)
{
    assert_int_equal(err, E_OK);
    if (follower.step++ == 0) {
        assert_int_equal(stream_write(follower.stream, &follower.request, 1, op), E_OK);
        return;
    }
    if (follower.wanted != NULL && strstr(buf_text(&follower.in), follower.wanted) != NULL)
        loop_stop(world.loop);
    assert_int_equal(stream_read(follower.stream, &follower.in, 4096, op), E_OK);
}

static void followers_get_what_comes(void **state)
{
    (void)state;
    struct stream_target target = {.host = "127.0.0.1", .port = http_server_port(world.server)};
    say("orders", "before");
    follower = (struct follower){.op = {.done = on_follow}, .wanted = "\"before\""};
    follower.request =
        SLICE("GET /api/logs?follow=1&function=orders HTTP/1.1\r\nHost: localhost\r\n\r\n");
    buf_init(&follower.in, TEXT_MAX_BYTES);
    follower.stream = stream_new(world.loop);
    assert_int_equal(stream_connect(follower.stream, &target, &follower.op), E_OK);
    run_loop();
    say("other", "hidden");
    say("orders", "after");
    follower.wanted = "\"after\"";
    run_loop();
    assert_null(strstr(buf_text(&follower.in), "hidden"));
    follower.wanted = NULL;
    follower.op.done = on_closed;
    stream_free(follower.stream); /* leaves; the ring must notice */
    run_loop();
    say("orders", "nobody reads this");
    get("/healthz");
    say("orders", "nor this");
    get("/healthz");
    buf_done(&follower.in);
}

/* The client writes Host itself, so these go by hand. */
static void names_that_are_not_ours_are_refused(void **state)
{
    static const struct {
        const char *host, *status;
    } rows[] = {
        {"localhost", "HTTP/1.1 200"},
        {"LOCALHOST:7070", "HTTP/1.1 200"},
        {"127.0.0.1:7070", "HTTP/1.1 200"},
        {"127.1.2.3", "HTTP/1.1 200"},
        {"[::1]:7070", "HTTP/1.1 200"},
        {"evil.example:7070", "HTTP/1.1 403"},
        {"localhost.evil.example", "HTTP/1.1 403"},
        {"127.0.0.1.evil.example", "HTTP/1.1 403"},
        {"10.0.0.1", "HTTP/1.1 403"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char request[256];
        struct stream_target target = {.host = "127.0.0.1", .port = http_server_port(world.server)};
        snprintf(request, sizeof request, "GET /api/functions HTTP/1.1\r\nHost: %s\r\n\r\n",
                 rows[i].host);
        follower = (struct follower){
            .op = {.done = on_follow}, .wanted = "HTTP/1.1 ", .request = slice_of(request)};
        buf_init(&follower.in, TEXT_MAX_BYTES);
        follower.stream = stream_new(world.loop);
        assert_int_equal(stream_connect(follower.stream, &target, &follower.op), E_OK);
        run_loop();
        if (strncmp(buf_text(&follower.in), rows[i].status, strlen(rows[i].status)) != 0)
            fail_msg("%s: %s", rows[i].host, buf_text(&follower.in));
        follower.op.done = on_closed;
        stream_free(follower.stream);
        run_loop();
        buf_done(&follower.in);
    }
}

int main(void)
{
    int null = open("/dev/null", O_WRONLY);
    log_open(null, LOG_INFO, false);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(routes_answer),
        CASE(it_is_not_ready_while_there_are_reasons),
        CASE(before_there_is_a_host_functions_are_starting),
        cmocka_unit_test_setup_teardown(a_token_opens_all_but_health, set_up_token, tear_down),
        CASE(pages_of_other_origins_cannot_post),
        CASE(names_that_are_not_ours_are_refused),
        CASE(the_log_is_kept_by_function),
        CASE(the_ring_forgets_the_oldest),
        CASE(followers_get_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
