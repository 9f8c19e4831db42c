#include "router/entry.h"

#include "base/log.h"
#include "router/head.h"

struct event *entry_event(const struct event_rules *rules, const struct queue_entry *entry,
                          const char *subscription)
{
    struct refusal why;
    struct event *event;

    if (head_read(rules, entry->head, entry->body, &event, &why) == E_OK)
        return event;
    log_error("EVENT-UNREADABLE", "%s: entry %.*s of its queue is no event any more: %s",
              subscription, SLICE_ARG(entry->id), why.text.text);
    return NULL;
}
