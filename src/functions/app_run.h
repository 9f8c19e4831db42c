/* functions/app_run.h - one function app at work: read, started, watched, read again when its files
 * change, stopped. Rules: a mistake in a file is logged and shown, and stops nothing else. */
#ifndef FUNCTIONS_APP_RUN_H
#define FUNCTIONS_APP_RUN_H

#include "functions/function_run.h"

struct app_run;

/* app_run_new begins to read the app's files. `host` is borrowed. `is_late`: the others listen
 * already, so it tells when it does too. `answered` comes whenever the answer of
 * app_run_is_started() may have changed. */
struct app_run *app_run_new(const struct host_options *host, const char *directory, bool is_late,
                            void (*answered)(void *ctx), void *ctx);
void app_run_reload(struct app_run *run);
bool app_run_is_started(const struct app_run *run); /* every trigger has had its first answer */
void app_run_node_died(struct app_run *run);
/* app_run_tick: sample backlogs, scale workers, refresh gauges; every few seconds. */
void app_run_tick(struct app_run *run);
/* app_run_by_hand_ended: one of function->by_hand has gone out of it. */
void app_run_by_hand_ended(struct function_run *function);
/* app_run_stop drains; `op` ends when nothing is left running. app_run_hurry cuts it short. */
void app_run_stop(struct app_run *run, struct op *op);
void app_run_hurry(struct app_run *run);
void app_run_free(struct app_run *run);

const char *app_run_directory(const struct app_run *run);
const struct app *app_run_app(const struct app_run *run); /* NULL while its files are being read */
struct function_run *app_run_functions(struct app_run *run, size_t *ret_count);

#endif
