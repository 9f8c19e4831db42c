#include "functions/function_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

const char *function_run_error(const struct function_run *f)
{
    return f->error != NULL ? f->error : f->function->error;
}

void function_run_set_error(struct function_run *f, const char *text)
{
    free(f->error);
    f->error = text == NULL ? NULL : mem_dup(text, strlen(text));
    if (text != NULL)
        log_error("FUNCTION-ERROR", "The '%s' function is in error: %s", f->function->name, text);
}

bool function_run_is_usable(const struct function_run *f)
{
    return function_run_error(f) == NULL && !f->function->is_disabled;
}

/* --- making --- */

void function_run_init(struct function_run *f, const struct host_options *host,
                       const struct function *function, void (*answered)(void *ctx), void *ctx)
{
    *f =
        (struct function_run){.host = host, .function = function, .answered = answered, .ctx = ctx};
    list_init(&f->by_hand);
}

/* What nobody looks after any more must not stand there as if it were so. */
static void clear_gauges(const struct function_run *f)
{
    struct series *const gauges[] = {f->backlog_series, f->pending_series, f->in_flight_series,
                                     f->oldest_series, f->target_series};

    for (size_t i = 0; i < COUNT_OF(gauges); i++)
        if (gauges[i] != NULL)
            series_set(gauges[i], 0);
}

void function_run_done(struct function_run *f)
{
    clear_gauges(f);
    if (f->listener != NULL)
        f->listener->kind->free(f->listener);
    if (f->dispatcher.function != NULL)
        dispatcher_done(&f->dispatcher);
    redis_options_unref(f->redis);
    backlog_free(f->backlog);
    free(f->error);
    *f = (struct function_run){0};
}

/* Where the function listens. A name that no setting explains leads to the server that was started
 * for such names. */
static enum err connect_to(struct function_run *f, struct cause *why)
{
    const char *name = f->function->trigger.connection, *text;
    bool is_literal;
    enum err err = app_connection(f->function->app, name, &text, &is_literal, why);

    if (err == E_OK && is_literal && app_names_no_server(text)) {
        if (f->host->default_connection != NULL)
            text = f->host->default_connection;
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

void function_run_prepare(struct function_run *f, struct invoker *invoker)
{
    const struct host_options *host = f->host;
    struct metrics *metrics = host->metrics;
    const char *labels[] = {f->function->app->name, f->function->name, NULL};
    struct cause why = {0};

    f->invoker = invoker;
    if (!function_run_is_usable(f))
        return;
    f->backlog_series = metrics_series(metrics, METRIC_ID_BACKLOG, labels);
    f->pending_series = metrics_series(metrics, METRIC_ID_PENDING, labels);
    f->in_flight_series = metrics_series(metrics, METRIC_ID_IN_FLIGHT, labels);
    f->oldest_series = metrics_series(metrics, METRIC_ID_OLDEST_SECONDS, labels);
    f->target_series = metrics_series(metrics, METRIC_ID_TARGET_WORKERS, labels);
    if (f->function->trigger.connection != NULL && connect_to(f, &why) != E_OK) {
        function_run_set_error(f, why.text);
        return;
    }
    dispatcher_init(&f->dispatcher, host->loop, f->function, invoker, metrics);
    f->dispatcher.average_us = f->before.average_us;
    if (binding_set_new(host->hub, f->function, host->default_connection, &f->dispatcher.bindings,
                        &why) != E_OK)
        function_run_set_error(f, why.text);
}

/* --- listening --- */

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
    f->answered(f->ctx);
}

void function_run_listen(struct function_run *f)
{
    const struct host_options *host = f->host;
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

    if (f->listener != NULL || !function_run_is_usable(f))
        return;
    enum err err = listener_kind_of(trigger->type)->start(&options, &f->listener, &why);
    if (err != E_OK) {
        function_run_set_error(f, cause_text(&why, err));
        return;
    }
    if (trigger->type == TRIGGER_LIST || trigger->type == TRIGGER_STREAM) {
        f->backlog = backlog_new(host->loop, host->hub, f->redis, trigger, on_sampled, f);
        backlog_sample(f->backlog);
    }
}

bool function_run_stop(struct function_run *f, struct op *op)
{
    f->dispatcher.is_stopping = true;
    backlog_free(f->backlog);
    f->backlog = NULL;
    if (f->listener == NULL)
        return false;
    f->listener->kind->stop(f->listener, op);
    return true;
}

enum arrival_place function_run_place(const struct function_run *f, struct listener **ret)
{
    if (f->function->trigger.type != TRIGGER_EVENT)
        return ARRIVAL_NOWHERE;
    if (!function_run_is_usable(f) || f->function->app->error != NULL)
        return ARRIVAL_UNFIT;
    if (f->listener == NULL || f->listener->is_paused || f->dispatcher.is_stopping)
        return ARRIVAL_LATER;
    *ret = f->listener;
    return ARRIVAL_NOW;
}

void function_run_hurry(struct function_run *f)
{
    struct job *job;

    if (f->listener != NULL)
        f->listener->kind->hurry(f->listener);
    list_each (&f->by_hand, struct job, node, job)
        delivery_stop(&job->delivery);
}

/* --- what it tells --- */

void function_run_tick(struct function_run *f)
{
    if (f->in_flight_series != NULL)
        series_set(f->in_flight_series, (double)f->dispatcher.running);
    if (f->backlog != NULL)
        backlog_sample(f->backlog);
}

struct function_counts function_run_counts(const struct function_run *f)
{
    struct function_counts counts = f->before;

    counts.succeeded += f->dispatcher.succeeded;
    counts.failed += f->dispatcher.failed;
    counts.retried += f->dispatcher.retried;
    if (f->dispatcher.function != NULL)
        counts.average_us = f->dispatcher.average_us;
    if (f->listener != NULL) {
        counts.dead_lettered += f->listener->stats.dead_lettered;
        counts.dropped += f->listener->stats.dropped;
    }
    return counts;
}

static const char *redis_complaint(const struct listener *listener)
{
    return listener->commands != NULL ? redis_trouble(listener->commands) : NULL;
}

static const char *state_name(const struct function_run *f)
{
    if (function_run_error(f) != NULL || f->function->app->error != NULL)
        return "error";
    if (f->function->is_disabled)
        return "disabled";
    if (f->dispatcher.is_stopping)
        return "draining";
    if (f->listener == NULL)
        return "starting";
    if (f->listener->is_paused)
        return "paused";
    return redis_complaint(f->listener) != NULL ? "offline" : "running";
}

/* What keeps it from running, if anything does. */
static const char *trouble(const struct function_run *f)
{
    if (function_run_error(f) != NULL)
        return function_run_error(f);
    if (f->function->app->error != NULL || f->listener == NULL)
        return f->function->app->error;
    return redis_complaint(f->listener);
}

void function_run_status(const struct function_run *f, struct function_status *ret)
{
    static const char *const triggers[] = {"", "list", "stream", "pubsub", "event"};
    const struct app *app = f->function->app;
    const struct trigger *trigger = &f->function->trigger;
    const struct function_counts counts = function_run_counts(f);
    struct invoker_stats stats = {0};

    if (f->invoker != NULL)
        f->invoker->kind->stats(f->invoker, &stats);
    *ret = (struct function_status){
        .app = app->name,
        .name = f->function->name,
        .trigger = triggers[trigger->type],
        .source = trigger->type == TRIGGER_PUBSUB ? trigger->channel
                  : trigger->key_text != NULL     ? trigger->key_text
                                                  : "",
        .language = app->runtime,
        .state = state_name(f),
        .error = trouble(f),
        .server = f->server,
        .succeeded = counts.succeeded,
        .failed = counts.failed,
        .retried = counts.retried,
        .dead_lettered = counts.dead_lettered,
        .dropped = counts.dropped,
        .in_flight = f->dispatcher.running,
        .average_ms = counts.average_us / 1000,
        .workers = stats.processes,
        .divisor = trigger->messages_per_worker,
    };
    if (f->backlog != NULL) {
        const struct backlog_sample *last = backlog_last(f->backlog);
        ret->backlog = last->remaining;
        ret->pending = last->pending;
        ret->oldest_age_ms = last->oldest_age_ms;
        ret->target_workers = (uint32_t)scale_target(last->remaining, trigger->messages_per_worker);
        ret->vote = scale_vote(&f->samples, stats.target, trigger->messages_per_worker);
    }
}
