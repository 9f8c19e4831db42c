#include "caches/cache_crew.h"

#include "base/mem.h"
#include "caches/cache_internal.h"

static bool is_well(const struct cache *cache, const struct cache_shard *shard,
                    const struct cache_member *member)
{
    return member == cache_shard_primary(shard) ||
           (member->state == MEMBER_CLOSED && member->is_in_sync &&
            cache_is_up(cache, member->name));
}

static bool counts(const struct cache_member *member)
{
    return !member->is_side && member->state != MEMBER_STOPPING;
}

static size_t count_all(const struct cache_shard *shard)
{
    size_t count = 0;

    for (size_t i = 0; i < shard->member_count; i++)
        count += counts(&shard->members[i]);
    return count;
}

static enum err add_missing(struct crew_task *task)
{
    struct cache *cache = task->cache;
    struct cache_shard *shard = cache_shard_of(cache, task->shard);
    size_t wanted = 1 + cache_spec_numbers(&cache->spec, &cache->host).replicas;
    size_t there = shard != NULL ? count_all(shard) : 0;
    struct cache_member *added;
    enum err err = E_OK;

    for (; there < wanted && err == E_OK; there++)
        err = cache_add_member(cache, task->shard, task->program, &added, &task->routine.why);
    return err;
}

static enum stage start_all(struct crew_task *task)
{
    struct cache *cache = task->cache;
    struct cache_shard *shard = cache_shard_of(cache, task->shard);

    for (size_t i = 0; i < shard->member_count; i++) {
        const struct cache_member *member = &shard->members[i];
        struct routine *start = &task->tasks[i].routine;
        if (counts(member) && !is_well(cache, shard, member))
            (void)routine_wait(&task->routine, &start->op,
                               cache_start_member(cache, member->name, false, &task->tasks[i]));
    }
    return STAGE_GOES_ON;
}

static enum stage fill_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct crew_task *task = container_of(routine, struct crew_task, routine);

    if (err == E_OK && stage == 0)
        err = add_missing(task);
    if (err)
        return routine_end(routine, err);
    return stage == 0 ? start_all(task) : routine_end(routine, E_OK);
}

/* ---- fewer ---- */

/* The last one that is no copy, else the last; NULL: only the primary is left. */
static struct cache_member *least_of(const struct cache *cache, struct cache_shard *shard)
{
    struct cache_member *least = NULL;

    for (size_t i = 0; i < shard->member_count; i++) {
        struct cache_member *member = &shard->members[i];
        bool is_replica = counts(member) && member != cache_shard_primary(shard);
        if (is_replica &&
            (least == NULL || !is_well(cache, shard, member) || is_well(cache, shard, least)))
            least = member;
    }
    return least;
}

/* Who is chosen is recorded as stopping with the first of them. */
static void choose(struct crew_task *task, struct cache_shard *shard)
{
    size_t wanted = 1 + cache_spec_numbers(&task->cache->spec, &task->cache->host).replicas;
    struct cache_member *least;

    for (size_t there = count_all(shard); there > wanted; there--)
        if ((least = least_of(task->cache, shard)) != NULL)
            least->state = MEMBER_STOPPING;
}

static enum stage trim_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct crew_task *task = container_of(routine, struct crew_task, routine);
    struct cache_shard *shard = cache_shard_of(task->cache, task->shard);

    if (err || stage > 0 || shard == NULL)
        return routine_end(routine, err);
    choose(task, shard);
    for (size_t i = 0; i < shard->member_count; i++)
        if (shard->members[i].state == MEMBER_STOPPING && !shard->members[i].is_side)
            (void)routine_wait(
                routine, &task->tasks[i].routine.op,
                cache_stop_member(task->cache, shard->members[i].name, STOP_DROP, &task->tasks[i]));
    return STAGE_GOES_ON;
}

static enum stage stop_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct crew_task *task = container_of(routine, struct crew_task, routine);
    struct cache_shard *shard = cache_shard_of(task->cache, task->shard);

    if (err || stage > 0 || shard == NULL)
        return routine_end(routine, err);
    for (size_t i = 0; i < shard->member_count; i++)
        (void)routine_wait(
            routine, &task->tasks[i].routine.op,
            cache_stop_member(task->cache, shard->members[i].name, task->how, &task->tasks[i]));
    return STAGE_GOES_ON;
}

enum err cache_crew_fill(struct cache *cache, uint32_t shard, const char *program,
                         struct crew_task *task)
{
    task->cache = cache;
    task->shard = shard;
    task->program = program;
    routine_start(&task->routine, cache->options->loop, fill_run);
    return E_OK;
}

enum err cache_crew_trim(struct cache *cache, uint32_t shard, struct crew_task *task)
{
    task->cache = cache;
    task->shard = shard;
    routine_start(&task->routine, cache->options->loop, trim_run);
    return E_OK;
}

enum err cache_crew_stop(struct cache *cache, uint32_t shard, enum member_stop how,
                         struct crew_task *task)
{
    task->cache = cache;
    task->shard = shard;
    task->how = how;
    routine_start(&task->routine, cache->options->loop, stop_run);
    return E_OK;
}

void crew_task_done(struct crew_task *task)
{
    for (size_t i = 0; i < COUNT_OF(task->tasks); i++)
        member_task_done(&task->tasks[i]);
}
