#include "functions/app_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/fingerprint.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "loop/watch.h"

/* READ --> START --> RUN --files changed--> CHECK --changed--> DRAIN --> STOP --> READ
 *                     ^                       |                              \--> GONE, when the
 * host stops
 *                     +------as before--------+
 * READ and CHECK work on the pool's thread. In START the triggers wait for the workers. */
enum state { READ, START, RUN, CHECK, DRAIN, STOP, GONE };

#define QUIET_MS 300 /* an editor writes several files; all of them count as one change */
#define HOST_VERSION "4.1037.0"
#define PATIENCE_MS                                                                                \
    2000 /* a server that does not answer does not keep the host from being started */

struct app_run {
    const struct host_options *host;
    char *directory;
    void (*answered)(void *ctx);
    void *ctx;

    enum state state;
    struct op op; /* reading, checking, stopping the workers */
    struct app *app;
    uint64_t began_ms; /* when the triggers began to listen */
    struct app *next;  /* as read by the pool's thread */
    uint64_t fingerprint, next_fingerprint;
    struct function_run *functions;
    size_t function_count, stopping_count;
    struct invoker *invoker;
    enum invoker_state invoker_state;
    uint32_t workers; /* asked for */
    struct watch **watches;
    size_t watch_count;
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
    run->next_fingerprint = fingerprint_directory(run->directory);
    run->next = app_load(&options);
    return E_OK;
}

static enum err check_files(void *ctx, struct cause *why)
{
    struct app_run *run = ctx;

    (void)why;
    run->next_fingerprint = fingerprint_directory(run->directory);
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

static void watch_directory(struct app_run *run, const char *path)
{
    struct cause why = {0};
    struct watch *watch;

    if (watch_new(run->host->loop, path, QUIET_MS, on_files_changed, run, &watch, &why) != E_OK) {
        log_warn("WATCH-FAILED", "%s; changes are seen after SIGHUP only", why.text);
        return;
    }
    run->watches = mem_resize(run->watches, run->watch_count + 1, sizeof(struct watch *));
    run->watches[run->watch_count++] = watch;
}

static void watch_files(struct app_run *run)
{
    watch_directory(run, run->directory);
    for (size_t i = 0; i < run->app->function_count; i++)
        watch_directory(run, run->app->functions[i]->directory);
}

static void unwatch_files(struct app_run *run)
{
    for (size_t i = 0; i < run->watch_count; i++)
        watch_free(run->watches[i]);
    free(run->watches);
    run->watches = NULL;
    run->watch_count = 0;
}

/* --- functions --- */

static void set_error(struct function_run *f, const char *text)
{
    free(f->error);
    f->error = text == NULL ? NULL : mem_dup(text, strlen(text));
    if (text != NULL)
        log_error("FUNCTION-ERROR", "The '%s' function is in error: %s", f->function->name, text);
}

static const char *error_of(const struct function_run *f)
{
    return f->error != NULL ? f->error : f->function->error;
}

/* Where the function listens. A name that no setting explains leads to the server that was started
 * for such names. */
static enum err connect_to(struct function_run *f, struct cause *why)
{
    const char *name = f->function->trigger.connection, *text;
    bool is_literal;
    enum err err = app_connection(f->app->app, name, &text, &is_literal, why);

    if (err == E_OK && is_literal && app_names_no_server(text)) {
        if (f->app->host->default_connection != NULL)
            text = f->app->host->default_connection;
        else
            log_warn("NO-SETTING",
                     "%s: there is no setting '%s'; it is taken as the name of a server",
                     f->function->name, name);
    }
    if (err == E_OK)
        err = redis_options_parse(slice_of(text), &f->redis, why);
    if (err == E_OK)
        redis_options_name(f->redis, f->server, sizeof f->server);
    return err;
}

static void on_sampled(void *ctx)
{
    struct function_run *f = ctx;
    const struct backlog_sample *last = backlog_last(f->backlog);

    scale_add(&f->samples, last->remaining);
    series_set(f->backlog_series, (double)last->remaining);
    series_set(f->pending_series, (double)last->pending);
    series_set(f->oldest_series, (double)last->oldest_age_ms / 1000);
    series_set(f->target_series,
               (double)scale_target(last->remaining, f->function->trigger.messages_per_worker));
}

static void on_answered(void *ctx)
{
    struct function_run *f = ctx;

    f->has_answered = true;
    f->app->answered(f->app->ctx);
}

static void prepare(struct function_run *f)
{
    const struct host_options *host = f->app->host;
    struct metrics *metrics = host->metrics;
    const char *labels[] = {f->app->app->name, f->function->name, NULL};
    struct cause why = {0};

    f->backlog_series = metrics_series(metrics, METRIC_ID_BACKLOG, labels);
    f->pending_series = metrics_series(metrics, METRIC_ID_PENDING, labels);
    f->in_flight_series = metrics_series(metrics, METRIC_ID_IN_FLIGHT, labels);
    f->oldest_series = metrics_series(metrics, METRIC_ID_OLDEST_SECONDS, labels);
    f->target_series = metrics_series(metrics, METRIC_ID_TARGET_WORKERS, labels);
    if (connect_to(f, &why) != E_OK) {
        set_error(f, why.text);
        return;
    }
    dispatcher_init(&f->dispatcher, host->loop, f->function, f->app->invoker, metrics);
    if (binding_set_new(host->hub, f->function, host->default_connection, &f->dispatcher.bindings,
                        &why) != E_OK)
        set_error(f, why.text);
}

static bool may_run(const struct function_run *f)
{
    return error_of(f) == NULL && !f->function->is_disabled;
}

static void begin_listening(struct function_run *f)
{
    const struct host_options *host = f->app->host;
    const struct trigger *trigger = &f->function->trigger;
    const struct listener_options options = {
        .loop = host->loop,
        .hub = host->hub,
        .redis = f->redis,
        .dispatcher = &f->dispatcher,
        .metrics = host->metrics,
        .node_id = host->node_id,
        .peers = host->peers,
        .answered = on_answered,
        .ctx = f,
    };
    struct cause why = {0};

    if (f->listener != NULL || !may_run(f))
        return;
    enum err err = listener_kind_of(trigger->type)->start(&options, &f->listener, &why);
    if (err != E_OK) {
        set_error(f, cause_text(&why, err));
        return;
    }
    if (trigger->type != TRIGGER_PUBSUB) {
        f->backlog = backlog_new(host->loop, host->hub, f->redis, trigger, on_sampled, f);
        backlog_sample(f->backlog);
    }
}

static void on_loaded(void *ctx, const struct function *function, const char *error)
{
    struct app_run *run = ctx;

    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        if (f->function == function && (error != NULL || f->error != NULL))
            set_error(f, error);
    }
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
            begin_listening(f);
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
        .process_min = host->process_min,
        .process_max = host->process_max,
        .events = {.state = on_invoker_state, .loaded = on_loaded, .ctx = run},
    };
    struct cause why = {0};

    run->invoker_state = INVOKER_STARTING;
    run->workers = host->process_min;
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

static void start(struct app_run *run)
{
    const struct app *app = run->app;
    size_t usable = 0, in_error = 0;

    run->function_count = app->function_count;
    run->functions = mem_new_array(app->function_count + 1, struct function_run);
    for (size_t i = 0; i < app->function_count; i++) {
        run->functions[i].app = run;
        run->functions[i].function = app->functions[i];
        usable += may_run(&run->functions[i]);
        in_error += app->functions[i]->error != NULL;
    }
    log_findings(app, usable);
    run->workers_series =
        metrics_series(run->host->metrics, METRIC_ID_WORKERS, (const char *[]){app->name, NULL});
    run->restarts_series = metrics_series(run->host->metrics, METRIC_ID_WORKER_RESTARTS,
                                          (const char *[]){app->name, NULL});
    run->errors_series = metrics_series(run->host->metrics, METRIC_ID_FUNCTION_ERRORS,
                                        (const char *[]){app->name, NULL});
    series_set(run->errors_series, (double)in_error);
    run->restarts_counted = 0;
    watch_files(run);
    if (app->error != NULL || usable == 0 || !start_invoker(run)) {
        go(run, RUN); /* nothing to run: wait for the files to change */
        return;
    }
    for (size_t i = 0; i < run->function_count; i++)
        if (may_run(&run->functions[i]))
            prepare(&run->functions[i]);
    if (run->invoker_state == INVOKER_READY)
        on_invoker_state(run, INVOKER_READY, NULL);
}

/* --- stopping --- */

static void on_listener_stopped(struct op *op, enum err err)
{
    struct function_run *f = container_of(op, struct function_run, stop_op);

    (void)err;
    if (--f->app->stopping_count == 0)
        go(f->app, STOP);
}

static void drain(struct app_run *run)
{
    unwatch_files(run);
    run->stopping_count = 1; /* so that none is the last before all were told */
    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        f->dispatcher.is_stopping = true;
        backlog_free(f->backlog);
        f->backlog = NULL;
        if (f->listener == NULL)
            continue;
        run->stopping_count++;
        f->stop_op.done = on_listener_stopped;
        f->listener->kind->stop(f->listener, &f->stop_op);
    }
    if (--run->stopping_count == 0)
        go(run, STOP);
}

static void free_functions(struct app_run *run)
{
    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        if (f->listener != NULL)
            f->listener->kind->free(f->listener);
        if (f->dispatcher.function != NULL)
            dispatcher_done(&f->dispatcher);
        redis_options_unref(f->redis);
        backlog_free(f->backlog);
        free(f->error);
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
    run->answered(run->ctx);
    if (run->is_leaving || run->is_wanted_again) {
        go(run, DRAIN);
        return;
    }
    if (run->has_changed)
        go(run, CHECK);
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
        run->fingerprint = run->next_fingerprint;
        go(run, run->is_leaving ? DRAIN : START);
        break;
    case CHECK:
        if (run->next_fingerprint != run->fingerprint && !run->is_leaving) {
            log_info("APP-CHANGED", "%s: files changed, starting again", run->app->name);
            run->is_wanted_again = true;
        }
        go(run, RUN);
        break;
    case STOP:
        clear(run);
        go(run, run->is_leaving ? GONE : READ);
        break;
    case START:
    case RUN:
    case DRAIN:
    case GONE:
        break;
    }
}

struct app_run *app_run_new(const struct host_options *host, const char *directory,
                            void (*answered)(void *ctx), void *ctx)
{
    struct app_run *run = mem_new(struct app_run);

    run->host = host;
    run->directory = mem_dup(directory, strlen(directory));
    run->answered = answered;
    run->ctx = ctx;
    run->op.done = on_op_done;
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

/* The workers follow the backlog: out at once, in when every function says so. */
static void scale(struct app_run *run)
{
    uint64_t wanted = run->host->process_min;
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
    if (wanted > run->host->process_max)
        wanted = run->host->process_max;
    if (wanted > run->workers)
        run->workers = (uint32_t)wanted;
    else if (wanted < run->workers && may_shrink)
        run->workers--;
    else
        return;
    log_debug("SCALED", "%s: %u worker processes", run->app->name, run->workers);
    run->invoker->kind->scale(run->invoker, run->workers);
}

static size_t in_flight(const struct function_run *f)
{
    return f->dispatcher.running;
}

void app_run_tick(struct app_run *run)
{
    struct invoker_stats stats;

    if ((run->state != RUN && run->state != CHECK) || run->invoker == NULL)
        return;
    run->invoker->kind->stats(run->invoker, &stats);
    series_set(run->workers_series, stats.processes);
    series_add(run->restarts_series, (double)(stats.restarts - run->restarts_counted));
    run->restarts_counted = stats.restarts;
    for (size_t i = 0; i < run->function_count; i++) {
        struct function_run *f = &run->functions[i];
        if (f->in_flight_series != NULL)
            series_set(f->in_flight_series, (double)in_flight(f));
        if (f->backlog != NULL)
            backlog_sample(f->backlog);
    }
    if (run->host->process_max > run->host->process_min)
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
        if (run->functions[i].listener != NULL)
            run->functions[i].listener->kind->hurry(run->functions[i].listener);
}

void app_run_free(struct app_run *run)
{
    unwatch_files(run);
    clear(run);
    free(run->directory);
    free(run);
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

struct invoker *app_run_invoker(struct app_run *run)
{
    return run->invoker;
}

static const char *state_name(const struct function_run *f)
{
    if (error_of(f) != NULL || f->app->app->error != NULL)
        return "error";
    if (f->function->is_disabled)
        return "disabled";
    if (f->app->state == DRAIN || f->app->state == STOP)
        return "draining";
    if (f->listener == NULL)
        return "starting";
    return f->listener->is_paused ? "paused" : "running";
}

void function_run_status(const struct function_run *f, struct function_status *ret)
{
    static const char *const triggers[] = {"", "list", "stream", "pubsub"};
    const struct trigger *trigger = &f->function->trigger;
    struct invoker_stats stats = {0};

    if (f->app->invoker != NULL)
        f->app->invoker->kind->stats(f->app->invoker, &stats);
    *ret = (struct function_status){
        .app = f->app->app->name,
        .name = f->function->name,
        .trigger = triggers[trigger->type],
        .source = trigger->type == TRIGGER_PUBSUB ? trigger->channel
                  : trigger->key_count > 0        ? trigger->keys[0]
                                                  : "",
        .language = f->app->app->runtime,
        .state = state_name(f),
        .error = error_of(f) != NULL ? error_of(f) : f->app->app->error,
        .server = f->server,
        .succeeded = f->dispatcher.succeeded,
        .failed = f->dispatcher.failed,
        .retried = f->dispatcher.retried,
        .in_flight = in_flight(f),
        .average_ms = f->dispatcher.average_us / 1000,
        .workers = stats.processes,
        .divisor = trigger->messages_per_worker,
    };
    if (f->listener != NULL) {
        ret->dead_lettered = f->listener->stats.dead_lettered;
        ret->dropped = f->listener->stats.dropped;
    }
    if (f->backlog != NULL) {
        const struct backlog_sample *last = backlog_last(f->backlog);
        ret->backlog = last->remaining;
        ret->pending = last->pending;
        ret->oldest_age_ms = last->oldest_age_ms;
        ret->target_workers = (uint32_t)scale_target(last->remaining, trigger->messages_per_worker);
        ret->vote = scale_vote(&f->samples, f->app->workers, trigger->messages_per_worker);
    }
}
