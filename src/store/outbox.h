/* store/outbox.h - events that were stored together with what they tell of (resources_commit()),
 * until somebody has published them.
 *
 *   resources_commit --> FRESH --take--> TAKEN by a node --done--> gone
 *   A node is gone:  TAKEN by it --adopt, after OUTBOX_IDLE_MS--> TAKEN by another
 *
 * Rules: at least once: what was published, but not told to be done, is taken again; each event has
 * an id of its own, so that it can be known. Every call is one redis_call(), as in queue.h. */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include "base/str.h"
#include "redis/client.h"

#define OUTBOX_KEY "rg:{meta}:outbox" /* for resources.c, which writes to it */
#define OUTBOX_BATCH_MAX 100
#define OUTBOX_IDLE_MS 10000

/* What take and adopt bring; slices point into the reply. */
struct outbox_entry {
    struct slice id;
    struct slice scope; /* id of the resource that emits the event */
    struct slice event; /* one JSON object, in the Event Grid schema */
};
/* outbox_next gives the next entry of a reply; start with *at = 0. */
bool outbox_next(const struct reply *reply, uint32_t *at, struct outbox_entry *ret);

/* outbox_take takes up to OUTBOX_BATCH_MAX fresh events for `node`. */
enum err outbox_take(struct redis *redis, struct slice node, struct redis_call *call);
/* outbox_adopt takes those that somebody, `node` included, has had for OUTBOX_IDLE_MS. */
enum err outbox_adopt(struct redis *redis, struct slice node, struct redis_call *call);
/* outbox_done: one is published, or nobody wants it. */
enum err outbox_done(struct redis *redis, struct slice id, struct redis_call *call);

#endif
