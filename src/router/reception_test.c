/* Pull clients of a router on a real store, without HTTP between them. */
#include "router/testing_documents.h"

#include <inttypes.h>

#include "router/reception.h"

static char came[512];
static int receptions, canceled;
static enum err receive_err;

static void refuse_all(void *ctx, struct http_request *request)
{
    (void)ctx;
    http_respond(request, 500, NULL, NULL);
}

static int begin(void **state)
{
    router_test_begin(state, refuse_all);
    receptions = canceled = 0;
    put_topic("t");
    put_queue("t", "pull", "\"maxDeliveryCount\":2");
    return 0;
}

/* "id:count " of each. */
static void on_received(struct op *op, enum err err)
{
    struct reception *reception = container_of(op, struct reception, op);
    struct queue_cursor cursor;
    struct queue_entry entry;
    struct slice token;
    uint32_t locks;

    receptions++;
    canceled += err == E_CANCELED;
    receive_err = err;
    came[0] = '\0';
    if (err != E_OK)
        return;
    queue_cursor_init(&cursor, reception->call.reply);
    while (queue_cursor_next(&cursor, &entry)) {
        size_t at = strlen(came);
        assert_true(queue_lock_read(entry.state, &locks, &token));
        snprintf(came + at, sizeof came - at, "%c:%u ", entry.body.data[7], locks);
    }
}

static struct reception wait_for(size_t count, uint64_t wait_ms)
{
    return (struct reception){
        .op.done = on_received, .count = count, .until_ms = wait_ms}; /* see start() */
}

static void start(struct reception *reception)
{
    assert_int_equal(
        reception_start(reception, active_of("t", "PULL"), reception->count, reception->until_ms),
        E_OK);
}

static const char *receive(size_t count)
{
    struct reception reception = wait_for(count, 0);

    start(&reception);
    test_wait(loop, is_idle, &reception.op);
    return came;
}

static bool waits(void *reception)
{
    return ((struct reception *)reception)->step == RECEPTION_WAIT;
}

static void it_gets_what_is_there_and_waits_for_what_is_not(void **state)
{
    struct reception waiting = wait_for(10, 3600000);

    (void)state;
    assert_int_equal(publish("t", "[" EVENT("1", "a") "," EVENT("2", "a") "]"), E_OK);
    assert_string_equal(receive(10), "1:1 2:1 ");
    assert_string_equal(receive(10), ""); /* both are locked */
    start(&waiting);
    test_wait(loop, waits, &waiting);
    assert_int_equal(publish("t", EVENT("3", "a")), E_OK);
    test_wait(loop, is_idle, &waiting.op);
    assert_int_equal(receptions, 3);
    assert_string_equal(came, "3:1 ");
}

static void it_waits_until_its_time_is_over(void **state)
{
    struct reception waiting = wait_for(1, 30);

    (void)state;
    uint64_t began_ms = loop_now_ms(loop);
    start(&waiting);
    test_wait(loop, is_idle, &waiting.op);
    assert_int_equal(receive_err, E_OK);
    assert_string_equal(came, "");
    assert_true(loop_now_ms(loop) - began_ms >= 30);
}

static bool both_are_idle(void *ctx)
{
    const struct reception *all = ctx;
    return !all[0].op.is_busy && !all[1].op.is_busy;
}

static void those_who_wait_are_served_one_after_the_other(void **state)
{
    struct reception all[] = {wait_for(1, 3600000), wait_for(1, 3600000), wait_for(1, 3600000)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        start(&all[i]);
    test_wait(loop, waits, &all[2]);
    assert_int_equal(router_waits(router), 3);
    assert_int_equal(publish("t", "[" EVENT("1", "a") "," EVENT("2", "a") "]"), E_OK);
    test_wait(loop, both_are_idle, all);
    test_wait(loop, waits, &all[2]); /* it looked, and found nothing */
    assert_int_equal(receptions, 2);
    reception_cancel(&all[2]);
    test_wait(loop, is_idle, &all[2].op);
    assert_int_equal(receive_err, E_CANCELED);
    assert_int_equal(router_waits(router), 0);
}

/* The second does not look at the clock before the first has left. */
static void what_is_parked_comes_when_it_is_due(void **state)
{
    struct reception all[] = {wait_for(1, 3600000), wait_for(1, 3600000)};
    struct active *active = active_of("t", "pull");
    char command[200];

    (void)state;
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    assert_string_equal(receive(1), "1:1 ");
    start(&all[0]);
    start(&all[1]);
    test_wait(loop, waits, &all[1]);
    reception_cancel(&all[0]);
    snprintf(
        command, sizeof command,
        "EVAL return(redis.call('ZADD',KEYS[1],ARGV[1],redis.call('ZRANGE',KEYS[1],0,0)[1])) 1 "
        "rg:{q:q-pull}:due %" PRIu64,
        clock_unix_ms() + 50);
    test_ask(loop, redis, command, "0");
    active_wake(active);
    test_wait(loop, is_idle, &all[1].op);
    assert_string_equal(came, "1:2 ");
}

static void what_comes_for_one_that_left_is_given_back(void **state)
{
    struct reception gone = wait_for(10, 3600000), next = wait_for(10, 3600000);

    (void)state;
    assert_int_equal(publish("t", "[" EVENT("1", "a") "," EVENT("2", "a") "]"), E_OK);
    start(&gone);
    reception_cancel(&gone); /* with the question under way */
    start(&next);
    test_wait(loop, is_idle, &gone.op);
    test_wait(loop, is_idle, &next.op);
    assert_int_equal(canceled, 1);
    assert_string_equal(came, "1:1 2:1 ");
}

static void there_is_a_limit_to_those_who_wait(void **state)
{
    struct reception *all = mem_new_array(RECEPTIONS_MAX, struct reception);
    struct reception more = wait_for(1, 3600000);

    (void)state;
    for (size_t i = 0; i < RECEPTIONS_MAX; i++) {
        all[i] = wait_for(1, 3600000);
        start(&all[i]);
    }
    assert_int_equal(reception_start(&more, active_of("t", "pull"), 1, 0), E_LIMIT);
    router_end_waits(router); /* as a stop begins */
    for (size_t i = 0; i < RECEPTIONS_MAX; i++)
        test_wait(loop, is_idle, &all[i].op);
    assert_int_equal(receptions, RECEPTIONS_MAX);
    assert_int_equal(receive_err, E_OK);
    uint64_t began_ms = loop_now_ms(loop);
    start(&more); /* for an hour, but nobody waits for long any more; nor is asked without end */
    test_wait(loop, is_idle, &more.op);
    assert_true(loop_now_ms(loop) - began_ms >= 500);
    free(all);
}

static void one_that_waits_is_sent_away_when_its_subscription_goes(void **state)
{
    struct reception waiting = wait_for(1, 3600000);

    (void)state;
    start(&waiting);
    test_wait(loop, waits, &waiting);
    put(GROUP "t" MEMBER "pull", NULL);
    test_wait(loop, is_idle, &waiting.op);
    assert_int_equal(receive_err, E_CANCELED);
}

/* What the old one is told of, the new one is woken by: they have the same queue. */
static void a_change_of_the_subscription_loses_no_wake_up(void **state)
{
    struct reception waiting = wait_for(1, 3600000);

    (void)state;
    struct active *old = active_ref(active_of("t", "pull"));
    put_queue("t", "pull", "\"maxDeliveryCount\":3");
    assert_ptr_not_equal(active_of("t", "pull"), old);
    start(&waiting);
    test_wait(loop, waits, &waiting);
    test_ask(loop, redis, "XADD rg:{q:q-pull}:events * h 1 b {\"id\":\"7", NULL);
    active_wake(old);
    (void)active_unref(old);
    test_wait(loop, is_idle, &waiting.op);
    assert_string_equal(came, "7:1 ");
}

static void a_store_that_is_away_is_said(void **state)
{
    (void)state;
    test_server_kill(&server);
    test_wait(loop, test_is_down, redis);
    (void)receive(1);
    assert_int_equal(receive_err, E_CLOSED);
    test_server_run(&server, "");
    test_wait(loop, test_is_ready, redis);
    put_topic("t");
    put_queue("t", "pull", "");
    assert_string_equal(receive(1), ""); /* it made the queue anew */
}

static void renamed(const char *from, const char *to)
{
    char command[200];

    snprintf(command, sizeof command, "RENAME rg:{q:q-pull}:%s rg:{q:q-pull}:%s", from, to);
    test_ask(loop, redis, command, "OK");
}

/* Nobody else looks at what is parked: neither a wake-up nor another client comes. */
static void a_failure_that_one_is_told_of_does_not_leave_the_next_waiting(void **state)
{
    struct reception all[] = {wait_for(1, 3600000), wait_for(1, 3600000)};

    (void)state;
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    assert_string_equal(receive(1), "1:1 ");
    start(&all[0]);
    start(&all[1]);
    test_wait(loop, waits, &all[1]);
    renamed("due", "aside");
    test_ask(loop, redis, "SET rg:{q:q-pull}:due x", "OK");
    reception_wake(&all[0]);
    test_wait(loop, is_idle, &all[0].op);
    assert_int_equal(receive_err, E_REDIS);
    renamed("aside", "due");
    test_ask(loop, redis,
             "EVAL return(redis.call('ZADD',KEYS[1],1,redis.call('ZRANGE',KEYS[1],0,0)[1])) 1 "
             "rg:{q:q-pull}:due",
             "0");
    test_wait(loop, is_idle, &all[1].op);
    assert_string_equal(came, "1:2 ");
}

/* One call of the store looks at a thousand. */
static void behind_many_that_are_too_old_it_finds_what_is_good(void **state)
{
    struct reception waiting = wait_for(1, 3600000);

    (void)state;
    test_ask(loop, redis,
             "EVAL "
             "for\ti=1,2500\tdo\tredis.call('XADD',KEYS[1],'1000000000000-'..i,'h','1','b','1')end "
             "1 rg:{q:q-pull}:events",
             "nil");
    test_ask(loop, redis, "XADD rg:{q:q-pull}:events * h 1 b {\"id\":\"7", NULL);
    start(&waiting);
    test_wait(loop, is_idle, &waiting.op);
    assert_string_equal(came, "7:1 ");
    test_ask(loop, redis, "XLEN rg:{q:q-pull}:dead", "2500");
}

/* Its queue may have been removed with its subscription. */
static void one_that_was_canceled_makes_no_queue(void **state)
{
    struct reception gone = wait_for(1, 3600000);

    (void)state;
    start(&gone);
    reception_cancel(&gone);
    test_wait(loop, is_idle, &gone.op);
    assert_int_equal(receive_err, E_CANCELED);
    test_ask(loop, redis, "EXISTS rg:{q:q-pull}:events", "0");
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, router_test_end)
    const struct CMUnitTest tests[] = {
        ROW(it_gets_what_is_there_and_waits_for_what_is_not),
        ROW(it_waits_until_its_time_is_over),
        ROW(those_who_wait_are_served_one_after_the_other),
        ROW(what_is_parked_comes_when_it_is_due),
        ROW(what_comes_for_one_that_left_is_given_back),
        ROW(there_is_a_limit_to_those_who_wait),
        ROW(one_that_waits_is_sent_away_when_its_subscription_goes),
        ROW(a_change_of_the_subscription_loses_no_wake_up),
        ROW(a_store_that_is_away_is_said),
        ROW(a_failure_that_one_is_told_of_does_not_leave_the_next_waiting),
        ROW(behind_many_that_are_too_old_it_finds_what_is_good),
        ROW(one_that_was_canceled_makes_no_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
