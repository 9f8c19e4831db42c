/* Flush (caches.md 7.6): all keys go, and none that is written afterwards.
 *
 *   count: how often each server was flushed yet --> flush: the primaries of which that is still
 *   true. Who was flushed has counted it, also if nobody was there to hear so.
 *
 * In `work`: {"counts":{"n1":{"pid":1,"startTime":2,"calls":0}}}, of all servers: a replica counts
 * what it is told by its primary, and may be the primary later. A server that was started since has
 * lost its count: if it holds anything, nobody knows whether that is older than the flush; then
 * nothing is removed, and the flush has failed. */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "caches/cache.h"

struct scratch {
    struct slot {
        char name[MEMBER_NAME_MAX_BYTES];
        struct member_info info;
        struct member_talk talk;
        struct op op;
    } slots[ROUTINE_WAITS_MAX];
    size_t count;
};

static void take(struct cache *cache, struct scratch *s, const struct cache_member *member)
{
    if (s->count < COUNT_OF(s->slots) && !member->is_side && cache_is_up(cache, member->name))
        snprintf(s->slots[s->count++].name, MEMBER_NAME_MAX_BYTES, "%s", member->name);
}

static void gather(struct operation *operation, bool has_replicas)
{
    struct cache_state *state = &operation->cache->state;
    struct scratch *s = operation->scratch;

    s->count = 0;
    for (size_t i = 0; i < state->shard_count; i++)
        for (size_t j = 0; j < state->shards[i].member_count; j++) {
            const struct cache_member *member = &state->shards[i].members[j];
            if (has_replicas || member == cache_shard_primary(&state->shards[i]))
                take(operation->cache, s, member);
        }
}

static enum stage ask_all(struct operation *operation, bool has_replicas)
{
    struct scratch *s = operation->scratch;

    gather(operation, has_replicas);
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        slot->op = (struct op){0};
        member_info(cache_server(operation->cache, slot->name), &slot->info, &slot->op);
        (void)routine_wait(&operation->routine, &slot->op, E_OK);
    }
    return STAGE_GOES_ON;
}

/* ---- count ---- */

static void note_counts(struct operation *operation)
{
    struct scratch *s = operation->scratch;
    json_t *counts = json_object();

    for (size_t i = 0; i < s->count; i++) {
        const struct slot *slot = &s->slots[i];
        const struct member *member = cache_server(operation->cache, slot->name);
        json_t *row = json_object();
        json_object_set_new(row, "pid", json_integer(member_pid(member)));
        json_object_set_new(row, "startTime", json_integer((json_int_t)member_start_time(member)));
        json_object_set_new(row, "calls", json_integer((json_int_t)slot->info.flush_calls));
        json_object_set_new(counts, slot->name, row);
    }
    json_object_set_new(operation->work, "counts", counts);
}

static enum stage count(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);

    if (err)
        return routine_end(routine, err);
    if (stage == 0)
        return ask_all(operation, true);
    note_counts(operation); /* stored with the next step, in front of its first command */
    return routine_end(routine, E_OK);
}

/* ---- flush ---- */

static int64_t number_of(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

/* Is it the run of the server that was counted? */
static bool is_known(const struct member *member, const json_t *row)
{
    return row != NULL && number_of(row, "pid") == member_pid(member) &&
           number_of(row, "startTime") == (int64_t)member_start_time(member);
}

static void flush_one(struct operation *operation, struct slot *slot)
{
    const struct member_command commands[] = {COMMAND(SLICE("FLUSHALL"), SLICE("ASYNC"))};
    struct member *member = cache_server(operation->cache, slot->name);
    const json_t *row = json_object_get(json_object_get(operation->work, "counts"), slot->name);

    if (!is_known(member, row)) {
        if (slot->info.keys > 0)
            operation_fail(operation, "FlushInterrupted",
                           "the server %s has ended and was started again meanwhile; it is not "
                           "known whether its keys are older than the flush, so they were kept",
                           slot->name);
        return;
    }
    if ((int64_t)slot->info.flush_calls > number_of(row, "calls"))
        return;
    member_talk(member, commands, COUNT_OF(commands), &slot->talk);
    (void)routine_wait(&operation->routine, &slot->talk.op, E_OK);
}

static enum stage flush(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;

    if (err || stage > 1)
        return routine_end(routine, err);
    if (stage == 0)
        return ask_all(operation, false);
    for (size_t i = 0; i < s->count; i++)
        flush_one(operation, &s->slots[i]);
    return STAGE_GOES_ON;
}

static void end(struct operation *operation, struct lifecycle *event)
{
    uint64_t now_ms = clock_unix_us() / 1000, began_ms = operation->record.started_unix_ms;

    event->about.ended.duration_ms = now_ms > began_ms ? now_ms - began_ms : 0;
}

static void done(void *scratch)
{
    struct scratch *s = scratch;

    for (size_t i = 0; i < COUNT_OF(s->slots); i++)
        member_talk_done(&s->slots[i].talk);
}

static const struct operation_step steps[] = {
    {"count", count, NULL},
    {"flush", flush, NULL},
};

const struct operation_kind operation_flush = {
    .name = "flush",
    .phase = PHASE_SUCCEEDED,
    .undoing = PHASE_SUCCEEDED,
    .event = LIFECYCLE_FLUSH_COMPLETED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = 1,
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
    .end = end,
};
