/* event/write.h - events as subscribers get them (eventgrid.md 1.4).
 * Data is copied byte for byte from what was published. Pure: callable anywhere. */
#ifndef EVENT_WRITE_H
#define EVENT_WRITE_H

#include "event/dead_letter.h"

/* schema_converts: can events of a topic with `input` be delivered as `output`? */
bool schema_converts(enum event_schema input, enum event_schema output);

/* event_write appends the event as one JSON object. `output` must be one that its schema converts
 * to. With `dead` (else NULL) the members of a dead letter are added; a custom event is then put
 * into an Event Grid envelope. A miss stays in `out`. */
void event_write(struct buf *out, const struct event *event, enum event_schema output,
                 const struct dead_letter *dead);
/* event_write_all appends an array of events. */
void event_write_all(struct buf *out, struct event *const *events, size_t count,
                     enum event_schema output);

/* event_content_type is that of a delivery, charset included. */
const char *event_content_type(enum event_schema output, bool is_batch);

#endif
