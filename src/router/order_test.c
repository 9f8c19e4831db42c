/* A subscriber that keeps the order of keys (store/queue_order.c). */
#include "router/subscriber_testing.h"

static void publish_in(const char *in, const char *id)
{
    lane = slice_of(in);
    publish(id);
}

static void make_all_due(void)
{
    test_ask(loop, redis,
             "EVAL for\t_,id\tin\tipairs(redis.call('ZRANGE',KEYS[1],0,-1))do\t"
             "redis.call('ZADD',KEYS[1],1,id)end 1 rg:{q:s1}:due",
             NULL);
    subscriber_recheck(subscriber);
}

static void events_of_one_key_come_one_after_the_other(void **state)
{
    (void)state;
    is_prompt = false;
    subscription.order_by = slice_dup(SLICE("subject"));
    start();
    publish_in("a", "a1");
    publish_in("a", "a2");
    publish_in("b", "b1");
    publish_in("", "free1");
    publish_in("a", "a3");
    publish_in("", "free2");
    wait_parcels(4);
    assert_true(is_id(0, 0, "a1") && is_id(1, 0, "b1"));
    assert_true(is_id(2, 0, "free1") && is_id(3, 0, "free2"));
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(parcel_count, 4);
    finish_parcel(0);
    wait_parcels(5);
    assert_true(is_id(4, 0, "a2"));
    finish_parcel(4);
    wait_parcels(6);
    assert_true(is_id(5, 0, "a3"));
    for (size_t i = 1; i < 6; i++)
        if (i != 4)
            finish_parcel(i);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 0);
}

/* Far more of one key than the window holds, behind a retry: nobody else notices. */
static void a_key_that_waits_for_its_retry_stops_only_itself(void **state)
{
    (void)state;
    is_prompt = false;
    subscription.order_by = slice_dup(SLICE("subject"));
    start();
    publish_in("a", "a1");
    wait_parcels(1);
    answer_parcel(0, OUTCOME_OTHER, 500);
    test_wait(loop, is_quiet, NULL);
    for (int i = 0; i < 3 * SUBSCRIBER_WINDOW; i++)
        publish_in("a", "a2");
    publish_in("b", "b1");
    wait_parcels(2);
    assert_true(is_id(1, 0, "b1"));
    assert_int_equal(subscriber_in_flight(subscriber), 1);
    make_all_due();
    wait_parcels(3);
    assert_true(is_id(2, 0, "a1"));
    assert_int_equal(parcels[2].parcel->attempt, 2);
    answer_parcel(2, OUTCOME_BAD_REQUEST, 400); /* a dead letter, and the next comes */
    wait_parcels(4);
    assert_true(is_id(3, 0, "a2"));
    assert_int_equal(parcels[3].parcel->attempt, 1);
    finish_parcel(3);
    wait_parcels(5);
    finish_parcel(1);
}

static void a_batch_has_one_of_each_key(void **state)
{
    struct queue *queue = queue_new(redis, SLICE("s1"));
    static const char *const ids[] = {"a1", "a2", "b1", "a3", "b2"};

    (void)state;
    is_prompt = false;
    subscription.order_by = slice_dup(SLICE("subject"));
    subscription.destination.batch_events = 5;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        lane = slice_first(slice_of(ids[i]), 1);
        append_to(queue, ids[i]);
    }
    queue_free(queue);
    start();
    wait_parcels(1);
    assert_int_equal(parcels[0].parcel->count, 2);
    assert_true(is_id(0, 0, "a1") && is_id(0, 1, "b1"));
    finish_parcel(0);
    wait_parcels(2);
    assert_int_equal(parcels[1].parcel->count, 2);
    assert_true(is_id(1, 0, "a2") && is_id(1, 1, "b2"));
    finish_parcel(1);
    wait_parcels(3);
    assert_int_equal(parcels[2].parcel->count, 1);
    finish_parcel(2);
    test_wait(loop, is_quiet, NULL);
}

static void a_key_goes_on_where_a_gone_node_left_it(void **state)
{
    (void)state;
    is_prompt = false;
    subscription.order_by = slice_dup(SLICE("subject"));
    start();
    publish_in("a", "a1");
    publish_in("a", "a2");
    wait_parcels(1);
    stop();
    dead_node = "me";
    start_as("next");
    wait_parcels(2);
    assert_true(is_id(1, 0, "a1"));
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(parcel_count, 2);
    finish_parcel(1);
    wait_parcels(3);
    assert_true(is_id(2, 0, "a2"));
    finish_parcel(2);
    test_wait(loop, is_quiet, NULL);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(events_of_one_key_come_one_after_the_other),
        ROW(a_key_that_waits_for_its_retry_stops_only_itself),
        ROW(a_batch_has_one_of_each_key),
        ROW(a_key_goes_on_where_a_gone_node_left_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
