/* After the start of the daemon: what lives is taken over, and made to be what the record says;
 * what is gone is left to the repair and to the tending. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"

enum { ADOPT_OWN, ADOPT_FIND, ADOPT_SHUT, ADOPT_NOTE, ADOPT_END };

typedef void visit(struct cache *cache, struct cache_shard *shard, struct cache_member *member);

static void each_member(struct cache *cache, visit *call)
{
    for (size_t i = 0; i < cache->state.shard_count; i++)
        for (size_t j = 0; j < cache->state.shards[i].member_count; j++)
            call(cache, &cache->state.shards[i], &cache->state.shards[i].members[j]);
}

static void own(struct cache *cache)
{
    free(cache->state.owner);
    cache->state.owner = slice_dup(slice_of(cache->options->node));
}

static void find(struct cache *cache, struct cache_shard *shard, struct cache_member *member)
{
    struct seat *seat = cache_seat(cache, member->name);

    (void)shard;
    seat->op = (struct op){0};
    member_adopt(seat->member, &seat->op);
    (void)routine_wait(&cache->work->routine, &seat->op, E_OK);
}

/* At most one is open: the recorded primary. */
static void shut(struct cache *cache, struct cache_shard *shard, struct cache_member *member)
{
    struct seat *seat = cache_seat(cache, member->name);

    if (cache->spec.shards != 0 || member->is_side || !member_is_up(seat->member) ||
        member == cache_shard_primary(shard))
        return;
    member_shut(seat->member, &seat->talk);
    (void)routine_wait(&cache->work->routine, &seat->talk.op, E_OK);
}

static void note_alive(const struct cache_shard *shard, struct cache_member *member,
                       const struct seat *seat)
{
    bool is_open = member->state == MEMBER_OPEN && member == cache_shard_primary(shard);

    member->pid = member_pid(seat->member);
    member->start_time = member_start_time(seat->member);
    if (member->state == MEMBER_STARTING || member->state == MEMBER_GONE)
        member->is_in_sync = false;
    if (!is_open && member->state != MEMBER_STOPPING)
        member->state = MEMBER_CLOSED;
}

/* What a step began is that step's to go on with. What was to outlive its daemon and has not is
 * news; the others ended with it, as they should. */
static void note(struct cache *cache, struct cache_shard *shard, struct cache_member *member)
{
    struct seat *seat = cache_seat(cache, member->name);
    bool is_of_step = member->state == MEMBER_STOPPING || member->is_side ||
                      (member->state == MEMBER_STARTING && cache->operation != NULL);

    if (member_is_up(seat->member))
        note_alive(shard, member, seat);
    else if (!is_of_step)
        cache_note_death(seat, NULL,
                         member->state != MEMBER_GONE && cache->options->settings.is_detached);
}

enum stage cache_adopt_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = cache_of(routine);
    struct op *op = &cache->work->op;

    if (err == E_CANCELED)
        return routine_end(routine, err);
    if (err != E_OK && err != E_NOT_FOUND) /* who cannot be adopted is gone */
        log_warn("CACHE-ADOPT", "%s: %s", cache->name, cause_text(&routine->why, err));
    switch (stage) {
    case ADOPT_OWN: /* first: until then nobody knows whom to ask */
        own(cache);
        return routine_wait(routine, op, cache_record(cache, op));
    case ADOPT_FIND:
        each_member(cache, find);
        return STAGE_GOES_ON;
    case ADOPT_SHUT:
        each_member(cache, shut);
        return STAGE_GOES_ON;
    case ADOPT_NOTE:
        each_member(cache, note);
        return routine_wait(routine, op, cache_record(cache, op));
    default:
        return routine_end(routine, E_OK);
    }
}
