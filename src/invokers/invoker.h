/* invokers/invoker.h - how a function is run: one attempt, and what can run it.
 * Kinds: invoker_rpc.c (FunctionRpc with a worker process over a socketpair), invoker_http.c
 * (custom handler). To add a kind: a file that exports its `const struct invoker_kind`, and a row
 * in invoker_kinds[] of invoker.c. */
#ifndef INVOKERS_INVOKER_H
#define INVOKERS_INVOKER_H

#include "apps/app.h"
#include "base/id.h"
#include "loop/op.h"
#include "wire/rpc_data.h"

struct loop;
struct http_client;
struct invoker;

/* One attempt to run a function once. The owner fills the upper half and keeps all of it until
 * done. */
struct invocation {
    /* Ends with E_OK; E_FAILED: the function, or what it asked for, failed; E_TIMEOUT:
     * functionTimeout; E_CRASHED: its worker died (signal or exit code in op.why); E_CANCELED:
     * aborted, or ended because of another run in the same worker, which timed out or may have
     * crashed it (is_bystander): then it may be run again without using up a retry. */
    struct op op;
    const struct function *function;
    struct id id;
    struct rpc_named *inputs; /* the trigger's first, then input bindings */
    size_t input_count;
    struct rpc_named *metadata;
    size_t metadata_count;
    bool has_retry; /* a retry policy is in force: send RetryContext */
    int32_t retry_count;
    int32_t max_retry_count;
    struct slice retry_error; /* text of the last attempt's failure; absent on the first */

    /* Results, with E_OK, valid until done returns. */
    const struct rpc_named *outputs;
    size_t output_count;
    struct rpc_data return_value;

    bool is_bystander;
    /* It was in a worker that crashed, and may do it again: it runs alone in its worker, so that
     * the next crash has one culprit. Set by the invoker, false again when it answered; the owner
     * keeps it from one attempt to the next. */
    bool is_suspect;
    uint64_t crash; /* the last one it was in with others, for struct blame; kept like is_suspect */
    /* The invoker's. */
    struct list_node node;
    void *worker;
    uint64_t expires_at_ms; /* 0 = never */
    enum err result;        /* how it ends, while it waits for its turn to be told so */
};

enum invoker_state {
    INVOKER_STARTING,
    INVOKER_READY,     /* at least one process takes invocations */
    INVOKER_DOWN,      /* none right now; restarting soon. Invocations wait for it */
    INVOKER_UNHEALTHY, /* it failed too often: triggers should pause; tried again every minute */
    INVOKER_STOPPED,
};

/* What an invoker tells its owner (the app's host). All may be called from any of the loop's
 * events. */
struct invoker_events {
    void (*state)(void *ctx, enum invoker_state state, const struct cause *why);
    /* The outcome of loading one function: NULL = fine. */
    void (*loaded)(void *ctx, const struct function *function, const char *error);
    void *ctx;
};

struct invoker_options {
    struct loop *loop;
    struct http_client *http; /* for invoker_http */
    const struct app *app;    /* must outlive the invoker */
    const char *host_version; /* "4.x.y" */
    const char *worker_dir;   /* where the built-in workers are installed */
    const char *cache_dir;    /* for compiled functions and virtual environments */
    const char *include_dir;  /* where redgrid/function.h is, for .c functions; NULL = installed
                                 beside worker_dir */
    uint32_t process_min, process_max;
    struct invoker_events events;
};

struct invoker_stats {
    uint32_t processes; /* running now */
    uint32_t target;    /* asked for */
    uint64_t restarts;  /* since start */
    size_t in_flight;
};

struct invoker_kind {
    const char *name;
    /* Does it serve this runtime ("c", "python", "custom")? */
    bool (*serves)(const char *runtime);
    enum err (*start)(const struct invoker_options *options, struct invoker **ret,
                      struct cause *why);
    /* Starts one attempt. While no process is ready it waits in a queue. E_OK, then op ends;
     * E_LIMIT, E_CANCELED. */
    enum err (*invoke)(struct invoker *invoker, struct invocation *invocation);
    /* How many processes there should be; clamped to process_min..process_max. */
    void (*scale)(struct invoker *invoker, uint32_t processes);
    void (*stats)(const struct invoker *invoker, struct invoker_stats *ret);
    /* Ends the workers kindly, then by force; the op ends when all are gone. No new invocations
     * from now on; what is in flight ends with E_CANCELED. */
    void (*stop)(struct invoker *invoker, struct op *op);
    /* After stop ended (also in its callback), or at once with force: then what is in flight ends
     * with E_CANCELED before it returns, and it must not be called from another callback of the
     * invoker or of its invocations. */
    void (*free)(struct invoker *invoker);
};

struct invoker {
    const struct invoker_kind *kind;
};

extern const struct invoker_kind invoker_rpc_kind;
extern const struct invoker_kind invoker_http_kind;

/* invoker_start picks the kind for the app's runtime. E_UNSUPPORTED with the known runtimes in
 * `why`. */
enum err invoker_start(const struct invoker_options *options, struct invoker **ret,
                       struct cause *why);

#endif
