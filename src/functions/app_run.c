#include "functions/app_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "functions/app_files.h"
#include "loop/loop.h"

/* READ --> START --> RUN --files changed--> CHECK --changed--> DRAIN --> STOP --> READ
 *                     ^                       |                              \--> GONE, when the
 * host stops
 *                     +------as before--------+
 * READ and CHECK work on the pool's thread. In START the triggers wait for the workers. CHECK
 * watches the files before it looks at them, so that no change falls between; hence one CHECK
 * follows every start. */
enum state { READ, START, RUN, CHECK, DRAIN, STOP, GONE };

#define CHANGES_MAX_BYTES 4096
#define HOST_VERSION "4.1037.0"
#define PATIENCE_MS                                                                                \
    2000 /* a server that does not answer does not keep the host from being started */

struct app_run {
    const struct host_options *host;
    char *directory;
    struct app_files *files;
    void (*answered)(void *ctx);
    void *ctx;

    enum state state;
    struct op op; /* reading, checking, having drained, stopping the workers */
    struct app *app;
    uint64_t began_ms;         /* when the triggers began to listen */
    struct app *next;          /* as read by the pool's thread */
    struct host_limits limits; /* as they were when it started */
    struct function_run *functions;
    size_t function_count, stopping_count;
    struct invoker *invoker;
    enum invoker_state invoker_state;
    uint32_t workers;     /* asked for */
    struct map counted;   /* name -> struct function_counts, of functions before they were read */
    uint64_t stopped_ms;  /* when it stopped listening, or was added; 0 = nothing to tell */
    bool is_again;        /* it has been stopped to be read again */
    bool is_wanted_again; /* reload, even if nothing seems to have changed */
    bool has_changed;     /* while busy */
    struct op *stop_op;
    bool is_leaving;
    uint64_t restarts_counted;
    struct series *workers_series, *restarts_series, *errors_series;
};

static void go(struct app_run *run, enum state next);

/* --- reading --- */

static enum err read_files(void *ctx, struct cause *why)
{
    struct app_run *run = ctx;
    const struct app_options options = {.directory = run->directory,
                                        .only = run->host->only,
                                        .environment = run->host->environment};

    (void)why;
    app_files_look(run->files);
    run->next = app_load(&options);
    return E_OK;
}

static enum err check_files(void *ctx, struct cause *why)
{
    struct app_run *run = ctx;

    (void)why;
    app_files_look(run->files);
    return E_OK;
}

static void on_files_changed(void *ctx)
{
    struct app_run *run = ctx;

    if (run->state == RUN)
        go(run, CHECK);
    else
        run->has_changed = true;
}

/* --- being read again --- */

/* What functions have counted outlives their reading; who looks at a counter sees it grow. */
static void remember(struct app_run *run, const struct function_run *f)
{
    struct slice name = slice_of(f->function->name);
    struct function_counts *counted = map_get(&run->counted, name);

    if (counted == NULL) {
        counted = mem_new(struct function_counts);
        (void)map_set(&run->counted, name, counted);
    }
    *counted = function_run_counts(f);
}

static void forget_all(struct app_run *run)
{
    struct slice name;
    void *counted;

    for (size_t at = 0; map_next(&run->counted, &at, &name, &counted);)
        free(counted);
    map_done(&run->counted);
}

static void add_count(struct buf *out, size_t count, const char *what)
{
    if (count > 0)
        buf_addf(out, ", %zu %s", count, what);
}

/* The file was edited: did it take effect? */
static void tell_started_again(struct app_run *run)
{
    size_t listening = 0, waiting = 0, in_error = 0, disabled = 0;
    struct buf out;

    if (run->stopped_ms == 0 || !app_run_is_started(run))
        return;
    for (size_t i = 0; i < run->function_count; i++) {
        const struct function_run *f = &run->functions[i];
        in_error += function_run_error(f) != NULL;
        disabled += function_run_error(f) == NULL && f->function->is_disabled;
        listening += f->listener != NULL && f->has_answered;
        waiting += f->listener != NULL && !f->has_answered;
    }
    buf_init(&out, CHANGES_MAX_BYTES);
    if (listening == 0)
        buf_add(&out, SLICE("no function listens"));
    else
        buf_addf(&out, listening == 1 ? "%zu function listens" : "%zu functions listen", listening);
    add_count(&out, waiting, "without an answer of Redis yet");
    add_count(&out, in_error, "in error");
    add_count(&out, disabled, "disabled");
    log_info("APP-RELOADED", "%s: started%s after %llu ms: %s", run->app->name,
             run->is_again ? " again" : "",
             (unsigned long long)(loop_now_ms(run->host->loop) - run->stopped_ms), buf_text(&out));
    buf_done(&out);
    run->stopped_ms = 0;
}

/* --- starting --- */

/* Some mistakes show only when a worker loads the function. */
static void count_errors(struct app_run *run)
{
    size_t in_error = 0;

    for (size_t i = 0; i < run->function_count; i++)
        in_error += function_run_error(&run->functions[i]) != NULL;
    series_set(run->errors_series, (double)in_error);
}

static void on_loaded(void *ctx, const struct function *function, const char *error)
{
    struct app_run *run = ctx;

    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        if (f->function == function && (error != NULL || f->error != NULL))
            function_run_set_error(f, error);
    }
    count_errors(run);
}

static void on_invoker_state(void *ctx, enum invoker_state state, const struct cause *why)
{
    struct app_run *run = ctx;
    bool was_paused = run->invoker_state == INVOKER_UNHEALTHY;

    run->invoker_state = state;
    if (state == INVOKER_UNHEALTHY && !was_paused)
        log_error("APP-UNHEALTHY", "%s: %s; its triggers pause, it is tried again every minute",
                  run->app->name, cause_text(why, E_CRASHED));
    if (run->state != START && run->state != RUN && run->state != CHECK)
        return;
    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        if (state == INVOKER_READY)
            function_run_listen(f);
        if (f->listener != NULL && (state == INVOKER_UNHEALTHY) != was_paused)
            f->listener->kind->pause(f->listener, state == INVOKER_UNHEALTHY);
    }
    if (state == INVOKER_READY || state == INVOKER_UNHEALTHY) {
        if (run->state == START) {
            run->began_ms = loop_now_ms(run->host->loop);
            go(run, RUN);
        }
        run->answered(run->ctx);
    }
}

static bool start_invoker(struct app_run *run)
{
    const struct host_options *host = run->host;
    const struct invoker_options options = {
        .loop = host->loop,
        .http = host->http,
        .app = run->app,
        .host_version = HOST_VERSION,
        .worker_dir = host->worker_dir,
        .include_dir = host->include_dir,
        .cache_dir = host->cache_dir,
        .process_min = run->limits.process_min,
        .process_max = run->limits.process_max,
        .events = {.state = on_invoker_state, .loaded = on_loaded, .ctx = run},
    };
    struct cause why = {0};

    run->invoker_state = INVOKER_STARTING;
    run->workers = run->limits.process_min;
    enum err err = invoker_start(&options, &run->invoker, &why);
    if (err == E_OK)
        return true;
    free(run->app->error);
    run->app->error = mem_dup(cause_text(&why, err), strlen(cause_text(&why, err)));
    log_error("APP-ERROR", "%s: %s", run->app->name, run->app->error);
    return false;
}

static void log_findings(const struct app *app, size_t usable)
{
    if (app->error != NULL)
        log_error("APP-ERROR", "%s: %s", app->name, app->error);
    for (size_t i = 0; app->warnings != NULL && app->warnings[i] != NULL; i++)
        log_warn("APP-WARNING", "%s: %s", app->name, app->warnings[i]);
    for (size_t i = 0; i < app->function_count; i++) {
        const struct function *f = app->functions[i];
        for (size_t j = 0; f->warnings != NULL && f->warnings[j] != NULL; j++)
            log_warn("FUNCTION-WARNING", "%s: %s", f->name, f->warnings[j]);
        if (f->error != NULL)
            log_error("FUNCTION-ERROR", "The '%s' function is in error: %s", f->name, f->error);
    }
    log_info("APP-LOADED", "Generating %zu job function(s)", usable);
}

static void on_answered(void *ctx)
{
    struct app_run *run = ctx;

    run->answered(run->ctx);
    tell_started_again(run);
}

static void start(struct app_run *run)
{
    const struct app *app = run->app;
    size_t usable = 0;

    run->limits = run->host->limits;
    run->function_count = app->function_count;
    run->functions = mem_new_array(app->function_count + 1, struct function_run);
    for (size_t i = 0; i < app->function_count; i++) {
        struct function_run *f = &run->functions[i];
        const struct function_counts *counted =
            map_get(&run->counted, slice_of(app->functions[i]->name));
        function_run_init(f, run->host, app->functions[i], on_answered, run);
        if (counted != NULL)
            f->before = *counted;
        usable += function_run_is_usable(f);
    }
    log_findings(app, usable);
    run->workers_series =
        metrics_series(run->host->metrics, METRIC_ID_WORKERS, (const char *[]){app->name, NULL});
    run->restarts_series = metrics_series(run->host->metrics, METRIC_ID_WORKER_RESTARTS,
                                          (const char *[]){app->name, NULL});
    run->errors_series = metrics_series(run->host->metrics, METRIC_ID_FUNCTION_ERRORS,
                                        (const char *[]){app->name, NULL});
    run->restarts_counted = 0;
    run->has_changed = true; /* perhaps, since it was read: nothing was watched */
    if (app->error != NULL || usable == 0 || !start_invoker(run)) {
        go(run, RUN); /* nothing to run: wait for the files to change */
        return;
    }
    for (size_t i = 0; i < run->function_count; i++)
        function_run_prepare(&run->functions[i], run->invoker);
    if (run->invoker_state == INVOKER_READY)
        on_invoker_state(run, INVOKER_READY, NULL);
}

/* --- stopping --- */

/* The listeners have stopped, and who asked for a run by hand has the answer. Stops a turn later:
 * this may be in a callback of the invoker. */
static void maybe_drained(struct app_run *run)
{
    bool is_idle = run->stopping_count == 0;

    for (size_t i = 0; i < run->function_count; i++)
        is_idle = is_idle && list_is_empty(&run->functions[i].by_hand);
    if (is_idle && run->state == DRAIN && !run->op.is_busy)
        loop_later(run->host->loop, &run->op, E_OK);
}

void app_run_by_hand_ended(struct function_run *f)
{
    maybe_drained(f->ctx);
}

static void on_listener_stopped(struct op *op, enum err err)
{
    struct app_run *run = container_of(op, struct function_run, stop_op)->ctx;

    (void)err;
    run->stopping_count--;
    maybe_drained(run);
}

static void drain(struct app_run *run)
{
    app_files_unwatch(run->files);
    run->stopped_ms = loop_now_ms(run->host->loop);
    run->is_again = true;
    run->stopping_count = 0;
    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        f->stop_op.done = on_listener_stopped;
        run->stopping_count += function_run_stop(f, &f->stop_op);
    }
    maybe_drained(run);
}

static void free_functions(struct app_run *run)
{
    for (size_t i = 0; i < run->function_count; i++) {
        remember(run, &run->functions[i]);
        function_run_done(&run->functions[i]);
    }
    free(run->functions);
    run->functions = NULL;
    run->function_count = 0;
}

static void stop(struct app_run *run)
{
    if (run->invoker == NULL) {
        loop_later(run->host->loop, &run->op, E_OK);
        return;
    }
    run->invoker->kind->stop(run->invoker, &run->op);
}

static void clear(struct app_run *run)
{
    free_functions(run);
    if (run->workers_series != NULL)
        series_set(run->workers_series, 0);
    if (run->invoker != NULL)
        run->invoker->kind->free(run->invoker);
    run->invoker = NULL;
    app_free(run->app);
    run->app = NULL;
}

/* --- the machine --- */

static void begin_work(struct app_run *run, enum err (*work)(void *ctx, struct cause *why))
{
    enum err err = work_run(run->host->loop, work, run, &run->op);
    if (err != E_OK)
        loop_later(run->host->loop, &run->op, err);
}

static void end(struct app_run *run)
{
    struct op *op = run->stop_op;

    run->stop_op = NULL;
    loop_later(run->host->loop, op, E_OK);
}

static void run_start(struct app_run *run)
{
    count_errors(run);
    run->answered(run->ctx);
    if (run->is_leaving || run->is_wanted_again) {
        go(run, DRAIN);
        return;
    }
    tell_started_again(run);
    if (run->has_changed)
        go(run, CHECK);
    else
        app_files_wait(run->files);
}

static bool has_new_files(struct app_run *run)
{
    struct buf changes;

    buf_init(&changes, CHANGES_MAX_BYTES);
    bool is_new = app_files_differ(run->files, &changes);
    if (is_new)
        log_info("APP-CHANGED", "%s: files changed, starting again: %s", run->app->name,
                 buf_text(&changes));
    buf_done(&changes);
    return is_new;
}

static void go(struct app_run *run, enum state next)
{
    run->state = next;
    switch (next) {
    case READ:
        run->is_wanted_again = run->has_changed = false;
        begin_work(run, read_files);
        break;
    case START:
        start(run);
        break;
    case RUN:
        run_start(run);
        break;
    case CHECK:
        run->has_changed = false;
        app_files_watch(run->files);
        begin_work(run, check_files);
        break;
    case DRAIN:
        drain(run);
        break;
    case STOP:
        stop(run);
        break;
    case GONE:
        end(run);
        break;
    }
}

static void on_op_done(struct op *op, enum err err)
{
    struct app_run *run = container_of(op, struct app_run, op);

    (void)err;
    switch (run->state) {
    case READ:
        run->app = run->next;
        run->next = NULL;
        app_files_take(run->files);
        go(run, run->is_leaving ? DRAIN : START);
        break;
    case CHECK:
        run->is_wanted_again |= !run->is_leaving && has_new_files(run);
        go(run, RUN);
        break;
    case STOP:
        clear(run);
        go(run, run->is_leaving ? GONE : READ);
        break;
    case DRAIN:
        go(run, STOP);
        break;
    case START:
    case RUN:
    case GONE:
        break;
    }
}

struct app_run *app_run_new(const struct host_options *host, const char *directory, bool is_late,
                            void (*answered)(void *ctx), void *ctx)
{
    struct app_run *run = mem_new(struct app_run);

    run->host = host;
    run->directory = mem_dup(directory, strlen(directory));
    run->answered = answered;
    run->ctx = ctx;
    run->op.done = on_op_done;
    run->stopped_ms = is_late ? loop_now_ms(host->loop) : 0;
    run->files = app_files_new(host->loop, directory, on_files_changed, run);
    go(run, READ);
    return run;
}

void app_run_reload(struct app_run *run)
{
    run->is_wanted_again = true;
    if (run->state == RUN || run->state == START)
        go(run, DRAIN);
}

bool app_run_is_started(const struct app_run *run)
{
    if (run->state != RUN && run->state != CHECK)
        return false;
    if (loop_now_ms(run->host->loop) > run->began_ms + PATIENCE_MS)
        return true;
    for (size_t i = 0; i < run->function_count; i++)
        if (run->functions[i].listener != NULL && !run->functions[i].has_answered)
            return false;
    return true;
}

void app_run_node_died(struct app_run *run)
{
    for (size_t i = 0; i < run->function_count; i++) {
        struct listener *listener = run->functions[i].listener;
        if (listener != NULL && listener->kind->node_died != NULL)
            listener->kind->node_died(listener);
    }
}

/* The workers follow the backlog: out at once, in one by one, when none needs them and
 * the samples of one say so. */
static void scale(struct app_run *run)
{
    uint64_t wanted = run->limits.process_min;
    bool may_shrink = false;

    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        uint32_t divisor = f->function->trigger.messages_per_worker;
        if (f->backlog == NULL)
            continue;
        uint64_t target = scale_target(backlog_last(f->backlog)->remaining, divisor);
        int vote = scale_vote(&f->samples, run->workers, divisor);
        wanted = target > wanted ? target : wanted;
        may_shrink = may_shrink || vote < 0;
    }
    if (wanted > run->limits.process_max)
        wanted = run->limits.process_max;
    if (wanted > run->workers)
        run->workers = (uint32_t)wanted;
    else if (wanted < run->workers && may_shrink)
        run->workers--;
    else
        return;
    log_debug("SCALED", "%s: %u worker processes", run->app->name, run->workers);
    run->invoker->kind->scale(run->invoker, run->workers);
}

void app_run_tick(struct app_run *run)
{
    struct invoker_stats stats;

    if (run->state != RUN && run->state != CHECK)
        return;
    tell_started_again(run);
    if (run->invoker == NULL)
        return;
    run->invoker->kind->stats(run->invoker, &stats);
    series_set(run->workers_series, stats.processes);
    series_add(run->restarts_series, (double)(stats.restarts - run->restarts_counted));
    run->restarts_counted = stats.restarts;
    for (size_t i = 0; i < run->function_count; i++)
        function_run_tick(&run->functions[i]);
    if (run->limits.process_max > run->limits.process_min)
        scale(run);
}

void app_run_stop(struct app_run *run, struct op *op)
{
    run->stop_op = op;
    run->is_leaving = true;
    if (run->state == RUN || run->state == START)
        go(run, DRAIN);
    else if (run->state == GONE)
        end(run);
}

void app_run_hurry(struct app_run *run)
{
    for (size_t i = 0; i < run->function_count; i++)
        function_run_hurry(&run->functions[i]);
}

void app_run_free(struct app_run *run)
{
    clear(run);
    forget_all(run);
    app_files_free(run->files);
    free(run->directory);
    free(run);
}

const char *app_run_directory(const struct app_run *run)
{
    return run->directory;
}

const struct app *app_run_app(const struct app_run *run)
{
    return run->app;
}

struct function_run *app_run_functions(struct app_run *run, size_t *ret_count)
{
    *ret_count = run->function_count;
    return run->functions;
}
