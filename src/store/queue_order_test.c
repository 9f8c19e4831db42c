#include "store/queue_fixture.h"

#include "base/clock.h"

static void of_one_lane_the_next_comes_when_the_one_before_is_finished(void **state)
{
    char a1[40], b1[40], free1[40];

    (void)state;
    open_queue();
    append_in("a", "a1");
    append_in("a", "a2");
    append_in("b", "b1");
    append("free1");
    append_in("a", "a3");
    append("free2");
    assert_string_equal(take_ordered("n1", 3), "a1 b1 free1");
    assert_true(has_more);
    snprintf(a1, sizeof a1, "%s", ids[0]);
    snprintf(b1, sizeof b1, "%s", ids[1]);
    snprintf(free1, sizeof free1, "%s", ids[2]);
    assert_string_equal(take_ordered("n2", 3), "free2"); /* another node gets none of lane a */
    assert_false(has_more);
    expect_stats(6, 4, 0, 0);
    assert_string_equal(take_due("n2", LATER), "");
    assert_int_equal(number(queue_finish(queue, &(struct slice){free1, strlen(free1)}, 1, call())),
                     0);
    assert_int_equal(number(queue_finish(queue, &(struct slice){b1, strlen(b1)}, 1, call())), 0);
    assert_int_equal(number(queue_finish(queue, &(struct slice){a1, strlen(a1)}, 1, call())), 1);
    assert_int_equal(number(queue_finish(queue, &(struct slice){a1, strlen(a1)}, 1, call())), 0);
    assert_string_equal(take_due("n2", LATER), "a2");
    assert_string_equal(take_due("n1", LATER), "");
    finish(ids[0]);
}

static void who_waits_for_its_retry_keeps_its_lane_back_and_no_other(void **state)
{
    char a1[40];

    (void)state;
    open_queue();
    append_in("a", "a1");
    append_in("a", "a2");
    assert_string_equal(take_ordered("n1", 9), "a1");
    snprintf(a1, sizeof a1, "%s", ids[0]);
    park(a1, LATER + 60000, "1");
    append_in("a", "a3");
    append_in("b", "b1");
    assert_string_equal(take_ordered("n1", 9), "b1");
    finish(ids[0]);
    assert_string_equal(take_due("n1", LATER), "");
    assert_string_equal(take_due("n1", LATER + 60000), "a1:1");
    finish(a1);
    assert_string_equal(take_due("n1", LATER), "a2");
    finish(ids[0]);
    assert_string_equal(take_due("n1", LATER), "a3");
    finish(ids[0]);
    expect_stats(0, 0, 0, 0);
    test_ask(loop, redis, "EXISTS rg:{q:s1}:order", "0");
}

static void a_dead_letter_frees_its_lane_and_is_redriven_to_the_end(void **state)
{
    struct queue_dead_entry dead;
    uint32_t at = 0;
    char id[40];

    (void)state;
    open_queue();
    append_in("a", "a1");
    append_in("a", "a2");
    append_in("a", "a3");
    assert_string_equal(take_ordered("n1", 9), "a1");
    const struct queue_field field = {SLICE("reason"), SLICE("r")};
    assert_int_equal(number(queue_bury(queue, slice_of(ids[0]), &field, 1, call())), 1);
    (void)ended(queue_dead(queue, &all_dead, call()));
    assert_true(queue_dead_next(answer.kept, &at, &dead));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("reason")), SLICE("r")));
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(dead.id));
    const struct slice all[] = {slice_of(id)};
    assert_int_equal(number(queue_redrive(queue, all, 1, call())), 1);
    assert_string_equal(take_ordered("n1", 9), "");
    assert_string_equal(take_due("n1", LATER), "a2");
    finish(ids[0]);
    assert_string_equal(take_due("n1", LATER), "a3");
    finish(ids[0]);
    assert_string_equal(take_due("n1", LATER), "a1");
    finish(ids[0]);
    expect_stats(0, 0, 0, 0);
}

static void of_a_gone_node_at_most_one_of_a_lane_is_adopted(void **state)
{
    (void)state;
    open_queue();
    append_in("a", "a1");
    append_in("a", "a2");
    append_in("b", "b1");
    assert_string_equal(take_ordered("gone", 9), "a1 b1");
    assert_string_equal(take_ordered("me", 9), "");
    assert_string_equal(entries(adopt("gone", "-", 9)), "a1 b1");
    finish(ids[0]);
    assert_string_equal(take_due("me", LATER), "a2");
}

/* Ten ids of one millisecond: they do not sort as texts. */
static void a_lane_is_in_the_order_of_its_ids(void **state)
{
    char command[120], expected[4];

    (void)state;
    open_queue();
    for (int i = 8; i < 12; i++) {
        snprintf(command, sizeof command, "XADD rg:{q:s1}:events 1700000000000-%d h head b %d k a",
                 i, i);
        test_ask(loop, redis, command, NULL);
    }
    assert_string_equal(take_ordered("n1", 9), "8");
    for (int i = 9; i < 12; i++) {
        finish(ids[0]);
        snprintf(expected, sizeof expected, "%d", i);
        assert_string_equal(take_due("n1", LATER), expected);
    }
}

static void a_long_lane_is_looked_at_in_parts(void **state)
{
    int calls = 0;

    (void)state;
    open_queue();
    test_ask(loop, redis,
             "EVAL for\ti=1,1500\tdo\tredis.call('XADD',KEYS[1],'*','h','head','b','x','k','a')"
             "\tend 1 rg:{q:s1}:events",
             NULL);
    append_in("b", "b1");
    assert_string_equal(take_ordered("n1", 9), "x");
    do {
        if (strcmp(take_ordered("n1", 9), "b1") == 0)
            break;
        assert_true(has_more);
    } while (calls++ < 10);
    assert_in_range(calls, 1, 3);
    expect_stats(1501, 2, 0, 0);
}

static void of_a_lane_with_large_ones_fewer_are_looked_at(void **state)
{
    static char large[200001];

    (void)state;
    memset(large, 'x', sizeof large - 1);
    open_queue();
    append_in("a", "a1");
    for (int i = 0; i < 20; i++)
        append_in("a", large);
    assert_string_equal(take_ordered("n1", 9), "a1");
    assert_true(has_more);
    test_ask(loop, redis, "ZCARD rg:{q:s1}:order", "9");
}

/* What lies in a lane from the time of an order is not lost when the order ends. */
static void without_an_order_lanes_run_dry(void **state)
{
    (void)state;
    open_queue();
    append_in("a", "a1");
    append_in("a", "a2");
    append_in("a", "a3");
    assert_string_equal(take_ordered("n1", 2), "a1");
    char a1[40];
    snprintf(a1, sizeof a1, "%s", ids[0]);
    append_in("a", "a4");
    assert_string_equal(take("n1", 9), "a4"); /* as if it had none */
    finish(ids[0]);
    assert_string_equal(take_due("n1", LATER), ""); /* a1 is still ahead */
    finish(a1);
    assert_string_equal(take_due("n1", LATER), "a2");
    finish(ids[0]);
    assert_string_equal(take_due("n1", LATER), "a3");
}

static void a_neighbour_that_vanished_stops_nobody(void **state)
{
    (void)state;
    open_queue();
    append_in("a", "a1");
    append_in("a", "a2");
    append_in("a", "a3");
    assert_string_equal(take_ordered("n1", 9), "a1");
    test_ask(loop, redis,
             "EVAL return(redis.call('XDEL',KEYS[1],redis.call('XRANGE',KEYS[1],'-','+')[2][1])) "
             "1 rg:{q:s1}:events",
             "1");
    finish(ids[0]);
    assert_string_equal(take_due("n1", LATER), "a3");
    finish(ids[0]);
    test_ask(loop, redis, "EXISTS rg:{q:s1}:order", "0");
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(of_one_lane_the_next_comes_when_the_one_before_is_finished),
        ROW(who_waits_for_its_retry_keeps_its_lane_back_and_no_other),
        ROW(a_dead_letter_frees_its_lane_and_is_redriven_to_the_end),
        ROW(of_a_gone_node_at_most_one_of_a_lane_is_adopted),
        ROW(a_lane_is_in_the_order_of_its_ids),
        ROW(a_long_lane_is_looked_at_in_parts),
        ROW(of_a_lane_with_large_ones_fewer_are_looked_at),
        ROW(without_an_order_lanes_run_dry),
        ROW(a_neighbour_that_vanished_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
