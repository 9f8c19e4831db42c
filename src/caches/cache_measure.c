/* Now and then, when there is nothing else to do: how full the primaries are (pressure.h). */
#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"
#include "loop/loop.h"

#define MEASURE_EVERY_MS 2000

enum { MEASURE_ASK, MEASURE_TELL, MEASURE_END };

static struct seat *seat_of(struct cache *cache, size_t shard)
{
    const struct cache_member *primary = cache_shard_primary(&cache->state.shards[shard]);

    return primary != NULL && primary->state == MEMBER_OPEN && cache_is_up(cache, primary->name)
               ? cache_seat(cache, primary->name)
               : NULL;
}

static enum stage ask(struct cache *cache)
{
    struct cache_work *w = cache->work;

    w->measure_due_ms = loop_now_ms(cache->options->loop) + MEASURE_EVERY_MS;
    for (size_t i = 0; i < cache->state.shard_count; i++) {
        struct seat *seat = seat_of(cache, i);
        if (seat == NULL)
            continue;
        seat->op = (struct op){0};
        member_info(seat->member, &seat->info, &seat->op);
        (void)routine_wait(&w->routine, &seat->op, E_OK);
    }
    return STAGE_GOES_ON;
}

static bool tell_if_full(struct cache *cache, struct seat *seat)
{
    const struct member_info *info = &seat->info;
    struct lifecycle event = {.kind = LIFECYCLE_MEMORY_PRESSURE};

    if (!pressure_note(&seat->pressure, info->used_bytes, info->maxmemory_bytes,
                       loop_now_ms(cache->options->loop)))
        return false;
    log_warn("CACHE-FULL", "%s: more than 90 percent of its memory is used", cache->name);
    event.about.memory.used_bytes = info->used_bytes;
    event.about.memory.max_bytes = info->maxmemory_bytes;
    event.about.memory.evicted_keys = info->evicted_keys;
    cache_event(cache, &event);
    return true;
}

static enum stage tell(struct cache *cache)
{
    struct cache_work *w = cache->work;
    bool is_news = false;

    for (size_t i = 0; i < cache->state.shard_count; i++) {
        struct seat *seat = seat_of(cache, i);
        is_news |= seat != NULL && tell_if_full(cache, seat);
    }
    return is_news ? routine_wait(&w->routine, &w->op, cache_record(cache, &w->op))
                   : routine_end(&w->routine, E_OK);
}

enum stage cache_measure_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = cache_of(routine);

    if (err || stage == MEASURE_END)
        return routine_end(routine, err);
    return stage == MEASURE_ASK ? ask(cache) : tell(cache);
}
