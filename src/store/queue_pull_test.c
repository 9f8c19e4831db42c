/* Queues that clients fetch from, on a real server. */
#include "store/queue_fixture.h"

static const char *receive(size_t count, uint64_t now_unix_ms, uint32_t max_locks)
{
    const struct queue_pull pull = {
        .now_unix_ms = now_unix_ms, .count = count, .lock_ms = 60000, .max_locks = max_locks};
    struct queue_cursor cursor;
    struct queue_entry entry;
    size_t at = 0;

    (void)ended(queue_receive(queue, &pull, call()));
    came[0] = '\0';
    queue_cursor_init(&cursor, answer.kept);
    for (size_t i = 0; queue_cursor_next(&cursor, &entry); i++) {
        uint32_t locks;
        struct slice token;
        assert_true(queue_lock_read(entry.state, &locks, &token));
        snprintf(ids[i], sizeof ids[i], "%.*s:%.*s", SLICE_ARG(entry.id), 0, "");
        at += (size_t)snprintf(came + at, sizeof came - at, "%s%.*s:%u", at > 0 ? " " : "",
                               SLICE_ARG(entry.body), locks);
    }
    return came;
}

/* The token of the n-th entry of the last receive. */
static const char *token_of(size_t n)
{
    static char texts[4][120];
    static size_t turn;
    struct queue_cursor cursor;
    struct queue_entry entry;
    uint32_t locks;
    struct slice token;

    queue_cursor_init(&cursor, answer.kept);
    for (size_t i = 0; i <= n; i++)
        assert_true(queue_cursor_next(&cursor, &entry));
    assert_true(queue_lock_read(entry.state, &locks, &token));
    char *text = texts[turn++ % 4];
    snprintf(text, sizeof texts[0], "%.*s:%.*s", SLICE_ARG(entry.id), SLICE_ARG(token));
    return text;
}

static int64_t unlock(enum queue_lock_end how, const char *token, uint64_t now, uint64_t delay)
{
    const struct slice tokens[] = {slice_of(token)};
    const struct queue_times times = {now, delay};
    int64_t value = -1;

    const struct resp *root = ended(queue_unlock(queue, how, tokens, 1, &times, call()));
    assert_int_equal(root->count, 1);
    assert_true(resp_int(resp_child(root, 0), &value));
    return value;
}

static void a_pulled_entry_is_locked_and_acknowledged_once(void **state)
{
    (void)state;
    open_queue();
    append("a");
    append("b");
    assert_string_equal(receive(1, 1000, 0), "a:1");
    const char *a = token_of(0);
    assert_string_equal(receive(5, 1000, 0), "b:1");
    assert_string_equal(receive(5, 1000, 0), "");
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, a, 2000, 0), 1);
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, a, 2000, 0), 0);
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, "made up", 2000, 0), 0);
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, "1-1:", 2000, 0), 0);
    expect_stats(1, 0, 1, 0);
}

static void a_lock_runs_out_is_released_or_renewed(void **state)
{
    (void)state;
    open_queue();
    append("a");
    assert_string_equal(receive(1, 1000, 0), "a:1");
    const char *first = token_of(0);
    assert_int_equal(unlock(QUEUE_RENEW, first, 2000, 100000), 1);
    assert_string_equal(receive(1, 90000, 0), ""); /* the first lock would be over */
    assert_int_equal(unlock(QUEUE_RELEASE, first, 90000, 10000), 1);
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, first, 90000, 0), 0);
    assert_string_equal(receive(1, 99999, 0), "");
    assert_string_equal(receive(1, 100000, 0), "a:2");
    const char *second = token_of(0);
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, second, 160000, 0), 0); /* too late */
    assert_string_equal(receive(1, 160000, 0), "a:3");
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, second, 160001, 0), 0);
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, first, 160001, 0), 0);
    expect_stats(1, 0, 1, 0);
}

static void rejected_and_too_often_locked_ones_are_dead_and_the_next_comes(void **state)
{
    struct queue_dead_entry dead;
    uint32_t at = 0;

    (void)state;
    open_queue();
    append("a");
    append("b");
    append("c");
    assert_string_equal(receive(2, 1000, 1), "a:1 b:1");
    assert_int_equal(unlock(QUEUE_REJECT, token_of(0), 2000, 0), 1);
    assert_string_equal(receive(1, 61000, 1), "c:1"); /* b had its only chance */
    expect_stats(1, 0, 1, 2);
    (void)ended(queue_dead(queue, &all_dead, call()));
    assert_true(queue_dead_next(answer.kept, &at, &dead));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("reason")), SLICE("Rejected")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("attempted")), SLICE("1000")));
    assert_true(queue_dead_next(answer.kept, &at, &dead));
    assert_true(slice_eq(dead.body, SLICE("b")));
    assert_true(
        slice_eq(queue_dead_field(&dead, SLICE("reason")), SLICE("MaxDeliveryAttemptsExceeded")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("attempts")), SLICE("1")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("attempted")), SLICE("1000")));
}

/* What it tells of the last lock outlives a release. */
static void a_released_one_dies_with_the_time_of_its_lock(void **state)
{
    struct queue_dead_entry dead;
    uint32_t at = 0;

    (void)state;
    open_queue();
    append("a");
    append("b");
    assert_string_equal(receive(1, 1000, 1), "a:1");
    assert_int_equal(unlock(QUEUE_RELEASE, token_of(0), 2000, 0), 1);
    assert_string_equal(receive(1, 3000, 1), "b:1");
    (void)ended(queue_dead(queue, &all_dead, call()));
    assert_true(queue_dead_next(answer.kept, &at, &dead));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("attempted")), SLICE("1000")));
}

/* The mode was changed while it was being taken for delivery. */
static void what_was_left_held_for_delivery_can_be_received(void **state)
{
    char claim[200];

    (void)state;
    open_queue();
    append("a");
    assert_string_equal(take("n1", 1), "a");
    assert_string_equal(receive(1, 1000, 0), ""); /* it may be under way */
    snprintf(claim, sizeof claim, "XCLAIM rg:{q:s1}:events redgrid n1 0 %s IDLE 60000", ids[0]);
    test_ask(loop, redis, claim, NULL);
    assert_string_equal(receive(5, 1000, 0), "a:1");
    const char *token = token_of(0);
    expect_stats(1, 0, 1, 0);
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, token, 2000, 0), 1);
    expect_stats(0, 0, 0, 0);
}

static void what_nobody_got_is_given_back_and_not_counted(void **state)
{
    (void)state;
    open_queue();
    append("a");
    assert_string_equal(receive(1, 1000, 1), "a:1");
    const char *first = token_of(0);
    assert_int_equal(unlock(QUEUE_RETURN, first, 2000, 0), 1);
    assert_int_equal(unlock(QUEUE_RETURN, first, 2000, 0), 0);
    assert_string_equal(receive(1, 2000, 1), "a:1");
    assert_int_equal(queue_burials_read(answer.kept).locked_out, 0);
    assert_string_equal(receive(1, 62000, 1), "");
    assert_int_equal(queue_burials_read(answer.kept).locked_out, 1);
    assert_int_equal(queue_burials_read(answer.kept).expired, 0);
}

static void one_answer_has_so_many_bytes(void **state)
{
    static char large[QUEUE_RECEIVE_BYTES / 4 + 1];
    const struct queue_pull pull = {.now_unix_ms = 1000, .count = 10, .lock_ms = 60000};
    struct queue_cursor cursor;

    (void)state;
    open_queue();
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 6; i++)
        append(large);
    (void)ended(queue_receive(queue, &pull, call()));
    queue_cursor_init(&cursor, answer.kept);
    assert_int_equal(cursor.left, 4);
}

static struct queue_expiry expire(uint64_t later_ms, size_t count, const char *start)
{
    const struct queue_pull pull = {
        .now_unix_ms = clock_unix_ms() + later_ms, .count = count, .max_locks = 3, .ttl_ms = 60000};
    struct queue_expiry found;

    (void)ended(queue_expire(queue, &pull, slice_of(start), call()));
    assert_true(queue_expiry_read(answer.kept, &found));
    return found;
}

static void what_nobody_fetches_in_time_is_dead_but_not_what_is_locked(void **state)
{
    char start[48];

    (void)state;
    struct queue_expiry found = expire(0, 10, "-"); /* there is no queue yet */
    assert_int_equal(found.oldest_unix_ms, 0);
    assert_int_equal(found.next.len, 0);
    open_queue();
    append("a");
    append("b");
    append("c");
    assert_string_equal(receive(1, clock_unix_ms() + 50000, 0), "a:1"); /* for 60 s */
    found = expire(0, 10, "-");
    assert_int_equal(found.burials.expired, 0);
    assert_true(found.oldest_unix_ms > 0);
    found = expire(70000, 2, "-");
    assert_int_equal(found.burials.expired, 1); /* b */
    assert_true(found.next.len > 0);            /* there may be more */
    snprintf(start, sizeof start, "%.*s", SLICE_ARG(found.next));
    found = expire(70000, 2, start);
    assert_int_equal(found.burials.expired, 1); /* c */
    assert_int_equal(found.next.len, 0);
    assert_true(found.oldest_unix_ms > 0); /* a */
    expect_stats(1, 0, 1, 2);
    found = expire(120000, 2, "-");
    assert_int_equal(found.burials.expired, 1);
    assert_int_equal(found.oldest_unix_ms, 0);
    expect_stats(0, 0, 0, 3);
}

static void pulled_too_late_is_dead(void **state)
{
    const struct queue_pull pull = {
        .now_unix_ms = clock_unix_ms() + 70000, .count = 1, .lock_ms = 1, .ttl_ms = 60000};

    (void)state;
    open_queue();
    append("a");
    assert_string_equal(entries(queue_receive(queue, &pull, call())), "");
    expect_stats(0, 0, 0, 1);
}

static void an_acknowledged_one_of_a_lane_frees_the_next(void **state)
{
    (void)state;
    open_queue();
    append_in("a", "a1");
    append_in("a", "a2");
    assert_string_equal(take_ordered("n1", 9), "a1");
    park(ids[0], 500, "1 12 500 400");
    assert_string_equal(receive(1, 1000, 0), "a1:2");
    assert_int_equal(unlock(QUEUE_ACKNOWLEDGE, token_of(0), 2000, 0), 1);
    assert_string_equal(receive(1, 2000, 0), "a2:1");
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(a_pulled_entry_is_locked_and_acknowledged_once),
        ROW(a_lock_runs_out_is_released_or_renewed),
        ROW(rejected_and_too_often_locked_ones_are_dead_and_the_next_comes),
        ROW(a_released_one_dies_with_the_time_of_its_lock),
        ROW(what_was_left_held_for_delivery_can_be_received),
        ROW(what_nobody_got_is_given_back_and_not_counted),
        ROW(one_answer_has_so_many_bytes),
        ROW(what_nobody_fetches_in_time_is_dead_but_not_what_is_locked),
        ROW(pulled_too_late_is_dead),
        ROW(an_acknowledged_one_of_a_lane_frees_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
