/* api/event_status.h - what is known about topics and event subscriptions at work, as JSON. How
 * much stands in the queues is as of the last survey (api/looking.h). */
#ifndef API_EVENT_STATUS_H
#define API_EVENT_STATUS_H

#include "base/buf.h"

struct member;
struct router;

/* An object with the counts of one. */
void event_counts_json(struct buf *out, const struct member *member);
/* The array of all topics with their subscriptions; empty if `router` is NULL. */
void event_status_json(struct buf *out, struct router *router);

#endif
