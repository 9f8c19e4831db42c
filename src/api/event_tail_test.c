/* Through real HTTP, with the router replaced by the one below. */
#include "api/event_tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/client.h"
#include "http/server.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/router.h"

#define DEADLINE_MS 20000
#define LOOK_MS 2

/* ---- the router ---- */

struct router {
    struct watch watch;
};
static struct router fake;
static struct topic fake_topic = {.name = (char *)(uintptr_t) "orders"};
static struct scope fake_scope = {.topic = &fake_topic};
static struct member fake_member;

struct watch *router_watch(struct router *router)
{
    return &router->watch;
}

struct catalog *router_catalog(struct router *router)
{
    (void)router;
    return NULL;
}

struct scope *catalog_topic(const struct catalog *catalog, struct slice name)
{
    (void)catalog;
    return slice_eq_nocase(name, SLICE("orders")) ? &fake_scope : NULL;
}

bool catalog_next_scope(const struct catalog *catalog, size_t *at, struct scope **ret)
{
    (void)catalog;
    *ret = &fake_scope;
    return (*at)++ == 0;
}

struct member *catalog_member(const struct scope *scope, struct slice name)
{
    (void)scope;
    return slice_eq_nocase(name, SLICE("es1")) ? &fake_member : NULL;
}

/* ---- the world ---- */

static struct loop *loop;
static struct http_server *server;
static struct http_client *client;
static struct event_tail *tail;
static struct timer *look;
static bool (*is_over)(void);
static uint64_t looks;

/* One that watches. */
struct viewer {
    struct http_call call;
    char url[128];
    enum err err;
    int status;
    bool is_done;
    struct buf text;
};

static void on_look(void *ctx)
{
    (void)ctx;
    if (is_over() || ++looks * LOOK_MS > DEADLINE_MS)
        loop_stop(loop);
    else
        timer_set(look, LOOK_MS);
}

static void wait_until(bool (*over)(void))
{
    is_over = over;
    looks = 0;
    timer_set(look, 0);
    loop_run(loop);
    assert_true(over());
}

static bool is_watched(void)
{
    return fake.watch.see != NULL;
}

static bool is_unwatched(void)
{
    return fake.watch.see == NULL;
}

/* Who has left is noticed when something is sent. */
static bool nobody_is_left(void)
{
    if (is_watched())
        fake.watch.see(fake.watch.ctx,
                       &(struct sighting){.sight = SIGHT_REFUSED, .topic = "orders"});
    return is_unwatched();
}

static void on_request(void *ctx, struct http_request *request)
{
    (void)ctx;
    event_tail_answer(tail, request);
}

static struct viewer *waited_for;
static bool has_answer(void)
{
    return waited_for->is_done;
}

static void on_answer(struct op *op, enum err err)
{
    struct viewer *viewer = container_of(op, struct viewer, call.op);

    viewer->err = err;
    viewer->status = viewer->call.status;
    viewer->is_done = true;
    if (err == E_OK)
        buf_add(&viewer->text, viewer->call.response);
}

static void view(struct viewer *viewer, const char *query)
{
    struct cause why = {0};

    *viewer = (struct viewer){.call.op.done = on_answer, .call.method = SLICE("GET")};
    buf_init(&viewer->text, 1 << 20);
    snprintf(viewer->url, sizeof viewer->url, "http://127.0.0.1:%u/%s", http_server_port(server),
             query);
    assert_int_equal(url_parse(slice_of(viewer->url), &viewer->call.url, &why), E_OK);
    assert_int_equal(http_send(client, &viewer->call), E_OK);
}

static const char *answer_of(struct viewer *viewer)
{
    waited_for = viewer;
    wait_until(has_answer);
    return buf_text(&viewer->text);
}

static void tell(struct sighting sighting)
{
    assert_true(is_watched());
    fake.watch.see(fake.watch.ctx, &sighting);
}

static int begin(void **state)
{
    struct cause why = {0};

    (void)state;
    loop = loop_new();
    look = timer_new(loop, on_look, NULL);
    tail = event_tail_new(loop);
    event_tail_router(tail, &fake);
    client = http_client_new(loop, &(struct http_client_options){0});
    return http_server_start(
               loop, &(struct http_server_options){.address = "127.0.0.1:0", .handler = on_request},
               &server, &why) != E_OK;
}

static struct op closed;
static bool is_closed(void)
{
    return !closed.is_busy;
}

static void ignore(struct op *op, enum err err)
{
    (void)op;
    (void)err;
}

static int end(void **state)
{
    (void)state;
    http_client_free(client);
    event_tail_free(tail);
    closed = (struct op){.done = ignore};
    http_server_close(server, 1000, &closed);
    wait_until(is_closed);
    timer_free(look);
    loop_free(loop);
    return 0;
}

/* ---- tests ---- */

static void who_watches_gets_lines_until_the_end(void **state)
{
    struct viewer viewer;

    (void)state;
    assert_true(is_unwatched());
    view(&viewer, "");
    wait_until(is_watched);
    tell(
        (struct sighting){.sight = SIGHT_REFUSED, .topic = "orders", .reason = "InputJsonInvalid"});
    tell((struct sighting){.sight = SIGHT_PULLED,
                           .topic = "orders",
                           .subscription = "es1",
                           .count = 2,
                           .reason = "received"});
    event_tail_end(tail);
    assert_true(is_unwatched());
    const char *text = answer_of(&viewer);
    assert_int_equal(viewer.status, 200);
    assert_non_null(strstr(text, "\"what\":\"refused\",\"topic\":\"orders\","
                                 "\"reason\":\"InputJsonInvalid\"}\n"));
    assert_non_null(strstr(text, "\"what\":\"pulled\",\"topic\":\"orders\",\"subscription\":"
                                 "\"es1\",\"count\":2,\"reason\":\"received\"}\n"));
    buf_done(&viewer.text);
}

static void the_last_who_leaves_ends_the_watch(void **state)
{
    struct viewer one, two;

    (void)state;
    view(&one, "");
    wait_until(is_watched);
    view(&two, "?topic=none");
    (void)answer_of(&two);
    assert_int_equal(two.status, 404);
    assert_true(is_watched());
    op_abort(&one.call.op);
    wait_until(nobody_is_left);
    assert_int_equal(one.err, E_CANCELED);
    buf_done(&one.text);
    buf_done(&two.text);
}

static void each_gets_what_was_asked_for(void **state)
{
    struct viewer viewer;

    (void)state;
    view(&viewer, "?topic=ORDERS&subscription=ES1");
    wait_until(is_watched);
    tell((struct sighting){.sight = SIGHT_DROPPED, .topic = "orders", .count = 1});
    tell((struct sighting){
        .sight = SIGHT_DROPPED, .topic = "orders", .subscription = "es2", .count = 2});
    tell((struct sighting){
        .sight = SIGHT_DROPPED, .topic = "other", .subscription = "es1", .count = 3});
    tell((struct sighting){
        .sight = SIGHT_DROPPED, .topic = "orders", .subscription = "es1", .count = 4});
    event_tail_end(tail);
    const char *text = answer_of(&viewer);
    assert_non_null(strstr(text, "\"count\":4}\n"));
    assert_ptr_equal(strchr(text, '\n'), strrchr(text, '\n')); /* one line */
    buf_done(&viewer.text);
}

static void long_texts_of_an_event_are_cut_between_characters(void **state)
{
    const struct event_rules rules = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE("/t")};
    const struct event_stamp stamp = {.published_unix_us = 1};
    struct viewer viewer;
    struct event *event;
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    buf_add(&body, SLICE("{\"id\":\"a\\u001b\",\"eventType\":\"t\","
                         "\"eventTime\":\"2026-01-01T00:00:00Z\",\"subject\":\"x"));
    for (int i = 0; i < 200; i++)
        buf_add(&body, SLICE("\xc3\xa9"));
    buf_add(&body, SLICE("\"}"));
    assert_int_equal(event_read(&rules, buf_slice(&body), &stamp, &event, NULL), E_OK);
    view(&viewer, "");
    wait_until(is_watched);
    tell((struct sighting){.sight = SIGHT_PUBLISHED, .topic = "orders", .event = event});
    event_tail_end(tail);
    const char *text = answer_of(&viewer);
    assert_non_null(strstr(text, "\"id\":\"a\\u001b\",\"type\":\"t\",\"subject\":\"x"));
    assert_non_null(strstr(text, "\xc3\xa9\",\"count\":0}\n"));
    assert_in_range(strlen(text), 300, 500);
    event_unref(event);
    buf_done(&body);
    buf_done(&viewer.text);
}

static void before_there_is_a_router_nobody_can_watch(void **state)
{
    struct viewer viewer;

    (void)state;
    event_tail_router(tail, NULL);
    view(&viewer, "");
    (void)answer_of(&viewer);
    assert_int_equal(viewer.status, 503);
    buf_done(&viewer.text);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(who_watches_gets_lines_until_the_end),
        CASE(the_last_who_leaves_ends_the_watch),
        CASE(each_gets_what_was_asked_for),
        CASE(long_texts_of_an_event_are_cut_between_characters),
        CASE(before_there_is_a_router_nobody_can_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
