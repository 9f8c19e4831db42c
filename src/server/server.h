/* server/server.h - the daemon: makes all of it from the settings, runs it, and ends it in order.
 * Up: data folder and its lock, HTTP, store, cache, nodes, functions. Down: functions drained, out
 * of the store, HTTP, cache, store. The first SIGTERM or SIGINT drains, the second ends at once,
 * SIGHUP reads the settings and the apps again. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/err.h"

struct settings;

struct server_options {
    struct settings *settings;      /* borrowed while it runs, and read again at SIGHUP */
    const char *const *environment; /* NULL-terminated "NAME=value" */
};

/* server_run runs until a signal ends it. E_OK: it drained and ended in order. Else what kept it
 * from starting, one line in `why`. */
enum err server_run(const struct server_options *options, struct cause *why);

#endif
