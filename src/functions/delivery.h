/* functions/delivery.h - one message (or batch) on its way through its function, under the retry
 * policy. Rules: a listener fills `message` and calls delivery_start(); `done` comes once, later,
 * and says what the listener has to do with the source: acknowledge it, leave it, or give it back.
 * A delivery knows nothing of Redis lists or streams; a listener knows nothing of attempts. */
#ifndef FUNCTIONS_DELIVERY_H
#define FUNCTIONS_DELIVERY_H

#include "functions/binding.h"
#include "functions/payload.h"
#include "invokers/invoker.h"
#include "metrics/metrics.h"

struct timer;

/* What all deliveries of one function share. Filled by dispatcher_init(); the listener and the host
 * read it. */
struct dispatcher {
    struct loop *loop;
    const struct app *app;
    const struct function *function;
    struct invoker *invoker;      /* borrowed; the app's */
    struct binding_set *bindings; /* its redis input and output bindings; NULL = none */
    struct slice category;        /* "Function.<name>" */
    bool logs_runs;               /* host.json lets the lines about runs through */
    bool is_stopping;             /* no further attempts */
    uint64_t succeeded, failed,
        retried; /* deliveries that ended well, badly; attempts after the first */
    size_t running;
    double average_us; /* of a run, moving */
    struct series *succeeded_series, *failed_series, *timeout_series, *crashed_series,
        *canceled_series;
    struct series *retries_series, *duration_series, *lag_series;
};

/* dispatcher_init borrows all it is given. dispatcher_done frees what it made; no delivery may be
 * under way. */
void dispatcher_init(struct dispatcher *dispatcher, struct loop *loop,
                     const struct function *function, struct invoker *invoker,
                     struct metrics *metrics);
void dispatcher_done(struct dispatcher *dispatcher);

struct delivery {
    /* The listener's: filled before the start, kept until done. */
    struct dispatcher *dispatcher;
    struct message message;
    bool is_once; /* no further attempts, whatever the policy says: a run by hand */
    /* E_OK: the function (and its output) succeeded. E_CANCELED: stopped before an outcome, nothing
     * is known. Any other: failed after all attempts, last error in `why`. */
    void (*done)(struct delivery *delivery, enum err err, const struct cause *why);

    /* The machine's. */
    int state;
    struct invocation run;
    struct op op; /* of the steps beside the run */
    struct binding_call *binding_call;
    struct timer *timer;   /* of the wait between attempts; made when first needed */
    struct cause last_why; /* of the last failed attempt */
    uint64_t attempt_began_us;
    int32_t attempt; /* from 1 */
    uint32_t bystander_runs;
    bool has_stopped;
};

void delivery_start(struct delivery *delivery);
/* delivery_stop ends it as soon as possible: a wait at once, a run by aborting it. Then done, with
 * E_CANCELED unless the run had ended already. */
void delivery_stop(struct delivery *delivery);
/* delivery_is_waiting: between two attempts. */
bool delivery_is_waiting(const struct delivery *delivery);
/* delivery_release frees what the machine made and readies the object for the next message, whose
 * fields stay. */
void delivery_release(struct delivery *delivery);

#endif
