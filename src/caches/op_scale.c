/* Scale of a cache without shards (caches.md 7.2): another size in place, more replicas or fewer.
 *
 *   values --> link --> users --> replicas --> done
 *
 * Each makes it so as cache->spec says, so undone it makes it so again. What else differs in the
 * spec comes with it. */
#include "base/mem.h"
#include "caches/cache_crew.h"
#include "caches/change.h"
#include "caches/live_settings.h"
#include "json/member.h"

struct scratch {
    struct live_scratch live; /* first: live_settings.h */
    struct crew_task crew;
};

static enum err accept(const struct operation_wish *wish, struct buf *ret, struct cause *why)
{
    if (wish->spec->shards != 0)
        return cause_set(why, E_BAD_INPUT,
                         "properties.shardCount: a cache with shards cannot be scaled yet");
    member_open(ret, "changed");
    cache_spec_write_changed(ret, wish->before, wish->spec);
    buf_add_byte(ret, '}');
    return E_OK;
}

enum { REPLICAS_TRIM, REPLICAS_FILL, REPLICAS_END };

static enum stage replicas(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = operation_of(routine)->cache;
    struct scratch *s = operation_of(routine)->scratch;

    if (err || stage == REPLICAS_END)
        return routine_end(routine, err);
    return routine_wait(routine, &s->crew.routine.op,
                        stage == REPLICAS_TRIM ? cache_crew_trim(cache, 0, &s->crew)
                                               : cache_crew_fill(cache, 0, NULL, &s->crew));
}

static enum stage tell(struct routine *routine, uint32_t stage, enum err err)
{
    (void)stage;
    announcer_tell(operation_of(routine)->cache->announcer, NOTICE_SCALE_COMPLETE, false);
    return routine_end(routine, err);
}

static void done(void *scratch)
{
    struct scratch *s = scratch;

    live_scratch_done(&s->live);
    crew_task_done(&s->crew);
}

static const struct operation_step steps[] = {
    {"values", live_values, live_values},
    {"link", live_link, live_link},
    {"users", live_users, live_users},
    {"replicas", replicas, replicas},
    {"done", tell, NULL},
};

const struct operation_kind operation_scale = {
    .name = "scale",
    .phase = PHASE_SCALING,
    .undoing = PHASE_RECOVERING,
    .event = LIFECYCLE_SCALING_COMPLETED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = COUNT_OF(steps) - 1,
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
    .accept = accept,
    .check = live_check,
};
