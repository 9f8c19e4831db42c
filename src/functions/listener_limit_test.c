/* Messages that are too large to be held, at a real server: told, and never lost in silence. */
#include "functions/listener_fixture.h"

#define LIMIT_BYTES 80
#define LARGE                                                                                      \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"

static struct redis *other;

static int begin(void **state)
{
    static char key[] = "k", group[] = "f", channel[] = "c", *keys[] = {key};

    world_begin(state);
    test_server_start(&server, "");
    other = test_open(hub, server.conn, REDIS_DEDICATED, "other");
    trigger()->keys = keys;
    trigger()->key_count = 1;
    trigger()->consumer_group = group;
    trigger()->channel = channel;
    trigger()->count = 10;
    trigger()->polling_interval_ms = 1000;
    trigger()->claim_idle_ms = 40;
    trigger()->max_deliveries = 2;
    trigger()->is_reliable = true;
    trigger()->pops_head = true;
    trigger()->max_concurrency = 1;
    trigger()->queue_limit = 10;
    return 0;
}

static int end(void **state)
{
    redis_close(other);
    return world_end(state);
}

static void listen_to(enum trigger_type type)
{
    trigger()->type = type;
    world_start_at(server.conn);
    world.listener->message_max_bytes = LIMIT_BYTES;
    test_wait(loop, world_has_answered, NULL);
}

static bool has_buried(void *ctx)
{
    (void)ctx;
    return world.listener->stats.dead_lettered > 0;
}

static void assert_buried(const char *told)
{
    test_wait_line("MESSAGE-TOO-LARGE");
    if (strstr(lines.last, told) == NULL)
        fail_msg("'%s' is not told by: %s", told, lines.last);
    assert_non_null(strstr(lines.last, "[Name:f]"));
    test_wait(loop, has_buried, NULL);
    assert_int_equal(test_lines_of(&lines, "MESSAGE-TOO-LARGE"), 2); /* once a delivery */
    assert_int_equal(test_lines_of(&lines, "DEAD-LETTER"), 1);
    assert_non_null(strstr(lines.last, "it does not fit into 80 bytes in all its forms"));
    test_ask(loop, other, "XLEN redgrid:{k}:dead:f", "1");
}

static void an_entry_fails_and_is_buried(void **state)
{
    (void)state;
    listen_to(TRIGGER_STREAM);
    test_ask(loop, other, "XADD k 1-0 a " LARGE, "1-0");
    test_ask(loop, other, "XADD k 2-0 a b", "2-0");
    assert_buried(" entry 1-0 of 'k' cannot be run");
    test_ask(loop, other, "XPENDING k f", "[0 nil nil nil]");
    assert_int_equal(world.run_count, 1);
}

static void a_batch_fails_as_a_whole(void **state)
{
    (void)state;
    trigger()->is_batch = true;
    test_ask(loop, other, "XADD k 1-0 a " LARGE, "1-0");
    test_ask(loop, other, "XADD k 2-0 a b", "2-0");
    listen_to(TRIGGER_STREAM);
    test_wait_line("MESSAGE-TOO-LARGE");
    assert_non_null(strstr(lines.last, " a batch of 2 entries from 1-0 on of 'k' cannot be run"));
    test_wait_line("DEAD-LETTER");
    assert_int_equal(world.run_count, 0);
}

static void an_entry_is_acknowledged_where_failures_are(void **state)
{
    (void)state;
    trigger()->ack_on_failure = true;
    listen_to(TRIGGER_STREAM);
    test_ask(loop, other, "XADD k 1-0 a " LARGE, "1-0");
    test_wait_line("MESSAGE-TOO-LARGE");
    assert_false(test_wait_ms(loop, test_never, NULL, 20));
    test_ask(loop, other, "XPENDING k f", "[0 nil nil nil]");
    assert_int_equal(world.run_count, 0);
}

static void an_element_fails_and_is_buried(void **state)
{
    (void)state;
    listen_to(TRIGGER_LIST);
    test_ask(loop, other, "RPUSH k " LARGE " b", NULL);
    assert_buried(" an element of 91 bytes of 'k' cannot be run");
    assert_int_equal(world.run_count, 1);
}

static void an_element_is_dropped_where_failures_are(void **state)
{
    (void)state;
    trigger()->is_reliable = false;
    listen_to(TRIGGER_LIST);
    test_ask(loop, other, "RPUSH k " LARGE, "1");
    test_wait_line("MESSAGE-TOO-LARGE");
    assert_int_equal(world.listener->stats.dropped, 1);
}

static void a_published_message_is_dropped(void **state)
{
    (void)state;
    listen_to(TRIGGER_PUBSUB);
    test_wait_line("LEASE-WON");
    test_ask(loop, other, "PUBLISH c " LARGE, "1");
    test_ask(loop, other, "PUBLISH c small", "1");
    world_await_runs(1);
    assert_int_equal(test_lines_of(&lines, "MESSAGE-TOO-LARGE"), 1);
    assert_non_null(strstr(lines.last, " a message of 91 bytes of 'c' cannot be run"));
    assert_int_equal(world.listener->stats.dropped, 1);
    world_assert_runs("small\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(an_entry_fails_and_is_buried),
        TEST(a_batch_fails_as_a_whole),
        TEST(an_entry_is_acknowledged_where_failures_are),
        TEST(an_element_fails_and_is_buried),
        TEST(an_element_is_dropped_where_failures_are),
        TEST(a_published_message_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
