/* The rows R1 to R8 of eventgrid.md, through a subscriber on a real queue; hours go by in no time.
 */
#include "router/subscriber_testing.h"

#define S ((uint64_t)1000)
#define M (60 * S)
#define H (60 * M)

/* When the next parked entry is due; UINT64_MAX = none is. */
static uint64_t next_due(void)
{
    struct queue_cursor cursor;

    call = (struct test_call){.call.op.done = test_call_done};
    assert_int_equal(queue_take_due(subscriber_queue(subscriber), SLICE("me"), 0, 0, &call.call),
                     E_OK);
    test_wait(loop, test_call_is_done, &call);
    queue_cursor_init(&cursor, call.kept);
    reply_unref(call.kept);
    call.kept = NULL;
    return cursor.due_unix_ms;
}

static void skip_to_due(void)
{
    uint64_t due = next_due();

    assert_true(due != UINT64_MAX);
    if (due > unix_ms())
        skipped_ms += due - unix_ms();
    subscriber_recheck(subscriber);
}

/* Waits for the n-th attempt of all, and until what came of it is stored. */
static void wait_attempt(size_t n)
{
    wait_parcels(n);
    test_wait(loop, is_quiet, NULL);
}

/* What the n-th attempt was followed by: the time until the next. */
static uint64_t delay_after(size_t n)
{
    wait_attempt(n);
    return next_due() - parcels[n - 1].at_unix_ms;
}

/* An attempt takes its time, on a busy machine. */
#define assert_delay(delay_ms, least_ms)                                                           \
    assert_in_range(delay_ms, least_ms, (least_ms) + (least_ms) / 10 + 2 * S)

static void answers(unsigned status)
{
    reply = (struct parcel_result){.outcome = outcome_of(status, E_OK), .http_status = status};
}

static void restart(void)
{
    stop();
    start();
}

/* The one dead letter: "reason attempts outcome status". */
static const char *dead_letter(void)
{
    static char text[160];
    static const char *const names[] = {"reason", "attempts", "outcome", "status"};
    struct queue_dead_entry dead;
    uint32_t at = 0;
    size_t len = 0;

    call = (struct test_call){.call.op.done = test_call_done};
    assert_int_equal(queue_dead(subscriber_queue(subscriber),
                                &(struct queue_dead_range){.count = 10, .max_bytes = 10000},
                                &call.call),
                     E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_true(queue_dead_next(call.kept, &at, &dead));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i > 0 ? " " : "",
                                SLICE_ARG(queue_dead_field(&dead, slice_of(names[i]))));
    assert_false(queue_dead_next(call.kept, &at, &dead));
    reply_unref(call.kept);
    call.kept = NULL;
    return text;
}

static void r1_attempts_follow_the_schedule(void **state)
{
    static const uint64_t delays[] = {10 * S, 30 * S, M,     5 * M, 10 * M,
                                      30 * M, H,      3 * H, 6 * H, 12 * H};

    (void)state;
    answers(500);
    start();
    publish("a");
    for (size_t n = 1; n <= COUNT_OF(delays); n++) {
        assert_delay(delay_after(n), delays[n - 1]);
        assert_int_equal(parcels[n - 1].attempt, n);
        if (n == BREAKER_FAILURES - 1)
            restart(); /* or the breaker would open, on the loop's clock */
        skip_to_due();
    }
}

static void r2_some_statuses_wait_longer(void **state)
{
    static const struct {
        size_t before; /* attempts that failed with 500 */
        unsigned status;
        uint64_t delay_ms;
    } rows[] = {{0, 404, 5 * M}, {0, 408, 2 * M}, {0, 503, 30 * S}, {3, 503, 5 * M}};
    size_t n = 0;

    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        answers(rows[i].before > 0 ? 500 : rows[i].status);
        publish("a");
        for (size_t k = 0; k < rows[i].before; k++) {
            wait_attempt(++n);
            answers(k + 1 < rows[i].before ? 500 : rows[i].status);
            skip_to_due();
        }
        assert_delay(delay_after(++n), rows[i].delay_ms);
        answers(200);
        skip_to_due();
        wait_attempt(++n);
    }
}

static void r3_servers_ask_for_time(void **state)
{
    static const unsigned statuses[] = {429, 503};

    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        answers(statuses[i]);
        reply.retry_after_ms = 120 * S;
        publish("a");
        assert_delay(delay_after(2 * i + 1), 120 * S);
        answers(200);
        skip_to_due();
        wait_attempt(2 * i + 2);
    }
}

static void r4_some_statuses_are_not_tried_again(void **state)
{
    static const struct {
        unsigned status;
        const char *dead;
    } rows[] = {
        {400, "UndeliverableDueToHttpBadRequest 1 BadRequest 400"},
        {401, "UndeliverableDueToHttpUnauthorized 1 Unauthorized 401"},
        {403, "UndeliverableDueToHttpForbidden 1 Forbidden 403"},
        {413, "UndeliverableDueToHttpRequestEntityTooLarge 1 PayloadTooLarge 413"},
    };

    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        answers(rows[i].status);
        publish("a");
        wait_attempt(i + 1);
        assert_string_equal(dead_letter(), rows[i].dead);
        look();
        assert_int_equal(stats.entries, 0);
        test_ask(loop, redis, "DEL rg:{q:s1}:dead", "1");
    }
}

static void r5_five_statuses_are_success(void **state)
{
    (void)state;
    start();
    for (unsigned status = 200; status <= 204; status++) {
        answers(status);
        publish("a");
        wait_attempt(status - 199);
        look();
        assert_int_equal(stats.entries + stats.dead, 0);
    }
}

static void r5_all_else_is_tried_again(void **state)
{
    static const struct {
        unsigned status;
        enum err err;
    } rows[] = {
        {205, E_OK}, {302, E_OK}, {404, E_OK}, {408, E_OK},    {429, E_OK}, {500, E_OK},
        {502, E_OK}, {503, E_OK}, {504, E_OK}, {0, E_REFUSED}, {0, E_DNS},  {0, E_TIMEOUT},
    };

    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        reply = (struct parcel_result){.outcome = outcome_of(rows[i].status, rows[i].err),
                                       .http_status = rows[i].status};
        publish("a");
        wait_attempt(2 * i + 1);
        look();
        assert_int_equal(stats.parked, 1);
        answers(200);
        skip_to_due();
        wait_attempt(2 * i + 2);
        assert_int_equal(parcels[2 * i + 1].attempt, 2);
        look();
        assert_int_equal(stats.entries + stats.dead, 0);
    }
}

static void r6_the_time_to_live_ends_at_the_time_of_an_attempt(void **state)
{
    (void)state;
    subscription.retry.ttl_minutes = 30;
    answers(500);
    start();
    publish("a");
    for (size_t n = 1; n <= 6; n++) {
        wait_attempt(n);
        look();
        assert_int_equal(stats.parked, 1); /* after 30 minutes too, until the seventh is due */
        skip_to_due();
    }
    test_wait(loop, is_quiet, NULL);
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(parcel_count, 6);
    assert_string_equal(dead_letter(), "TimeToLiveExceeded 6 GenericError 500");
}

static void r7_attempts_run_out(void **state)
{
    (void)state;
    subscription.retry.attempts = 3;
    answers(500);
    start();
    publish("a");
    for (size_t n = 1; n <= 2; n++) {
        wait_attempt(n);
        skip_to_due();
    }
    wait_attempt(3);
    assert_string_equal(dead_letter(), "MaxDeliveryAttemptsExceeded 3 GenericError 500");
    look();
    assert_int_equal(stats.entries, 0);
}

static void r8_a_restart_changes_nothing(void **state)
{
    (void)state;
    answers(500);
    start();
    publish("a");
    wait_attempt(1);
    skip_to_due();
    wait_attempt(2);
    uint64_t due = next_due();
    restart();
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(next_due(), due);
    is_prompt = false;
    skip_to_due();
    wait_parcels(3);
    assert_true(parcels[2].at_unix_ms >= due);
    assert_int_equal(parcels[2].attempt, 3);
    stop(); /* during the attempt */
    dead_node = "me";
    start_as("next");
    wait_parcels(4);
    assert_int_equal(parcels[3].attempt, 3);
    finish_parcel(3);
    test_wait(loop, is_quiet, NULL);
}

static bool has_one(void *ctx)
{
    (void)ctx;
    return subscriber_in_flight(subscriber) == 1;
}

/* Who signs tells receivers which message it is, at each attempt the same. */
static void a_message_keeps_its_id(void **state)
{
    (void)state;
    is_prompt = false;
    subscription.destination.signing.is_enabled = true;
    subscription.destination.batch_events = 2;
    start();
    publish("same");
    wait_parcels(1);
    publish("same");
    wait_parcels(2);
    assert_string_not_equal(parcels[0].id, parcels[1].id);
    answer_parcel(0, OUTCOME_OTHER, 500);
    test_wait(loop, has_one, NULL); /* the first is parked, */
    stop();                         /* and the second was cut short */
    dead_node = "me";
    start_as("next");
    wait_parcels(3);
    assert_string_equal(parcels[2].id, parcels[1].id);
    answer_parcel(2, OUTCOME_OTHER, 500);
    test_wait(loop, is_quiet, NULL);
    skipped_ms += M;
    subscriber_recheck(subscriber);
    wait_parcels(4); /* both, in one batch now */
    assert_int_equal(parcels[3].parcel->count, 2);
    for (size_t i = 0; i < 3; i++)
        assert_string_not_equal(parcels[3].id, parcels[i].id);
    assert_true(strncmp(parcels[3].id, "msg_", 4) == 0 && strlen(parcels[3].id) == 44);
    finish_parcel(3);
    test_wait(loop, is_quiet, NULL);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(r1_attempts_follow_the_schedule),
        ROW(r2_some_statuses_wait_longer),
        ROW(r3_servers_ask_for_time),
        ROW(r4_some_statuses_are_not_tried_again),
        ROW(r5_five_statuses_are_success),
        ROW(r5_all_else_is_tried_again),
        ROW(r6_the_time_to_live_ends_at_the_time_of_an_attempt),
        ROW(r7_attempts_run_out),
        ROW(r8_a_restart_changes_nothing),
        ROW(a_message_keeps_its_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
