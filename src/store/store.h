/* store/store.h - the Redis in which redgrid keeps its own state: a private server under the data
 * folder, or the one that --store names.
 * Rules: key names are written in this folder alone. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>

#include "loop/op.h"

struct loop;
struct redis;
struct redis_hub;
struct store;

#define STORE_READY_TIMEOUT_MS 15000 /* for one that somebody else runs */

struct store_options {
    struct loop *loop;
    struct redis_hub *hub;
    const char *connection; /* NULL or "" = the private one */
    const char *data;       /* absolute */
    const char *server;     /* as in instance.h */
    const char *fsync;      /* of the private one */
};

/* store_start: E_OK and *ret, and `ready` ends later: E_OK, or E_TIMEOUT, E_CRASHED, .. with a text
 * that names the server. Now: E_BAD_INPUT, E_NOT_FOUND, E_IO, E_DENIED. */
enum err store_start(const struct store_options *options, struct op *ready, struct store **ret,
                     struct cause *why);
/* The shared connection; valid once ready. Borrowed. */
struct redis *store_redis(const struct store *store);
/* store_open gives another connection, for commands that block; the caller's to close. */
struct redis *store_open(const struct store *store, const char *name);
/* store_name is the address without secrets, for people. */
const char *store_name(const struct store *store);
bool store_is_private(const struct store *store);
bool store_is_up(const struct store *store);
/* store_stop closes the connection and ends the private server; the op ends E_OK. */
void store_stop(struct store *store, struct op *op);
void store_free(struct store *store); /* NULL is fine */

#endif
