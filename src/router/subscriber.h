/* router/subscriber.h - one event subscription at work: takes entries from its queue, as many as
 * its window has room for, has them delivered, and tells the queue what became of them.
 * Rules: what is not asked for is not read, so a slow endpoint costs no memory. Fresh entries go
 * ahead of retries, but never keep them all back. After many failures in a row the endpoint is left
 * alone for a while (breaker.h). An attempt counts when its outcome is known and stored: a crash
 * repeats it and uses none up. */
#ifndef ROUTER_SUBSCRIBER_H
#define ROUTER_SUBSCRIBER_H

#include "event/subscription.h"
#include "event/target.h"
#include "loop/op.h"
#include "router/tally.h"
#include "store/queue.h"

struct loop;
struct subscriber;

#define SUBSCRIBER_WINDOW 64    /* events with the endpoint, or two batches */
#define SUBSCRIBER_OWED_MAX 256 /* beside these: whose ending the queue is not told yet */
#define SUBSCRIBER_MAX_BYTES (8 * 1024 * 1024) /* of all of them, as far as one can tell */

/* Should a word be lost: a node that nobody knew yet parks something and leaves, a connection is
 * dead unnoticed. */
#define SUBSCRIBER_LOOK_MS 30000

struct subscriber_options {
    struct loop *loop;
    struct redis *redis;                     /* the store's; borrowed */
    struct wakes *wakes;                     /* to other nodes; borrowed; NULL = there are none */
    struct slice id;                         /* of the queue */
    const char *node;                        /* of this run */
    struct event_rules rules;                /* how what the queue holds was published; borrowed */
    const struct subscription *subscription; /* borrowed */
    struct tally *tally;                     /* borrowed */
    struct target *target;                   /* borrowed */
    bool (*is_dead)(void *ctx, struct slice node); /* whose entries are to be taken over */
    void *ctx;
    void (*died)(void *ctx); /* there is one more dead letter; NULL = nobody asks */
    void *died_ctx;
    bool has_predecessor;      /* until subscriber_inherit(): another one of this node is at work on
                                  the queue, and ends */
    uint32_t window;           /* events under way; 0 = SUBSCRIBER_WINDOW */
    uint32_t look_ms;          /* how often it looks unasked; 0 = SUBSCRIBER_LOOK_MS */
    uint64_t (*unix_ms)(void); /* the wall clock; NULL = that of the machine */
};

/* subscriber_start opens the queue and begins. Nothing can fail now. */
struct subscriber *subscriber_start(const struct subscriber_options *options);
/* subscriber_inherit: no other one of this node is at work on the queue any more. What it parked or
 * set free may be due, and what it was given and did not look at is ours. */
void subscriber_inherit(struct subscriber *subscriber);
/* subscriber_wake: there may be something fresh. */
void subscriber_wake(struct subscriber *subscriber);
/* subscriber_recheck: a node has died, or the store was away: there may be anything. */
void subscriber_recheck(struct subscriber *subscriber);
/* subscriber_look_again: another node has more than it can take, or may have. */
void subscriber_look_again(struct subscriber *subscriber);
struct queue *subscriber_queue(struct subscriber *subscriber);
size_t subscriber_in_flight(const struct subscriber *subscriber);
/* When the endpoint is left alone: until when, monotonic; 0 = it is not. */
uint64_t subscriber_rests_until_ms(const struct subscriber *subscriber);

/* subscriber_stop takes nothing more; the op ends when what is under way has ended and is told.
 * subscriber_hurry cuts that short: attempts are aborted, and their entries stay for whoever takes
 * over. */
void subscriber_stop(struct subscriber *subscriber, struct op *op);
void subscriber_hurry(struct subscriber *subscriber);
void subscriber_free(struct subscriber *subscriber); /* after the stop */

#endif
