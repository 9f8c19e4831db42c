/* event/source.h - the kinds of resources that emit events by themselves, and which events. Their
 * topics are system topics: nobody else publishes there. Behaviour: eventgrid.md 1.5, caches.md 9.
 * To add a kind: a row in event_sources[], with its events. Pure. */
#ifndef EVENT_SOURCE_H
#define EVENT_SOURCE_H

#include <stdbool.h>

#include "base/str.h"

struct event_kind {
    const char *name; /* the event's type */
    const char *title, *description;
    bool is_default; /* subscriptions that name no types get it */
};

struct event_source {
    const char *type;     /* of the topic: "Microsoft.Cache.Redis" */
    const char *provider; /* "Microsoft.Cache" */
    const char *path;     /* stands before the name in a resource id, in lower case */
    const char *title, *description;
    const char *format; /* of the resource ids */
    const struct event_kind *kinds;
    size_t kind_count;
};

#define EVENT_SOURCES 1
extern const struct event_source event_sources[EVENT_SOURCES];

/* event_source_find finds a kind by the type of its topic, event_source_of by the id of a resource,
 * both in any case; NULL. */
const struct event_source *event_source_find(struct slice type);
const struct event_source *event_source_of(struct slice resource_id);
/* event_source_has: does it emit such an event? The type in any case. */
bool event_source_has(const struct event_source *source, struct slice type);

#endif
