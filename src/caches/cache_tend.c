/* Members that are not what the record wants them to be: a dead one is started again, emptied, as a
 * replica; one that lives and is no copy follows its primary until it is. One at a time; one that
 * fails waits, twice as long each time. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"
#include "loop/loop.h"

struct cache *cache_of(struct routine *routine)
{
    return container_of(routine, struct cache_work, routine)->cache;
}

static bool is_wanted(const struct cache *cache, const struct cache_shard *shard,
                      const struct cache_member *member)
{
    const struct cache_member *primary = cache_shard_primary(shard);

    if (primary == NULL || member == primary || member->is_side || primary->state != MEMBER_OPEN ||
        !cache_is_up(cache, primary->name) || cache->spec.shards != 0)
        return false;
    return member->state == MEMBER_GONE || (member->state == MEMBER_CLOSED && !member->is_in_sync &&
                                            cache_is_up(cache, member->name));
}

struct seat *cache_next_due(struct cache *cache, uint64_t *ret_ms)
{
    struct seat *first = NULL;

    for (size_t i = 0; i < cache->state.shard_count; i++)
        for (size_t j = 0; j < cache->state.shards[i].member_count; j++) {
            const struct cache_member *member = &cache->state.shards[i].members[j];
            struct seat *seat = cache_seat(cache, member->name);
            if (is_wanted(cache, &cache->state.shards[i], member) &&
                (first == NULL || seat->due_at_ms < first->due_at_ms))
                first = seat;
        }
    if (first != NULL)
        *ret_ms = first->due_at_ms;
    return first;
}

static void wait_longer(struct seat *seat)
{
    uint64_t wait_ms = RETRY_FIRST_MS;

    for (uint32_t i = 0; i < seat->tries && wait_ms < RETRY_LAST_MS; i++)
        wait_ms *= 2;
    seat->tries++;
    seat->due_at_ms = loop_now_ms(seat->cache->options->loop) +
                      (wait_ms < RETRY_LAST_MS ? wait_ms : RETRY_LAST_MS);
}

/* Ends well in any case: what went wrong is the member's, and is tried again. */
static enum stage fail(struct routine *routine, struct seat *seat, enum err err)
{
    struct cache_member *member = cache_state_find(&seat->cache->state, slice_of(seat->name));

    if (err != E_CANCELED) {
        log_warn("CACHE-TEND", "%s: %s", seat->cache->name, cause_text(&routine->why, err));
        wait_longer(seat);
    }
    if (member != NULL && member->state == MEMBER_STARTING && !member_is_up(seat->member))
        member->state = MEMBER_GONE;
    else if (member != NULL && member->state == MEMBER_STARTING)
        member->state = MEMBER_CLOSED; /* it runs, but is no copy yet */
    return routine_end(routine, E_OK);
}

enum { TEND_BEGIN, TEND_TELL, TEND_END };

enum stage cache_tend_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = cache_of(routine);
    struct cache_work *w = cache->work;
    uint64_t due;
    struct seat *seat =
        stage == TEND_BEGIN ? cache_next_due(cache, &due) : cache_seat(cache, w->task.name);

    if (seat == NULL)
        return routine_end(routine, err);
    if (err)
        return fail(routine, seat, err);
    switch (stage) {
    case TEND_BEGIN:
        return routine_wait(routine, &w->task.routine.op,
                            member_is_up(seat->member)
                                ? cache_follow_member(cache, seat->name, &w->task)
                                : cache_start_member(cache, seat->name, false, &w->task));
    case TEND_TELL:
        cache_tell_up(seat);
        return routine_wait(routine, &w->op, cache_record(cache, &w->op));
    default:
        return routine_end(routine, E_OK);
    }
}
