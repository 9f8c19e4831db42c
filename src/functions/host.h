/* functions/host.h - the functions host: all apps, their triggers and workers, and what the outside
 * may ask. Behaviour: functions.md and workers.md of the specification. */
#ifndef FUNCTIONS_HOST_H
#define FUNCTIONS_HOST_H

#include "apps/app.h"
#include "loop/op.h"
#include "metrics/metrics.h"

struct loop;
struct redis_hub;
struct host;
struct target;
struct http_client;

/* Which nodes share the work: filled from store/ by server/; NULL functions = unknown. */
struct host_peers {
    /* Is this consumer (a node's id) known to be gone for good? Ours from before a restart, or one
     * whose heartbeat in the common store stopped. */
    bool (*is_dead)(void *ctx, struct slice node_id);
    void *ctx;
};

/* What may be set anew while it runs. */
struct host_limits {
    uint32_t drain_timeout_ms;
    uint32_t process_min, process_max; /* workers per app */
};

struct host_options {
    struct loop *loop;
    struct redis_hub *hub;
    struct http_client *http;
    struct metrics *metrics;
    struct host_peers peers;
    const char *node_id; /* consumer name of this process, a UUID */
    const char *worker_dir;
    const char *include_dir; /* where redgrid/function.h is; NULL = installed */
    const char *cache_dir;
    const char *default_connection; /* for connection names that no setting explains; NULL = none */
    const char *const *environment;
    const char *const *only; /* --functions */
    struct host_limits limits;
};

struct host *host_new(const struct host_options *options);
/* host_set_apps makes these its apps, NULL-terminated: those that are new are read and started,
 * their mistakes logged, never fatal; those that are no longer named drain and stop, and their
 * metrics go. Before or while the loop runs. */
void host_set_apps(struct host *host, const char *const *directories);
/* host_set_limits: those of workers count for apps that start from now on. */
void host_set_limits(struct host *host, struct host_limits limits);
/* host_reload reads all apps again (SIGHUP); changed ones restart, draining first. */
void host_reload(struct host *host);
/* host_target delivers the router's events to functions; before the first host_set_apps() they
 * wait.
 */
struct target *host_target(struct host *host);
/* host_node_died: peers.is_dead() would now say yes for one more node; its messages are taken over
 * at once. */
void host_node_died(struct host *host);
/* host_is_started: every trigger of every app has had its first answer, good or bad. */
bool host_is_started(const struct host *host);
/* host_drain: no new work, wait for what runs, acknowledge, stop the workers; the op ends E_OK, or
 * E_TIMEOUT when the limit cut it short (nothing is lost then either: it is delivered again). */
void host_drain(struct host *host, struct op *op);
void host_free(struct host *host);

/* host_needs_cache: does an app name a connection that neither a setting nor an address explains?
 * Reads the app's files; before host_new. */
bool host_needs_cache(const char *directory, const char *const *environment);

/* What is known about one function, for status pages. Borrowed until the next turn. */
struct function_status {
    const char *app, *name, *trigger, *source; /* "list", "orders" (keys or channel; "": events) */
    const char *language;
    const char *state;  /* "running", "starting", "disabled", "error", "paused", "draining",
                           "offline": its Redis cannot be reached */
    const char *error;  /* what keeps it from running; NULL = nothing */
    const char *server; /* the Redis it listens to */
    uint64_t succeeded, failed, retried, dead_lettered, dropped;
    uint64_t in_flight, pending, backlog, oldest_age_ms;
    double average_ms;
    uint32_t target_workers, workers, divisor;
    int vote; /* -1, 0, 1 */
};
/* host_each calls back for every function, by app and name. */
void host_each(struct host *host, void (*each)(void *ctx, const struct function_status *status),
               void *ctx);
/* host_find: false if there is no such function. `app` may be SLICE_NONE: the first of that name.
 */
bool host_find(struct host *host, struct slice app, struct slice function,
               struct function_status *ret);

/* host_invoke runs a function once with a given trigger value, beside its trigger (nothing is
 * acknowledged). The result text is what the function returned, as JSON or text, valid until done
 * returns. */
struct host_call {
    struct op op;
    struct buf *result; /* the caller's; filled on success */
};
enum err host_invoke(struct host *host, struct slice app, struct slice function, struct slice value,
                     struct host_call *call, struct cause *why);

#endif
