/* The pool of an app's worker processes: prepares what they need, keeps as many as are asked for,
 * gives each run to the one with the fewest.
 *
 * A run that was in a worker when that crashed is a suspect: it gets a worker for itself. One
 * worker at a time is kept from taking other runs until it is idle and a suspect can begin there;
 * the others go on.
 *
 * Everything that follows from an event (a process ended, a run is settled, a scale was asked for)
 * is done once per turn, in on_turn(), and never in the middle of a worker's callback. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "invokers/invoker.h"
#include "invokers/launcher_pair.h"
#include "invokers/restart.h"
#include "invokers/toolchain.h"
#include "invokers/worker.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define QUICK_US 1000 /* what one more run may wait behind others although a worker is idle */
#define PROCESSES_MAX 20
#define ERRORS_PER_PROCESS 3
#define DECODED_MAX_BYTES (1024u * 1024 * 1024)
#define THREADS_PYTHON "1000"

/* The place of one process in the pool; it outlives the processes that come and go in it. */
struct place {
    struct rpc_invoker *invoker;
    struct worker *worker; /* NULL = none now */
    struct timer *alarm;
    uint64_t start_at_ms; /* not before */
    enum ending ending;
    bool has_ended; /* the worker: free it */
};

struct rpc_invoker {
    struct invoker invoker;
    struct loop *loop;
    const struct app *app;
    struct invoker_events events;
    char *host_version, *worker_dir, *cache_dir, *include_dir;
    uint32_t process_min, process_max, target;
    struct environment environment;
    struct toolchain *toolchain;
    struct op prepared;
    struct launcher *launcher;
    struct worker_plan plan;
    struct worker_world world;
    struct arena arena;
    char **told; /* by function: the error that the owner knows, "" = fine, NULL = nothing */
    struct place places[PROCESSES_MAX];
    struct list waiting;  /* runs for which no process is ready */
    struct list suspects; /* runs that wait for a process of their own; they go first */
    struct restart restart;
    struct timer *restart_timer;
    struct turn turn;
    enum invoker_state state;
    struct cause why; /* the last failure */
    struct op *stop;
    uint64_t restarts;
    bool is_prepared;
    bool is_broken; /* the preparation failed: nothing can run */
    bool had_failure;
    bool is_stopped; /* and the owner was told */
    bool is_freed;
};

static struct rpc_invoker *of(struct invoker *invoker)
{
    return container_of(invoker, struct rpc_invoker, invoker);
}

static void soon(struct rpc_invoker *p)
{
    loop_at_turn_end(p->loop, &p->turn);
}

static uint32_t error_limit(const struct rpc_invoker *p)
{
    return p->target * ERRORS_PER_PROCESS;
}

/* ---- events of the workers ---- */

static uint64_t world_now(struct worker_world *world)
{
    return loop_now_ms(container_of(world, struct rpc_invoker, world)->loop);
}

static void world_soon(struct worker_world *world)
{
    soon(container_of(world, struct rpc_invoker, world));
}

static void on_alarm(void *ctx)
{
    const struct place *place = ctx;
    if (place->worker != NULL && !place->has_ended)
        worker_tick(place->worker);
}

static void worker_alarm(void *ctx, uint64_t at_ms)
{
    const struct place *place = ctx;
    uint64_t now_ms = loop_now_ms(place->invoker->loop);
    timer_set(place->alarm, at_ms > now_ms ? at_ms - now_ms : 0);
}

/* All workers load the same functions; the owner hears of each outcome once. */
static void tell_loaded(struct rpc_invoker *p, size_t at, const char *error)
{
    const char *text = error == NULL ? "" : error;
    if (p->told[at] != NULL && strcmp(p->told[at], text) == 0)
        return;
    free(p->told[at]);
    p->told[at] = slice_dup(slice_of(text));
    if (p->events.loaded != NULL)
        p->events.loaded(p->events.ctx, p->plan.functions[at].function, error);
}

static void worker_loaded(void *ctx, struct worker *worker, size_t at, const char *error)
{
    const struct place *place = ctx;
    (void)worker;
    tell_loaded(place->invoker, at, error);
}

static void worker_changed(void *ctx, struct worker *worker)
{
    const struct place *place = ctx;
    (void)worker;
    soon(place->invoker);
}

static void worker_idle(void *ctx, struct worker *worker)
{
    const struct place *place = ctx;
    struct rpc_invoker *p = place->invoker;
    (void)worker;
    if (!list_is_empty(&p->suspects) || !list_is_empty(&p->waiting))
        soon(p);
}

static void worker_ended(void *ctx, struct worker *worker, enum ending ending,
                         const struct cause *why)
{
    struct place *place = ctx;
    struct rpc_invoker *p = place->invoker;
    uint64_t now_ms = loop_now_ms(p->loop);
    uint64_t delay_ms =
        restart_judge(&p->restart, ending, error_limit(p), worker_started_at_ms(worker), now_ms);
    place->ending = ending;
    place->has_ended = true;
    place->start_at_ms = now_ms + delay_ms;
    if (ending != ENDING_ASKED) {
        p->restarts++;
        p->had_failure = true;
        p->why = *why;
        log_warn("WORKER-EXITED", "%s: %s; starting another in %llu ms", p->app->name, why->text,
                 (unsigned long long)delay_ms);
    }
    soon(p);
}

static const struct worker_events events_of_workers = {
    .alarm = worker_alarm,
    .loaded = worker_loaded,
    .changed = worker_changed,
    .idle = worker_idle,
    .ended = worker_ended,
};

/* ---- keeping as many as are asked for ---- */

static void start_one(struct rpc_invoker *p, struct place *place)
{
    struct worker_events events = events_of_workers;
    struct cause why = {{0}};
    uint64_t now_ms = loop_now_ms(p->loop);
    events.ctx = place;
    enum err err = worker_start(&p->plan, &p->world, &events, &place->worker, &why);
    if (err == E_OK) {
        log_info("WORKER-STARTED", "%s: %s worker process %d", p->app->name, p->app->runtime,
                 (int)worker_process(place->worker));
        return;
    }
    uint64_t delay_ms = restart_judge(&p->restart, ENDING_ERROR, error_limit(p), now_ms, now_ms);
    place->start_at_ms = now_ms + delay_ms;
    p->had_failure = true;
    p->why = why;
    log_error("WORKER-START", "%s: the worker cannot be started: %s; trying again in %llu ms",
              p->app->name, cause_text(&why, err), (unsigned long long)delay_ms);
}

static void free_ended(struct rpc_invoker *p)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        struct place *place = &p->places[i];
        if (!place->has_ended)
            continue;
        timer_clear(place->alarm);
        worker_free(place->worker);
        place->worker = NULL;
        place->has_ended = false;
    }
}

/* Returns when the place wants to be looked at again; 0 = an event will tell. */
static uint64_t keep_place(struct rpc_invoker *p, struct place *place, bool is_wanted)
{
    if (place->worker != NULL) {
        if (!is_wanted)
            worker_drain(place->worker);
        return 0;
    }
    if (is_wanted && place->start_at_ms <= loop_now_ms(p->loop))
        start_one(p, place);
    return is_wanted && place->worker == NULL ? place->start_at_ms : 0;
}

static void keep_count(struct rpc_invoker *p)
{
    uint64_t now_ms = loop_now_ms(p->loop);
    uint64_t next_ms = 0;
    if (!p->is_prepared || p->is_broken || p->stop != NULL)
        return;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        uint64_t at_ms = keep_place(p, &p->places[i], i < p->target);
        if (at_ms != 0 && (next_ms == 0 || at_ms < next_ms))
            next_ms = at_ms;
    }
    if (next_ms != 0)
        timer_set(p->restart_timer, next_ms > now_ms ? next_ms - now_ms : 1);
}

/* ---- giving runs to workers ---- */

static bool is_ready(const struct rpc_invoker *p)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (p->places[i].worker != NULL && worker_takes(p->places[i].worker))
            return true;
    return false;
}

/* The next worker, from *at on, that may take another run; NULL = there is none left. */
static struct worker *next_taker(const struct rpc_invoker *p, const struct worker *except,
                                 size_t *at)
{
    while (*at < PROCESSES_MAX) {
        struct worker *worker = p->places[(*at)++].worker;
        if (worker != NULL && worker != except && worker_takes(worker) &&
            !worker_has_suspect(worker))
            return worker;
    }
    return NULL;
}

/* Of the workers that may take another run, the one with the fewest. */
static struct worker *least_busy(const struct rpc_invoker *p, const struct worker *except)
{
    struct worker *best = NULL, *worker;
    for (size_t at = 0; (worker = next_taker(p, except, &at)) != NULL;)
        if (best == NULL || worker_in_flight(worker) < worker_in_flight(best))
            best = worker;
    return best;
}

/* The worker that the next suspect will have; NULL = none is needed. Whichever it is, it has the
 * fewest runs and gets no more, so it is idle one day. */
static const struct worker *kept_free(const struct rpc_invoker *p)
{
    if (list_is_empty(&p->suspects))
        return NULL;
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (p->places[i].worker != NULL && worker_has_suspect(p->places[i].worker))
            return NULL; /* the next one follows there */
    return least_busy(p, NULL);
}

/* The busiest of those who will soon have ended what they have: quick runs are better done in few
 * large lots than spread over processes that all have to be woken. NULL = none is that quick. */
static struct worker *quick(const struct rpc_invoker *p, const struct worker *except)
{
    struct worker *best = NULL, *worker;
    for (size_t at = 0; (worker = next_taker(p, except, &at)) != NULL;)
        if (worker_wait_us(worker) < QUICK_US &&
            (best == NULL || worker_in_flight(worker) > worker_in_flight(best)))
            best = worker;
    return best;
}

static struct worker *pick(const struct rpc_invoker *p)
{
    const struct worker *except = kept_free(p);
    struct worker *worker = quick(p, except);
    return worker != NULL ? worker : least_busy(p, except);
}

static void feed_suspects(struct rpc_invoker *p)
{
    struct worker *worker;
    while (!list_is_empty(&p->suspects) && (worker = least_busy(p, NULL)) != NULL &&
           worker_in_flight(worker) == 0)
        worker_invoke(worker, container_of(list_shift(&p->suspects), struct invocation, node));
}

static void feed_waiting(struct rpc_invoker *p)
{
    struct worker *worker;
    feed_suspects(p);
    while (!list_is_empty(&p->waiting) && (worker = pick(p)) != NULL)
        worker_invoke(worker, container_of(list_shift(&p->waiting), struct invocation, node));
}

static void settle_list(struct rpc_invoker *p, struct list *list, enum err err, const char *text)
{
    for (struct list_node *node; (node = list_shift(list)) != NULL;) {
        struct invocation *run = container_of(node, struct invocation, node);
        if (text != NULL)
            (void)cause_set(&run->op.why, err, "%s", text);
        worker_settle_run(&p->world, run, err);
    }
}

static void settle_waiting(struct rpc_invoker *p, enum err err, const char *text)
{
    settle_list(p, &p->suspects, err, text);
    settle_list(p, &p->waiting, err, text);
}

static void on_run_abort(struct op *op)
{
    struct invocation *run = container_of(op, struct invocation, op);
    struct rpc_invoker *p = op->runner;
    if (run->result != E_OK)
        return; /* it is about to end anyway */
    if (run->worker != NULL) {
        worker_abort(run->worker, run);
        return;
    }
    list_remove(&run->node);
    worker_settle_run(&p->world, run, E_CANCELED);
}

static enum err rpc_invoke(struct invoker *invoker, struct invocation *run)
{
    struct rpc_invoker *p = of(invoker);
    if (p->stop != NULL || p->state == INVOKER_STOPPED)
        return E_CANCELED;
    op_begin(&run->op, on_run_abort, p);
    run->worker = NULL;
    run->result = E_OK;
    run->is_bystander = false;
    bool is_next = !run->is_suspect && list_is_empty(&p->waiting);
    struct worker *worker = is_next ? pick(p) : NULL;
    if (worker != NULL) {
        worker_invoke(worker, run);
    } else {
        list_push(run->is_suspect ? &p->suspects : &p->waiting, &run->node);
        if (run->is_suspect)
            soon(p);
    }
    if (p->is_broken)
        settle_waiting(p, E_FAILED, p->why.text);
    return E_OK;
}

/* ---- the state, as the owner sees it ---- */

static enum invoker_state judge_state(const struct rpc_invoker *p)
{
    if (p->stop != NULL)
        return INVOKER_STOPPED;
    if (p->is_broken)
        return INVOKER_UNHEALTHY;
    if (is_ready(p))
        return INVOKER_READY;
    if (!p->had_failure && p->state == INVOKER_STARTING)
        return INVOKER_STARTING;
    if (restart_is_unhealthy(&p->restart, error_limit(p), loop_now_ms(p->loop)))
        return INVOKER_UNHEALTHY;
    return INVOKER_DOWN;
}

static void tell_state(struct rpc_invoker *p)
{
    static const struct cause nothing;
    enum invoker_state state = judge_state(p);
    if (state == p->state)
        return;
    bool is_bad = state == INVOKER_DOWN || state == INVOKER_UNHEALTHY;
    p->state = state;
    if (p->events.state != NULL)
        p->events.state(p->events.ctx, state, is_bad ? &p->why : &nothing);
}

/* ---- stopping ---- */

static bool is_gone(const struct rpc_invoker *p)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (p->places[i].worker != NULL)
            return false;
    return !p->prepared.is_busy && list_is_empty(&p->world.settled);
}

static void on_turn(struct turn *turn)
{
    struct rpc_invoker *p = container_of(turn, struct rpc_invoker, turn);
    free_ended(p);
    worker_settle(&p->world);
    keep_count(p);
    feed_waiting(p);
    tell_state(p);
    if (p->stop != NULL && !p->is_stopped && is_gone(p)) {
        p->is_stopped = true;
        op_end(p->stop, E_OK); /* the last touch: the owner may free */
    }
}

static void rpc_stop(struct invoker *invoker, struct op *op)
{
    struct rpc_invoker *p = of(invoker);
    assert(p->stop == NULL);
    op_begin(op, NULL, p);
    p->stop = op;
    timer_clear(p->restart_timer);
    op_abort(&p->prepared);
    settle_waiting(p, E_CANCELED, NULL);
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (p->places[i].worker != NULL)
            worker_stop(p->places[i].worker);
    soon(p);
}

/* ---- freeing ---- */

static void free_plan(struct rpc_invoker *p)
{
    for (size_t i = 0; i < p->plan.function_count; i++) {
        free(p->plan.functions[i].script_file);
        free(p->plan.functions[i].user_category);
        free(p->plan.functions[i].error);
        free(p->told[i]);
    }
    free(p->plan.functions);
    free(p->told);
}

static void release(struct rpc_invoker *p)
{
    launcher_pair_free(p->launcher);
    toolchain_free(p->toolchain);
    environment_done(&p->environment);
    arena_done(&p->arena);
    free_plan(p);
    free(p->host_version);
    free(p->worker_dir);
    free(p->cache_dir);
    free(p->include_dir);
    free(p);
}

/* ---- starting ---- */

static void fill_environment(struct rpc_invoker *p)
{
    struct environment *environment = &p->environment;
    environment_init_app(environment, p->app);
    environment_set(environment, "FUNCTIONS_WORKER_RUNTIME", p->app->runtime);
    environment_set(environment, "FUNCTIONS_WORKER_DIRECTORY", p->plan.worker_directory);
    environment_set(environment, "FUNCTIONS_APPLICATION_DIRECTORY", p->app->directory);
    environment_set(environment, "AzureWebJobsScriptRoot", p->app->directory);
    environment_default(environment, "AZURE_FUNCTIONS_ENVIRONMENT", "Development");
    if (strcmp(p->app->runtime, "python") == 0) {
        environment_default(environment, "PYTHON_THREADPOOL_THREAD_COUNT", THREADS_PYTHON);
        environment_set(environment, "PYTHONUNBUFFERED", "1");
    }
}

static void begin_preparation(struct rpc_invoker *p)
{
    struct toolchain_options options = {
        .loop = p->loop,
        .app = p->app,
        .worker_dir = p->worker_dir,
        .cache_dir = p->cache_dir,
        .include_dir = p->include_dir,
        .environment = &p->environment,
        .functions = p->plan.functions,
        .function_count = p->plan.function_count,
    };
    toolchain_free(p->toolchain);
    p->toolchain = toolchain_new(&options);
    p->plan.worker_directory = toolchain_directory(p->toolchain);
    if (p->environment.items == NULL)
        fill_environment(p); /* before threads look at it */
    toolchain_prepare(p->toolchain, &p->prepared);
}

static void preparation_failed(struct rpc_invoker *p, enum err err)
{
    p->is_broken = true;
    (void)cause_set(&p->why, err, "%s", cause_text(&p->prepared.why, err));
    if (p->stop != NULL)
        return;
    for (size_t i = 0; i < p->plan.function_count; i++)
        tell_loaded(p, i, p->why.text);
    settle_waiting(p, E_FAILED, p->why.text);
    timer_set(p->restart_timer, RESTART_UNHEALTHY_MS);
}

static void on_prepared(struct op *op, enum err err)
{
    struct rpc_invoker *p = container_of(op, struct rpc_invoker, prepared);
    if (p->is_freed) {
        release(p);
        return;
    }
    soon(p);
    if (err != E_OK) {
        preparation_failed(p, err);
        return;
    }
    struct launcher_pair_options options = {
        .loop = p->loop,
        .executable = toolchain_executable(p->toolchain),
        .script = toolchain_script(p->toolchain),
        .directory = p->app->directory,
        .environment = p->environment.items,
    };
    p->launcher = launcher_pair_new(&options);
    p->world.launcher = p->launcher;
    p->is_broken = false;
    p->is_prepared = true;
}

static void on_restart_timer(void *ctx)
{
    struct rpc_invoker *p = ctx;
    if (p->is_broken && !p->prepared.is_busy)
        begin_preparation(p);
    soon(p);
}

static void fill_plan(struct rpc_invoker *p)
{
    struct worker_plan *plan = &p->plan;
    plan->app = p->app;
    plan->host_version = p->host_version;
    plan->is_serial = toolchain_is_serial(p->app);
    plan->arena = &p->arena;
    plan->functions = mem_new_array(p->app->function_count + 1, struct worker_function);
    for (size_t i = 0; i < p->app->function_count; i++) {
        const struct function *function = p->app->functions[i];
        struct worker_function *row = &plan->functions[plan->function_count];
        if (function->error != NULL || function->is_disabled)
            continue;
        char category[192];
        (void)snprintf(category, sizeof category, "Function.%s.User", function->name);
        row->function = function;
        row->user_category = slice_dup(slice_of(category));
        if (function->script_file != NULL)
            row->script_file = slice_dup(slice_of(function->script_file));
        plan->function_count++;
    }
}

/* FUNCTIONS_WORKER_PROCESS_COUNT is Azure's name for the least number of processes. */
static void fill_counts(struct rpc_invoker *p, const struct invoker_options *options)
{
    uint64_t count;
    const char *setting = app_setting(p->app, SLICE("FUNCTIONS_WORKER_PROCESS_COUNT"));
    p->process_min = options->process_min < 1 ? 1 : options->process_min;
    if (setting != NULL && slice_to_u64(slice_of(setting), &count) && count >= 1 && count <= 10 &&
        count > p->process_min)
        p->process_min = (uint32_t)count;
    if (p->process_min > PROCESSES_MAX)
        p->process_min = PROCESSES_MAX;
    p->process_max = options->process_max;
    if (p->process_max > PROCESSES_MAX)
        p->process_max = PROCESSES_MAX;
    if (p->process_max < p->process_min)
        p->process_max = p->process_min;
    p->target = p->process_min;
}

static char *dup_or_null(const char *text)
{
    return text == NULL ? NULL : slice_dup(slice_of(text));
}

static enum err rpc_start(const struct invoker_options *options, struct invoker **ret,
                          struct cause *why)
{
    struct rpc_invoker *p = mem_new(struct rpc_invoker);
    (void)why;
    p->invoker.kind = &invoker_rpc_kind;
    p->loop = options->loop;
    p->app = options->app;
    p->events = options->events;
    p->host_version = slice_dup(slice_of(options->host_version));
    p->worker_dir = slice_dup(slice_of(options->worker_dir));
    p->cache_dir = slice_dup(slice_of(options->cache_dir));
    p->include_dir = dup_or_null(options->include_dir);
    p->turn.run = on_turn;
    p->prepared.done = on_prepared;
    p->restart_timer = timer_new(p->loop, on_restart_timer, p);
    p->world.now_ms = world_now;
    p->world.soon = world_soon;
    list_init(&p->world.settled);
    list_init(&p->waiting);
    list_init(&p->suspects);
    arena_init(&p->arena, DECODED_MAX_BYTES);
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        p->places[i].invoker = p;
        p->places[i].alarm = timer_new(p->loop, on_alarm, &p->places[i]);
    }
    fill_plan(p);
    fill_counts(p, options);
    p->told = mem_new_array(p->plan.function_count + 1, char *);
    begin_preparation(p);
    *ret = &p->invoker;
    return E_OK;
}

/* ---- the rest ---- */

static bool rpc_serves(const char *runtime)
{
    return toolchain_serves(runtime);
}

static void rpc_scale(struct invoker *invoker, uint32_t processes)
{
    struct rpc_invoker *p = of(invoker);
    if (processes < p->process_min)
        processes = p->process_min;
    if (processes > p->process_max)
        processes = p->process_max;
    if (processes == p->target)
        return;
    p->target = processes;
    soon(p);
}

static void rpc_stats(const struct invoker *invoker, struct invoker_stats *ret)
{
    /* `invoker` is the first member; container_of() would cast const away. */
    const struct rpc_invoker *p = (const struct rpc_invoker *)(const void *)invoker;
    *ret = (struct invoker_stats){.target = p->target, .restarts = p->restarts};
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (p->places[i].worker != NULL) {
            ret->processes++;
            ret->in_flight += worker_in_flight(p->places[i].worker);
        }
}

static void rpc_free(struct invoker *invoker)
{
    struct rpc_invoker *p = of(invoker);
    p->state = INVOKER_STOPPED;
    p->is_freed = true;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        timer_free(p->places[i].alarm);
        worker_free(p->places[i].worker);
        p->places[i].worker = NULL;
    }
    timer_free(p->restart_timer);
    settle_waiting(p, E_CANCELED, NULL);
    worker_settle(&p->world);
    turn_cancel(&p->turn);
    if (p->prepared.is_busy)
        op_abort(&p->prepared); /* its end releases the rest */
    else
        release(p);
}

const struct invoker_kind invoker_rpc_kind = {
    .name = "rpc",
    .serves = rpc_serves,
    .start = rpc_start,
    .invoke = rpc_invoke,
    .scale = rpc_scale,
    .stats = rpc_stats,
    .stop = rpc_stop,
    .free = rpc_free,
};
