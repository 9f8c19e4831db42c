#include "functions/host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "functions/app_run.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define TICK_MS 5000      /* backlogs are sampled and workers scaled */
#define START_LOOK_MS 100 /* until every trigger has answered or had its time */
#define REQUEST_MAX_BYTES (64u * 1024 * 1024)

struct host {
    struct host_options options;
    struct app_run **apps;
    size_t app_count;
    struct list leaving; /* struct leaving, until the last of it has ended */
    struct timer *tick, *start_look, *drain_limit;
    uint64_t began_ms;
    bool is_started, was_cut_short;
    struct op *drain_op;
    size_t calls; /* host_invoke under way */
    struct arrivals *arrivals;
    bool has_apps; /* they have been named, if there are any */
};

/* An app that leaves, with its host or before. */
struct leaving {
    struct list_node node; /* in host->leaving */
    struct op op;
    struct host *host;
    struct app_run *app;
    bool is_removed; /* no longer in host->apps, which would free it */
};

/* One run by hand. */
struct manual_run {
    struct job job; /* in function->by_hand */
    struct host *host;
    struct function_run *function;
    struct host_call *call;
};

static bool has_function(const struct host *host, const char *name)
{
    for (size_t i = 0; i < host->app_count; i++) {
        size_t count;
        const struct function_run *functions = app_run_functions(host->apps[i], &count);
        for (size_t j = 0; j < count; j++)
            if (strcasecmp(functions[j].function->name, name) == 0)
                return true;
    }
    return false;
}

static void look_started(struct host *host)
{
    if (host->is_started)
        return;
    for (size_t i = 0; i < host->app_count; i++)
        if (!app_run_is_started(host->apps[i]))
            return;
    host->is_started = true;
    timer_clear(host->start_look);
    for (const char *const *name = host->options.only; name != NULL && *name != NULL; name++)
        if (!has_function(host, *name))
            log_warn("FUNCTION-WARNING", "--functions: no app has a function '%s'", *name);
    log_info("HOST-STARTED", "Job host started");
    log_info("HOST-STARTED", "Host started (%dms)",
             (int)(loop_now_ms(host->options.loop) - host->began_ms));
}

static void on_answered(void *ctx)
{
    const struct host *host = ctx;

    arrivals_look(host->arrivals); /* the app may be in the middle of its start: a little later */
}

/* Function names ignore case, as everywhere in Azure Functions. */
static struct function_run *find(struct host *host, struct slice app, struct slice name)
{
    for (size_t i = 0; i < host->app_count; i++) {
        size_t count;
        struct function_run *functions = app_run_functions(host->apps[i], &count);
        for (size_t j = 0; j < count; j++)
            if (slice_eq_nocase(slice_of(functions[j].function->name), name) &&
                (app.data == NULL ||
                 slice_eq_nocase(slice_of(app_run_app(host->apps[i])->name), app)))
                return &functions[j];
    }
    return NULL;
}

static enum arrival_place on_find(void *ctx, struct slice app, struct slice function,
                                  struct listener **ret)
{
    struct host *host = ctx;
    struct function_run *found = find(host, app, function);
    bool may_come = !host->has_apps;

    for (size_t i = 0; i < host->app_count; i++)
        may_come = may_come || app_run_app(host->apps[i]) == NULL; /* its files are being read */
    if (found == NULL)
        return may_come ? ARRIVAL_LATER : ARRIVAL_NOWHERE;
    return function_run_place(found, ret);
}

static void on_write_names(void *ctx, struct buf *out)
{
    struct host *host = ctx;

    for (size_t i = 0; i < host->app_count; i++) {
        size_t count;
        const struct function_run *functions = app_run_functions(host->apps[i], &count);
        for (size_t j = 0; j < count; j++)
            if (functions[j].function->trigger.type == TRIGGER_EVENT)
                buf_addf(out, "%s%s/%s", out->len > 0 ? ", " : "", app_run_app(host->apps[i])->name,
                         functions[j].function->name);
    }
}

static void on_start_look(void *ctx)
{
    look_started(ctx);
}

static void on_tick(void *ctx)
{
    struct host *host = ctx;

    for (size_t i = 0; i < host->app_count; i++)
        app_run_tick(host->apps[i]);
}

struct host *host_new(const struct host_options *options)
{
    struct host *host = mem_new(struct host);

    host->options = *options;
    list_init(&host->leaving);
    host->tick = timer_new(options->loop, on_tick, host);
    host->start_look = timer_new(options->loop, on_start_look, host);
    host->arrivals = arrivals_new(&(struct arrivals_options){
        .loop = options->loop, .find = on_find, .write_names = on_write_names, .ctx = host});
    return host;
}

struct target *host_target(struct host *host)
{
    return arrivals_target(host->arrivals);
}

void host_set_limits(struct host *host, struct host_limits limits)
{
    host->options.limits = limits;
}

void host_reload(struct host *host)
{
    for (size_t i = 0; i < host->app_count; i++)
        app_run_reload(host->apps[i]);
}

void host_node_died(struct host *host)
{
    for (size_t i = 0; i < host->app_count; i++)
        app_run_node_died(host->apps[i]);
}

bool host_is_started(const struct host *host)
{
    return host->is_started;
}

static void maybe_drained(struct host *host)
{
    struct op *op = host->drain_op;

    if (!list_is_empty(&host->leaving) || host->calls > 0 || op == NULL)
        return;
    host->drain_op = NULL;
    timer_clear(host->drain_limit);
    loop_later(host->options.loop, op, host->was_cut_short ? E_TIMEOUT : E_OK);
    arrivals_end(host->arrivals); /* after `op`, which stops the router: it brings nothing more */
}

static void on_drain_limit(void *ctx)
{
    struct host *host = ctx;
    struct leaving *leaving;

    log_warn(
        "DRAIN-LIMIT",
        "functions still run after %u ms; they are stopped, their messages will be delivered again",
        host->options.limits.drain_timeout_ms);
    host->was_cut_short = true;
    list_each (&host->leaving, struct leaving, node, leaving)
        app_run_hurry(leaving->app);
}

/* Nobody asks any more for the numbers of an app that is gone for good. */
static void drop_metrics(struct host *host, const char *name)
{
    for (size_t i = 0; i < host->app_count; i++) {
        const struct app *app = app_run_app(host->apps[i]);
        if (app != NULL && strcmp(app->name, name) == 0)
            return;
    }
    metrics_drop(host->options.metrics, "app", name);
}

static void on_left(struct op *op, enum err err)
{
    struct leaving *leaving = container_of(op, struct leaving, op);
    struct host *host = leaving->host;

    (void)err;
    list_remove(&leaving->node);
    if (leaving->is_removed)
        app_run_free(leaving->app);
    free(leaving);
    maybe_drained(host);
}

static void leave(struct host *host, struct app_run *app, bool is_removed)
{
    struct leaving *leaving = mem_new(struct leaving);

    leaving->host = host;
    leaving->app = app;
    leaving->is_removed = is_removed;
    leaving->op.done = on_left;
    list_push(&host->leaving, &leaving->node);
    app_run_stop(app, &leaving->op);
}

/* "app", "app/" and "./app" are one app. */
static bool is_same_folder(const char *one, const char *other)
{
    struct stat first, second;

    if (strcmp(one, other) == 0)
        return true;
    return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static bool is_named(const char *const *directories, const char *directory)
{
    for (; *directories != NULL; directories++)
        if (is_same_folder(*directories, directory))
            return true;
    return false;
}

static bool has_app(const struct host *host, const char *directory)
{
    for (size_t i = 0; i < host->app_count; i++)
        if (is_same_folder(app_run_directory(host->apps[i]), directory))
            return true;
    return false;
}

static void remove_app(struct host *host, size_t at)
{
    struct app_run *removed = host->apps[at];
    const struct app *app = app_run_app(removed);
    char *name = app != NULL ? mem_dup(app->name, strlen(app->name)) : NULL;

    log_info("APP-REMOVED", "%s: is no longer named, stopping it", app_run_directory(removed));
    for (host->app_count--; at < host->app_count; at++)
        host->apps[at] = host->apps[at + 1];
    leave(host, removed, true);
    arrivals_look(host->arrivals);
    if (name != NULL)
        drop_metrics(host, name);
    free(name);
}

/* The first apps. */
static void begin(struct host *host)
{
    host->has_apps = true;
    host->began_ms = loop_now_ms(host->options.loop);
    timer_every(host->tick, TICK_MS);
    timer_every(host->start_look, START_LOOK_MS);
}

void host_set_apps(struct host *host, const char *const *directories)
{
    if (!host->has_apps)
        begin(host);
    for (size_t i = host->app_count; i-- > 0;)
        if (!is_named(directories, app_run_directory(host->apps[i])))
            remove_app(host, i);
    for (; *directories != NULL; directories++) {
        if (has_app(host, *directories))
            continue;
        host->apps = mem_resize(host->apps, host->app_count + 1, sizeof(struct app_run *));
        host->apps[host->app_count++] =
            app_run_new(&host->options, *directories, host->is_started, on_answered, host);
    }
    arrivals_look(host->arrivals);
}

void host_drain(struct host *host, struct op *op)
{
    host->drain_op = op;
    timer_clear(host->tick);
    timer_clear(host->start_look);
    host->drain_limit = timer_new(host->options.loop, on_drain_limit, host);
    timer_set(host->drain_limit, host->options.limits.drain_timeout_ms);
    for (size_t i = 0; i < host->app_count; i++)
        leave(host, host->apps[i], false);
    maybe_drained(host);
}

void host_free(struct host *host)
{
    for (size_t i = 0; i < host->app_count; i++)
        app_run_free(host->apps[i]);
    free(host->apps);
    arrivals_free(host->arrivals);
    timer_free(host->tick);
    timer_free(host->start_look);
    timer_free(host->drain_limit);
    free(host);
}

bool host_needs_cache(const char *directory, const char *const *environment)
{
    struct app *app =
        app_load(&(struct app_options){.directory = directory, .environment = environment});
    bool is_needed = false;

    for (size_t i = 0; i < app->function_count && !is_needed; i++) {
        const struct trigger *trigger = &app->functions[i]->trigger;
        const char *text;
        bool is_literal;
        is_needed = app->functions[i]->error == NULL && trigger->connection != NULL &&
                    app_connection(app, trigger->connection, &text, &is_literal, NULL) == E_OK &&
                    is_literal && app_names_no_server(text);
    }
    app_free(app);
    return is_needed;
}

void host_each(struct host *host, void (*each)(void *ctx, const struct function_status *status),
               void *ctx)
{
    for (size_t i = 0; i < host->app_count; i++) {
        size_t count;
        struct function_run *functions = app_run_functions(host->apps[i], &count);
        for (size_t j = 0; j < count; j++) {
            struct function_status status;
            function_run_status(&functions[j], &status);
            each(ctx, &status);
        }
    }
}

bool host_find(struct host *host, struct slice app, struct slice function,
               struct function_status *ret)
{
    struct function_run *found = find(host, app, function);

    if (found != NULL)
        function_run_status(found, ret);
    return found != NULL;
}

static void add_result(struct buf *out, const struct rpc_data *data)
{
    switch (data->kind) {
    case RPC_NONE:
        break;
    case RPC_INT:
        buf_add_i64(out, data->integer);
        break;
    case RPC_DOUBLE:
        buf_add_f64(out, data->number);
        break;
    case RPC_STRING:
    case RPC_JSON:
    case RPC_BYTES:
        buf_add(out, data->text);
        break;
    case RPC_STRINGS:
    case RPC_BYTES_LIST:
    case RPC_INTS:
    case RPC_DOUBLES:
    case RPC_JSONS:
        for (size_t i = 0; i < data->item_count; i++) {
            buf_add(out, data->items[i]);
            buf_add_byte(out, '\n');
        }
        break;
    }
}

static void on_manual_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    struct manual_run *manual = container_of(delivery, struct manual_run, job.delivery);
    struct host *host = manual->host;
    struct host_call *call = manual->call;

    if (err == E_OK && call->result != NULL)
        add_result(call->result, &delivery->run.return_value);
    call->op.why = *why;
    delivery_release(delivery);
    message_done(&delivery->message);
    list_remove(&manual->job.node);
    app_run_by_hand_ended(manual->function);
    free(manual);
    host->calls--;
    loop_later(host->options.loop, &call->op, err);
    maybe_drained(host);
}

enum err host_invoke(struct host *host, struct slice app, struct slice function, struct slice value,
                     struct host_call *call, struct cause *why)
{
    struct function_run *found = find(host, app, function);

    if (found == NULL)
        return cause_set(why, E_NOT_FOUND, "there is no function '%.*s'", SLICE_ARG(function));
    const char *error = found->error != NULL ? found->error : found->function->error;
    if (error != NULL)
        return cause_set(why, E_FAILED, "the function is in error: %s", error);
    if (found->dispatcher.function == NULL || found->dispatcher.is_stopping)
        return cause_set(why, E_CANCELED, "its app is starting or stopping: try again in a moment");
    struct manual_run *manual = mem_new(struct manual_run);
    manual->host = host;
    manual->call = call;
    manual->function = found;
    manual->job.delivery.dispatcher = &found->dispatcher;
    manual->job.delivery.done = on_manual_done;
    manual->job.delivery.is_once = true;
    message_init(&manual->job.delivery.message, REQUEST_MAX_BYTES);
    enum err err =
        message_set_value(&manual->job.delivery.message, &found->function->trigger, value);
    if (err != E_OK) {
        message_done(&manual->job.delivery.message);
        free(manual);
        return cause_set(why, err, "the value is larger than %u bytes", REQUEST_MAX_BYTES);
    }
    host->calls++;
    list_push(&found->by_hand, &manual->job.node);
    delivery_start(&manual->job.delivery);
    return E_OK;
}
