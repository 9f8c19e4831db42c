/* router/entry.h - an entry of a queue, as the event that it was. */
#ifndef ROUTER_ENTRY_H
#define ROUTER_ENTRY_H

#include "event/event.h"
#include "store/queue.h"

/* entry_event reads it as it was published; one reference. NULL: it is no event any more, which is
 * logged with the subscription's name. */
struct event *entry_event(const struct event_rules *rules, const struct queue_entry *entry,
                          const char *subscription);

#endif
