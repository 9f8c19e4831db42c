/* functions/app_run.h - one function app at work: read, started, watched, read again when its files
 * change, stopped. Rules: a mistake in a file is logged and shown, and stops nothing else. */
#ifndef FUNCTIONS_APP_RUN_H
#define FUNCTIONS_APP_RUN_H

#include "functions/backlog.h"
#include "functions/host.h"
#include "functions/listener.h"

struct app_run;

/* One function of it. */
struct function_run {
    struct app_run *app;
    const struct function *function;
    struct dispatcher dispatcher;
    struct listener *listener; /* NULL until the app's workers are ready, and after an error */
    struct backlog *backlog;
    struct scale_samples samples;
    struct redis_options *redis;
    char server[256]; /* what it listens to */
    char *error;      /* why it does not run; NULL = none, or function->error */
    struct op stop_op;
    bool has_answered;
    struct series *backlog_series, *pending_series, *in_flight_series, *oldest_series,
        *target_series;
};

/* app_run_new begins to read the app's files. `host` is borrowed. `answered` comes whenever the
 * answer of app_run_is_started() may have changed. */
struct app_run *app_run_new(const struct host_options *host, const char *directory,
                            void (*answered)(void *ctx), void *ctx);
void app_run_reload(struct app_run *run);
bool app_run_is_started(const struct app_run *run); /* every trigger has had its first answer */
void app_run_node_died(struct app_run *run);
/* app_run_tick: sample backlogs, scale workers, refresh gauges; every few seconds. */
void app_run_tick(struct app_run *run);
/* app_run_stop drains; `op` ends when nothing is left running. app_run_hurry cuts it short. */
void app_run_stop(struct app_run *run, struct op *op);
void app_run_hurry(struct app_run *run);
void app_run_free(struct app_run *run);

const struct app *app_run_app(const struct app_run *run); /* NULL while its files are being read */
struct function_run *app_run_functions(struct app_run *run, size_t *ret_count);
struct invoker *app_run_invoker(struct app_run *run); /* NULL if there is none */
void function_run_status(const struct function_run *function, struct function_status *ret);

#endif
