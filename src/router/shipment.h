/* router/shipment.h - one attempt to deliver one entry, or a batch of them, and what follows for
 * each: finished, parked until the next attempt, or dead. */
#ifndef ROUTER_SHIPMENT_H
#define ROUTER_SHIPMENT_H

#include "router/subscriber_internal.h"

/* One entry that was taken. */
struct held {
    struct subscriber *subscriber;
    struct list_node node;
    struct ending ending;
    struct event *event;  /* NULL: it cannot be read */
    uint32_t failed;      /* attempts */
    enum outcome outcome; /* of the last; OUTCOME_DELIVERED = there was none */
    unsigned http_status;
    uint64_t attempted_unix_ms;
    uint64_t accepted_unix_ms;
    struct buf texts; /* what the fields of a dead letter point into */
};

/* held_new reads an entry; it counts as under way until held_free(). */
struct held *held_new(struct subscriber *subscriber, const struct queue_entry *entry);
void held_free(struct held *held);
/* held_bury ends it as a dead letter. */
void held_bury(struct held *held, const char *reason);

/* shipment_start attempts to deliver; `held` are the delivery's from now on. */
void shipment_start(struct subscriber *subscriber, struct held *const *held, size_t count);
/* shipment_abort_all ends those under way soon. */
void shipment_abort_all(struct subscriber *subscriber);

#endif
