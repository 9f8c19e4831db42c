/* Events that nobody receives, in queues of a router on a real store. */
#include "router/testing_documents.h"

static void refuse_all(void *ctx, struct http_request *request)
{
    (void)ctx;
    http_respond(request, 500, NULL, NULL);
}

static int begin(void **state)
{
    router_extra = (struct router_options){.chores_ms = 10};
    router_test_begin(state, refuse_all);
    put_topic("t");
    return 0;
}

/* Entries of the year 2001, and one that is not too old. */
static void fill(const char *name, int count)
{
    char command[200], answer[40];

    for (int i = 0; i < count; i++) {
        snprintf(answer, sizeof answer, "1000000000000-%d", i + 1);
        snprintf(command, sizeof command, "XADD rg:{q:q-%s}:events %s h 1 b 1", name, answer);
        test_ask(loop, redis, command, answer);
    }
    snprintf(command, sizeof command, "XADD rg:{q:q-%s}:events * h 1 b 1", name);
    test_ask(loop, redis, command, NULL);
}

static bool has_two_lines(void *ctx)
{
    (void)ctx;
    return test_lines_of(&lines, "DELIVERY-DEAD") == 2;
}

static void what_is_too_old_becomes_dead_in_every_queue(void **state)
{
    (void)state;
    fill("a", 100);
    fill("b", 1);
    put_queue("t", "a", "");
    put_queue("t", "empty", "");
    put_queue("t", "b", "\"eventTimeToLive\":\"PT1M\"");
    test_wait(loop, has_two_lines, NULL);
    assert_int_equal(active_of("t", "a")->tally->counts.dead, 100);
    test_ask(loop, redis, "XLEN rg:{q:q-a}:dead", "100");
    test_ask(loop, redis, "XLEN rg:{q:q-a}:events", "1");
    test_ask(loop, redis, "XLEN rg:{q:q-b}:dead", "1");
    test_ask(loop, redis, "XLEN rg:{q:q-b}:events", "1");
}

static bool has_line(void *ctx)
{
    (void)ctx;
    return test_lines_of(&lines, "DELIVERY-DEAD") == 1;
}

/* A queue in which nothing can be too old yet is left alone; a change asks anew. */
static void a_queue_is_asked_when_something_may_be_too_old(void **state)
{
    struct active *active;

    (void)state;
    put_queue("t", "a", "");
    active = active_of("t", "a");
    while (active->expiry_unix_ms == 0)
        (void)test_wait_ms(loop, test_never, NULL, 1);
    assert_true(active->expiry_unix_ms > clock_unix_ms() + 6 * 86400000ull);
    fill("a", 1);
    put_queue("t", "a", "\"maxDeliveryCount\":3");
    test_wait(loop, has_line, NULL);
    active = active_of("t", "a");
    assert_true(active->expiry_unix_ms > clock_unix_ms() + 6 * 86400000ull);
}

static void a_stop_does_not_wait_for_it(void **state)
{
    (void)state;
    fill("a", 200);
    put_queue("t", "a", "");
    router_end();
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, router_test_end)
    const struct CMUnitTest tests[] = {
        ROW(what_is_too_old_becomes_dead_in_every_queue),
        ROW(a_queue_is_asked_when_something_may_be_too_old),
        ROW(a_stop_does_not_wait_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
