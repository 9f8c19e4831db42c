/* invokers/worker_fake.h - for tests: the worker machine in a fake world, with a virtual clock and
 * a worker process that is a list of things the test makes it do. */
#ifndef INVOKERS_WORKER_FAKE_H
#define INVOKERS_WORKER_FAKE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invokers/worker.h"

#define RUNS_MAX 16
#define SECOND 1000u

struct fake_run {
    struct invocation run;
    struct world *world;
    int ended;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

struct world {
    struct worker_world worker_world;
    struct launcher launcher;
    struct transport transport;
    struct transport_events events;
    struct arena arena;
    struct buf bytes;
    struct app app;
    struct function function;
    struct worker_function row;
    struct worker_plan plan;
    struct worker *worker;
    char worker_id[ID_LEN + 1];
    const char *abilities; /* letters: c s t x */
    uint64_t now_ms, alarm_at_ms;
    bool wants_settle;
    unsigned sent[RPC_FUNCTION_METADATA_RESPONSE + 1];
    int signal_number; /* the last */
    bool is_stream_ended;
    bool was_told_closed, was_told_exited;
    bool is_stubborn; /* SIGTERM does nothing */
    int loads;
    char load_error[CAUSE_MAX_BYTES];
    int idles;
    int endings;
    enum ending ending;
    struct cause why;
    struct fake_run runs[RUNS_MAX];
    size_t run_count;
    enum err send_err;
};

/* ---- the transport ---- */

static inline struct world *of_transport(const struct transport *transport)
{
    return (struct world *)((uintptr_t)transport - offsetof(struct world, transport));
}

static inline enum err fake_send(struct transport *transport, const struct rpc_message *message)
{
    struct world *w = of_transport(transport);
    if (w->send_err)
        return w->send_err;
    w->sent[message->type]++;
    return E_OK;
}

static inline void fake_end(struct transport *transport)
{
    of_transport(transport)->is_stream_ended = true;
}

static inline void fake_signal(struct transport *transport, int signal_number)
{
    of_transport(transport)->signal_number = signal_number;
}

static inline pid_t fake_process(const struct transport *transport)
{
    (void)transport;
    return 1234;
}

static inline void fake_free(struct transport *transport)
{
    (void)transport;
}

static const struct transport_kind fake_kind = {fake_send, fake_end, fake_signal, fake_process,
                                                fake_free};

static inline enum err fake_launch(struct launcher *launcher, struct slice worker_id,
                                   const struct transport_events *events, struct transport **ret,
                                   struct cause *why)
{
    struct world *w = container_of(launcher, struct world, launcher);
    if (w->send_err)
        return cause_set(why, w->send_err, "no such program");
    memcpy(w->worker_id, worker_id.data, ID_LEN);
    w->events = *events;
    *ret = &w->transport;
    return E_OK;
}

/* ---- the world ---- */

static inline uint64_t fake_now(struct worker_world *world)
{
    return container_of(world, struct world, worker_world)->now_ms;
}

static inline void fake_soon(struct worker_world *world)
{
    container_of(world, struct world, worker_world)->wants_settle = true;
}

static inline void on_alarm(void *ctx, uint64_t at_ms)
{
    ((struct world *)ctx)->alarm_at_ms = at_ms;
}

static inline void on_loaded(void *ctx, struct worker *worker, size_t at, const char *error)
{
    struct world *w = ctx;
    (void)worker;
    assert_int_equal(at, 0);
    w->loads++;
    (void)snprintf(w->load_error, sizeof w->load_error, "%s", error == NULL ? "" : error);
}

static inline void on_changed(void *ctx, struct worker *worker)
{
    (void)ctx;
    (void)worker;
}

static inline void on_idle(void *ctx, struct worker *worker)
{
    struct world *w = ctx;
    assert_int_equal(worker_in_flight(worker), 0);
    w->idles++;
}

static inline void on_ended(void *ctx, struct worker *worker, enum ending ending,
                            const struct cause *why)
{
    struct world *w = ctx;
    (void)worker;
    w->endings++;
    w->ending = ending;
    w->why = *why;
}

static inline void on_run_done(struct op *op, enum err err)
{
    struct fake_run *run = container_of(op, struct fake_run, run.op);
    run->ended++;
    run->err = err;
    (void)snprintf(run->why, sizeof run->why, "%s", op->why.text);
}

static inline void world_init(struct world *w)
{
    static char runtime[] = "c", name[] = "orders", directory[] = "/app", script[] = "/app/o.so";
    static char category[] = "Function.orders.User";
    memset(w, 0, sizeof *w);
    arena_init(&w->arena, 1 << 20);
    buf_init(&w->bytes, 1 << 20);
    w->abilities = "cstx";
    w->now_ms = 1000000;
    w->transport.kind = &fake_kind;
    w->launcher.launch = fake_launch;
    w->worker_world.launcher = &w->launcher;
    w->worker_world.now_ms = fake_now;
    w->worker_world.soon = fake_soon;
    list_init(&w->worker_world.settled);
    w->app.runtime = runtime;
    w->app.directory = directory;
    w->app.name = name;
    w->app.log_default = LOG_OFF;
    w->app.function_timeout_ms = -1;
    w->function.app = &w->app;
    w->function.name = name;
    w->function.directory = directory;
    w->row.function = &w->function;
    w->row.script_file = script;
    w->row.user_category = category;
    w->plan = (struct worker_plan){.app = &w->app,
                                   .host_version = "4.0.0",
                                   .worker_directory = "/w",
                                   .functions = &w->row,
                                   .function_count = 1,
                                   .is_serial = true,
                                   .arena = &w->arena};
}

static inline void world_start(struct world *w)
{
    struct worker_events events = {.alarm = on_alarm,
                                   .loaded = on_loaded,
                                   .changed = on_changed,
                                   .idle = on_idle,
                                   .ended = on_ended,
                                   .ctx = w};
    struct cause why = {{0}};
    assert_int_equal(worker_start(&w->plan, &w->worker_world, &events, &w->worker, &why), E_OK);
}

static inline void settle(struct world *w)
{
    while (w->wants_settle) {
        w->wants_settle = false;
        worker_settle(&w->worker_world);
    }
}

static inline void world_done(struct world *w)
{
    worker_free(w->worker);
    settle(w);
    arena_done(&w->arena);
    buf_done(&w->bytes);
}

/* Time goes on to a moment, with every alarm on the way. */
static inline void pass(struct world *w, uint64_t ms)
{
    uint64_t end_ms = w->now_ms + ms;
    while (w->alarm_at_ms != 0 && w->alarm_at_ms <= end_ms) {
        if (w->alarm_at_ms > w->now_ms)
            w->now_ms = w->alarm_at_ms;
        w->alarm_at_ms = 0;
        worker_tick(w->worker);
        settle(w);
    }
    w->now_ms = end_ms;
}

/* ---- what the process does ---- */

static inline void say(struct world *w, const struct rpc_message *message)
{
    if (w->was_told_closed)
        return;
    buf_clear(&w->bytes);
    rpc_encode(&w->bytes, message);
    w->events.message(w->events.ctx, buf_slice(&w->bytes));
    settle(w);
}

static inline void say_raw(struct world *w, struct slice bytes)
{
    if (!w->was_told_closed)
        w->events.message(w->events.ctx, bytes);
    settle(w);
}

static inline void say_start(struct world *w, const char *id)
{
    say(w, &(struct rpc_message){.type = RPC_START_STREAM, .start_stream.worker_id = slice_of(id)});
}

static inline void say_init(struct world *w, bool is_good)
{
    static const struct {
        char letter;
        const char *name;
    } names[] = {{'c', "TypedDataCollection"},
                 {'s', "WorkerStatus"},
                 {'t', "HandlesWorkerTerminateMessage"},
                 {'x', "HandlesInvocationCancelMessage"}};
    struct rpc_pair pairs[COUNT_OF(names)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strchr(w->abilities, names[i].letter) != NULL)
            pairs[count++] = (struct rpc_pair){slice_of(names[i].name), SLICE("true")};
    struct rpc_message message = {.type = RPC_WORKER_INIT_RESPONSE};
    message.worker_init_response.capabilities = (struct rpc_pairs){pairs, count};
    message.worker_init_response.result.status = is_good ? RPC_SUCCESS : RPC_FAILURE;
    message.worker_init_response.result.exception =
        (struct rpc_exception){.is_set = !is_good, .message = SLICE("no module named x")};
    say(w, &message);
}

static inline void say_load(struct world *w, const char *id, const char *error)
{
    struct rpc_message message = {.type = RPC_FUNCTION_LOAD_RESPONSE};
    message.function_load_response.function_id = slice_of(id);
    message.function_load_response.result.status = error == NULL ? RPC_SUCCESS : RPC_FAILURE;
    message.function_load_response.result.exception =
        (struct rpc_exception){.is_set = error != NULL, .message = slice_of(error)};
    say(w, &message);
}

static inline void say_answer(struct world *w, const char *id, enum rpc_status status)
{
    struct rpc_message message = {.type = RPC_INVOCATION_RESPONSE};
    message.invocation_response.invocation_id = slice_of(id);
    message.invocation_response.result.status = status;
    message.invocation_response.result.exception =
        (struct rpc_exception){.is_set = status == RPC_FAILURE, .message = SLICE("it went wrong")};
    message.invocation_response.return_value =
        (struct rpc_data){.kind = RPC_STRING, .text = SLICE("result")};
    say(w, &message);
}

static inline void say_closed(struct world *w, enum err err)
{
    static const struct cause nothing;
    if (w->was_told_closed)
        return;
    w->was_told_closed = true;
    w->events.closed(w->events.ctx, err, &nothing);
    settle(w);
}

static inline void exits(struct world *w, int exit_code, int signal_number)
{
    if (!w->was_told_exited) {
        w->was_told_exited = true;
        w->events.exited(w->events.ctx, exit_code, signal_number);
    }
    settle(w);
    say_closed(w, E_CLOSED);
}

static inline struct fake_run *invoke(struct world *w)
{
    struct fake_run *run = &w->runs[w->run_count++];
    assert_true(w->run_count <= RUNS_MAX);
    run->world = w;
    run->run.op.done = on_run_done;
    run->run.id = id_next();
    run->run.function = &w->function;
    op_begin(&run->run.op, NULL, w);
    worker_invoke(w->worker, &run->run);
    settle(w);
    return run;
}

static inline void become_ready(struct world *w)
{
    world_start(w);
    say_start(w, w->worker_id);
    say_init(w, true);
    say_load(w, "orders", NULL);
    assert_int_equal(worker_state(w->worker), WORKER_READY);
    assert_true(worker_takes(w->worker));
}

#endif
