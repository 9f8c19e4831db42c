/* event/publish.h - the events of one request of a publisher.
 * Rules: all or nothing, one invalid event refuses the request. Which mode a CloudEvent came in is
 * told by the content type and `ce-*` headers. Behaviour: eventgrid.md 1, 2.5, 7. Pure but for the
 * ids that it asks for. */
#ifndef EVENT_PUBLISH_H
#define EVENT_PUBLISH_H

#include "base/id.h"
#include "event/event.h"

#define PUBLISH_MAX_BYTES 1536000
#define PUBLISH_EVENTS_MAX 5000
#define PUBLISH_NAMESPACE_EVENTS_MAX 1000

struct publish_rules {
    struct event_rules event;
    size_t events_max;          /* of one request; 0 = PUBLISH_EVENTS_MAX */
    bool takes_any_type;        /* namespace topics: a binary CloudEvent of any content type */
    uint64_t now_unix_us;       /* when the events count as published */
    struct id (*next_id)(void); /* for custom events that bring none */
};

struct publish_header {
    struct slice name; /* in any case */
    struct slice value;
};

struct publish_request {
    struct slice content_type;
    const struct publish_header *headers; /* those that begin with ce- suffice */
    size_t header_count;
    struct slice body;
};

struct event_batch {
    struct event **events; /* one reference each */
    size_t count;          /* at least 1 */
};

/* publish_read: E_OK and *ret, which event_batch_done() ends; or the error of the refusal in `why`,
 * and *ret is untouched. The request is needed no longer afterwards. */
enum err publish_read(const struct publish_rules *rules, const struct publish_request *request,
                      struct event_batch *ret, struct refusal *why);
void event_batch_done(struct event_batch *batch); /* leaves zeroes */

#endif
