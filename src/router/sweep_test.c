/* Sweeps over a real stream of dead letters; those over storage are in tests/e2e. */
#include "router/testing_documents.h"

#include "router/sweep.h"

#define DEAD "rg:{q:q-es}:dead"
#define EVENTS "rg:{q:q-es}:events"
#define FOUND_MAX 64

static struct sweep sweep;
static char found[FOUND_MAX][48];
static size_t found_count, found_room;

static bool on_found(struct sweep *s, const struct dead_found *letter)
{
    (void)s;
    assert_true(found_count < FOUND_MAX);
    snprintf(found[found_count++], sizeof found[0], "%.*s%s", SLICE_ARG(letter->id),
             letter->event == NULL ? "!" : "");
    return found_count < found_room;
}

static bool is_swept;
static enum err swept_err;

static void on_swept(struct op *op, enum err err)
{
    (void)op;
    is_swept = true;
    swept_err = err;
}

static bool has_swept(void *ctx)
{
    (void)ctx;
    return is_swept;
}

static enum err wait_swept(void)
{
    test_wait(loop, has_swept, NULL);
    return swept_err;
}

static void no_request(void *ctx, struct http_request *request)
{
    (void)ctx;
    (void)request;
    fail();
}

static int begin(void **state)
{
    router_test_begin(state, no_request);
    put_topic("t");
    put_queue("t", "es", "");
    memset(&sweep, 0, sizeof sweep);
    found_count = 0;
    found_room = FOUND_MAX;
    return 0;
}

static int end(void **state)
{
    sweep_done(&sweep);
    return router_test_end(state);
}

/* Makes `count` dead letters, N-0 of event eN, with reason a or b by turns. */
static void die(int count)
{
    char line[512];

    snprintf(line, sizeof line,
             "EVAL "
             "for~i=1,%d~do~redis.call('XADD',KEYS[1],i..'-0','h','1893456000000000','b',"
             "'{\"id\":\"e'..i..'\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":"
             "\"2030-01-01T00:00:00Z\",\"data\":'..i..'}','reason',i%%2==0~and~'b'~or~'a')end "
             "1 " DEAD,
             count);
    for (char *at = line; *at != '\0'; at++)
        *at = *at == '~' ? '\t' : *at;
    test_ask(loop, redis, line, "nil");
}

static void begin_sweep(enum sweep_kind kind, const char *query)
{
    struct cause why = {0};

    sweep_done(&sweep);
    sweep = (struct sweep){.kind = kind, .found = on_found, .op.done = on_swept};
    if (dead_query_read(slice_of(query), &sweep.query, &why) != E_OK)
        fail_msg("%s: %s", query, why.text);
    is_swept = false;
    sweep_start(&sweep, router,
                catalog_member(catalog_topic(router_catalog(router), SLICE("t")), SLICE("es")));
}

static enum err run(enum sweep_kind kind, const char *query)
{
    begin_sweep(kind, query);
    return wait_swept();
}

static void a_redrive_goes_through_many_pages_in_order(void **state)
{
    (void)state;
    die(1500);
    assert_int_equal(run(SWEEP_REDRIVE, ""), E_OK);
    assert_int_equal(sweep.done, 1500);
    assert_int_equal(sweep.matched, 1500);
    assert_null(sweep.next);
    assert_true(queue_dead_is_id(slice_of(sweep.until)));
    test_ask(loop, redis, "XLEN " DEAD, "0");
    test_ask(loop, redis, "XLEN " EVENTS, "1500");
    assert_int_equal(run(SWEEP_REDRIVE, ""), E_OK);
    assert_int_equal(sweep.done, 0);
}

static void only_what_is_meant_is_done(void **state)
{
    static const struct {
        const char *query;
        uint64_t matched;
    } rows[] = {
        {"{\"reason\":\"B\",\"dryRun\":true}", 300},
        {"{\"dryRun\":true,\"diedAfter\":\"1970-01-01T00:00:00.100Z\"}", 501},
        {"{\"dryRun\":true,\"diedBefore\":\"1970-01-01T00:00:00.100Z\"}", 99},
        {"{\"dryRun\":true,\"filter\":{\"advancedFilters\":[{\"key\":\"data\",\"operatorType\":"
         "\"NumberLessThan\",\"value\":11}]},\"reason\":\"a\"}",
         5},
        {"{\"dryRun\":true,\"ids\":[\"3-0\",\"9999-0\",\"600-0\"]}", 2},
        {"{\"dryRun\":true,\"from\":\"590-0\",\"until\":\"595-0\"}", 5},
    };

    (void)state;
    die(600);
    found_room = 3;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        found_count = 0;
        assert_int_equal(run(SWEEP_PURGE, rows[i].query), E_OK);
        assert_int_equal(sweep.matched, rows[i].matched);
        assert_int_equal(sweep.done, 0);
        assert_int_equal(found_count, rows[i].matched < 3 ? rows[i].matched : 3);
    }
    assert_int_equal(run(SWEEP_PURGE, "{\"reason\":\"b\"}"), E_OK);
    assert_int_equal(sweep.done, 300);
    test_ask(loop, redis, "XLEN " DEAD, "300");
}

static void a_limit_ends_it_and_says_where_to_go_on(void **state)
{
    char query[128];

    (void)state;
    die(10);
    assert_int_equal(run(SWEEP_LIST, "{\"limit\":4}"), E_OK);
    assert_int_equal(found_count, 4);
    assert_string_equal(found[3], "4-0");
    assert_string_equal(sweep.next, "4-0");
    assert_int_equal(run(SWEEP_PURGE, "{\"limit\":3,\"reason\":\"b\"}"), E_OK);
    assert_int_equal(sweep.done, 3);
    snprintf(query, sizeof query, "{\"from\":\"%s\",\"until\":\"%s\"}", sweep.next, sweep.until);
    assert_int_equal(run(SWEEP_REDRIVE, query), E_OK);
    assert_int_equal(sweep.done, 4); /* 7 to 10 */
    test_ask(loop, redis, "XLEN " DEAD, "3");
}

static void a_listing_ends_when_there_is_no_more_room(void **state)
{
    (void)state;
    die(10);
    found_room = 2;
    assert_int_equal(run(SWEEP_LIST, ""), E_OK);
    assert_int_equal(found_count, 2);
    assert_string_equal(sweep.next, "2-0");
}

static void what_is_no_event_any_more_is_listed_and_fits_no_filter(void **state)
{
    (void)state;
    test_ask(loop, redis, "XADD " DEAD " 5-0 h 1 b {} reason r", "5-0");
    assert_int_equal(run(SWEEP_LIST, ""), E_OK);
    assert_int_equal(found_count, 1);
    assert_string_equal(found[0], "5-0!");
    assert_int_equal(run(SWEEP_LIST, "{\"filter\":{\"advancedFilters\":[{\"key\":\"subject\","
                                     "\"operatorType\":\"IsNullOrUndefined\"}]}}"),
                     E_OK);
    assert_int_equal(sweep.matched, 0);
}

/* Whoever goes on does so at the pace that was asked for. */
static void a_part_rests_before_it_says_where_to_go_on(void **state)
{
    (void)state;
    die(2);
    uint64_t began_ms = loop_now_ms(loop);
    assert_int_equal(run(SWEEP_REDRIVE, "{\"rate\":4,\"limit\":1}"), E_OK);
    assert_string_equal(sweep.next, "1-0");
    assert_true(loop_now_ms(loop) - began_ms >= 250);
}

/* Whatever step it is at. */
static void a_stop_ends_it_and_nothing_is_lost(void **state)
{
    (void)state;
    die(600);
    for (int turns = 0; turns < 12; turns++) {
        begin_sweep(SWEEP_REDRIVE, "{\"rate\":1000}");
        for (int i = 0; i < turns; i++)
            (void)test_wait_ms(loop, test_never, NULL, 1);
        router_end(); /* waits for it */
        assert_true(is_swept);
        router_begin();
    }
    assert_int_equal(run(SWEEP_REDRIVE, ""), E_OK);
    test_ask(loop, redis, "XLEN " DEAD, "0");
    test_ask(loop, redis, "XLEN " EVENTS, "600");
}

/* HTTP is closed after the router: who asks in between must not stop it once more. */
static void one_that_comes_after_a_stop_is_canceled(void **state)
{
    struct op stopped = {.done = on_done};

    (void)state;
    die(2);
    is_done = false;
    router_stop(router, 0, &stopped);
    (void)wait_done();
    assert_int_equal(run(SWEEP_LIST, ""), E_CANCELED);
    for (int i = 0; i < 5; i++)
        (void)test_wait_ms(loop, test_never, NULL, 1);
    assert_int_equal(found_count, 0);
    router_free(router);
    router = NULL;
}

static void a_failure_of_the_store_ends_it_with_what_was_done(void **state)
{
    (void)state;
    die(600);
    begin_sweep(SWEEP_REDRIVE, "{\"rate\":100}");
    while (sweep.done == 0)
        (void)test_wait_ms(loop, test_never, NULL, 1);
    test_server_kill(&server);
    enum err err = wait_swept();
    assert_true(err == E_CLOSED || err == E_IO || err == E_REFUSED);
    assert_true(sweep.done >= 25 && sweep.done < 600);
    assert_non_null(sweep.next);
    test_server_run(&server, "");
    test_wait(loop, test_is_ready, redis);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_redrive_goes_through_many_pages_in_order),
        ROW(only_what_is_meant_is_done),
        ROW(a_limit_ends_it_and_says_where_to_go_on),
        ROW(a_listing_ends_when_there_is_no_more_room),
        ROW(what_is_no_event_any_more_is_listed_and_fits_no_filter),
        ROW(a_part_rests_before_it_says_where_to_go_on),
        ROW(a_stop_ends_it_and_nothing_is_lost),
        ROW(one_that_comes_after_a_stop_is_canceled),
        ROW(a_failure_of_the_store_ends_it_with_what_was_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
