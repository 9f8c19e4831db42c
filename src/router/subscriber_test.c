/* A subscriber on a real queue, with a target that does as it is told. */
#include "router/subscriber_testing.h"
#include "store/wakes.h"

static void what_is_published_is_delivered_and_gone(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 20; i++)
        publish("a");
    wait_parcels(20);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.dead, 0);
    assert_int_equal(parcel_count, 20);
    assert_int_equal(tally->counts.delivered, 20);
}

static void what_was_there_before_the_start_is_delivered(void **state)
{
    struct queue *queue = queue_new(redis, SLICE("s1"));

    (void)state;
    append_to(queue, "early");
    queue_free(queue);
    is_prompt = false;
    start();
    wait_parcels(1);
    assert_true(is_id(0, 0, "early"));
    assert_int_equal(parcels[0].parcel->attempt, 1);
    answer_parcel(0, OUTCOME_DELIVERED, 200);
    test_wait(loop, is_quiet, NULL);
}

/* Somebody put it there and is gone before anybody knew of him. */
static void what_nobody_tells_of_is_found_in_time(void **state)
{
    (void)state;
    look_ms = 20;
    start();
    publish("first");
    wait_parcels(1);
    test_wait(loop, is_quiet, NULL);
    append_to(subscriber_queue(subscriber), "second");
    wait_parcels(2);
    test_wait(loop, is_quiet, NULL);
}

static void a_failure_is_parked_with_its_count_and_others_go_on(void **state)
{
    (void)state;
    is_prompt = false;
    start();
    publish("bad");
    wait_parcels(1);
    answer_parcel(0, OUTCOME_OTHER, 500);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.parked, 1);
    publish("good");
    wait_parcels(2);
    assert_true(is_id(1, 0, "good"));
    answer_parcel(1, OUTCOME_DELIVERED, 200);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 1);
    /* its time comes: as if the schedule had said so */
    stop();
    test_ask(loop, redis,
             "EVAL return(redis.call('ZADD',KEYS[1],1,redis.call('ZRANGE',KEYS[1],0,0)"
             "[1])) 1 rg:{q:s1}:due",
             "0");
    start();
    wait_parcels(3);
    assert_true(is_id(2, 0, "bad"));
    assert_int_equal(parcels[2].parcel->attempt, 2);
    answer_parcel(2, OUTCOME_DELIVERED, 200);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 0);
}

static void what_must_not_be_tried_again_is_a_dead_letter(void **state)
{
    struct queue_dead_entry dead;
    uint32_t at = 0;

    (void)state;
    reply = (struct parcel_result){.outcome = OUTCOME_BAD_REQUEST, .http_status = 400};
    start();
    publish("bad");
    wait_parcels(1);
    test_wait(loop, is_quiet, NULL);
    call = (struct test_call){.call.op.done = test_call_done};
    assert_int_equal(queue_dead(subscriber_queue(subscriber),
                                &(struct queue_dead_range){.count = 10, .max_bytes = 1},
                                &call.call),
                     E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_true(queue_dead_next(call.kept, &at, &dead));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("reason")),
                         SLICE("UndeliverableDueToHttpBadRequest")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("attempts")), SLICE("1")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("outcome")), SLICE("BadRequest")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("status")), SLICE("400")));
    reply_unref(call.kept);
    call.kept = NULL;
    look();
    assert_int_equal(stats.entries, 0);
}

static void no_more_are_taken_than_the_window_holds(void **state)
{
    (void)state;
    is_prompt = false;
    start();
    for (int i = 0; i < PARCELS_MAX; i++)
        publish("a");
    size_t all = SUBSCRIBER_WINDOW < PARCELS_MAX ? SUBSCRIBER_WINDOW : PARCELS_MAX;
    wait_parcels(all);
    append_to(subscriber_queue(subscriber), "more"); /* would abort in deliver() if it came */
    subscriber_wake(subscriber);
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(subscriber_in_flight(subscriber), SUBSCRIBER_WINDOW);
}

static void the_window_may_be_one(void **state)
{
    (void)state;
    is_prompt = false;
    window = 1;
    start();
    for (size_t i = 0; i < 3; i++)
        publish("a");
    for (size_t i = 0; i < 3; i++) {
        wait_parcels(i + 1);
        (void)test_wait_ms(loop, test_never, NULL, 20);
        assert_int_equal(parcel_count, i + 1);
        finish_parcel(i);
    }
    test_wait(loop, is_quiet, NULL);
}

static void permit(const char *rule)
{
    const struct slice args[] = {SLICE("ACL"), SLICE("SETUSER"), SLICE("default"), slice_of(rule)};

    call = (struct test_call){.call.op.done = test_call_done};
    assert_int_equal(redis_call(redis, args, COUNT_OF(args), &call.call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_OK);
    reply_unref(call.kept);
    call.kept = NULL;
}

/* The store gives events out, but does not take what became of them. */
static void what_is_not_told_yet_takes_no_place_but_not_without_end(void **state)
{
    size_t most = SUBSCRIBER_OWED_MAX + SUBSCRIBER_WINDOW, all = 1 + most + 50;
    (void)state;
    start();
    publish("first");
    wait_parcels(1);
    test_wait(loop, is_quiet, NULL);
    permit("-eval");
    for (size_t i = 1; i < all; i++)
        append_to(subscriber_queue(subscriber), "e");
    subscriber_wake(subscriber);
    wait_parcels(1 + SUBSCRIBER_OWED_MAX);
    assert_true(subscriber_in_flight(subscriber) <= most);
    permit("+eval");
    wait_parcels(all);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 0);
    assert_int_equal(parcel_count, all); /* each once */
}

static void batches_hold_events_that_failed_equally_often(void **state)
{
    (void)state;
    is_prompt = false;
    subscription.destination.batch_events = 5;
    struct queue *queue = queue_new(redis, SLICE("s1"));
    for (int i = 0; i < 12; i++)
        append_to(queue, "a");
    queue_free(queue);
    start();
    wait_parcels(3);
    assert_int_equal(parcels[0].parcel->count, 5);
    assert_int_equal(parcels[1].parcel->count, 5);
    assert_int_equal(parcels[2].parcel->count, 2);
    for (size_t i = 0; i < 3; i++)
        answer_parcel(i, OUTCOME_DELIVERED, 200);
    test_wait(loop, is_quiet, NULL);
    assert_int_equal(tally->counts.delivered, 12);
}

static void what_a_gone_node_held_is_delivered_here(void **state)
{
    struct queue *queue = queue_new(redis, SLICE("s1"));

    (void)state;
    append_to(queue, "a");
    append_to(queue, "b");
    queue_free(queue);
    test_ask(loop, redis, "XGROUP CREATE rg:{q:s1}:events redgrid 0", "OK");
    test_ask(loop, redis, "XREADGROUP GROUP redgrid gone COUNT 1 STREAMS rg:{q:s1}:events >", NULL);
    test_ask(loop, redis, "XREADGROUP GROUP redgrid alive COUNT 1 STREAMS rg:{q:s1}:events >",
             NULL);
    start();
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(parcel_count, 0); /* both live, as far as anybody knows */
    dead_node = "gone";
    subscriber_recheck(subscriber);
    wait_parcels(1);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.held, 1);
}

/* The store executes a take, but its answer is lost: what it gave us is not forgotten. */
static void what_a_lost_answer_gave_us_is_found(void **state)
{
    (void)state;
    is_prompt = false;
    start();
    publish("known");
    wait_parcels(1);
    append_to(subscriber_queue(subscriber), "unknown");
    test_ask(loop, redis, "XREADGROUP GROUP redgrid me COUNT 9 STREAMS rg:{q:s1}:events >", NULL);
    test_ask(loop, redis, "CLIENT KILL TYPE normal SKIPME no", NULL);
    subscriber_wake(subscriber); /* asks while it is away: that is a failed call */
    wait_parcels(2);
    assert_true(is_id(1, 0, "unknown"));
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(parcel_count, 2); /* the known one is not delivered twice */
    answer_parcel(0, OUTCOME_DELIVERED, 200);
    answer_parcel(1, OUTCOME_DELIVERED, 200);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 0);
}

/* The same for an adoption, when our own name has had its turn in that round. */
static void what_a_lost_answer_adopted_is_found(void **state)
{
    (void)state;
    is_prompt = false;
    window = 1;
    start();
    publish("first");
    wait_parcels(1);
    append_to(subscriber_queue(subscriber), "x");
    test_ask(loop, redis, "XREADGROUP GROUP redgrid zgone COUNT 9 STREAMS rg:{q:s1}:events >",
             NULL);
    dead_node = "zgone";
    subscriber_recheck(subscriber);
    (void)test_wait_ms(loop, test_never, NULL, 50); /* it knows whose, and has no room */
    test_ask(loop, redis, "CLIENT KILL TYPE normal SKIPME no", NULL);
    finish_parcel(0); /* asks while it is away, and then it was done all the same */
    test_ask(loop, redis,
             "EVAL return(#redis.call('XCLAIM',KEYS[1],'redgrid','me',0,redis.call('XPENDING',"
             "KEYS[1],'redgrid','-','+',9,'zgone')[1][1])) 1 rg:{q:s1}:events",
             "1");
    wait_parcels(2);
    assert_true(is_id(1, 0, "x"));
    finish_parcel(1);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 0);
}

/* One of this node that was stopped was given something and did not look at it any more; another is
 * at work still, and what it holds must not be delivered here, too. */
static void what_a_predecessor_left_is_found_when_it_has_ended(void **state)
{
    struct queue *queue = queue_new(redis, SLICE("s1"));

    (void)state;
    append_to(queue, "a");
    queue_free(queue);
    test_ask(loop, redis, "XGROUP CREATE rg:{q:s1}:events redgrid 0", "OK");
    test_ask(loop, redis, "XREADGROUP GROUP redgrid me COUNT 1 STREAMS rg:{q:s1}:events >", NULL);
    has_predecessor = true;
    start();
    publish("b");
    wait_parcels(1);
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(parcel_count, 1);
    subscriber_inherit(subscriber);
    wait_parcels(2);
    test_wait(loop, is_quiet, NULL);
    look();
    assert_int_equal(stats.entries, 0);
}

static void a_stop_leaves_what_is_under_way_to_others(void **state)
{
    (void)state;
    is_prompt = false;
    start();
    publish("a");
    wait_parcels(1);
    stop();
    test_ask(loop, redis, "XLEN rg:{q:s1}:events", "1");
    dead_node = "me";
    start_as("next"); /* run of this daemon */
    wait_parcels(2);
    assert_true(is_id(1, 0, "a"));
    assert_int_equal(parcels[1].parcel->attempt, 1); /* the first was not judged */
    answer_parcel(1, OUTCOME_DELIVERED, 200);
    test_wait(loop, is_quiet, NULL);
}

static void many_failures_in_a_row_leave_the_endpoint_alone(void **state)
{
    (void)state;
    reply = (struct parcel_result){.outcome = OUTCOME_SOCKET_ERROR};
    start();
    for (int i = 0; i < BREAKER_FAILURES; i++)
        publish("a");
    wait_parcels(BREAKER_FAILURES);
    test_wait(loop, is_quiet, NULL);
    assert_true(subscriber_rests_until_ms(subscriber) > 0);
    publish("later");
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(parcel_count, BREAKER_FAILURES);
    look();
    assert_int_equal(stats.entries, BREAKER_FAILURES + 1);
    assert_int_equal(stats.parked, BREAKER_FAILURES);
}

static void no_more_go_out_than_the_endpoint_wants(void **state)
{
    (void)state;
    subscription.events_per_second = 10;
    start();
    uint64_t began_at_ms = loop_now_ms(loop);
    for (int i = 0; i < 4; i++)
        publish("a");
    wait_parcels(1);
    wait_parcels(4);
    assert_true(loop_now_ms(loop) - began_at_ms >= 290);
    test_wait(loop, is_quiet, NULL);
}

/* ---- other nodes ---- */

static char heard[256];
static int all_heard;

static void on_woken(void *ctx, struct slice id)
{
    size_t at = strlen(heard);
    (void)ctx;
    snprintf(heard + at, sizeof heard - at, "%.*s ", SLICE_ARG(id));
}

static void on_missed(void *ctx)
{
    (void)ctx;
    all_heard++;
}

static bool both_hear(void *ctx)
{
    (void)ctx;
    return all_heard == 2;
}

static bool has_heard(void *before)
{
    return strlen(heard) > *(size_t *)before;
}

/* Waits until more is heard than `before`, and a moment longer; how much. */
static size_t hear(size_t before)
{
    test_wait(loop, has_heard, &before);
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_true(strncmp(heard, "s1 ", 3) == 0);
    return strlen(heard);
}

static struct wakes *listen_as(const char *node)
{
    return wakes_open(&(struct wakes_options){
        .loop = loop, .redis = redis, .node = node, .woken = on_woken, .missed = on_missed});
}

static struct wakes *other; /* hears what the subscriber tells */

static int begin_two(void **state)
{
    (void)begin(state);
    heard[0] = '\0';
    all_heard = 0;
    wakes = listen_as("me");
    other = listen_as("other");
    test_wait(loop, both_hear, NULL);
    return 0;
}

static int end_two(void **state)
{
    stop();
    wakes_close(wakes);
    wakes_close(other);
    wakes = other = NULL;
    return end(state);
}

static void more_than_fits_is_told_to_other_nodes_once(void **state)
{
    (void)state;
    is_prompt = false;
    start();
    for (int i = 0; i < SUBSCRIBER_WINDOW - 1; i++)
        publish("a");
    wait_parcels(SUBSCRIBER_WINDOW - 1);
    assert_string_equal(heard, "");
    publish("fits"); /* as many as asked for came: there may be more */
    wait_parcels(SUBSCRIBER_WINDOW);
    size_t told = hear(0);
    subscriber_look_again(subscriber); /* the other cannot either, and says so */
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(strlen(heard), told);
    publish("more");
    assert_int_equal(hear(told), told + 3);
}

static void what_is_due_at_an_endpoint_that_rests_is_told(void **state)
{
    (void)state;
    reply = (struct parcel_result){.outcome = OUTCOME_SOCKET_ERROR};
    start();
    for (int i = 0; i < BREAKER_FAILURES; i++)
        publish("a");
    wait_parcels(BREAKER_FAILURES);
    test_wait(loop, is_quiet, NULL);
    assert_true(subscriber_rests_until_ms(subscriber) > 0);
    (void)test_wait_ms(loop, test_never, NULL, 50);
    size_t told = strlen(heard);
    publish("later");
    assert_int_equal(hear(told), told + 3);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(what_is_published_is_delivered_and_gone),
        ROW(what_was_there_before_the_start_is_delivered),
        ROW(what_nobody_tells_of_is_found_in_time),
        ROW(a_failure_is_parked_with_its_count_and_others_go_on),
        ROW(what_must_not_be_tried_again_is_a_dead_letter),
        ROW(no_more_are_taken_than_the_window_holds),
        ROW(the_window_may_be_one),
        ROW(what_is_not_told_yet_takes_no_place_but_not_without_end),
        ROW(batches_hold_events_that_failed_equally_often),
        ROW(what_a_gone_node_held_is_delivered_here),
        ROW(what_a_lost_answer_gave_us_is_found),
        ROW(what_a_lost_answer_adopted_is_found),
        ROW(what_a_predecessor_left_is_found_when_it_has_ended),
        ROW(a_stop_leaves_what_is_under_way_to_others),
        ROW(many_failures_in_a_row_leave_the_endpoint_alone),
        ROW(no_more_go_out_than_the_endpoint_wants),
        cmocka_unit_test_setup_teardown(more_than_fits_is_told_to_other_nodes_once, begin_two,
                                        end_two),
        cmocka_unit_test_setup_teardown(what_is_due_at_an_endpoint_that_rests_is_told, begin_two,
                                        end_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
