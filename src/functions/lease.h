/* functions/lease.h - of several nodes, the one that may: a key with a time to live in the
 * functions' own Redis. Rules: held means held for ttl_ms at the longest, counted from before the
 * request left; renewed every third of that; lost when it cannot be renewed. A holder known to be
 * dead is replaced at once; the living are asked again ten times in their time to live. */
#ifndef FUNCTIONS_LEASE_H
#define FUNCTIONS_LEASE_H

#include "functions/host.h"
#include "redis/client.h"

struct lease;

struct lease_options {
    struct loop *loop;
    struct redis *redis; /* borrowed */
    struct slice key;
    struct slice holder; /* who we are; borrowed */
    uint32_t ttl_ms;
    struct host_peers peers;
    void (*changed)(void *ctx, bool is_held); /* also once at the first answer */
    /* Each answer of the server, before `changed`: E_OK, or E_REDIS when it refuses; NULL = none.
     */
    void (*answered)(void *ctx, enum err err, const struct cause *why);
    void *ctx;
};

struct lease *lease_new(const struct lease_options *options);
/* lease_is_held: by the clock, so that a process that stood still knows before `changed` tells. */
bool lease_is_held(const struct lease *lease);
void lease_hurry(struct lease *lease); /* a node died: try now */
/* lease_release gives it up, if it is held; later E_OK, whatever the server said. `changed` comes
 * no more. */
void lease_release(struct lease *lease, struct op *op);
void lease_free(struct lease *lease); /* after lease_release ended */

#endif
