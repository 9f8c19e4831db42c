/* Update (caches.md 7.2): settings change while the servers run.
 *
 *   values --> link --> users                                                                  */
#include "base/mem.h"
#include "caches/live_settings.h"

#define CHANGED_MAX_BYTES 65536

struct scratch {
    struct live_scratch live; /* first: live_settings.h */
    struct buf changed;
};

static void end(struct operation *operation, struct lifecycle *event)
{
    struct scratch *s = operation->scratch;
    const json_t *changed = json_object_get(operation->arguments, "changed");

    buf_done(&s->changed);
    buf_init(&s->changed, CHANGED_MAX_BYTES);
    jx_dump(&s->changed, changed);
    event->about.updated.changed = buf_slice(&s->changed);
}

static void done(void *scratch)
{
    struct scratch *s = scratch;

    live_scratch_done(&s->live);
    buf_done(&s->changed);
}

static const struct operation_step steps[] = {
    {"values", live_values, live_values},
    {"link", live_link, live_link},
    {"users", live_users, live_users},
};

const struct operation_kind operation_update = {
    .name = "update",
    .phase = PHASE_UPDATING,
    .undoing = PHASE_UPDATING,
    .event = LIFECYCLE_UPDATED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = COUNT_OF(steps),
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
    .check = live_check,
    .end = end,
};
