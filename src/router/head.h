/* router/head.h - what stands beside an event's body in its queue: "published_unix_us id"; the id
 * is there for events that bring none, and may be missing for others. */
#ifndef ROUTER_HEAD_H
#define ROUTER_HEAD_H

#include "event/event.h"

#define HEAD_MAX_BYTES 512 /* no head is longer */

void head_write(struct buf *out, const struct event *event);
/* head_read makes the event anew of its head and body. E_OK and *ret, one reference; else it is no
 * event any more: E_BAD_INPUT, or that of the refusal in `why`. */
enum err head_read(const struct event_rules *rules, struct slice head, struct slice body,
                   struct event **ret, struct refusal *why);

#endif
