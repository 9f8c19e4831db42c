/* functions/listener_event.h - the trigger that does not listen: the router brings its events.
 * Rules: an arrival is one attempt to deliver a parcel; it ends well when every run of it did. What
 * has no slot yet waits, and is given back (E_CANCELED) when the app stops or pauses. */
#ifndef FUNCTIONS_LISTENER_EVENT_H
#define FUNCTIONS_LISTENER_EVENT_H

#include "event/target.h"
#include "functions/listener.h"

struct event_job;

struct arrival {
    /* The owner's: kept until `ended`. */
    const struct parcel *parcel;
    /* Once, later or from within event_listener_take(): E_OK; E_CANCELED, nothing is known, and it
     * may be taken again; any other: failed, with the first error in `why`. */
    void (*ended)(struct arrival *arrival, enum err err, const struct cause *why);
    struct list_node node; /* the owner's while nobody has taken it; else the listener's */
    /* The listener's. */
    struct listener *listener; /* NULL: nobody has taken it */
    struct event_job *jobs;    /* one per run */
    size_t job_count, left;
    enum err err; /* the first */
    struct cause why;
};

/* event_listener_take runs the function with the events: all of them at once if it takes batches,
 * else once for each. Not while it is paused or stopping. */
void event_listener_take(struct listener *listener, struct arrival *arrival);
/* event_listener_drop ends one that was taken soon, with E_CANCELED unless it had ended. */
void event_listener_drop(struct arrival *arrival);

#endif
