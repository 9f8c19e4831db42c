/* Create (caches.md 7.1): whoever accepted it has chosen ports and keys, and recorded them.
 *
 *   primary: START, OPEN --> replicas: START each, in sync --> Succeeded
 *
 * Undone, all of them are stopped; the resource stays, with the error. */
#include "base/mem.h"
#include "caches/cache_crew.h"

struct scratch {
    struct member_task task;
    struct crew_task crew;
};

static struct scratch *scratch_of(struct routine *routine)
{
    return operation_of(routine)->scratch;
}

static enum err accept(const struct operation_wish *wish, struct buf *ret, struct cause *why)
{
    (void)ret;
    if (wish->spec->shards != 0)
        return cause_set(why, E_BAD_INPUT, "properties.shardCount: is not possible yet");
    return E_OK;
}

static const char *first_member(const struct cache *cache)
{
    const struct cache_shard *shard = cache_shard_of(cache, 0);
    return shard != NULL && shard->member_count > 0 ? shard->members[0].name : NULL;
}

enum { PRIMARY_START, PRIMARY_OPEN, PRIMARY_END };

static enum stage primary(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = operation_of(routine)->cache;
    struct scratch *s = scratch_of(routine);
    const struct cache_member *open = cache_primary(cache, 0);
    struct cache_member *added;

    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case PRIMARY_START:
        if (open != NULL && open->state == MEMBER_OPEN)
            return routine_end(routine, E_OK);
        if (first_member(cache) == NULL)
            err = cache_add_member(cache, 0, NULL, &added, &routine->why);
        if (err)
            return routine_end(routine, err);
        return routine_wait(routine, &s->task.routine.op,
                            cache_start_member(cache, first_member(cache), false, &s->task));
    case PRIMARY_OPEN:
        return routine_wait(routine, &s->task.routine.op,
                            cache_open_member(cache, first_member(cache), &s->task));
    default:
        return routine_end(routine, E_OK);
    }
}

static enum stage replicas(struct routine *routine, uint32_t stage, enum err err)
{
    struct scratch *s = scratch_of(routine);

    if (err || stage > 0)
        return routine_end(routine, err);
    return routine_wait(routine, &s->crew.routine.op,
                        cache_crew_fill(operation_of(routine)->cache, 0, NULL, &s->crew));
}

static enum stage stop_all(struct routine *routine, uint32_t stage, enum err err)
{
    struct scratch *s = scratch_of(routine);

    if (err || stage > 0)
        return routine_end(routine, err);
    return routine_wait(routine, &s->crew.routine.op,
                        cache_crew_stop(operation_of(routine)->cache, 0, STOP_DROP, &s->crew));
}

static void done(void *scratch)
{
    struct scratch *s = scratch;

    member_task_done(&s->task);
    crew_task_done(&s->crew);
}

static void end(struct operation *operation, struct lifecycle *event)
{
    const struct cache_member *member = cache_primary(operation->cache, 0);
    event->about.created.server_version = member != NULL ? member->version : NULL;
}

static const struct operation_step steps[] = {
    {"primary", primary, stop_all},
    {"replicas", replicas, stop_all},
};

const struct operation_kind operation_create = {
    .name = "create",
    .phase = PHASE_CREATING,
    .undoing = PHASE_CREATING,
    .event = LIFECYCLE_CREATED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = COUNT_OF(steps),
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
    .accept = accept,
    .end = end,
};
