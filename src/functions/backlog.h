/* functions/backlog.h - how much waits for one function: for scaling, metrics and status pages.
 * Behaviour: functions.md 12 of the specification; any error of the server counts as nothing
 * waiting. */
#ifndef FUNCTIONS_BACKLOG_H
#define FUNCTIONS_BACKLOG_H

#include "apps/app.h"
#include "functions/scale.h"
#include "redis/client.h"

struct loop;
struct backlog;

struct backlog_sample {
    uint64_t remaining;     /* elements of the lists; entries that the group has not read */
    uint64_t pending;       /* streams: read by any node, not acknowledged */
    uint64_t oldest_age_ms; /* streams: of the oldest that is pending; 0 = none */
};

/* backlog_new borrows the trigger. `sampled` comes after each backlog_sample(). */
struct backlog *backlog_new(struct loop *loop, struct redis_hub *hub, struct redis_options *options,
                            const struct trigger *trigger, void (*sampled)(void *ctx), void *ctx);
/* backlog_sample asks the server; nothing happens while the last question is unanswered. */
void backlog_sample(struct backlog *backlog);
const struct backlog_sample *backlog_last(const struct backlog *backlog);
void backlog_free(
    struct backlog *backlog); /* NULL is fine. In callbacks: yes; answers under way are dropped. */

#endif
