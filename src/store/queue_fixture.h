/* store/queue_fixture.h - for the tests of the queue: one on a real server, and calls that end
 * before the test goes on. Included by one test file per program, as redis/testing.h is. */
#ifndef STORE_QUEUE_FIXTURE_H
#define STORE_QUEUE_FIXTURE_H

#include "redis/testing.h"

#include "store/queue.h"

static struct redis *redis;
static struct queue *queue;
static struct test_call answer; /* of the last call */

static inline int begin(void **state)
{
    (void)test_begin(state);
    test_server_start(&server, "");
    redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
    queue = queue_new(redis, SLICE("s1"));
    return 0;
}

static inline int end(void **state)
{
    reply_unref(answer.kept);
    answer.kept = NULL;
    queue_free(queue);
    redis_close(redis);
    return test_end(state);
}

static const struct queue_dead_range all_dead = {.count = 10, .max_bytes = 100000};

/* Gives the call to start; then ended(). */
static inline struct redis_call *call(void)
{
    reply_unref(answer.kept);
    answer = (struct test_call){.call.op.done = test_call_done};
    return &answer.call;
}

static inline const struct resp *ended(enum err err)
{
    assert_int_equal(err, E_OK);
    test_wait(loop, test_call_is_done, &answer);
    if (answer.err != E_OK)
        print_error("%s\n", answer.why);
    assert_int_equal(answer.err, E_OK);
    return answer.kept->root;
}

static inline int64_t number(enum err err)
{
    int64_t value = -1;
    assert_true(resp_int(ended(err), &value));
    return value;
}

static inline void open_queue(void)
{
    (void)ended(queue_open(queue, call()));
}

static inline void append_in(const char *lane, const char *body)
{
    (void)ended(queue_append(queue, SLICE("head"), slice_of(body), slice_of(lane), call()));
}

static inline void append(const char *body)
{
    append_in("", body);
}

/* "body:state ..." of the entries that the last call brought; keeps the ids. */
static char ids[10][40];
static char came[512];
static uint64_t due_unix_ms;
static inline const char *entries(enum err err)
{
    struct queue_cursor cursor;
    struct queue_entry entry;
    size_t at = 0;

    (void)ended(err);
    came[0] = '\0';
    queue_cursor_init(&cursor, answer.kept);
    for (size_t i = 0; queue_cursor_next(&cursor, &entry); i++) {
        assert_true(slice_eq(entry.head, SLICE("head")));
        assert_true(entry.accepted_unix_ms > 1600000000000u);
        snprintf(ids[i], sizeof ids[i], "%.*s", SLICE_ARG(entry.id));
        at += (size_t)snprintf(came + at, sizeof came - at, "%s%.*s%s%.*s", at > 0 ? " " : "",
                               SLICE_ARG(entry.body), entry.state.len > 0 ? ":" : "",
                               SLICE_ARG(entry.state));
    }
    due_unix_ms = cursor.due_unix_ms;
    return came;
}

static inline const char *take(const char *node, size_t count)
{
    return entries(queue_take(queue, slice_of(node), count, call()));
}

static inline const char *take_due(const char *node, uint64_t now_unix_ms)
{
    return entries(queue_take_due(queue, slice_of(node), now_unix_ms, 10, call()));
}

static bool has_more;
static inline const char *take_ordered(const char *node, size_t count)
{
    struct queue_cursor cursor;
    const char *all = entries(queue_take_in_order(queue, slice_of(node), count, call()));

    queue_cursor_init(&cursor, answer.kept);
    has_more = cursor.has_more;
    return all;
}

#define LATER (clock_unix_ms() + 1000)

static inline enum err adopt(const char *from, const char *start, size_t count)
{
    return queue_adopt(
        queue,
        &(struct queue_adoption){
            .node = SLICE("me"), .from = slice_of(from), .start = slice_of(start), .count = count},
        call());
}

static inline void park(const char *id, uint64_t at_unix_ms, const char *state)
{
    const struct queue_parking parking = {slice_of(id), at_unix_ms, slice_of(state)};
    (void)ended(queue_park(queue, &parking, 1, call()));
}

static inline void finish(const char *id)
{
    const struct slice all[] = {slice_of(id)};
    (void)ended(queue_finish(queue, all, 1, call()));
}

static inline void expect_stats(uint64_t count, uint64_t held, uint64_t parked, uint64_t dead)
{
    struct queue_stats stats;

    (void)ended(queue_stats(queue, call()));
    assert_true(queue_stats_read(answer.kept, &stats));
    assert_int_equal(stats.entries, count);
    assert_int_equal(stats.held, held);
    assert_int_equal(stats.parked, parked);
    assert_int_equal(stats.dead, dead);
    assert_int_equal(stats.oldest_unix_ms > 0, count > 0);
}

#endif
