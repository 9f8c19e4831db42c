#include "functions/listener_stream.h"

#include "functions/listener_fixture.h"

#define ENTRY(n) "{\"Id\":\"" n "-0\",\"Values\":{\"a\":\"" n "\"}}\n"

static char *keys[2];

static int begin(void **state)
{
    static char one[] = "s", two[] = "t", group[] = "f";

    world_begin(state);
    keys[0] = one;
    keys[1] = two;
    trigger()->type = TRIGGER_STREAM;
    trigger()->keys = keys;
    trigger()->key_count = 1;
    trigger()->consumer_group = group;
    trigger()->count = 10;
    trigger()->polling_interval_ms = 1000;
    trigger()->claim_idle_ms = 30000;
    fake_on(&fake, "XGROUP CREATE", "+OK");
    fake_on(&fake, "XREADGROUP", FAKE_WAIT);
    fake_on(&fake, "XACK", ":1");
    fake_on(&fake, "XINFO CONSUMERS", "[]");
    fake_on(&fake, "XPENDING", "[]");
    fake_on(&fake, "XCLAIM", "[]");
    fake_on(&fake, "EVAL:XCLAIM", ":0");
    fake_on(&fake, "EVAL:XGROUP", ":0");
    fake_on(&fake, "EVAL:XDEL", ":1");
    return 0;
}

/* --- groups --- */

static void a_group_is_made_for_each_key_and_all_are_read(void **state)
{
    (void)state;
    trigger()->key_count = 2;
    world_start();
    fake_await(&fake, "XREADGROUP GROUP f n1 COUNT 10 BLOCK 1000 STREAMS s t > >", 1);
    assert_int_equal(fake_heard(&fake, "XGROUP CREATE"), 2);
    assert_int_equal(fake_heard(&fake, "XGROUP CREATE s f 0 MKSTREAM"), 1);
    assert_int_equal(fake_heard(&fake, "XGROUP CREATE t f 0 MKSTREAM"), 1);
    assert_int_equal(test_lines_of(&lines, "GROUP-CREATED"), 2);
    assert_int_equal(world.answers, 1);
}

static void a_group_that_is_there_keeps_its_place(void **state)
{
    (void)state;
    trigger()->starts_at_end = true;
    fake_on(&fake, "XGROUP CREATE", "-BUSYGROUP Consumer Group name already exists");
    world_start();
    fake_await(&fake, "XREADGROUP", 1);
    assert_int_equal(fake_heard(&fake, "XGROUP CREATE s f $ MKSTREAM"), 1);
    assert_int_equal(lines.count, 0);
    assert_int_equal(world.answers, 1);
}

/* It refuses XGROUP CREATE whether the group is there or not. */
static void a_full_server_is_read_all_the_same(void **state)
{
    (void)state;
    trigger()->starts_at_end = true;
    fake_on(&fake, "XGROUP CREATE", "-OOM command not allowed");
    world_start();
    fake_await(&fake, "XREADGROUP", 1);
    assert_int_equal(lines.count, 0);
    assert_int_equal(world.answers, 1);
}

static void a_full_server_without_the_group_is_told_once(void **state)
{
    (void)state;
    trigger()->starts_at_end = true;
    fake_on(&fake, "XGROUP CREATE", "-OOM command not allowed");
    fake_on(&fake, "XREADGROUP", "-NOGROUP No such key 's' or consumer group 'f'");
    world_start();
    fake_await(&fake, "XREADGROUP", 3);
    assert_int_equal(test_lines_of(&lines, "TRIGGER-ERROR"), 1);
    assert_int_equal(fake_heard(&fake, "XGROUP CREATE s f 0 MKSTREAM"), 0); /* it is a new one */
}

/* Whatever startFrom says: what was added while it was gone must run. */
static void a_lost_group_is_made_again_from_the_beginning(void **state)
{
    static const char *const losses[] = {
        "-NOGROUP No such key 's' or consumer group 'f'",
        "-UNBLOCKED the stream key no longer exists",
    };

    (void)state;
    trigger()->starts_at_end = true;
    world_start();
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        fake_say(&fake, "XREADGROUP", losses[i]);
        fake_await(&fake, "XGROUP CREATE s f 0 MKSTREAM", i + 1);
        fake_say(&fake, "XREADGROUP", "nil");
    }
    fake_await(&fake, "XREADGROUP", 5);
    assert_int_equal(fake_heard(&fake, "XGROUP CREATE s f $ MKSTREAM"), 1);
    assert_int_equal(test_lines_of(&lines, "GROUP-CREATED"), 3);
    assert_int_equal(lines.count, 3);
}

static void a_new_connection_looks_after_the_group(void **state)
{
    (void)state;
    trigger()->starts_at_end = true;
    world_start();
    fake_await(&fake, "XREADGROUP", 1);
    fake_cut(&fake);
    fake_await(&fake, "XREADGROUP", 2);
    assert_int_equal(fake_heard(&fake, "XGROUP CREATE s f 0 MKSTREAM"), 1);
}

static void a_key_of_the_wrong_type_is_told_once_and_tried_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        fake_once(&fake, "XGROUP CREATE", "-WRONGTYPE Operation against a key");
    world_start();
    fake_await(&fake, "XGROUP CREATE", 4);
    assert_int_equal(test_lines_of(&lines, "TRIGGER-ERROR"), 1);
    assert_int_equal(world.answers, 1);
    fake_say(&fake, "XREADGROUP", "-WRONGTYPE Operation against a key");
    fake_say(&fake, "XREADGROUP", "nil");
    test_wait_line("TRIGGER-RECOVERED");
    assert_int_equal(test_lines_of(&lines, "TRIGGER-ERROR"), 1);
}

/* --- reading and acknowledging --- */

static void what_ended_together_is_acknowledged_together(void **state)
{
    (void)state;
    trigger()->key_count = 2;
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]] [2-0 [a 2]] [3-0 [a 3]]]] [t [[4-0 [a 4]]]]]");
    fake_await(&fake, "XACK s f 1-0 2-0 3-0", 1);
    fake_await(&fake, "XACK t f 4-0", 1);
    fake_await(&fake, "XREADGROUP", 2);
    assert_int_equal(fake_heard(&fake, "XACK"), 2);
    world_assert_runs(ENTRY("1") ENTRY("2") ENTRY("3") ENTRY("4"));
    assert_int_equal(world.listener->stats.acknowledged, 4);
}

static void only_as_much_is_asked_for_as_can_run(void **state)
{
    (void)state;
    trigger()->count = 3;
    world.outcome = '.';
    world_start();
    fake_say(&fake, "XREADGROUP GROUP f n1 COUNT 3", "[[s [[1-0 [a 1]] [2-0 [a 2]] [3-0 [a 3]]]]]");
    world_await_runs(3);
    assert_false(test_wait_ms(loop, test_never, NULL, 20));
    assert_int_equal(fake_heard(&fake, "XREADGROUP"), 1);
    world_end_run(E_OK);
    world_end_run(E_OK);
    fake_await(&fake, "XREADGROUP GROUP f n1 COUNT 2", 1);
    assert_int_equal(fake_heard(&fake, "XACK s f 1-0 2-0"), 1);
}

static void a_deleted_entry_is_passed_over(void **state)
{
    (void)state;
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 nil] [2-0 [a 2]]]]]");
    fake_await(&fake, "XACK s f 2-0", 1);
    world_assert_runs(ENTRY("2"));
}

static void a_lost_acknowledgement_is_sent_again(void **state)
{
    (void)state;
    fake_once(&fake, "XACK", FAKE_DROP);
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    fake_await(&fake, "XACK s f 1-0", 2);
    fake_say(&fake, "XREADGROUP", "[[s [[2-0 [a 2]]]]]");
    fake_await(&fake, "XACK s f 2-0", 1);
    world_assert_runs(ENTRY("1") ENTRY("2"));
    assert_int_equal(fake_heard(&fake, "XACK"), 3);
}

static void a_refused_acknowledgement_is_told_once_and_sent_again(void **state)
{
    (void)state;
    fake_once(&fake, "XACK", "-MISCONF cannot write");
    fake_once(&fake, "XACK", "-MISCONF cannot write");
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    fake_await(&fake, "XACK s f 1-0", 3);
    assert_int_equal(test_lines_of(&lines, "ACK-REFUSED"), 1);
    assert_int_equal(world.run_count, 1);
}

static void without_a_group_there_is_nothing_to_acknowledge(void **state)
{
    (void)state;
    fake_once(&fake, "XACK", "-NOGROUP No such key");
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    fake_await(&fake, "XACK s f 1-0", 1);
    fake_say(&fake, "XREADGROUP", "[[s [[2-0 [a 2]]]]]");
    fake_await(&fake, "XACK s f 2-0", 1);
    assert_int_equal(fake_heard(&fake, "XACK"), 2);
    assert_int_equal(test_lines_of(&lines, "ACK-REFUSED"), 0);
}

static void what_is_to_be_deleted_goes_with_its_acknowledgement(void **state)
{
    (void)state;
    trigger()->delete_after = true;
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]] [2-0 [a 2]]]]]");
    fake_await(&fake, "EVAL:XDEL 1 s f 1-0 2-0", 1);
    assert_int_equal(fake_heard(&fake, "XACK"), 0);
}

static void a_batch_is_one_run_and_one_acknowledgement(void **state)
{
    (void)state;
    trigger()->is_batch = true;
    world_start();
    fake_say(&fake, "XREADGROUP GROUP f n1 COUNT 10", "[[s [[1-0 [a 1]] [2-0 [a 2]]]]]");
    fake_await(&fake, "XACK s f 1-0 2-0", 1);
    world_assert_runs(
        "{\"Id\":\"1-0\",\"Values\":{\"a\":\"1\"}} {\"Id\":\"2-0\",\"Values\":{\"a\":\"2\"}}\n");
}

static void polling_by_the_clock_waits_after_each_batch(void **state)
{
    (void)state;
    trigger()->is_polling_fixed = true;
    trigger()->polling_interval_ms = 60;
    world.outcome = '.';
    world_start();
    fake_say(&fake, "XREADGROUP GROUP f n1 COUNT 10 STREAMS s >", "[[s [[1-0 [a 1]]]]]");
    world_await_runs(1);
    assert_false(test_wait_ms(loop, test_never, NULL, 80));
    assert_int_equal(fake_heard(&fake, "XREADGROUP"), 1);
    uint64_t ended_ms = clock_now_ms();
    world_end_run(E_OK);
    fake_await(&fake, "XREADGROUP GROUP f n1 COUNT 10 STREAMS s >", 2);
    assert_true(clock_now_ms() - ended_ms >= 55);
}

/* --- failures --- */

static void a_failed_entry_stays_pending_and_is_looked_for_in_time(void **state)
{
    (void)state;
    trigger()->claim_idle_ms = 60;
    world.outcome = '-';
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    world_await_runs(1);
    world.outcome = '+';
    fake_once(&fake, "XPENDING s f IDLE 60 - +", "[[1-0 n1 :70 :1]]");
    fake_once(&fake, "XCLAIM s f n1 60 1-0", "[[1-0 [a 1]]]");
    fake_await(&fake, "XACK s f 1-0", 1);
    world_assert_runs(ENTRY("1") ENTRY("1"));
    assert_int_equal(world.listener->stats.redelivered, 1);
    assert_int_equal(world.listener->stats.dead_lettered, 0);
}

static void the_last_failure_makes_a_dead_letter(void **state)
{
    (void)state;
    trigger()->max_deliveries = 1;
    world.outcome = '-';
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    fake_await(&fake,
               "EVAL:XDEL 2 s redgrid:{s}:dead:f f 1-0 0 function f key s id 1-0 deliveries 1 "
               "error boom time ",
               1);
    test_wait_line("DEAD-LETTER");
    assert_int_equal(world.listener->stats.dead_lettered, 1);
    assert_int_equal(fake_heard(&fake, "XACK"), 0);
}

static void a_refused_dead_letter_leaves_the_entry(void **state)
{
    (void)state;
    trigger()->max_deliveries = 1;
    world.outcome = '-';
    fake_once(&fake, "EVAL:XDEL", "-OOM command not allowed");
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    test_wait_line("TRIGGER-ERROR");
    assert_int_equal(world.listener->stats.dead_lettered, 0);
    assert_int_equal(fake_heard(&fake, "XACK"), 0);
}

static void failures_may_be_acknowledged_too(void **state)
{
    (void)state;
    trigger()->ack_on_failure = true;
    world.outcome = '-';
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    fake_await(&fake, "XACK s f 1-0", 1);
}

/* --- taking over --- */

static void what_a_dead_consumer_holds_is_taken_over_at_once(void **state)
{
    (void)state;
    world.dead = "n0";
    fake_once(&fake, "XINFO CONSUMERS s f",
              "[[name n0 pending :1 idle :5] [name n1 pending :0 idle :0] "
              "[name n3 pending :1 idle :5] [name n4 pending :0 idle :90000000]]");
    fake_once(&fake, "XPENDING s f - + 10 n0", "[[1-0 n0 :5 :1]]");
    fake_once(&fake, "XCLAIM s f n1 0 1-0", "[[1-0 [a 1]]]");
    world_start();
    fake_await(&fake, "XPENDING s f IDLE 30000 - + ", 1);
    fake_await(&fake, "XACK s f 1-0", 1);
    world_assert_runs(ENTRY("1"));
    assert_int_equal(fake_heard(&fake, "EVAL:XGROUP 1 s f n0"), 1);
    assert_int_equal(fake_heard(&fake, "EVAL:XGROUP 1 s f n4"), 1); /* silent for a day */
    assert_int_equal(fake_heard(&fake, "EVAL:XGROUP 1 s f n3"), 0);
    assert_int_equal(test_lines_of(&lines, "ENTRIES-CLAIMED"), 1);
}

static void a_death_is_followed_up_at_once(void **state)
{
    (void)state;
    world_start();
    fake_await(&fake, "XPENDING", 1);
    world.dead = "n0";
    fake_on(&fake, "XINFO CONSUMERS s f", "[[name n0 pending :0 idle :5]]");
    world.listener->kind->node_died(world.listener);
    fake_await(&fake, "EVAL:XGROUP 1 s f n0", 1);
}

static void poison_is_buried_without_a_run(void **state)
{
    (void)state;
    trigger()->max_deliveries = 3;
    fake_once(&fake, "XPENDING s f IDLE 30000",
              "[[1-0 n0 :30000 :3] [2-0 n0 :30000 :2] [3-0 n0 :29999 :3]]");
    fake_once(&fake, "XCLAIM s f n1 30000 2-0", "[[2-0 [a 2]]]");
    world_start();
    fake_await(&fake,
               "EVAL:XDEL 2 s redgrid:{s}:dead:f f 1-0 0 function f key s id 1-0 deliveries 3 "
               "error it was delivered as often as maxDeliveryCount allows",
               1);
    fake_await(&fake, "XACK s f 2-0", 1);
    world_assert_runs(ENTRY("2"));
    assert_int_equal(fake_heard(&fake, "EVAL:XDEL"), 1);
}

static void what_runs_here_is_not_claimed(void **state)
{
    (void)state;
    trigger()->claim_idle_ms = 30;
    world.outcome = '.';
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]]]]]");
    world_await_runs(1);
    fake_on(&fake, "XPENDING s f IDLE 30", "[[1-0 n1 :40 :1]]");
    size_t rounds = fake_heard(&fake, "XINFO");
    fake_await(&fake, "XINFO", rounds + 3);
    assert_int_equal(fake_heard(&fake, "XCLAIM"), 0);
    assert_int_equal(world.run_count, 1);
}

static void old_servers_are_looked_through_and_rid_of_deleted_entries(void **state)
{
    (void)state;
    fake.version = "6.0.0";
    fake_on(&fake, "EVAL:XACK", ":1");
    fake_once(&fake, "XPENDING s f - + 100", "[[1-0 n0 :5 :1] [2-0 n0 :30000 :1]]");
    world_start();
    fake_await(&fake, "EVAL:XACK 1 s f 2-0", 1);
    assert_int_equal(fake_heard(&fake, "XCLAIM s f n1 30000 2-0"), 1);
    assert_int_equal(fake_heard(&fake, "XCLAIM"), 1);
    assert_int_equal(world.run_count, 0);
}

static void what_runs_here_is_kept(void **state)
{
    (void)state;
    trigger()->claim_idle_ms = 30;
    trigger()->count = 2;
    world.outcome = '.';
    fake_on(&fake, "EVAL:XCLAIM", ":1");
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]] [2-0 [a 2]] [3-0 [a 3]]]]]");
    fake_await(&fake, "EVAL:XCLAIM 1 s f n1 1-0 2-0 3-0", 3); /* also the one that waits */
    assert_int_equal(test_lines_of(&lines, "ENTRIES-TAKEN"), 1);
    fake_once(&fake, "XACK", FAKE_WAIT);
    world_end_run(E_OK);
    fake_await(&fake, "XACK s f 1-0", 1);
    fake_say(&fake, "XACK", ":1");
    size_t kept = fake_heard(&fake, "EVAL:XCLAIM");
    fake_await(&fake, "EVAL:XCLAIM", kept + 2);
    assert_int_equal(fake_heard(&fake, "EVAL:XCLAIM 1 s f n1 2-0 3-0"), 2);
}

/* --- with a real server --- */

static bool is_acknowledged(void *ctx)
{
    (void)ctx;
    return world.listener->stats.acknowledged == 2;
}

/* As if this node had been stopped for a while, and another had claimed what it ran. */
static void leave_to_others(const char *more)
{
    char conn[256];

    test_server_start(&server, "");
    snprintf(conn, sizeof conn, "%s%s", server.conn, more);
    struct redis *other = test_open(hub, server.conn, REDIS_DEDICATED, "other");
    trigger()->claim_idle_ms = 60;
    world.outcome = '.';
    test_ask(loop, other, "XADD s 1-0 a 1", "1-0");
    test_ask(loop, other, "XADD s 2-0 a 2", "2-0");
    world_start_at(conn);
    world_await_runs(2);
    test_ask(loop, other, "XCLAIM s f n2 0 1-0 JUSTID", "[1-0]");
    test_wait_line("ENTRIES-TAKEN");
    assert_false(test_wait_ms(loop, test_never, NULL, 200)); /* many rounds: all else is kept */
    test_ask(loop, other, "XPENDING s f", "[2 1-0 2-0 [[n1 1] [n2 1]]]");
    test_ask(loop, other, "XPENDING s f IDLE 60 2-0 + 9 n1", "");
    assert_int_equal(test_lines_of(&lines, "ENTRIES-TAKEN"), 1);
    assert_int_equal(world.run_count, 2);
    world_end_run(E_OK); /* it did run: whoever has it now need not */
    world_end_run(E_OK);
    test_wait(loop, is_acknowledged, NULL);
    test_ask(loop, other, "XPENDING s f", "[0 nil nil nil]");
    redis_close(other);
}

static void what_others_took_over_is_left_to_them(void **state)
{
    (void)state;
    leave_to_others("");
}

static void without_scripts_it_is_too(void **state)
{
    (void)state;
    leave_to_others(",$EVAL=");
}

static void what_ran_well_elsewhere_is_not_buried(void **state)
{
    (void)state;
    test_server_start(&server, "");
    struct redis *other = test_open(hub, server.conn, REDIS_DEDICATED, "other");
    trigger()->max_deliveries = 1;
    world.outcome = '.';
    test_ask(loop, other, "XADD s 1-0 a 1", "1-0");
    test_ask(loop, other, "XADD s 2-0 a 2", "2-0");
    world_start_at(server.conn);
    world_await_runs(2);
    test_ask(loop, other, "XACK s f 1-0", "1");
    world_end_run(E_FAILED);
    world_end_run(E_FAILED);
    test_wait_line("DEAD-LETTER");
    assert_non_null(strstr(lines.last, "entry 2-0 "));
    assert_false(test_wait_ms(loop, test_never, NULL, 20));
    test_ask(loop, other, "XLEN redgrid:{s}:dead:f", "1");
    test_ask(loop, other, "XPENDING s f", "[0 nil nil nil]");
    redis_close(other);
}

/* --- stopping --- */

static void a_stop_waits_for_what_runs_and_leaves_the_group(void **state)
{
    (void)state;
    trigger()->count = 1;
    world.outcome = '.';
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]] [2-0 [a 2]]]]]");
    world_await_runs(1);
    world_ask_stop();
    assert_false(test_wait_ms(loop, world_has_stopped, NULL, 20));
    world_end_run(E_OK);
    world_await_stop();
    assert_int_equal(fake_heard(&fake, "XACK s f 1-0"), 1);
    assert_int_equal(fake_heard(&fake, "XACK"), 1); /* the one that waited stays pending */
    assert_int_equal(fake_heard(&fake, "EVAL:XGROUP 1 s f n1"), 1);
    assert_int_equal(world.run_count, 1);
}

static void a_hurried_stop_leaves_what_runs_to_others(void **state)
{
    (void)state;
    world.outcome = '.';
    world_start();
    fake_say(&fake, "XREADGROUP", "[[s [[1-0 [a 1]] [2-0 [a 2]]]]]");
    world_await_runs(2);
    world_ask_stop();
    world_hurry();
    world_await_stop();
    assert_int_equal(fake_heard(&fake, "XACK"), 0);
    assert_int_equal(fake_heard(&fake, "EVAL:XGROUP 1 s f n1"), 1);
}

static void a_stop_works_in_every_state(void **state)
{
    static const struct {
        const char *words, *reply;
    } rows[] = {
        {"XGROUP CREATE", FAKE_WAIT}, {"XGROUP CREATE", "-WRONGTYPE x"},
        {"XREADGROUP", FAKE_WAIT},    {"XINFO CONSUMERS", FAKE_WAIT},
        {"XPENDING", FAKE_WAIT},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fake_once(&fake, rows[i].words, rows[i].reply);
        world_start();
        fake_await(&fake, rows[i].words, 1);
        world_ask_stop();
        assert_false(test_wait_ms(loop, test_never, NULL, 5));
        if (fake_holds(&fake, "X") != NULL)
            fake_say(&fake, "X", "-ERR too late");
        world_await_stop();
        world_end(state);
        begin(state);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(a_group_is_made_for_each_key_and_all_are_read),
        TEST(a_group_that_is_there_keeps_its_place),
        TEST(a_full_server_is_read_all_the_same),
        TEST(a_full_server_without_the_group_is_told_once),
        TEST(a_lost_group_is_made_again_from_the_beginning),
        TEST(a_new_connection_looks_after_the_group),
        TEST(a_key_of_the_wrong_type_is_told_once_and_tried_again),
        TEST(what_ended_together_is_acknowledged_together),
        TEST(only_as_much_is_asked_for_as_can_run),
        TEST(a_deleted_entry_is_passed_over),
        TEST(a_lost_acknowledgement_is_sent_again),
        TEST(a_refused_acknowledgement_is_told_once_and_sent_again),
        TEST(without_a_group_there_is_nothing_to_acknowledge),
        TEST(what_is_to_be_deleted_goes_with_its_acknowledgement),
        TEST(a_batch_is_one_run_and_one_acknowledgement),
        TEST(polling_by_the_clock_waits_after_each_batch),
        TEST(a_failed_entry_stays_pending_and_is_looked_for_in_time),
        TEST(the_last_failure_makes_a_dead_letter),
        TEST(a_refused_dead_letter_leaves_the_entry),
        TEST(failures_may_be_acknowledged_too),
        TEST(what_a_dead_consumer_holds_is_taken_over_at_once),
        TEST(a_death_is_followed_up_at_once),
        TEST(poison_is_buried_without_a_run),
        TEST(what_runs_here_is_not_claimed),
        TEST(old_servers_are_looked_through_and_rid_of_deleted_entries),
        TEST(what_runs_here_is_kept),
        TEST(what_others_took_over_is_left_to_them),
        TEST(without_scripts_it_is_too),
        TEST(what_ran_well_elsewhere_is_not_buried),
        TEST(a_stop_waits_for_what_runs_and_leaves_the_group),
        TEST(a_hurried_stop_leaves_what_runs_to_others),
        TEST(a_stop_works_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
