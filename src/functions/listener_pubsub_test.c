#include "functions/listener_fixture.h"

static int begin(void **state)
{
    static char channel[] = "c";

    world_begin(state);
    trigger()->type = TRIGGER_PUBSUB;
    trigger()->channel = channel;
    trigger()->max_concurrency = 1;
    trigger()->queue_limit = 10;
    fake_on(&fake, "EVAL:SET 1 redgrid:lease:app:f n1 10000 ", "n1");
    fake_on(&fake, "EVAL:DEL 1 redgrid:lease:app:f n1", ":1");
    fake_on(&fake, "SUBSCRIBE c", "[subscribe c :1]");
    return 0;
}

/* Until it has subscribed, and the answer has come. */
static void start(void)
{
    world_start();
    test_wait(loop, world_has_answered, NULL);
}

static bool has_dropped(void *ctx)
{
    return world.listener->stats.dropped >= *(const size_t *)ctx;
}

static void await_dropped(size_t count)
{
    test_wait(loop, has_dropped, &count);
    assert_int_equal(world.listener->stats.dropped, count);
}

static bool nothing_runs(void *ctx)
{
    (void)ctx;
    return world.dispatcher.running == 0;
}

/* --- subscribing --- */

static void the_holder_of_the_lease_subscribes(void **state)
{
    (void)state;
    start();
    assert_int_equal(fake_heard(&fake, "SUBSCRIBE c"), 1);
    assert_int_equal(test_lines_of(&lines, "LEASE-WON"), 1);
    fake_publish(&fake, "[message c one]");
    fake_publish(&fake, "[message c two]");
    world_await_runs(2);
    world_assert_runs("one\ntwo\n");
    world_ask_stop();
    world_await_stop();
    assert_int_equal(fake_heard(&fake, "EVAL:DEL"), 1);
    assert_int_equal(lines.count, 1);
}

static void without_the_lease_nobody_subscribes(void **state)
{
    (void)state;
    fake_on(&fake, "EVAL:SET", "n2");
    start();
    assert_int_equal(fake_heard(&fake, "SUBSCRIBE"), 0);
    fake_on(&fake, "EVAL:SET", "n1");
    world.dead = "n2";
    world.listener->kind->node_died(world.listener);
    fake_await(&fake, "SUBSCRIBE c", 1);
}

static void every_node_needs_no_lease(void **state)
{
    (void)state;
    trigger()->every_node = true;
    start();
    assert_int_equal(fake_heard(&fake, "SUBSCRIBE c"), 1);
    assert_int_equal(fake_heard(&fake, "EVAL"), 0);
    world_ask_stop();
    world_await_stop();
    assert_int_equal(fake_heard(&fake, "EVAL"), 0);
}

static void a_pattern_is_subscribed_as_one(void **state)
{
    static char channel[] = "c*";

    (void)state;
    trigger()->channel = channel;
    trigger()->is_pattern = true;
    trigger()->payload = PAYLOAD_MODEL;
    fake_on(&fake, "PSUBSCRIBE c*", "[psubscribe c* :1]");
    start();
    fake_publish(&fake, "[pmessage c* cx hi]");
    world_await_runs(1);
    world_assert_runs("{\"Trigger\":\"cx\",\"Message\":\"hi\"}\n");
}

static void a_lost_connection_is_made_again_and_the_gap_told(void **state)
{
    (void)state;
    start();
    fake_publish(&fake, "[message c one]");
    world_await_runs(1);
    fake_cut(&fake);
    test_wait_line("PUBSUB-GAP");
    assert_int_equal(fake_heard(&fake, "SUBSCRIBE c"), 2);
    fake_publish(&fake, "[message c two]");
    world_await_runs(2);
    assert_int_equal(test_lines_of(&lines, "PUBSUB-GAP"), 1);
    assert_int_equal(world.answers, 1);
}

static void a_refused_subscription_is_told_once_and_tried_again(void **state)
{
    (void)state;
    fake_once(&fake, "SUBSCRIBE", "-NOPERM no permissions to access channel");
    fake_once(&fake, "SUBSCRIBE", "-NOPERM no permissions to access channel");
    start();
    test_wait_line("TRIGGER-RECOVERED");
    assert_int_equal(test_lines_of(&lines, "TRIGGER-ERROR"), 1);
    assert_int_equal(fake_heard(&fake, "SUBSCRIBE c"), 3);
}

static bool nobody_listens(void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < FAKE_CLIENTS_MAX; i++)
        if (fake.clients[i].is_subscribed)
            return false;
    return true;
}

static void a_lost_lease_ends_the_subscription(void **state)
{
    (void)state;
    start();
    fake_on(&fake, "EVAL:SET", "n2");
    test_wait_line("LEASE-LOST"); /* at the next renewal */
    test_wait(loop, nobody_listens, NULL);
}

/* --- running --- */

static void one_runs_at_a_time_and_in_order(void **state)
{
    (void)state;
    world.outcome = '.';
    start();
    for (int i = 0; i < 3; i++)
        fake_publish(&fake, i == 0 ? "[message c 0]" : i == 1 ? "[message c 1]" : "[message c 2]");
    for (size_t i = 0; i < 3; i++) {
        world_await_runs(i + 1);
        assert_false(test_wait_ms(loop, test_never, NULL, 10));
        assert_int_equal(world.run_count, i + 1);
        world_end_run(i == 1 ? E_FAILED : E_OK);
    }
    test_wait(loop, nothing_runs, NULL);
    world_assert_runs("0\n1\n2\n");
    assert_int_equal(world.listener->stats.acknowledged, 2);
    assert_int_equal(world.listener->stats.dropped, 1); /* there is nowhere to keep it */
}

static void more_run_at_once_where_that_is_asked_for(void **state)
{
    (void)state;
    trigger()->max_concurrency = 2;
    world.outcome = '.';
    start();
    for (int i = 0; i < 3; i++)
        fake_publish(&fake, "[message c x]");
    world_await_runs(2);
    assert_false(test_wait_ms(loop, test_never, NULL, 10));
    assert_int_equal(world.run_count, 2);
    world_end_run(E_OK);
    world_await_runs(3);
}

static void what_the_queue_cannot_take_is_dropped_and_told_once(void **state)
{
    (void)state;
    trigger()->queue_limit = 4;
    world.outcome = '.';
    start();
    for (int i = 0; i < 7; i++) /* one runs, four wait */
        fake_publish(&fake, "[message c x]");
    await_dropped(2);
    assert_int_equal(test_lines_of(&lines, "QUEUE-FULL"), 1);
    world_end_run(E_OK);
    world_await_runs(2);
    for (int i = 0; i < 2; i++) /* still the same overflow: it was never half empty */
        fake_publish(&fake, "[message c x]");
    await_dropped(3);
    assert_int_equal(test_lines_of(&lines, "QUEUE-FULL"), 1);
    world.outcome = '+';
    world_end_run(E_OK);
    world_await_runs(6);
    test_wait(loop, nothing_runs, NULL);
    world.outcome = '.';
    for (int i = 0; i < 6; i++)
        fake_publish(&fake, "[message c x]");
    await_dropped(4);
    assert_int_equal(test_lines_of(&lines, "QUEUE-FULL"), 2);
}

static void a_paused_trigger_keeps_what_comes(void **state)
{
    (void)state;
    start();
    world.listener->kind->pause(world.listener, true);
    fake_publish(&fake, "[message c one]");
    assert_false(test_wait_ms(loop, test_never, NULL, 20));
    assert_int_equal(world.run_count, 0);
    world.listener->kind->pause(world.listener, false);
    world_await_runs(1);
}

/* --- notifications --- */

static void notifications_about_our_own_keys_are_passed_over(void **state)
{
    static char channel[] = "__keyevent@0__:*";

    (void)state;
    trigger()->channel = channel;
    trigger()->is_pattern = true;
    fake_on(&fake, "PSUBSCRIBE", "[psubscribe __keyevent@0__:* :1]");
    fake_on(&fake, "CONFIG GET notify-keyspace-events", "[notify-keyspace-events AKE]");
    start();
    fake_publish(&fake, "[pmessage __keyevent@0__:* __keyevent@0__:set redgrid:{q}:tries:f]");
    fake_publish(&fake, "[pmessage __keyevent@0__:* __keyevent@0__:set redgridlike]");
    world_await_runs(1);
    world_assert_runs("redgridlike\n");
    assert_int_equal(world.listener->stats.dropped, 0);
    assert_int_equal(test_lines_of(&lines, "NOTIFY-OFF"), 0);
}

static void a_server_that_sends_no_notifications_is_told(void **state)
{
    static const struct {
        const char *flags;
        bool is_told;
    } rows[] = {{"[f AKE]", false}, {"[f K$]", false}, {"[f AE]", true}, {"[f K]", true}};
    static char channel[] = "__keyspace@0__:k";

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trigger()->channel = channel;
        fake_on(&fake, "SUBSCRIBE", "[subscribe __keyspace@0__:k :1]");
        fake_on(&fake, "CONFIG GET notify-keyspace-events", rows[i].flags);
        start();
        fake_await(&fake, "CONFIG GET", 1);
        if (rows[i].is_told) {
            test_wait_line("NOTIFY-OFF");
            assert_non_null(strstr(lines.last, "CONFIG SET notify-keyspace-events KEA"));
        }
        assert_false(test_wait_ms(loop, test_never, NULL, 10));
        assert_int_equal(test_lines_of(&lines, "NOTIFY-OFF"), rows[i].is_told);
        world_end(state);
        begin(state);
    }
    start();
}

/* --- stopping --- */

static void a_stop_runs_what_has_come(void **state)
{
    (void)state;
    world.outcome = '.';
    start();
    fake_publish(&fake, "[message c one]");
    fake_publish(&fake, "[message c two]");
    world_await_runs(1);
    world_ask_stop();
    world_end_run(E_OK);
    world_await_runs(2);
    assert_false(test_wait_ms(loop, world_has_stopped, NULL, 10));
    world_end_run(E_OK);
    world_await_stop();
}

static void a_hurried_stop_drops_what_waits(void **state)
{
    (void)state;
    world.outcome = '.';
    start();
    fake_publish(&fake, "[message c one]");
    fake_publish(&fake, "[message c two]");
    world_await_runs(1);
    world_ask_stop();
    world_hurry();
    test_wait(loop, world_has_stopped, NULL);
    assert_int_equal(world.listener->stats.dropped, 2);
    assert_int_equal(world.run_count, 1);
    world_await_stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(the_holder_of_the_lease_subscribes),
        TEST(without_the_lease_nobody_subscribes),
        TEST(every_node_needs_no_lease),
        TEST(a_pattern_is_subscribed_as_one),
        TEST(a_lost_connection_is_made_again_and_the_gap_told),
        TEST(a_refused_subscription_is_told_once_and_tried_again),
        TEST(a_lost_lease_ends_the_subscription),
        TEST(one_runs_at_a_time_and_in_order),
        TEST(more_run_at_once_where_that_is_asked_for),
        TEST(what_the_queue_cannot_take_is_dropped_and_told_once),
        TEST(a_paused_trigger_keeps_what_comes),
        TEST(notifications_about_our_own_keys_are_passed_over),
        TEST(a_server_that_sends_no_notifications_is_told),
        TEST(a_stop_runs_what_has_come),
        TEST(a_hurried_stop_drops_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
