/* router/subscriber_internal.h - what subscriber.c and shipment.c share. */
#ifndef ROUTER_SUBSCRIBER_INTERNAL_H
#define ROUTER_SUBSCRIBER_INTERNAL_H

#include "router/breaker.h"
#include "router/endings.h"
#include "router/rate.h"
#include "router/subscriber.h"

enum taking { TAKE_NOTHING, TAKE_OPEN, TAKE_HOLDERS, TAKE_ADOPT, TAKE_FRESH, TAKE_DUE };

struct subscriber {
    struct subscriber_options options;
    struct queue *queue;
    struct endings endings;
    struct breaker breaker;
    struct rate rate;
    struct list held;      /* all entries under way */
    struct list shipments; /* the attempts */
    size_t in_flight;      /* entries that were taken and whose ending is not told */
    size_t window;

    enum taking taking;                                    /* what the call under way asks for */
    enum { GATHER_NOT, GATHER_ON, GATHER_DONE } gathering; /* the wait for more room before it */
    struct redis_call call;
    bool is_open;          /* the queue is there */
    bool has_holders;      /* somebody who is gone may hold entries */
    bool has_lost;         /* we may hold what we do not know of, since an answer was lost */
    bool adopts_own;       /* in this round over the holders */
    bool has_fresh;        /* there may be something fresh */
    bool has_more;         /* what came last was not all of it */
    bool was_due;          /* the last thing taken was due ones: fresh ones have the next turn */
    uint64_t wakes;        /* counts them, ... */
    uint64_t taken_wakes;  /* ... and how many there were when the call began */
    uint64_t told_wakes;   /* ... and when the others were told that there is more than room */
    uint64_t told_unix_ms; /* of which parked entry they were told that it is due */
    size_t asked;
    char gone[64];         /* the node whose entries are adopted; "" = none */
    char start[48];        /* from which id on */
    struct reply *holders; /* kept while their entries are adopted */
    uint32_t holder_at;
    uint64_t due_unix_ms; /* of the next parked entry; UINT64_MAX = none */
    size_t largest_bytes; /* of an entry, lately: decides how many are taken at once */
    struct timer *timer;
    struct turn turn;
    struct op *stopped;
    bool is_waiting; /* a call failed a moment ago */
    bool is_idle;    /* nothing is known that there is to be done */
    bool is_stopping;
};

/* subscriber_pump takes what there is room for, at the end of this turn. */
void subscriber_pump(struct subscriber *subscriber);

#endif
