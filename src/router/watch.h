/* router/watch.h - what happens to events, told to who looks, while somebody does.
 * Rules: with nobody watching it costs the events one branch. What is told is borrowed until `see`
 * returns, which must neither wait nor change the router.
 * To add a sight: a row here, a tally_..() that tells it, its words in api/event_tail.c and
 * cmd/events.c. */
#ifndef ROUTER_WATCH_H
#define ROUTER_WATCH_H

#include "event/event.h"
#include "event/schedule.h"

/* sight, its name in what is shown */
#define SIGHTS(X)                                                                                  \
    X(SIGHT_PUBLISHED, "published") /* and stored in `count` queues */                             \
    X(SIGHT_REFUSED, "refused")     /* a publisher's request, for `reason` */                      \
    X(SIGHT_DELIVERED, "delivered") /* by this attempt */                                          \
    X(SIGHT_FAILED, "failed")       /* this attempt, with this outcome */                          \
    X(SIGHT_PARKED, "parked")       /* until the next attempt, `due_unix_ms` */                    \
    X(SIGHT_DEAD, "dead")           /* a dead letter after `attempt` attempts; or `count` */       \
    X(SIGHT_PULLED, "pulled")       /* `count` events; `reason` is a pull result's name */         \
    X(SIGHT_DROPPED, "dropped")     /* `count` events, undelivered */

#define SIGHT_ENUM(sight, name) sight,
enum sight { SIGHTS(SIGHT_ENUM) };
#undef SIGHT_ENUM

/* What does not belong to a sight is zero. */
struct sighting {
    enum sight sight;
    const char *topic;         /* "" = there is none of that name */
    const char *subscription;  /* NULL = of the topic */
    const struct event *event; /* NULL = of none, or it cannot be read */
    uint64_t count;
    uint32_t attempt; /* from 1; of a dead letter: how many there were */
    enum outcome outcome;
    unsigned http_status; /* 0 = no answer, or none of HTTP */
    uint64_t took_us;     /* from accepting it to its delivery */
    uint64_t due_unix_ms;
    const char *reason;
};

struct watch {
    void (*see)(void *ctx, const struct sighting *sighting); /* NULL = nobody looks */
    void *ctx;
};

#endif
