/* event/write.h - events as subscribers get them (eventgrid.md 1.4, 4.2).
 * Data is copied byte for byte from what was published. Pure: callable anywhere. */
#ifndef EVENT_WRITE_H
#define EVENT_WRITE_H

#include "event/event.h"

/* schema_converts: can events of a topic with `input` be delivered as `output`? */
bool schema_converts(enum event_schema input, enum event_schema output);

/* What a dead letter says about the deliveries of its event. */
struct dead_letter {
    struct slice reason;  /* "MaxDeliveryAttemptsExceeded" */
    struct slice outcome; /* of the last attempt: "NotFound"; empty = there was none */
    uint32_t attempts;
    unsigned http_status;       /* of the last attempt; 0 = none */
    uint64_t attempted_unix_us; /* when the last attempt began; 0 = there was none */
};

/* event_write appends the event as one JSON object. `output` must be one that its schema converts
 * to. With `dead` (else NULL) the members of a dead letter are added; a custom event is then put
 * into an Event Grid envelope. A miss stays in `out`. */
void event_write(struct buf *out, const struct event *event, enum event_schema output,
                 const struct dead_letter *dead);
/* event_write_dead_pull appends the dead letter of queue mode: the event as a CloudEvent, beside it
 * what is known about its deliveries. */
void event_write_dead_pull(struct buf *out, const struct event *event,
                           const struct dead_letter *dead);
/* event_write_all appends an array of events. */
void event_write_all(struct buf *out, struct event *const *events, size_t count,
                     enum event_schema output);

/* event_content_type is that of a delivery, charset included. */
const char *event_content_type(enum event_schema output, bool is_batch);

#endif
