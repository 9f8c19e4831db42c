/* functions/function_run.h - one function at work: where it listens, what it counts, how much waits
 * for it. Rules: made with its app, prepared when the app has an invoker, listening from then on
 * until it is told to stop. What it counts goes on when its app is read again. */
#ifndef FUNCTIONS_FUNCTION_RUN_H
#define FUNCTIONS_FUNCTION_RUN_H

#include "functions/arrivals.h"
#include "functions/backlog.h"
#include "functions/host.h"
#include "functions/listener.h"
#include "functions/scale.h"
#include "functions/slots.h"

struct function_counts {
    uint64_t succeeded, failed, retried, dead_lettered, dropped;
    double average_us; /* of a run, moving */
};

struct function_run {
    const struct host_options *host;
    const struct function *function;
    void (*answered)(void *ctx); /* its trigger has had its first answer */
    void *ctx;
    struct invoker *invoker;      /* NULL until it is prepared */
    struct dispatcher dispatcher; /* dispatcher.function is NULL until then, and after an error */
    struct listener *listener;    /* NULL until the app's workers are ready, and after an error */
    struct backlog *backlog;      /* NULL without a listener, and for channels and events */
    struct scale_samples samples;
    struct redis_options *redis;
    char server[256];    /* what it listens to */
    char *error;         /* why it does not run; NULL = none, or function->error */
    struct list by_hand; /* of jobs: runs that no trigger began; they are waited for as well */
    struct op stop_op;
    bool has_answered;
    struct function_counts before; /* what it had counted when its app was read again */
    struct series *backlog_series, *pending_series, *in_flight_series, *oldest_series,
        *target_series;
};

/* function_run_init; all is borrowed. function_run_done frees what it made; after its stop ended.
 */
void function_run_init(struct function_run *run, const struct host_options *host,
                       const struct function *function, void (*answered)(void *ctx), void *ctx);
void function_run_done(struct function_run *run);

/* function_run_error: why it cannot run, or NULL. set_error logs it too; NULL takes it back. */
const char *function_run_error(const struct function_run *run);
void function_run_set_error(struct function_run *run, const char *text);
/* function_run_is_usable: neither in error nor disabled. */
bool function_run_is_usable(const struct function_run *run);

/* function_run_prepare finds its server and its bindings; function_run_listen starts its listener,
 * if it has none. Both if it is usable only; what is wrong becomes its error. */
void function_run_prepare(struct function_run *run, struct invoker *invoker);
void function_run_listen(struct function_run *run);
/* function_run_stop: no new work. True if `op` ends when nothing runs; else nothing ran. */
bool function_run_stop(struct function_run *run, struct op *op);

/* function_run_place: would it take an event now? With ARRIVAL_NOW to *ret. */
enum arrival_place function_run_place(const struct function_run *run, struct listener **ret);

/* function_run_hurry cuts short what still runs. */
void function_run_hurry(struct function_run *run);

/* function_run_tick refreshes its gauges and samples its backlog. */
void function_run_tick(struct function_run *run);
/* function_run_counts: all of them, `before` included. */
struct function_counts function_run_counts(const struct function_run *run);

void function_run_status(const struct function_run *run, struct function_status *ret);

#endif
