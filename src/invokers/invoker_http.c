/* The custom handler: one process that speaks HTTP, one POST per run. Behaviour: functions.md 14.
 *
 * A run:  WAIT (no process is ready) --> CALL --answer--> end
 *                                         | the connection broke: LIMBO, until the process's exit
 * is | seen (crashed), or is not (failed) | functionTimeout: the process is killed, and the other
 *                                         | runs in it are bystanders
 * Everything that follows from an event is done once per turn, in on_turn(). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/client.h"
#include "invokers/handler_message.h"
#include "invokers/handler_process.h"
#include "invokers/invoker.h"
#include "invokers/worker_log.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define ERRORS_MAX 3
#define BODY_MAX_BYTES (256u * 1024 * 1024)
#define ANSWER_MAX_BYTES (64u * 1024 * 1024)
#define KEPT_BYTES (1024 * 1024)
#define LIMBO_MS 100u
#define CALLS_KEPT_MAX 256
#define SHOWN_BYTES 300

struct call {
    struct http_invoker *invoker;
    struct invocation *run; /* NULL = it ended already; the answer does not count */
    struct http_call http;
    struct http_header headers[4];
    struct buf body;
    struct slice part;
    char path[160];
    struct list_node node;
    uint64_t limbo_until_ms; /* 0 = the request is under way */
    struct cause why;
};

struct http_invoker {
    struct invoker invoker;
    struct loop *loop;
    struct http_client *http;
    const struct app *app;
    struct invoker_events events;
    char *version, *agent;
    struct environment environment;
    struct handler_process *process;
    bool has_ended; /* the process: free it */
    bool is_ready;
    bool is_spared; /* the process dies for one run's timeout: the others are bystanders */
    uint64_t start_at_ms;
    bool has_suspect;     /* the run that is under way must be alone */
    struct list waiting;  /* struct invocation */
    struct list suspects; /* the same: they wait until nothing is under way, and go first */
    struct list calls;    /* under way, or in limbo */
    struct list idle;     /* struct call, to be used again */
    size_t idle_count;
    struct list settled; /* struct invocation */
    struct restart restart;
    struct blame blame;
    struct timer *timer;
    struct turn turn;
    enum invoker_state state;
    struct cause why;
    struct op *stop;
    uint64_t restarts;
    size_t in_flight;
    size_t posts; /* http calls that have not come home */
    bool had_failure, was_loaded, is_stopped, is_freed;
};

static struct http_invoker *of(struct invoker *invoker)
{
    return container_of(invoker, struct http_invoker, invoker);
}

static void soon(struct http_invoker *h)
{
    loop_at_turn_end(h->loop, &h->turn);
}

/* ---- runs ---- */

static void settle(struct http_invoker *h, struct invocation *run, enum err err)
{
    run->worker = NULL;
    run->result = err;
    list_push(&h->settled, &run->node);
    soon(h);
}

static void settle_all(struct http_invoker *h)
{
    struct list settled;
    list_move(&settled, &h->settled);
    for (struct list_node *node; (node = list_shift(&settled)) != NULL;) {
        struct invocation *run = container_of(node, struct invocation, node);
        op_end(&run->op, run->result);
    }
}

static void call_free(struct call *call)
{
    buf_done(&call->body);
    free(call);
}

static struct call *call_take(struct http_invoker *h)
{
    struct list_node *node = list_shift(&h->idle);
    if (node != NULL) {
        h->idle_count--;
        return container_of(node, struct call, node);
    }
    struct call *call = mem_new(struct call);
    call->invoker = h;
    buf_init(&call->body, BODY_MAX_BYTES);
    return call;
}

/* The run has ended, or waits in `settled`. */
static void call_give_back(struct call *call)
{
    struct http_invoker *h = call->invoker;
    list_remove(&call->node);
    if (call->body.cap > KEPT_BYTES || h->idle_count >= CALLS_KEPT_MAX) {
        call_free(call);
        return;
    }
    h->idle_count++;
    list_push(&h->idle, &call->node);
}

/* Takes the run out of its call. The request may still be under way: then its end is ignored. */
static struct invocation *call_leave(struct call *call)
{
    struct http_invoker *h = call->invoker;
    struct invocation *run = call->run;
    call->run = NULL;
    run->worker = NULL;
    if (--h->in_flight == 0) {
        h->has_suspect = false;
        if (!list_is_empty(&h->suspects) || !list_is_empty(&h->waiting))
            soon(h);
    }
    if (call->http.op.is_busy)
        op_abort(&call->http.op);
    else
        call_give_back(call);
    return run;
}

static void log_answer(const struct http_invoker *h, const struct invocation *run,
                       const struct handler_answer *answer)
{
    size_t at;
    json_t *line;
    char category[192];
    if (answer->logs == NULL)
        return;
    (void)snprintf(category, sizeof category, "Function.%s.User", run->function->name);
    json_array_foreach((json_t *)(uintptr_t)answer->logs, at, line)
    {
        struct rpc_log log = {.level = RPC_LEVEL_INFORMATION, .message = jx_slice(line)};
        if (json_is_string(line))
            worker_log_rpc(h->app, &log, run, slice_of(category));
    }
}

static void log_body(const struct http_invoker *h, const struct invocation *run, struct slice body)
{
    struct rpc_log log = {.level = RPC_LEVEL_ERROR, .message = body};
    if (body.len > 0)
        worker_log_rpc(h->app, &log, run, SLICE("Host.Results"));
}

static void end_answered(struct call *call)
{
    const struct http_invoker *h = call->invoker;
    struct slice body = call->http.response;
    struct handler_answer answer = {0};
    struct invocation *run = call->run;
    struct slice shown = slice_first(slice_trim(body), SHOWN_BYTES);
    enum err err = E_OK;

    if (call->http.status < 200 || call->http.status > 299)
        err = cause_set(&run->op.why, E_FAILED, "the handler answered with status %d%s%.*s",
                        call->http.status, shown.len > 0 ? ": " : "", SLICE_ARG(shown));
    else
        err = handler_read_answer(body, http_call_header(&call->http, SLICE("Content-Type")),
                                  run->function, &answer, &run->op.why);
    if (err == E_OK)
        log_answer(h, run, &answer);
    else
        log_body(h, run, body);
    run = call_leave(call);
    run->is_suspect = false;
    run->crash = 0;
    run->outputs = answer.outputs;
    run->output_count = answer.output_count;
    run->return_value = answer.return_value;
    op_end(&run->op, err);
    handler_answer_done(&answer);
}

static void end_late(struct call *call)
{
    struct http_invoker *h = call->invoker;
    struct invocation *run = call_leave(call);
    struct buf span;
    buf_init(&span, 64);
    clock_add_span(&span, h->app->function_timeout_ms);
    worker_log_run(h->app, LOG_ERROR, "INVOCATION-TIMEOUT", run,
                   "Timeout value of %s exceeded by function 'Functions.%s' (Id: '%s').",
                   buf_text(&span), run->function->name, run->id.text);
    (void)cause_set(&run->op.why, E_TIMEOUT, "it ran longer than functionTimeout (%s)",
                    buf_text(&span));
    buf_done(&span);
    settle(h, run, E_TIMEOUT);
    h->is_spared = true;
    h->is_ready = false;
    if (h->process != NULL && !h->has_ended)
        handler_process_kill(h->process);
}

/* Did the process die, or only the connection? Its exit is seen in a moment, if so. */
static void enter_limbo(struct call *call, enum err err)
{
    struct http_invoker *h = call->invoker;
    (void)cause_set(&call->why, err, "%s", cause_text(&call->http.op.why, err));
    call->limbo_until_ms = loop_now_ms(h->loop) + LIMBO_MS;
    if (!timer_is_set(h->timer))
        timer_set(h->timer, LIMBO_MS);
}

static void release(struct http_invoker *h);

static void on_called(struct op *op, enum err err)
{
    struct call *call = container_of(op, struct call, http.op);
    struct http_invoker *h = call->invoker;
    h->posts--;
    if (call->run == NULL) {
        call_give_back(call);
        if (h->is_freed && h->posts == 0)
            release(h);
        else if (h->stop != NULL)
            soon(h);
    } else if (err == E_OK) {
        end_answered(call);
    } else if (err == E_TIMEOUT) {
        end_late(call);
    } else if (err == E_LIMIT || err == E_BAD_WIRE) {
        struct invocation *run = call->run;
        run->op.why = op->why;
        (void)cause_wrap(&run->op.why, err, "Invalid HttpResponseMessage");
        settle(h, call_leave(call), E_FAILED);
    } else {
        enter_limbo(call, err);
    }
}

static void fill_call(struct call *call, struct invocation *run)
{
    const struct http_invoker *h = call->invoker;
    int64_t timeout_ms = h->app->function_timeout_ms;
    call->run = run;
    call->limbo_until_ms = 0;
    buf_clear(&call->body);
    handler_write_request(&call->body, run);
    call->part = buf_slice(&call->body);
    (void)snprintf(call->path, sizeof call->path, "/%s", run->function->name);
    call->headers[0] =
        (struct http_header){SLICE("Content-Type"), SLICE("application/json; charset=utf-8")};
    call->headers[1] =
        (struct http_header){SLICE("X-Azure-Functions-InvocationId"), id_slice(&run->id)};
    call->headers[2] =
        (struct http_header){SLICE("X-Azure-Functions-HostVersion"), slice_of(h->version)};
    call->headers[3] = (struct http_header){SLICE("User-Agent"), slice_of(h->agent)};
    call->http = (struct http_call){
        .op.done = on_called,
        .method = SLICE("POST"),
        .url = {.host = SLICE("127.0.0.1"),
                .port = handler_process_port(h->process),
                .path = slice_of(call->path)},
        .headers = call->headers,
        .header_count = COUNT_OF(call->headers),
        .body = &call->part,
        .body_count = 1,
        .timeout_ms = timeout_ms > 0 && timeout_ms <= UINT32_MAX ? (uint32_t)timeout_ms : 0,
        .response_max_bytes = ANSWER_MAX_BYTES,
    };
}

static void post(struct http_invoker *h, struct invocation *run)
{
    struct call *call = call_take(h);
    fill_call(call, run);
    list_push(&h->calls, &call->node);
    run->worker = call;
    h->in_flight++;
    h->has_suspect = run->is_suspect;
    enum err err = buf_err(&call->body);
    if (err == E_OK)
        err = http_send(h->http, &call->http);
    if (err == E_OK) {
        h->posts++;
        return;
    }
    (void)cause_set(&run->op.why, E_FAILED, "the request cannot be sent: %s", err_text(err));
    settle(h, call_leave(call), E_FAILED);
}

static void on_run_abort(struct op *op)
{
    struct invocation *run = container_of(op, struct invocation, op);
    struct http_invoker *h = op->runner;
    if (run->result != E_OK)
        return; /* it is about to end anyway */
    if (run->worker != NULL)
        (void)call_leave(run->worker);
    else
        list_remove(&run->node);
    settle(h, run, E_CANCELED);
}

static bool is_open(const struct http_invoker *h)
{
    return h->is_ready && !h->has_suspect && list_is_empty(&h->suspects);
}

static enum err http_invoke(struct invoker *invoker, struct invocation *run)
{
    struct http_invoker *h = of(invoker);
    if (h->stop != NULL || h->is_freed)
        return E_CANCELED;
    op_begin(&run->op, on_run_abort, h);
    run->worker = NULL;
    run->result = E_OK;
    run->is_bystander = false;
    if (!run->is_suspect && is_open(h)) {
        post(h, run);
        return E_OK;
    }
    list_push(run->is_suspect ? &h->suspects : &h->waiting, &run->node);
    if (run->is_suspect)
        soon(h);
    return E_OK;
}

/* ---- the process ---- */

static void on_ready(void *ctx)
{
    struct http_invoker *h = ctx;
    h->is_ready = true;
    h->is_spared = false;
    if (h->events.loaded != NULL && !h->was_loaded)
        for (size_t i = 0; i < h->app->function_count; i++) {
            const struct function *function = h->app->functions[i];
            if (function->error == NULL && !function->is_disabled)
                h->events.loaded(h->events.ctx, function, NULL);
        }
    h->was_loaded = true;
    soon(h);
}

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    const struct http_invoker *h = ctx;
    const struct invocation *run = NULL;
    if (h->in_flight == 1) {
        struct call *call;
        list_each (&h->calls, struct call, node, call)
            if (call->run != NULL)
                run = call->run;
    }
    worker_log_line(h->app, is_stderr, line, run);
}

/* Nobody can tell which run crashed it, unless there was one only: they run again, each alone.
 * Returns whether this was such a run, and the crash the one that made it a suspect. */
static bool fail_calls(struct http_invoker *h, const struct cause *why, bool is_counted)
{
    struct call *call;
    bool is_guilty = !h->is_spared && h->in_flight == 1;
    bool is_shared = is_counted && !is_guilty && h->in_flight > 0;
    bool is_repeat = false;
    uint64_t crash = is_shared ? blame_group(&h->blame) : 0;
    list_each (&h->calls, struct call, node, call) {
        if (call->run == NULL)
            continue;
        struct invocation *run = call_leave(call);
        run->is_bystander = !is_guilty;
        run->is_suspect = run->is_suspect || !h->is_spared;
        is_repeat = is_counted && is_guilty && blame_alone(&h->blame, run->crash);
        if (is_shared)
            run->crash = crash;
        run->op.why = *why;
        settle(h, run, is_guilty ? E_CRASHED : E_CANCELED);
    }
    return is_repeat;
}

static void on_ended(void *ctx, enum ending ending, const struct cause *why)
{
    struct http_invoker *h = ctx;
    uint64_t now_ms = loop_now_ms(h->loop);
    bool is_repeat = fail_calls(h, why, ending == ENDING_ERROR);
    uint64_t delay_ms = restart_judge(&h->restart, is_repeat ? ENDING_REPEAT : ending, ERRORS_MAX,
                                      handler_process_started_at_ms(h->process), now_ms);
    /* one that never answered keeps the app from starting */
    enum log_level level = ending == ENDING_ERROR && !h->is_ready ? LOG_ERROR : LOG_WARN;

    h->has_ended = true;
    h->is_ready = false;
    h->start_at_ms = now_ms + delay_ms;
    if (ending != ENDING_ASKED) {
        h->restarts++;
        h->had_failure = true;
        h->why = *why;
        log_at(level, "WORKER-EXITED", "%s: %s; starting another in %llu ms", h->app->name,
               why->text, (unsigned long long)delay_ms);
    }
    soon(h);
}

static void start_process(struct http_invoker *h)
{
    struct handler_process_options options = {
        .loop = h->loop,
        .http = h->http,
        .app = h->app,
        .environment = &h->environment,
        .ready = on_ready,
        .line = on_line,
        .ended = on_ended,
        .ctx = h,
    };
    struct cause why = {{0}};
    uint64_t now_ms = loop_now_ms(h->loop);
    enum err err = handler_process_start(&options, &h->process, &why);
    if (err == E_OK) {
        log_info("WORKER-STARTED", "%s: handler process %d on port %u", h->app->name,
                 (int)handler_process_id(h->process), (unsigned)handler_process_port(h->process));
        return;
    }
    uint64_t delay_ms = restart_judge(&h->restart, ENDING_ERROR, ERRORS_MAX, now_ms, now_ms);
    h->start_at_ms = now_ms + delay_ms;
    h->had_failure = true;
    h->why = why;
    log_error("WORKER-START", "%s: the handler cannot be started: %s; trying again in %llu ms",
              h->app->name, cause_text(&why, err), (unsigned long long)delay_ms);
}

/* ---- once per turn ---- */

static void keep_process(struct http_invoker *h)
{
    uint64_t now_ms = loop_now_ms(h->loop);
    if (h->has_ended) {
        handler_process_free(h->process);
        h->process = NULL;
        h->has_ended = false;
    }
    if (h->process != NULL || h->stop != NULL)
        return;
    if (h->start_at_ms <= now_ms)
        start_process(h);
    if (h->process == NULL)
        timer_set(h->timer, h->start_at_ms - now_ms);
}

static void leave_limbo(struct http_invoker *h)
{
    uint64_t now_ms = loop_now_ms(h->loop);
    struct call *call;
    list_each (&h->calls, struct call, node, call) {
        if (call->run == NULL || call->limbo_until_ms == 0)
            continue;
        if (call->limbo_until_ms > now_ms) {
            if (!timer_is_set(h->timer))
                timer_set(h->timer, call->limbo_until_ms - now_ms);
            continue;
        }
        struct cause why = call->why;
        struct invocation *run = call_leave(call);
        run->op.why = why;
        settle(h, run, E_FAILED);
    }
}

static void feed_waiting(struct http_invoker *h)
{
    while (h->is_ready && h->in_flight == 0 && !list_is_empty(&h->suspects))
        post(h, container_of(list_shift(&h->suspects), struct invocation, node));
    while (is_open(h) && !list_is_empty(&h->waiting))
        post(h, container_of(list_shift(&h->waiting), struct invocation, node));
}

static enum invoker_state judge_state(const struct http_invoker *h)
{
    if (h->stop != NULL)
        return INVOKER_STOPPED;
    if (h->is_ready)
        return INVOKER_READY;
    if (!h->had_failure && h->state == INVOKER_STARTING)
        return INVOKER_STARTING;
    return restart_is_unhealthy(&h->restart, ERRORS_MAX, loop_now_ms(h->loop)) ? INVOKER_UNHEALTHY
                                                                               : INVOKER_DOWN;
}

static void tell_state(struct http_invoker *h)
{
    static const struct cause nothing;
    enum invoker_state state = judge_state(h);
    if (state == h->state)
        return;
    bool is_bad = state == INVOKER_DOWN || state == INVOKER_UNHEALTHY;
    h->state = state;
    if (h->events.state != NULL)
        h->events.state(h->events.ctx, state, is_bad ? &h->why : &nothing);
}

static void on_turn(struct turn *turn)
{
    struct http_invoker *h = container_of(turn, struct http_invoker, turn);
    leave_limbo(h);
    settle_all(h);
    keep_process(h);
    feed_waiting(h);
    tell_state(h);
    if (h->stop != NULL && !h->is_stopped && h->process == NULL && h->posts == 0 &&
        list_is_empty(&h->settled)) {
        h->is_stopped = true;
        op_end(h->stop, E_OK); /* the last touch: the owner may free */
    }
}

static void on_timer(void *ctx)
{
    soon(ctx);
}

/* ---- life ---- */

static bool http_serves(const char *runtime)
{
    return strcmp(runtime, "custom") == 0;
}

static enum err http_start(const struct invoker_options *options, struct invoker **ret,
                           struct cause *why)
{
    if (options->app->handler.executable == NULL)
        return cause_set(why, E_BAD_INPUT,
                         "host.json: customHandler.description.defaultExecutablePath: is missing");
    struct http_invoker *h = mem_new(struct http_invoker);
    struct buf agent;
    h->invoker.kind = &invoker_http_kind;
    h->loop = options->loop;
    h->http = options->http;
    h->app = options->app;
    h->events = options->events;
    h->version = slice_dup(slice_of(options->host_version));
    buf_init(&agent, 256);
    buf_addf(&agent, "Azure-Functions-Host/%.64s", options->host_version);
    h->agent = buf_detach(&agent);
    h->turn.run = on_turn;
    h->timer = timer_new(h->loop, on_timer, h);
    list_init(&h->waiting);
    list_init(&h->suspects);
    list_init(&h->calls);
    list_init(&h->idle);
    list_init(&h->settled);
    environment_init_app(&h->environment, h->app);
    environment_set(&h->environment, "FUNCTIONS_WORKER_RUNTIME", "custom");
    environment_set(&h->environment, "FUNCTIONS_APP_ROOT_PATH", h->app->directory);
    soon(h);
    *ret = &h->invoker;
    return E_OK;
}

static void http_scale(struct invoker *invoker, uint32_t processes)
{
    (void)invoker; /* one process, whatever is asked for */
    (void)processes;
}

static void http_stats(const struct invoker *invoker, struct invoker_stats *ret)
{
    /* `invoker` is the first member; container_of() would cast const away. */
    const struct http_invoker *h = (const struct http_invoker *)(const void *)invoker;
    *ret = (struct invoker_stats){.processes = h->process != NULL,
                                  .target = 1,
                                  .restarts = h->restarts,
                                  .in_flight = h->in_flight};
}

static void cancel_all(struct http_invoker *h)
{
    struct call *call;
    for (struct list_node *node; (node = list_shift(&h->suspects)) != NULL;)
        settle(h, container_of(node, struct invocation, node), E_CANCELED);
    for (struct list_node *node; (node = list_shift(&h->waiting)) != NULL;)
        settle(h, container_of(node, struct invocation, node), E_CANCELED);
    list_each (&h->calls, struct call, node, call)
        if (call->run != NULL)
            settle(h, call_leave(call), E_CANCELED);
}

static void http_stop(struct invoker *invoker, struct op *op)
{
    struct http_invoker *h = of(invoker);
    assert(h->stop == NULL);
    op_begin(op, NULL, h);
    h->stop = op;
    h->is_ready = false;
    timer_clear(h->timer);
    cancel_all(h);
    if (h->process != NULL && !h->has_ended)
        handler_process_stop(h->process);
    soon(h);
}

static void release(struct http_invoker *h)
{
    struct call *call;
    list_each (&h->idle, struct call, node, call)
        call_free(call);
    environment_done(&h->environment);
    free(h->version);
    free(h->agent);
    free(h);
}

static void http_free(struct invoker *invoker)
{
    struct http_invoker *h = of(invoker);
    h->is_freed = true;
    cancel_all(h);
    settle_all(h);
    handler_process_free(h->process);
    h->process = NULL;
    timer_free(h->timer);
    turn_cancel(&h->turn);
    if (h->posts == 0)
        release(h); /* else the last of them does */
}

const struct invoker_kind invoker_http_kind = {
    .name = "http",
    .serves = http_serves,
    .start = http_start,
    .invoke = http_invoke,
    .scale = http_scale,
    .stats = http_stats,
    .stop = http_stop,
    .free = http_free,
};
