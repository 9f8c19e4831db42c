/* router/active.h - one event subscription at work: what delivers its events, or who waits for
 * them. catalog.h makes and retires it. */
#ifndef ROUTER_ACTIVE_H
#define ROUTER_ACTIVE_H

#include "router/subscriber.h"

struct catalog;
struct mover;
struct tally;
struct target;

/* A subscription at work, until it is retired. Counted: publications under way hold it too. */
struct active {
    unsigned refs;
    struct catalog *catalog;
    struct subscription subscription;
    struct tally *tally;                        /* the member's; counted */
    struct target *target;                      /* NULL in queue mode */
    void (*free_target)(struct target *target); /* NULL: somebody else's */
    struct subscriber *subscriber;              /* NULL in queue mode, and once it has stopped */
    struct queue *queue;                        /* the subscriber's, or in queue mode our own */
    struct list receptions;                     /* of queue mode: who waits for events */
    uint64_t ttl_ms;                            /* of queue mode */
    uint64_t expiry_unix_ms;                    /* of queue mode: before that, nothing expires */
    struct mover *mover;                        /* NULL: its dead letters stay in the store */
    struct op stopped, moved;
    struct list_node node;  /* among the retired */
    struct list_node turns; /* among those in queue mode */
};
struct active *active_ref(struct active *active);
struct active *active_unref(struct active *active); /* NULL */
struct loop *active_loop(const struct active *active);
/* active_wake: something was appended to its queue, or released, or may have been. Those who wait
 * at other nodes are told too. */
void active_wake(struct active *active);
/* active_died: some that clients receive became dead letters, which may be carried to storage. */
void active_died(const struct active *active);
/* How many wait for events, of all subscriptions, and whether nobody may any longer. */
struct waits {
    size_t count;
    bool is_over;
};
struct waits *active_waits(const struct active *active);

#endif
