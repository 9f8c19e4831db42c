/* store/instance.h - a redis-server that belongs to this daemon: the embedded store, and the cache
 * of apps that name none. Rules: it is started again, with back-off, whenever it ends on its own. A
 * data folder is never open in two servers: the server itself holds the folder's lock (it inherits
 * the locked descriptor), so that what a killed daemon left behind is found, told to end, and
 * waited for, before a new one starts. It gets SIGTERM when the daemon dies, which makes it write
 * what it has and leave. */
#ifndef STORE_INSTANCE_H
#define STORE_INSTANCE_H

#include <stdint.h>
#include <sys/types.h>

#include "loop/op.h"

struct instance;
struct loop;

struct instance_options {
    struct loop *loop;
    const char *name;      /* for log lines: "store", "cache" */
    const char *server;    /* program; "" or NULL = redis-server or valkey-server in PATH */
    const char *directory; /* absolute; made if need be */
    uint16_t port;      /* of 127.0.0.1, the next free one if it is taken; 0 = unix socket only */
    const char *fsync;  /* always, everysec, no */
    const char *events; /* notify-keyspace-events; NULL = none */
    /* It ended on its own / answers again after that. May be NULL. */
    void (*changed)(void *ctx, bool is_up);
    void *ctx;
};

/* instance_start: E_OK and *ret, and `ready` ends later: E_OK when the server answers PING,
 * E_CRASHED with its last words when it ended before, E_EXISTS when another one keeps the folder,
 * E_TIMEOUT. After a bad end: instance_free(). Now: E_NOT_FOUND (no such program), E_IO, E_DENIED,
 * E_LIMIT, with text. */
enum err instance_start(const struct instance_options *options, struct op *ready,
                        struct instance **ret, struct cause *why);
/* instance_connection is its connection string, "unix:///..." or "127.0.0.1:6379". Fixed from the
 * start on, but for a port that somebody took at the same moment: final when ready. */
const char *instance_connection(const struct instance *instance);
uint16_t instance_port(const struct instance *instance); /* 0 = unix socket only */
pid_t instance_pid(const struct instance *instance);     /* 0 = not running now */
/* instance_stop ends the server kindly (it writes what it has), after 10 s by force; then the op
 * ends E_OK. */
void instance_stop(struct instance *instance, struct op *op);
/* instance_free: kills what still runs. NULL is fine. */
void instance_free(struct instance *instance);

#endif
