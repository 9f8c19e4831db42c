/* functions/listener_fixture.h - for tests: one function with its listener, a fake server, and an
 * invoker that ends each run as the test says. Included by one test file per program.
 * A test fills *trigger() after world_begin(), gives the fake its rules, and calls
 * world_start(); world_end() stops what still listens. */
#ifndef FUNCTIONS_LISTENER_FIXTURE_H
#define FUNCTIONS_LISTENER_FIXTURE_H

#include "functions/listener.h"
#include "redis/testing_fake.h"

#define WORLD_RUNS_MAX 64

static struct fake_server fake;
static struct world {
    struct metrics *metrics;
    struct app app;
    struct function function;
    struct invoker invoker;
    struct dispatcher dispatcher;
    struct listener *listener;
    struct op stop;
    struct op cut;   /* ends what was aborted */
    char outcome;    /* of the runs to come: + well, - badly, . when world_end_run() says so */
    struct buf runs; /* the value of every run, in the order of their starts: "a\nb\n" */
    struct invocation *held[WORLD_RUNS_MAX]; /* runs that wait for world_end_run() */
    size_t run_count, held_count;
    const char *dead; /* the id of a node that is gone; NULL = none */
    uint32_t answers;
    bool has_stopped;
} world;

static inline struct trigger *trigger(void)
{
    return &world.function.trigger;
}

/* ---- the invoker ---- */

static inline struct invocation *world_take(size_t at)
{
    struct invocation *run = world.held[at];

    assert_true(at < world.held_count);
    world.held_count--;
    memmove(&world.held[at], &world.held[at + 1], (world.held_count - at) * sizeof *world.held);
    return run;
}

static inline void world_cut(struct op *op, enum err err)
{
    (void)op;
    (void)err;
    for (size_t i = world.held_count; i-- > 0;)
        if (world.held[i]->result == E_CANCELED)
            op_end(&world_take(i)->op, E_CANCELED);
}

static inline void world_abort(struct op *op)
{
    op->abort = NULL;
    container_of(op, struct invocation, op)->result = E_CANCELED;
    if (!world.cut.is_busy)
        loop_later(loop, &world.cut, E_OK);
}

static inline void world_note(const struct rpc_data *value)
{
    for (size_t i = 0; i < value->item_count; i++) {
        buf_add(&world.runs, i > 0 ? SLICE(" ") : SLICE(""));
        buf_add(&world.runs, value->items[i]);
    }
    if (value->item_count == 0)
        buf_add(&world.runs, value->text);
    buf_add_byte(&world.runs, '\n');
    world.run_count++;
}

static inline enum err world_invoke(struct invoker *invoker, struct invocation *run)
{
    (void)invoker;
    world_note(&run->inputs[0].data);
    if (world.outcome != '.') {
        (void)cause_set(&run->op.why, E_FAILED, "boom");
        loop_later(loop, &run->op, world.outcome == '+' ? E_OK : E_FAILED);
        return E_OK;
    }
    assert_true(world.held_count < WORLD_RUNS_MAX);
    world.held[world.held_count++] = run;
    run->result = E_OK;
    op_begin(&run->op, world_abort, &world);
    return E_OK;
}

/* world_end_run ends the run that has been held for the longest. */
static inline void world_end_run(enum err err)
{
    struct invocation *run = world_take(0);

    if (err != E_OK)
        (void)cause_set(&run->op.why, err, "boom");
    op_end(&run->op, err);
}

/* ---- waiting ---- */

static inline bool world_has_run(void *ctx)
{
    return world.run_count >= *(const size_t *)ctx;
}

/* Until so many runs have begun, ever. */
static inline void world_await_runs(size_t count)
{
    if (!test_wait_ms(loop, world_has_run, &count, TEST_DEADLINE_MS))
        fail_msg("%zu runs, not %zu", world.run_count, count);
}

static inline void world_assert_runs(const char *expected)
{
    assert_string_equal(buf_text(&world.runs), expected);
}

static inline bool world_has_answered(void *ctx)
{
    (void)ctx;
    return world.answers > 0;
}

static inline bool world_has_stopped(void *ctx)
{
    (void)ctx;
    return world.has_stopped;
}

/* ---- life ---- */

static inline bool world_is_dead(void *ctx, struct slice node_id)
{
    (void)ctx;
    return world.dead != NULL && slice_eq(node_id, slice_of(world.dead));
}

static inline void world_answered(void *ctx)
{
    (void)ctx;
    world.answers++;
}

static inline void world_on_stop(struct op *op, enum err err)
{
    (void)op;
    assert_int_equal(err, E_OK);
    world.has_stopped = true;
}

static inline int world_begin(void **state)
{
    static const struct invoker_kind kind = {.name = "fake", .invoke = world_invoke};
    static char app_name[] = "app", name[] = "f", parameter[] = "entry";

    test_begin(state);
    fake_start(&fake);
    world = (struct world){.outcome = '+', .metrics = metrics_new()};
    world.app = (struct app){.name = app_name, .log_default = LOG_OFF};
    world.function = (struct function){.app = &world.app, .name = name};
    *trigger() =
        (struct trigger){.name = parameter, .payload = PAYLOAD_VALUE, .max_deliveries = 10};
    world.invoker.kind = &kind;
    world.cut.done = world_cut;
    world.stop.done = world_on_stop;
    buf_init(&world.runs, 16 << 20);
    return 0;
}

/* Listens at a server; usually that is world_start(), at the fake. */
static inline void world_start_at(const char *conn)
{
    struct listener_options options = {
        .loop = loop,
        .hub = hub,
        .dispatcher = &world.dispatcher,
        .metrics = world.metrics,
        .node_id = "n1",
        .peers = {.is_dead = world_is_dead},
        .answered = world_answered,
    };

    assert_int_equal(redis_options_parse(slice_of(conn), &options.redis, NULL), E_OK);
    dispatcher_init(&world.dispatcher, loop, &world.function, &world.invoker, world.metrics);
    assert_int_equal(listener_kind_of(trigger()->type)->start(&options, &world.listener, NULL),
                     E_OK);
    redis_options_unref(options.redis);
}

static inline void world_start(void)
{
    world_start_at(fake.place.conn);
}

/* Asks the listener to stop, and does not wait. */
static inline void world_ask_stop(void)
{
    world.dispatcher.is_stopping = true;
    world.listener->kind->stop(world.listener, &world.stop);
}

static inline void world_await_stop(void)
{
    test_wait(loop, world_has_stopped, NULL);
    world.listener->kind->free(world.listener);
    world.listener = NULL;
}

static inline void world_hurry(void)
{
    world.listener->kind->hurry(world.listener);
}

static inline int world_end(void **state)
{
    if (world.listener != NULL) {
        if (!world.listener->is_stopping)
            world_ask_stop();
        world_hurry();
        world_await_stop();
    }
    dispatcher_done(&world.dispatcher);
    metrics_free(world.metrics);
    buf_done(&world.runs);
    fake_stop(&fake);
    return test_end(state);
}

#endif
