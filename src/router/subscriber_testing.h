/* router/subscriber_testing.h - for tests of a subscriber: one on a real queue, with a target that
 * does as it is told, and a wall clock that can be put forward. Included by one test file per
 * program. Each test begins with begin() and ends with end(); between them stop() and start() are a
 * restart. */
#ifndef ROUTER_SUBSCRIBER_TESTING_H
#define ROUTER_SUBSCRIBER_TESTING_H

#include "redis/testing.h"

#include "base/clock.h"
#include "router/breaker.h"
#include "router/subscriber.h"

#define TOPIC "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/t"
#define PARCELS_MAX 1024

static struct redis *redis;
static struct subscription subscription;
static struct subscriber *subscriber;
static struct tallies tallies;
static struct tally *tally;
static const char *dead_node;
static struct slice lane;   /* of what is appended */
static struct wakes *wakes; /* to the other node, if there is one */
static uint32_t window;     /* 0 = as usual */
static uint32_t look_ms;    /* the same */
static bool has_predecessor;

/* The machine's wall clock, and what a test has skipped. */
static uint64_t skipped_ms;
static inline uint64_t unix_ms(void)
{
    return clock_unix_ms() + skipped_ms;
}

/* The target: keeps what it was given until the test answers. */
static struct parcel_seen {
    const struct parcel *parcel; /* gone once it is answered */
    struct parcel_result *ret;
    struct op *op;
    uint32_t attempt;
    uint64_t at_unix_ms;
    char id[64]; /* of the message */
} parcels[PARCELS_MAX];
static size_t parcel_count;        /* all so far */
static struct parcel_result reply; /* given at once, if is_prompt */
static bool is_prompt;
static struct op later[PARCELS_MAX];

static inline void on_later(struct op *op, enum err err)
{
    (void)err;
    struct parcel_seen *seen = &parcels[op - later];
    *seen->ret = reply;
    op_end(seen->op, E_OK);
}

static inline void on_abort(struct op *op)
{
    op->abort = NULL;
    ((struct parcel_seen *)op->runner)->ret = NULL;
    loop_later(loop, &later[(struct parcel_seen *)op->runner - parcels], E_OK);
}

static inline void on_aborted(struct op *op, enum err err)
{
    (void)err;
    op_end(parcels[op - later].op, E_CANCELED);
}

static inline enum err deliver(struct target *target, const struct parcel *parcel,
                               struct parcel_result *ret, struct op *op)
{
    (void)target;
    assert_true(parcel_count < PARCELS_MAX);
    struct parcel_seen *seen = &parcels[parcel_count];
    *seen = (struct parcel_seen){parcel, ret, op, parcel->attempt, unix_ms(), ""};
    snprintf(seen->id, sizeof seen->id, "%.*s", SLICE_ARG(parcel->id));
    op_begin(op, on_abort, seen);
    later[parcel_count] = (struct op){.done = is_prompt ? on_later : on_aborted};
    if (is_prompt)
        loop_later(loop, &later[parcel_count], E_OK);
    parcel_count++;
    return E_OK;
}
static struct target target = {.deliver = deliver};

static inline void answer_parcel(size_t at, enum outcome outcome, unsigned status)
{
    *parcels[at].ret = (struct parcel_result){.outcome = outcome, .http_status = status};
    op_end(parcels[at].op, E_OK);
}

static inline bool is_dead(void *ctx, struct slice node)
{
    (void)ctx;
    return dead_node != NULL && slice_eq(node, slice_of(dead_node));
}

static inline void start_as(const char *node)
{
    subscriber = subscriber_start(
        &(struct subscriber_options){.loop = loop,
                                     .redis = redis,
                                     .wakes = wakes,
                                     .id = SLICE("s1"),
                                     .node = node,
                                     .rules = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE(TOPIC)},
                                     .subscription = &subscription,
                                     .tally = tally,
                                     .target = &target,
                                     .is_dead = is_dead,
                                     .has_predecessor = has_predecessor,
                                     .window = window,
                                     .look_ms = look_ms,
                                     .unix_ms = unix_ms});
}

static inline void start(void)
{
    start_as("me");
}

static bool stopped;
static inline void on_stopped(struct op *op, enum err err)
{
    (void)op;
    assert_int_equal(err, E_OK);
    stopped = true;
}
static inline bool is_stopped(void *ctx)
{
    (void)ctx;
    return stopped;
}

static inline void stop(void)
{
    struct op op = {.done = on_stopped};

    stopped = false;
    subscriber_stop(subscriber, &op);
    subscriber_hurry(subscriber);
    test_wait(loop, is_stopped, NULL);
    subscriber_free(subscriber);
    subscriber = NULL;
}

static inline int begin(void **state)
{
    const struct subscription_rules rules = {.input = SCHEMA_EVENT_GRID, .retention_days = 7};

    (void)test_begin(state);
    test_server_start(&server, "");
    redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
    subscription_init(&subscription, SLICE("es1"), &rules);
    tallies = (struct tallies){.metrics = metrics_new()};
    tally = tally_new(&tallies, "t", "es1");
    parcel_count = 0;
    lane = SLICE_NONE;
    window = look_ms = 0;
    has_predecessor = false;
    dead_node = NULL;
    skipped_ms = 0;
    is_prompt = true;
    reply = (struct parcel_result){.outcome = OUTCOME_DELIVERED, .http_status = 200};
    return 0;
}

static inline int end(void **state)
{
    if (subscriber != NULL)
        stop();
    tally = tally_unref(tally);
    metrics_free(tallies.metrics);
    subscription_done(&subscription);
    redis_close(redis);
    return test_end(state);
}

static struct test_call call;
static inline void append_to(struct queue *queue, const char *id)
{
    char body[256];

    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"subject\":\"s\",\"eventType\":\"t\","
             "\"eventTime\":\"2026-01-01T00:00:00Z\"}",
             id);
    reply_unref(call.kept);
    call = (struct test_call){.call.op.done = test_call_done};
    assert_int_equal(
        queue_append(queue, SLICE("1767225600000000 "), slice_of(body), lane, &call.call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_OK);
    reply_unref(call.kept);
    call.kept = NULL;
}

static inline void publish(const char *id)
{
    append_to(subscriber_queue(subscriber), id);
    subscriber_wake(subscriber);
}

static struct queue_stats stats;
static inline void look(void)
{
    call = (struct test_call){.call.op.done = test_call_done};
    assert_int_equal(queue_stats(subscriber_queue(subscriber), &call.call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_true(queue_stats_read(call.kept, &stats));
    reply_unref(call.kept);
    call.kept = NULL;
}

static inline bool has_parcels(void *count)
{
    return parcel_count >= *(size_t *)count;
}
static inline void wait_parcels(size_t count)
{
    test_wait(loop, has_parcels, &count);
}

static inline bool is_quiet(void *ctx)
{
    (void)ctx;
    return subscriber_in_flight(subscriber) == 0;
}

static inline bool is_id(size_t at, size_t event, const char *id)
{
    struct buf text;
    buf_init(&text, 100);
    event_write_field(&text, parcels[at].parcel->events[event], EVENT_ID);
    bool is_it = strcmp(buf_text(&text), id) == 0;
    buf_done(&text);
    return is_it;
}

static inline void finish_parcel(size_t at)
{
    answer_parcel(at, OUTCOME_DELIVERED, 200);
}

#endif
