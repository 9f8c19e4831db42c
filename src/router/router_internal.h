/* router/router_internal.h - what the router's own files share. */
#ifndef ROUTER_ROUTER_INTERNAL_H
#define ROUTER_ROUTER_INTERNAL_H

#include "loop/loop.h"
#include "router/router.h"

/* When so much is on its way to queues, no further event is: one that many want is copied for each
 * of them. */
#define APPENDING_MAX_BYTES (16 * 1024 * 1024)

struct router {
    struct router_options options;
    struct tallies tallies;
    struct topic_tally *nowhere; /* of requests to topics that there are not */
    struct catalog *catalog;
    struct resources *resources;
    struct survey *survey;
    struct changes *changes;
    struct emitter *emitter;
    struct identity *identity;
    struct expiry *expiry;
    struct wakes *wakes; /* NULL once closed */
    struct op loading, *loaded;
    size_t publications; /* under way */
    size_t publishing_bytes;
    size_t appending_bytes; /* of what is on the way to queues, for each of them */
    struct list stalled;    /* publications that wait until there are fewer */
    struct list crowd;      /* ops that wait for room */
    struct list sweeps;     /* the same */
    struct op step;         /* of stopping */
    struct op *stopped;
    struct timer *timer; /* the limit of a stop */
    bool is_loaded;
    bool is_stopping;
    bool is_late;
};

/* router_go_on: a publication, a change or a sweep has ended; perhaps the last that a stop waits
 * for. */
void router_go_on(struct router *router);

/* router_let_in ends the wait of those for whom there is room now. */
void router_let_in(struct router *router);

#endif
