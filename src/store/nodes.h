/* store/nodes.h - which redgrid processes live, so that the messages of one that is gone are taken
 * over. A node is one run of one daemon; its id is the name of its consumers. It says every
 * heartbeat_ms in the store, at the store's own time, that it lives. Rules: wrong "dead" costs a
 * second, concurrent delivery, wrong "alive" costs time: so a node is dead only if it is an earlier
 * run of this very data folder, or was seen in the store and has been silent for dead_ms while the
 * store answered us. What was never seen is not known to be dead. */
#ifndef STORE_NODES_H
#define STORE_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "loop/op.h"

struct datadir;
struct loop;
struct nodes;
struct redis;

#define NODES_KEPT 100 /* earlier runs that DATA/nodes remembers */

struct nodes_options {
    struct loop *loop;
    struct redis *redis; /* borrowed */
    const struct datadir *data;
    const char *id; /* of this run */
    uint32_t heartbeat_ms;
    uint32_t dead_ms;
    void (*died)(void *ctx); /* nodes_is_dead() says yes for one more; may be NULL */
    void *ctx;
};

/* nodes_start notes this run in DATA/nodes (blocks, fsync) and begins to beat. E_IO, E_DENIED. */
enum err nodes_start(const struct nodes_options *options, struct nodes **ret, struct cause *why);
bool nodes_is_dead(const struct nodes *nodes, struct slice id);
/* nodes_is_earlier: a run of this very data folder before this one; no other node says yes. */
bool nodes_is_earlier(const struct nodes *nodes, struct slice id);
/* nodes_is_gone is the same for who holds something in this store, and so must have lived here: one
 * that was never seen (it left before we came, or long ago) is as if it had been seen just now. */
bool nodes_is_gone(struct nodes *nodes, struct slice id);
/* nodes_count is how many live, this one included, as the store last said. */
size_t nodes_count(const struct nodes *nodes);
/* nodes_stop takes this node out of the store; the op ends soon, E_OK or with why it could not. */
void nodes_stop(struct nodes *nodes, struct op *op);
void nodes_free(struct nodes *nodes); /* NULL is fine. In callbacks of its own: no. */

#endif
