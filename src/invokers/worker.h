/* invokers/worker.h - one worker process, from its start to its exit: the step machine that speaks
 * FunctionRpc with it. Behaviour: workers.md 4 to 8.
 * Rules: it asks the world through structs of functions (transport, clock, alarm) and knows no
 * sockets, processes or loop. It is never started twice: whoever owns it makes a new one. Runs that
 * ended are told so by worker_settle(), never from the middle of a call. */
#ifndef INVOKERS_WORKER_H
#define INVOKERS_WORKER_H

#include "base/arena.h"
#include "invokers/invoker.h"
#include "invokers/restart.h"
#include "invokers/transport.h"

struct worker;

enum worker_state {
    WORKER_STREAM,    /* launched; its StartStream is awaited */
    WORKER_INIT,      /* WorkerInitResponse is awaited */
    WORKER_LOAD,      /* answers to the load requests are awaited */
    WORKER_READY,     /* takes invocations */
    WORKER_DRAIN,     /* takes no more; its last answers are awaited */
    WORKER_TERMINATE, /* asked to end by message; its exit is awaited */
    WORKER_TERM,      /* asked by SIGTERM and the end of the stream */
    WORKER_KILL,      /* told by SIGKILL */
    WORKER_EXITED,
};

/* A function as the workers of an app load it. */
struct worker_function {
    const struct function *function;
    char *script_file;   /* the file to load: compiled, where that is needed */
    char *user_category; /* "Function.orders.User" */
    char *error;         /* why it cannot be loaded, known before a worker was asked; NULL */
};

/* What all workers of an app have in common. */
struct worker_plan {
    const struct app *app;
    const char *host_version;
    const char *worker_directory;
    struct worker_function *functions; /* by place in this array */
    size_t function_count;
    bool is_serial;      /* runs one function at a time, in order: the oldest run is the one that
                            hangs */
    struct arena *arena; /* for decoding; reset after each message */
};

/* The rest of the world, one for all workers of an app. */
struct worker_world {
    struct launcher *launcher;
    uint64_t (*now_ms)(struct worker_world *world);
    void (*soon)(struct worker_world *world); /* calls worker_settle() before the loop sleeps */
    struct blame blame;
    struct list settled; /* runs that ended and wait to be told so; list_init() it */
};

struct worker_events {
    /* Call worker_tick() at that time; replaces the earlier wish. May come from worker_start(). */
    void (*alarm)(void *ctx, uint64_t at_ms);
    /* The outcome of loading functions[at]: NULL = fine. */
    void (*loaded)(void *ctx, struct worker *worker, size_t at, const char *error);
    void (*changed)(void *ctx, struct worker *worker); /* what worker_takes() says */
    void (*idle)(void *ctx, struct worker *worker);    /* its last run ended */
    /* The process is gone, once; then worker_free() from outside of any of its callbacks. */
    void (*ended)(void *ctx, struct worker *worker, enum ending ending, const struct cause *why);
    void *ctx;
};

/* worker_start launches a process. E_OK and *ret; or the launcher's error. */
enum err worker_start(const struct worker_plan *plan, struct worker_world *world,
                      const struct worker_events *events, struct worker **ret, struct cause *why);
/* worker_free kills what still runs; its runs end with E_CANCELED at the next settle. NULL is
 * fine. */
void worker_free(struct worker *worker);

/* worker_takes: may worker_invoke() be called? Ready, and no run is past its time. */
bool worker_takes(const struct worker *worker);
/* worker_invoke sends a run, whose op is busy already; only while worker_takes(). */
void worker_invoke(struct worker *worker, struct invocation *invocation);
/* worker_abort ends a run of this worker with E_CANCELED; a late answer is dropped. */
void worker_abort(struct worker *worker, struct invocation *invocation);

/* worker_drain lets the runs end, then the process. worker_stop does not wait for the runs: they
 * end with E_CANCELED. Both harmless when it ends already. */
void worker_drain(struct worker *worker);
void worker_stop(struct worker *worker);

void worker_tick(struct worker *worker);

enum worker_state worker_state(const struct worker *worker);
size_t worker_in_flight(const struct worker *worker);
/* worker_wait_us: as runs_wait_us(). */
uint64_t worker_wait_us(const struct worker *worker);
/* worker_has_suspect: it runs one that has to be alone in it; give it no other. */
bool worker_has_suspect(const struct worker *worker);
uint64_t worker_started_at_ms(const struct worker *worker);
pid_t worker_process(const struct worker *worker);

/* worker_settle ends the ops of the runs that are settled, in order. An owner may add its own with
 * worker_settle_run(), which leaves the run's `why` as it is. */
void worker_settle(struct worker_world *world);
void worker_settle_run(struct worker_world *world, struct invocation *run, enum err err);

#endif
