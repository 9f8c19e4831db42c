/* event/dead_letter.h - an event that was given up, as it lies in storage: with what is known about
 * its deliveries (eventgrid.md 4.2; of queue mode 6), and made an event again. Pure. */
#ifndef EVENT_DEAD_LETTER_H
#define EVENT_DEAD_LETTER_H

#include "event/event.h"

struct dead_letter {
    struct slice reason;  /* "MaxDeliveryAttemptsExceeded" */
    struct slice outcome; /* of the last attempt: "NotFound"; empty = there was none */
    uint32_t attempts;
    unsigned http_status;       /* of the last attempt; 0 = none */
    uint64_t attempted_unix_us; /* when the last attempt began; 0 = there was none */
};

/* dead_letter_write appends the members that a dead letter has beside those of its event; for
 * event_write(). */
void dead_letter_write(struct buf *out, const struct event *event, const struct dead_letter *dead,
                       bool is_cloud_event);
/* event_write_dead_pull appends the dead letter of queue mode: the event as a CloudEvent, beside it
 * what is known about its deliveries. */
void event_write_dead_pull(struct buf *out, const struct event *event,
                           const struct dead_letter *dead);

/* dead_letter_read makes the event anew of a dead letter that was written by event_write() or
 * event_write_dead_pull(), whatever it was converted to; `rules` are its topic's. (What a
 * conversion left out is lost: the dataVersion of an Event Grid event that is stored as a
 * CloudEvent.) E_OK, *ret_event with one reference, and *ret, whose texts point into `json` or are
 * constant; or E_BAD_INPUT, E_LIMIT: it is none, or no event of this topic; then both are
 * untouched. */
enum err dead_letter_read(const struct event_rules *rules, struct slice json,
                          struct event **ret_event, struct dead_letter *ret, struct cause *why);

#endif
