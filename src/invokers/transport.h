/* invokers/transport.h - the wire to one worker process: starts it, carries FunctionRpc messages,
 * ends it. The worker machine (worker.h) knows nothing else of processes and sockets.
 * Rules: events come from the loop, never from inside a call; `exited` and `closed` come in any
 * order, each at most once, and no `message` after `closed`. A message is borrowed until its event
 * returns. To add a transport: a launcher whose `launch` gives a `struct transport`. */
#ifndef INVOKERS_TRANSPORT_H
#define INVOKERS_TRANSPORT_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "wire/rpc.h"

struct transport;

struct transport_events {
    void (*message)(void *ctx, struct slice bytes);
    void (*line)(void *ctx, bool is_stderr, struct slice line); /* console output */
    /* The stream is over: E_CLOSED the worker's end, E_LIMIT and others a broken one. */
    void (*closed)(void *ctx, enum err err, const struct cause *why);
    void (*exited)(void *ctx, int exit_code, int signal_number); /* after the last line */
    void *ctx;
};

struct transport_kind {
    /* Queues a message; all of a turn leave together. E_OK; or E_LIMIT, E_CLOSED: not sent. */
    enum err (*send)(struct transport *transport, const struct rpc_message *message);
    void (*end)(struct transport *transport); /* nothing more to say: closes the stream */
    void (*signal)(struct transport *transport, int signal_number); /* the whole process group */
    pid_t (*process)(const struct transport *transport);
    /* Kills what still runs; no event comes any more. In callbacks: no. */
    void (*free)(struct transport *transport);
};

struct transport {
    const struct transport_kind *kind;
};

/* Starts worker processes of one app. */
struct launcher {
    /* E_OK and *ret, whose first message should be StartStream with this id; or E_NOT_FOUND,
     * E_DENIED, E_IO with the file named, and no event comes. */
    enum err (*launch)(struct launcher *launcher, struct slice worker_id,
                       const struct transport_events *events, struct transport **ret,
                       struct cause *why);
};

#endif
