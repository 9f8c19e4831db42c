/* invokers/worker_log.h - what workers write and log, as lines of ours. Behaviour: workers.md 6.3.
 * Rules: filtered by the app's log levels (app_log_level). */
#ifndef INVOKERS_WORKER_LOG_H
#define INVOKERS_WORKER_LOG_H

#include "invokers/invoker.h"
#include "wire/rpc.h"

/* worker_log_line writes a line of a worker's console. `run` is the one it belongs to, NULL =
 * unknown. */
void worker_log_line(const struct app *app, bool is_stderr, struct slice line,
                     const struct invocation *run);

/* worker_log_rpc writes a log message. `category` stands for that of a user's message whose run is
 * known. */
void worker_log_rpc(const struct app *app, const struct rpc_log *log, const struct invocation *run,
                    struct slice category);

/* worker_log_run writes a line about one run under its function's name. */
void worker_log_run(const struct app *app, enum log_level level, const char *id,
                    const struct invocation *run, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
