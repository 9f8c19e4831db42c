/* workers/c/worker.h - the io thread: speaks FunctionRpc with the host and never runs user code but
 * the constructors of what it loads, so that it answers while a function blocks. */
#ifndef WORKER_C_WORKER_H
#define WORKER_C_WORKER_H

#include "base/err.h"
#include "base/str.h"

struct worker_options {
    int fd; /* the host's end is a stream socket */
    struct slice worker_id;
    struct slice request_id;
    unsigned threads; /* that run functions, 1..WORKER_THREADS_MAX */
};

#define WORKER_THREADS_MAX 1000

/* worker_run returns when it is over: E_OK after a WorkerTerminate, with all runs answered or the
 * grace period over (*ret_is_idle tells which); E_CLOSED at the end of the stream; else why it
 * cannot go on, text in why. Threads may still be running functions. */
enum err worker_run(const struct worker_options *options, bool *ret_is_idle, struct cause *why);

#endif
