/* router/mover.h - carries the dead letters of one subscription from its own stream to blob
 * storage. Rules: what dies is in the stream first, in one step with leaving the queue. From there
 * it is written as a blob, and after that removed; a crash between writes the same blob again. What
 * could not be written within MOVER_GIVE_UP_MS of its death stays in the stream for good. Every
 * node has a mover for each subscription; two that carry the same dead letter write the same blob.
 * One that is redriven just when it is carried may do both: be delivered, and lie in storage. */
#ifndef ROUTER_MOVER_H
#define ROUTER_MOVER_H

#include "blob/blob.h"
#include "event/subscription.h"
#include "store/queue.h"

struct loop;
struct mover;

#define MOVER_GIVE_UP_MS ((uint64_t)4 * 3600 * 1000)

struct mover_options {
    struct loop *loop;
    struct redis *redis;                     /* the store's; borrowed */
    struct slice queue;                      /* its id */
    struct event_rules rules;                /* of the topic; borrowed */
    const struct subscription *subscription; /* borrowed */
    struct http_client *http;                /* borrowed */
    const struct blob_account *account;      /* borrowed */
    uint64_t (*now_unix_ms)(void);           /* NULL = the clock */
    uint32_t look_ms;                        /* how often it looks unasked; 0 = MOVER_LOOK_MS */
};

#define MOVER_LOOK_MS 5000

/* mover_start begins. Nothing can fail now. */
struct mover *mover_start(const struct mover_options *options);
/* mover_wake: something has died. */
void mover_wake(struct mover *mover);
/* mover_stop: the op ends when nothing is under way any more; what was is carried again later. */
void mover_stop(struct mover *mover, struct op *op);
void mover_free(struct mover *mover); /* after the stop; NULL is fine */

#endif
