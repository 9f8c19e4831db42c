#include "invokers/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "invokers/runs.h"
#include "invokers/worker_log.h"
#include "invokers/worker_messages.h"

/*   STREAM --StartStream--> INIT --well--> LOAD --all answered--> READY --drain--> DRAIN
 *                                                                                   | idle
 *   EXITED <----exit---- TERMINATE (message; if it knows that) <--------------------+
 *                          | 5 s, or it does not know it
 *   EXITED <----exit---- TERM (SIGTERM) --2 s--> KILL (SIGKILL) --exit--> EXITED
 *
 * Late, silent, or speaking nonsense in any state: KILL. An exit in any state: EXITED, once both
 * the exit and the end of the stream are known, so that no answer that was sent is missed. */

#define STREAM_MS 60000u
#define INIT_MS 10000u
#define LOAD_MS 60000u
#define TERMINATE_MS 5000u
#define TERM_MS 2000u
#define STATUS_MS 10000u
#define STATUS_MISSED_MAX 3
#define GRACE_MS 5000u /* for a canceled run to end by itself */
#define SPAN_MAX_BYTES 64
#define LAST_WORD_MS 1000u /* for the exit after the stream's end, and the other way round */

#define TO(state) (1u << (state))
#define ENDINGS (TO(WORKER_TERM) | TO(WORKER_KILL) | TO(WORKER_EXITED))
#define RUNNING (TO(WORKER_READY) | TO(WORKER_DRAIN) | TO(WORKER_TERMINATE) | ENDINGS)

struct worker {
    const struct worker_plan *plan;
    struct worker_world *world;
    struct worker_events events;
    struct transport *transport;
    struct id id; /* what StartStream must name */
    enum worker_state state;
    struct runs runs;
    struct id *overdue; /* runs that were ended for their timeout and still go on in there */
    size_t overdue_count;
    bool *is_answered;  /* by function: the load request */
    char **load_errors; /* by function; NULL = loaded, once it is answered */
    size_t loads_waiting;
    struct worker_abilities can;
    unsigned status_missed;
    uint64_t started_at_ms;
    uint64_t phase_at_ms;  /* when the state is over its time; this and the following: 0 = never */
    uint64_t wait_at_ms;   /* when to stop waiting for the exit or for the end of the stream */
    uint64_t status_at_ms; /* when to ask for a sign of life */
    uint64_t grace_at_ms;  /* when a canceled run must have ended */
    uint64_t armed_at_ms;  /* when worker_tick() comes */
    bool was_ready;
    bool was_taking;
    bool is_closed;
    bool has_exited;
    bool is_asked;  /* to end */
    bool is_deaf;   /* it spoke nonsense: nothing it says counts */
    bool is_spared; /* killed because a run was overdue: no fault of the other runs */
    int exit_code, signal_number;
    struct cause why; /* why it was killed; empty = nobody killed it */
};

struct step {
    const char *name;
    void (*enter)(struct worker *w);
    void (*late)(struct worker *w);
    uint32_t timeout_ms; /* 0 = none */
    unsigned to;
};
static const struct step steps[WORKER_EXITED + 1];

static uint64_t now_of(const struct worker *w)
{
    return w->world->now_ms(w->world);
}

static bool is_idle(const struct worker *w)
{
    return w->runs.table.count == 0 && w->overdue_count == 0;
}

bool worker_takes(const struct worker *w)
{
    return w->state == WORKER_READY && !w->is_closed && !w->has_exited && w->overdue_count == 0;
}

static void tell_change(struct worker *w)
{
    bool takes = worker_takes(w);
    if (takes == w->was_taking)
        return;
    w->was_taking = takes;
    w->events.changed(w->events.ctx, w);
}

/* A hung run in a serial worker keeps those behind it from running: their clocks stand. */
static uint64_t expiry_of(const struct worker *w)
{
    bool is_held = w->plan->is_serial && w->overdue_count > 0;
    return is_held || w->state >= WORKER_TERMINATE ? 0 : runs_expiry_ms(&w->runs);
}

static void rearm(struct worker *w)
{
    uint64_t wishes[] = {w->phase_at_ms, w->wait_at_ms, w->status_at_ms, w->grace_at_ms,
                         expiry_of(w)};
    uint64_t next = 0;
    for (size_t i = 0; i < COUNT_OF(wishes); i++)
        if (wishes[i] != 0 && (next == 0 || wishes[i] < next))
            next = wishes[i];
    if (next == 0 || (w->armed_at_ms != 0 && w->armed_at_ms <= next))
        return;
    w->armed_at_ms = next;
    w->events.alarm(w->events.ctx, next);
}

static void go(struct worker *w, enum worker_state next)
{
    assert(steps[w->state].to & TO(next));
    log_trace("worker %.8s: %s -> %s", w->id.text, steps[w->state].name, steps[next].name);
    w->state = next;
    w->phase_at_ms = steps[next].timeout_ms == 0 ? 0 : now_of(w) + steps[next].timeout_ms;
    if (steps[next].enter != NULL)
        steps[next].enter(w);
    tell_change(w);
    rearm(w);
}

__attribute__((format(printf, 2, 3))) static void kill_worker(struct worker *w, const char *fmt,
                                                              ...)
{
    if (w->state >= WORKER_KILL)
        return;
    va_list args;
    va_start(args, fmt);
    if (w->why.text[0] == '\0' && !w->is_asked)
        (void)vsnprintf(w->why.text, sizeof w->why.text, fmt, args);
    va_end(args);
    go(w, WORKER_KILL);
}

/* Asks a worker to end, in the kindest way that it knows. */
static void end_kindly(struct worker *w)
{
    w->is_asked = true;
    bool knows = w->can.terminate && !w->is_closed && steps[w->state].to & TO(WORKER_TERMINATE);
    go(w, knows ? WORKER_TERMINATE : WORKER_TERM);
}

/* ---- the runs ---- */

void worker_settle_run(struct worker_world *world, struct invocation *run, enum err err)
{
    run->worker = NULL;
    run->result = err;
    list_push(&world->settled, &run->node);
    world->soon(world);
}

void worker_settle(struct worker_world *world)
{
    struct list settled;
    list_move(&settled, &world->settled);
    for (struct list_node *node; (node = list_shift(&settled)) != NULL;) {
        struct invocation *run = container_of(node, struct invocation, node);
        op_end(&run->op, run->result);
    }
}

static void take_out(struct worker *w, struct invocation *run)
{
    runs_remove(&w->runs, run, now_of(w));
    run->worker = NULL;
    if (w->runs.table.count == 0)
        w->events.idle(w->events.ctx, w);
}

static void after_run(struct worker *w)
{
    if (w->state == WORKER_DRAIN && is_idle(w))
        end_kindly(w);
    tell_change(w);
    if (w->runs.is_serial || w->armed_at_ms == 0)
        rearm(w);
}

static size_t place_of(const struct worker_plan *plan, const struct function *function)
{
    size_t at = 0;
    while (at < plan->function_count && plan->functions[at].function != function)
        at++;
    return at;
}

/* E_OK, or why this run cannot be sent, with the text in the run's op. */
static enum err check_loaded(const struct worker *w, struct invocation *run)
{
    size_t at = place_of(w->plan, run->function);
    if (at == w->plan->function_count)
        return cause_set(&run->op.why, E_FAILED, "the function is not loaded");
    if (w->load_errors[at] != NULL)
        return cause_set(&run->op.why, E_FAILED, "the function could not be loaded: %s",
                         w->load_errors[at]);
    return E_OK;
}

void worker_invoke(struct worker *w, struct invocation *run)
{
    assert(worker_takes(w));
    enum err err = check_loaded(w, run);
    if (err == E_OK) {
        err = worker_send_invocation(w->transport, run);
        if (err == E_LIMIT)
            err = cause_set(&run->op.why, E_FAILED, "the message is too large for a worker");
        run->is_bystander = err == E_CLOSED; /* it did not even begin */
        if (err == E_CLOSED)
            err = E_CANCELED;
    }
    if (err) {
        worker_settle_run(w->world, run, err);
        return;
    }
    run->worker = w;
    runs_add(&w->runs, run, now_of(w));
    if (run->expires_at_ms != 0 && run->node.prev == &w->runs.order.head)
        rearm(w);
}

void worker_abort(struct worker *w, struct invocation *run)
{
    take_out(w, run);
    if (w->can.cancel)
        worker_send_cancel(w->transport, &run->id);
    worker_settle_run(w->world, run, E_CANCELED);
    after_run(w);
}

static void cancel_all(struct worker *w)
{
    for (struct invocation *run; (run = runs_oldest(&w->runs)) != NULL;) {
        take_out(w, run);
        worker_settle_run(w->world, run, E_CANCELED);
    }
}

/* Whose fault is it? Of a single run its own. Of several nobody can tell, also in a serial worker,
 * where the answers of the oldest may be lost: all are suspects, and run again alone. Returns
 * whether this was such a run, and the crash the one that made it a suspect. */
static bool fail_all(struct worker *w, const char *text, bool is_counted)
{
    bool is_alone = w->runs.table.count == 1 && w->overdue_count == 0;
    bool is_guilty = is_alone && !w->is_spared;
    bool is_shared = is_counted && !is_guilty && w->runs.table.count > 0;
    bool is_repeat = false;
    uint64_t crash = is_shared ? blame_group(&w->world->blame) : 0;
    for (struct invocation *run; (run = runs_oldest(&w->runs)) != NULL;) {
        take_out(w, run);
        run->is_bystander = !is_guilty;
        run->is_suspect = run->is_suspect || !w->is_spared;
        is_repeat = is_counted && is_guilty && blame_alone(&w->world->blame, run->crash);
        if (is_shared)
            run->crash = crash;
        (void)cause_set(&run->op.why, E_CRASHED, "%s", text);
        worker_settle_run(w->world, run, is_guilty ? E_CRASHED : E_CANCELED);
    }
    return is_repeat;
}

static bool forget_overdue(struct worker *w, struct slice id)
{
    for (size_t i = 0; i < w->overdue_count; i++)
        if (slice_eq(id_slice(&w->overdue[i]), id)) {
            w->overdue[i] = w->overdue[--w->overdue_count];
            if (w->overdue_count == 0) {
                w->grace_at_ms = 0;
                runs_restart(&w->runs, now_of(w));
            }
            return true;
        }
    return false;
}

static void expire(struct worker *w, struct invocation *run)
{
    struct buf text;
    buf_init(&text, SPAN_MAX_BYTES);
    clock_add_span(&text, w->plan->app->function_timeout_ms);
    worker_log_run(w->plan->app, LOG_ERROR, "INVOCATION-TIMEOUT", run,
                   "Timeout value of %s exceeded by function 'Functions.%s' (Id: '%s').",
                   buf_text(&text), run->function->name, run->id.text);
    (void)cause_set(&run->op.why, E_TIMEOUT, "it ran longer than functionTimeout (%s)",
                    buf_text(&text));
    buf_done(&text);

    take_out(w, run);
    w->overdue = mem_resize(w->overdue, w->overdue_count + 1, sizeof *w->overdue);
    w->overdue[w->overdue_count++] = run->id;
    if (w->can.cancel)
        worker_send_cancel(w->transport, &run->id);
    worker_settle_run(w->world, run, E_TIMEOUT);
}

static void check_runs(struct worker *w, uint64_t now_ms)
{
    for (uint64_t at_ms; (at_ms = expiry_of(w)) != 0 && at_ms <= now_ms;)
        expire(w, runs_oldest(&w->runs));
    if (w->overdue_count > 0 && w->grace_at_ms == 0)
        w->grace_at_ms = now_ms + (w->can.cancel ? GRACE_MS : 0);
    if (w->grace_at_ms == 0 || w->grace_at_ms > now_ms)
        return;
    w->grace_at_ms = 0;
    w->is_spared = true;
    kill_worker(w, "a function ran longer than functionTimeout");
}

/* ---- messages ---- */

static void on_start_stream(struct worker *w, const struct rpc_message *message)
{
    if (!slice_eq(message->start_stream.worker_id, id_slice(&w->id))) {
        kill_worker(w, "it opened the stream with the id of another worker");
        return;
    }
    go(w, WORKER_INIT);
}

static void on_init(struct worker *w, const struct rpc_message *message)
{
    const struct rpc_worker_init_response *init = &message->worker_init_response;
    if (init->result.status != RPC_SUCCESS) {
        struct cause why;
        worker_result_text(&init->result, &why);
        kill_worker(w, "it could not be initialized: %s", why.text);
        return;
    }
    w->can = worker_abilities_of(init->capabilities);
    log_debug("WORKER-INIT", "worker process %d: %.*s %.*s", (int)worker_process(w),
              SLICE_ARG(init->metadata.runtime_name), SLICE_ARG(init->metadata.runtime_version));
    go(w, WORKER_LOAD);
}

static void load_answered(struct worker *w, size_t at, const char *error)
{
    w->is_answered[at] = true;
    w->loads_waiting--;
    if (error != NULL)
        w->load_errors[at] = mem_dup(error, strlen(error));
    w->events.loaded(w->events.ctx, w, at, error);
}

static void on_load(struct worker *w, const struct rpc_message *message)
{
    const struct rpc_function_load_response *load = &message->function_load_response;
    struct cause why;
    size_t at = worker_plan_find(w->plan, load->function_id);
    if (at == w->plan->function_count || w->is_answered[at]) {
        log_debug("WORKER-STALE", "worker process %d: answer to no load request: '%.*s'",
                  (int)worker_process(w), SLICE_ARG(load->function_id));
        return;
    }
    worker_result_text(&load->result, &why);
    load_answered(w, at, load->result.status == RPC_SUCCESS ? NULL : why.text);
    if (w->loads_waiting == 0)
        go(w, WORKER_READY);
}

static void on_response(struct worker *w, const struct rpc_message *message)
{
    const struct rpc_invocation_response *response = &message->invocation_response;
    struct invocation *run = runs_find(&w->runs, response->invocation_id);
    if (run == NULL) {
        if (!forget_overdue(w, response->invocation_id))
            log_debug("INVOCATION-STALE", "worker process %d: answer to no invocation: '%.*s'",
                      (int)worker_process(w), SLICE_ARG(response->invocation_id));
        after_run(w);
        return;
    }
    take_out(w, run);
    run->is_suspect = false;
    run->crash = 0;
    if (response->result.status == RPC_SUCCESS) {
        run->outputs = response->outputs.items;
        run->output_count = response->outputs.count;
        run->return_value = response->return_value;
        op_end(&run->op, E_OK);
    } else {
        worker_result_text(&response->result, &run->op.why);
        worker_log_failure(w->plan->app, run, &response->result.exception);
        op_end(&run->op, E_FAILED);
    }
    after_run(w);
}

static void on_status(struct worker *w, const struct rpc_message *message)
{
    (void)message;
    if (w->status_missed > 0)
        w->status_missed--;
}

static void on_log(struct worker *w, const struct rpc_message *message)
{
    const struct invocation *run = runs_find(&w->runs, message->log.invocation_id);
    struct slice category = SLICE_NONE;
    size_t at = run == NULL ? w->plan->function_count : place_of(w->plan, run->function);
    if (at < w->plan->function_count)
        category = slice_of(w->plan->functions[at].user_category);
    worker_log_rpc(w->plan->app, &message->log, run, category);
}

static const struct {
    unsigned states; /* in which it is expected */
    void (*handle)(struct worker *w, const struct rpc_message *message);
} handlers[] = {
    [RPC_START_STREAM] = {TO(WORKER_STREAM), on_start_stream},
    [RPC_WORKER_INIT_RESPONSE] = {TO(WORKER_INIT), on_init},
    [RPC_FUNCTION_LOAD_RESPONSE] = {TO(WORKER_LOAD), on_load},
    [RPC_INVOCATION_RESPONSE] = {RUNNING, on_response},
    [RPC_WORKER_STATUS_RESPONSE] = {RUNNING, on_status},
    [RPC_LOG] = {TO(WORKER_INIT) | TO(WORKER_LOAD) | RUNNING, on_log},
};

static void dispatch(struct worker *w, const struct rpc_message *message)
{
    bool is_known = message->type < COUNT_OF(handlers) && handlers[message->type].handle != NULL;
    if (is_known && handlers[message->type].states & TO(w->state))
        handlers[message->type].handle(w, message);
    else if (w->state == WORKER_STREAM)
        kill_worker(w, "its first message is not StartStream");
    else
        log_debug("WORKER-STALE", "worker process %d: unexpected %s in state '%s'",
                  (int)worker_process(w), rpc_type_name(message->type), steps[w->state].name);
}

/* ---- events of the transport ---- */

static void on_message(void *ctx, struct slice bytes)
{
    struct worker *w = ctx;
    struct rpc_message message;
    struct cause why = {{0}};
    if (w->is_deaf || bytes.len == 0)
        return;
    enum err err = rpc_decode(bytes, w->plan->arena, &message, &why);
    if (err == E_OK) {
        dispatch(w, &message);
    } else {
        w->is_deaf = true;
        kill_worker(w, "it sent a malformed message: %s", cause_text(&why, err));
    }
    arena_reset(w->plan->arena);
}

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    struct worker *w = ctx;
    bool is_clear = w->runs.table.count == 1 || w->plan->is_serial;
    worker_log_line(w->plan->app, is_stderr, line, is_clear ? runs_oldest(&w->runs) : NULL);
}

static void describe_end(struct worker *w, struct cause *ret)
{
    int pid = (int)worker_process(w);
    if (w->why.text[0] != '\0')
        (void)cause_set(ret, E_CRASHED, "worker process %d was killed: %s", pid, w->why.text);
    else if (w->signal_number != 0)
        (void)cause_set(ret, E_CRASHED, "worker process %d was killed by SIG%s", pid,
                        sigabbrev_np(w->signal_number) ? sigabbrev_np(w->signal_number) : "?");
    else
        (void)cause_set(ret, E_CRASHED, "worker process %d exited with code %d", pid, w->exit_code);
}

static enum ending ending_of(const struct worker *w)
{
    if (w->is_asked)
        return ENDING_ASKED;
    if (w->is_spared)
        return ENDING_AGAIN;
    return w->why.text[0] != '\0' ? ENDING_ERROR
                                  : restart_ending(w->exit_code, w->signal_number, w->was_ready);
}

static void finish(struct worker *w)
{
    struct cause why;
    describe_end(w, &why);
    w->wait_at_ms = w->status_at_ms = w->grace_at_ms = 0;
    go(w, WORKER_EXITED);
    enum ending ending = ending_of(w);
    bool is_repeat = fail_all(w, why.text, ending == ENDING_ERROR);
    w->events.ended(w->events.ctx, w, is_repeat ? ENDING_REPEAT : ending, &why);
}

static void on_exited(void *ctx, int exit_code, int signal_number)
{
    struct worker *w = ctx;
    w->has_exited = true;
    w->exit_code = exit_code;
    w->signal_number = signal_number;
    if (w->is_closed) {
        finish(w);
        return;
    }
    w->wait_at_ms = now_of(w) + LAST_WORD_MS;
    tell_change(w);
    rearm(w);
}

static void on_closed(void *ctx, enum err err, const struct cause *why)
{
    struct worker *w = ctx;
    w->is_closed = true;
    if (w->has_exited) {
        finish(w);
        return;
    }
    /* A process that dies may break its stream in the middle of a message: its exit says more. */
    if (err == E_LIMIT)
        kill_worker(w, "it broke its stream: %s", cause_text(why, err));
    else if (w->state < WORKER_TERMINATE)
        w->wait_at_ms = now_of(w) + LAST_WORD_MS;
    tell_change(w);
    rearm(w);
}

/* ---- the steps ---- */

static void init_enter(struct worker *w)
{
    worker_send_init(w->transport, w->plan);
}

static void load_enter(struct worker *w)
{
    for (size_t i = 0; i < w->plan->function_count; i++) {
        struct cause why = {{0}};
        w->loads_waiting++;
        if (worker_send_load(w->transport, &w->plan->functions[i], &w->can, &why))
            load_answered(w, i, why.text);
    }
    if (w->loads_waiting == 0)
        go(w, WORKER_READY);
}

static void ready_enter(struct worker *w)
{
    w->was_ready = true;
    w->status_at_ms = w->can.status ? now_of(w) + STATUS_MS : 0;
}

static void drain_enter(struct worker *w)
{
    if (is_idle(w))
        end_kindly(w);
}

static void terminate_enter(struct worker *w)
{
    w->status_at_ms = w->grace_at_ms = 0;
    worker_send_terminate(w->transport, TERMINATE_MS);
}

static void term_enter(struct worker *w)
{
    w->status_at_ms = w->grace_at_ms = 0;
    w->transport->kind->end(w->transport);
    w->transport->kind->signal(w->transport, SIGTERM);
}

static void kill_enter(struct worker *w)
{
    w->status_at_ms = w->grace_at_ms = 0;
    w->transport->kind->signal(w->transport, SIGKILL);
}

static void start_late(struct worker *w)
{
    kill_worker(w, "it did not %s within %u s", steps[w->state].name,
                steps[w->state].timeout_ms / 1000);
}

static void terminate_late(struct worker *w)
{
    go(w, WORKER_TERM);
}

static void term_late(struct worker *w)
{
    kill_worker(w, "it did not end when it was asked to");
}

static const struct step steps[WORKER_EXITED + 1] = {
    [WORKER_STREAM] = {"open its stream", NULL, start_late, STREAM_MS, TO(WORKER_INIT) | ENDINGS},
    [WORKER_INIT] = {"initialize", init_enter, start_late, INIT_MS, TO(WORKER_LOAD) | ENDINGS},
    [WORKER_LOAD] = {"load its functions", load_enter, start_late, LOAD_MS,
                     TO(WORKER_READY) | ENDINGS},
    [WORKER_READY] = {"ready", ready_enter, NULL, 0,
                      TO(WORKER_DRAIN) | TO(WORKER_TERMINATE) | ENDINGS},
    [WORKER_DRAIN] = {"drain", drain_enter, NULL, 0, TO(WORKER_TERMINATE) | ENDINGS},
    [WORKER_TERMINATE] = {"terminate", terminate_enter, terminate_late, TERMINATE_MS, ENDINGS},
    [WORKER_TERM] = {"term", term_enter, term_late, TERM_MS, TO(WORKER_KILL) | TO(WORKER_EXITED)},
    [WORKER_KILL] = {"kill", kill_enter, NULL, 0, TO(WORKER_EXITED)},
    [WORKER_EXITED] = {"exited", NULL, NULL, 0, 0},
};

static void check_status(struct worker *w, uint64_t now_ms)
{
    if (w->status_at_ms == 0 || w->status_at_ms > now_ms)
        return;
    if (w->status_missed >= STATUS_MISSED_MAX) {
        kill_worker(w, "it did not answer %d status requests", STATUS_MISSED_MAX);
        return;
    }
    w->status_missed++;
    w->status_at_ms = now_ms + STATUS_MS;
    worker_send_status(w->transport);
}

static void check_wait(struct worker *w, uint64_t now_ms)
{
    if (w->wait_at_ms == 0 || w->wait_at_ms > now_ms)
        return;
    w->wait_at_ms = 0;
    if (w->has_exited)
        finish(w); /* a child of it holds the stream open */
    else
        kill_worker(w, "it closed its stream");
}

void worker_tick(struct worker *w)
{
    uint64_t now_ms = now_of(w);
    w->armed_at_ms = 0;
    if (w->state == WORKER_EXITED)
        return;
    if (w->phase_at_ms != 0 && w->phase_at_ms <= now_ms) {
        w->phase_at_ms = 0;
        steps[w->state].late(w);
    }
    check_runs(w, now_ms);
    check_status(w, now_ms);
    check_wait(w, now_ms);
    tell_change(w);
    rearm(w);
}

void worker_drain(struct worker *w)
{
    if (w->state < WORKER_READY)
        end_kindly(w);
    else if (w->state == WORKER_READY)
        go(w, WORKER_DRAIN);
}

void worker_stop(struct worker *w)
{
    cancel_all(w);
    if (w->state < WORKER_TERMINATE)
        end_kindly(w);
    else
        w->is_asked = true; /* it dies already, and needs no heir */
}

enum err worker_start(const struct worker_plan *plan, struct worker_world *world,
                      const struct worker_events *events, struct worker **ret, struct cause *why)
{
    struct worker *w = mem_new(struct worker);
    struct transport_events heard = {on_message, on_line, on_closed, on_exited, w};
    int64_t timeout_ms = plan->app->function_timeout_ms;

    w->plan = plan;
    w->world = world;
    w->events = *events;
    w->id = id_secret();
    w->is_answered = mem_new_array(plan->function_count + 1, bool);
    w->load_errors = mem_new_array(plan->function_count + 1, char *);
    runs_init(&w->runs, timeout_ms > 0 ? (uint64_t)timeout_ms : 0, plan->is_serial);
    w->started_at_ms = now_of(w);
    w->phase_at_ms = w->started_at_ms + steps[WORKER_STREAM].timeout_ms;
    enum err err =
        world->launcher->launch(world->launcher, id_slice(&w->id), &heard, &w->transport, why);
    if (err) {
        worker_free(w);
        return err;
    }
    rearm(w);
    *ret = w;
    return E_OK;
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    cancel_all(w);
    if (w->transport != NULL)
        w->transport->kind->free(w->transport);
    for (size_t i = 0; i < w->plan->function_count; i++)
        free(w->load_errors[i]);
    free(w->load_errors);
    free(w->is_answered);
    free(w->overdue);
    runs_done(&w->runs);
    free(w);
}

enum worker_state worker_state(const struct worker *w)
{
    return w->state;
}

size_t worker_in_flight(const struct worker *w)
{
    return w->runs.table.count;
}

uint64_t worker_wait_us(const struct worker *w)
{
    return runs_wait_us(&w->runs, now_of(w));
}

bool worker_has_suspect(const struct worker *w)
{
    const struct invocation *oldest = runs_oldest(&w->runs);
    return oldest != NULL && oldest->is_suspect;
}

uint64_t worker_started_at_ms(const struct worker *w)
{
    return w->started_at_ms;
}

pid_t worker_process(const struct worker *w)
{
    return w->transport->kind->process(w->transport);
}
