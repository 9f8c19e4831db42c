/* On a real store, with subscriptions in queue mode, whose queues nobody empties. */
#include "router/testing_documents.h"

#include "router/survey.h"

#define MANY (SURVEY_CALLS + 9)

static void refuse_all(void *ctx, struct http_request *request)
{
    (void)ctx;
    http_respond(request, 500, NULL, NULL);
}

static int begin(void **state)
{
    router_extra = (struct router_options){0};
    router_test_begin(state, refuse_all);
    return 0;
}

/* Puts entries of the year 2001 into its queue, and dead letters. */
static void fill(const char *name, int entries, int dead)
{
    char command[200], answer[40];

    for (int i = 0; i < entries + dead; i++) {
        snprintf(answer, sizeof answer, "1000000000000-%d", i + 1);
        snprintf(command, sizeof command, "XADD rg:{q:q-%s}:%s %s h 1 b 1", name,
                 i < entries ? "events" : "dead", answer);
        test_ask(loop, redis, command, answer);
    }
}

static struct member *member_of(const char *name)
{
    return catalog_member(catalog_topic(router_catalog(router), SLICE("t")), slice_of(name));
}

static void ask(struct op *op)
{
    *op = (struct op){.done = on_done};
    is_done = false;
    survey_ask(router_survey(router), op);
}

static double gauge(enum metric_id id, const char *name)
{
    return series_value(metrics_series(metrics, id, (const char *const[]){"t", name, NULL}));
}

static void it_finds_what_stands_in_the_queues(void **state)
{
    struct op op;

    (void)state;
    put_topic("t");
    put_queue("t", "full", "");
    put_queue("t", "empty", "");
    fill("full", 3, 2);
    ask(&op);
    assert_int_equal(wait_done(), E_OK);
    struct survey_row row = survey_row(member_of("full"));
    assert_int_equal(row.stats.entries, 3);
    assert_int_equal(row.stats.dead, 2);
    assert_true(row.oldest_age_ms > 700000000000);
    row = survey_row(member_of("empty"));
    assert_int_equal(row.stats.entries + row.oldest_age_ms, 0);
    for (int i = 0; i < 2; i++) {
        survey_set_gauges(router_survey(router));
        assert_true(gauge(METRIC_ID_QUEUE_EVENTS, "full") == 3);
        assert_true(gauge(METRIC_ID_DEAD_LETTERS, "full") == 2);
        assert_true(gauge(METRIC_ID_QUEUE_OLDEST_SECONDS, "full") > 700000000);
        assert_true(gauge(METRIC_ID_QUEUE_EVENTS, "empty") == 0);
    }
}

static void it_asks_about_every_queue_but_not_at_once_again(void **state)
{
    struct op op, another = {.done = on_done};
    char name[16];

    (void)state;
    put_topic("t");
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "s%d", i);
        put_queue("t", name, "");
        fill(name, 1, 0);
    }
    ask(&op);
    survey_ask(router_survey(router), &another); /* is told by the same survey */
    test_wait(loop, has_ended, NULL);
    assert_false(op.is_busy);
    assert_false(another.is_busy);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_int_equal(survey_row(member_of(name)).stats.entries, 1);
    }
    test_ask(loop, redis, "DEL rg:{q:q-s0}:events", "1");
    ask(&op);
    assert_int_equal(wait_done(), E_OK);
    assert_int_equal(survey_row(member_of("s0")).stats.entries, 1); /* as of a moment ago */
}

static void without_subscriptions_there_is_nothing_to_wait_for(void **state)
{
    struct op op;

    (void)state;
    ask(&op);
    assert_int_equal(wait_done(), E_OK);
    survey_set_gauges(router_survey(router));
}

static void a_store_that_hangs_keeps_nobody_waiting(void **state)
{
    struct op op;

    (void)state;
    put_topic("t");
    put_queue("t", "q", "");
    uint64_t begun_ms = clock_now_ms();
    (void)kill(server.pid, SIGSTOP);
    ask(&op);
    assert_int_equal(wait_done(), E_OK);
    assert_true(clock_now_ms() - begun_ms < 4 * SURVEY_WAIT_MS); /* a call may take longer */
    ask(&op); /* the same survey is still under way */
    assert_int_equal(wait_done(), E_OK);
    ask(&op);
    is_done = false;
    struct op stopped = {.done = on_done};
    router_stop(router, 0, &stopped);
    (void)wait_done();
    (void)kill(server.pid, SIGCONT);
    while (stopped.is_busy) {
        is_done = false;
        (void)wait_done();
    }
    assert_false(op.is_busy);
    router_free(router);
    router = NULL;
}

/* Else what is shown would be of the day before, long after the store is back. */
static void a_store_that_hung_is_asked_again_soon(void **state)
{
    (void)state;
    assert_int_equal(survey_rest_ms(0), SURVEY_AGE_MS);
    assert_int_equal(survey_rest_ms(300), 3000);
    assert_int_equal(survey_rest_ms(60000), SURVEY_REST_MAX_MS);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, router_test_end)
    const struct CMUnitTest tests[] = {
        ROW(it_finds_what_stands_in_the_queues),
        ROW(it_asks_about_every_queue_but_not_at_once_again),
        ROW(without_subscriptions_there_is_nothing_to_wait_for),
        ROW(a_store_that_hangs_keeps_nobody_waiting),
        cmocka_unit_test(a_store_that_hung_is_asked_again_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
