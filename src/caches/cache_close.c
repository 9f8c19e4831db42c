/* The daemon ends. Servers that outlive it are left alone; of the others, no client writes any more
 * when the primary saves, and the replicas end behind it: what was acknowledged is in its files,
 * or, should it fail, in theirs. Of caches without persistence nothing is kept, as they were told.
 */
#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"

enum { CLOSE_SHUT, CLOSE_PRIMARIES, CLOSE_REPLICAS, CLOSE_END };

static enum member_stop how_of(const struct cache *cache)
{
    return cache_spec_has_rdb(&cache->spec)   ? STOP_SAVE
           : cache_spec_has_aof(&cache->spec) ? STOP_SYNC
                                              : STOP_DROP;
}

static void stop(struct cache *cache, struct seat *seat, enum member_stop how)
{
    seat->op = (struct op){0};
    member_stop(seat->member, how, &seat->op);
    (void)routine_wait(&cache->work->routine, &seat->op, E_OK);
}

static bool is_primary(const struct cache *cache, const struct seat *seat)
{
    const struct cache_shard *shard = cache_shard_with(cache, seat->name);
    return shard != NULL && slice_eq(slice_of(shard->primary), slice_of(seat->name));
}

static enum stage shut_all(struct cache *cache)
{
    struct seat *seat;

    list_each (&cache->work->seats, struct seat, node, seat)
        if (member_is_up(seat->member) && is_primary(cache, seat) && cache->spec.shards == 0) {
            member_shut(seat->member, &seat->talk);
            (void)routine_wait(&cache->work->routine, &seat->talk.op, E_OK);
        }
    return STAGE_GOES_ON;
}

static enum stage stop_all(struct cache *cache, bool primaries)
{
    struct seat *seat;

    list_each (&cache->work->seats, struct seat, node, seat)
        if (is_primary(cache, seat) == primaries)
            stop(cache, seat, primaries ? how_of(cache) : STOP_DROP);
    return STAGE_GOES_ON;
}

enum stage cache_close_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = cache_of(routine);

    if (err) /* whatever cannot be done, the rest is */
        log_warn("CACHE-CLOSE", "%s: %s", cache->name, cause_text(&routine->why, err));
    if (cache->options->settings.is_detached || cache->work->was_cut)
        return routine_end(routine, E_OK);
    switch (stage) {
    case CLOSE_SHUT:
        return shut_all(cache);
    case CLOSE_PRIMARIES:
        return stop_all(cache, true);
    case CLOSE_REPLICAS:
        return stop_all(cache, false);
    default:
        return routine_end(routine, E_OK);
    }
}
