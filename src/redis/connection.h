/* redis/connection.h - one connection to a server: commands out, replies in; private to this
 * folder.
 * Rules: it knows nothing of what the replies mean or whose they are. It reports a break once; then
 * it is good for nothing but connection_free(). Commands of one turn leave in one write. */
#ifndef REDIS_CONNECTION_H
#define REDIS_CONNECTION_H

#include "loop/stream.h"
#include "redis/client.h"

#define REPLY_MAX_BYTES ((size_t)512 * 1024 * 1024 + CHUNK_BYTES)
#define REPLY_NODES_MAX (4 * 1024 * 1024)
#define REPLY_DEPTH_MAX 16
#define OUT_MAX_BYTES ((size_t)256 * 1024 * 1024) /* copied bytes of commands that wait */

struct connection;

/* All come from the loop, and the connection may be freed in each of them. */
struct connection_events {
    void (*reply)(void *ctx, struct reply *reply); /* in the order of the bytes */
    void (*wrote)(void *ctx);                      /* connection_sent() has grown */
    void (*arriving)(void *ctx,
                     char type); /* more of a reply came, and not all; NULL = no matter */
    void (*broken)(void *ctx, enum err err, const struct cause *why); /* once */
};

struct connection *connection_new(struct loop *loop, const struct connection_events *events,
                                  void *ctx);
/* connection_start is stream_connect(); connection_begin then starts to read. */
enum err connection_start(struct connection *connection, const struct stream_target *target,
                          struct op *op);
void connection_begin(struct connection *connection);

/* connection_add queues a command: its name and `count` arguments. E_OK, or E_LIMIT and nothing was
 * queued. *ret_until: what connection_sent() must reach before the arguments are no longer
 * borrowed; 0 = they were copied. */
enum err connection_add(struct connection *connection, struct slice name, const struct slice *args,
                        size_t count, uint64_t *ret_until);
uint64_t connection_sent(const struct connection *connection);

/* connection_free closes at once; nothing is called any more, borrowed arguments are free. NULL is
 * fine. */
void connection_free(struct connection *connection);

#endif
