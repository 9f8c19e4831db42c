/*  BEGIN --> (start, or resume what the record tells of) --> JUDGE --> NOTE --> ENDED
 *    ^                                                         |
 *    '------- it was one that had been interrupted ------------'                          */
#include "caches/cache_handover.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"
#include "loop/loop.h"

#define MARK "handover" /* of operation->work */

enum { BEGIN, JUDGE, NOTE, ENDED };

static struct cache_shard *shard_of(const struct cache_handover *task)
{
    return cache_shard_of(task->cache, task->shard);
}

static struct cache_member *record_of(const struct cache_handover *task, const char *name)
{
    return cache_state_find(&task->cache->state, slice_of(name));
}

/* ---- the record ---- */

static json_t *mark_of(const struct cache_handover *task)
{
    return json_object_get(task->cache->operation->work, MARK);
}

static void set_mark(struct cache_handover *task, bool is_promoted)
{
    json_t *mark = json_object();

    json_object_set_new(mark, "shard", json_integer((json_int_t)task->shard));
    json_object_set_new(mark, "from", json_string(task->from));
    json_object_set_new(mark, "to", json_string(task->to));
    json_object_set_new(mark, "isPromoted", json_boolean(is_promoted));
    json_object_set_new(task->cache->operation->work, MARK, mark);
}

static void drop_mark(struct cache_handover *task)
{
    json_object_del(task->cache->operation->work, MARK);
}

static void take_name(const json_t *mark, const char *name, char ret[MEMBER_NAME_MAX_BYTES])
{
    const char *text = json_string_value(json_object_get(mark, name));
    snprintf(ret, MEMBER_NAME_MAX_BYTES, "%s", text != NULL ? text : "");
}

/* Only the new primary is known to have all; the others are, as soon as they followed. */
static void name_primary(struct cache_handover *task)
{
    struct cache_shard *shard = shard_of(task);
    struct cache_member *heir = record_of(task, task->to);

    cache_name_primary(task->cache, shard, heir);
    for (size_t i = 0; i < shard->member_count; i++)
        shard->members[i].is_in_sync = &shard->members[i] == heir;
    heir->state = MEMBER_OPEN;
}

static void tell(struct cache_handover *task)
{
    struct lifecycle event = {.kind = LIFECYCLE_FAILOVER_COMPLETED,
                              .about.failover = {.reason = task->reason,
                                                 .shard = task->shard,
                                                 .from = task->from,
                                                 .to = task->to,
                                                 .gap_us = task->handover.gap_us}};
    cache_event(task->cache, &event);
    log_info("CACHE-FAILOVER", "%s: %s serves in the place of %s, after %" PRIu64 " us",
             task->cache->name, task->to, task->from, task->handover.gap_us);
}

static void record(void *ctx, struct handover *handover, enum handover_mark mark, struct op *op)
{
    struct cache_handover *task = ctx;

    (void)handover;
    switch (mark) {
    case HANDOVER_FENCE:
        set_mark(task, false);
        break;
    case HANDOVER_PROMOTE:
        name_primary(task);
        set_mark(task, true);
        break;
    case HANDOVER_DONE:
        drop_mark(task);
        tell(task);
        break;
    }
    enum err err = cache_record(task->cache, op);
    if (err)
        loop_later(task->cache->options->loop, op, err);
}

/* ---- one handover ---- */

static size_t find_others(struct cache_handover *task)
{
    const struct cache_shard *shard = shard_of(task);
    size_t count = 0;

    for (size_t i = 0; i < shard->member_count; i++) {
        struct slice name = slice_of(shard->members[i].name);
        if (!slice_eq(name, slice_of(task->from)) && !slice_eq(name, slice_of(task->to)))
            task->others[count++] = cache_server(task->cache, shard->members[i].name);
    }
    return count;
}

static enum stage hand_over(struct cache_handover *task, const json_t *mark)
{
    struct cache *cache = task->cache;
    const struct handover_options options = {
        .loop = cache->options->loop,
        .from = cache_server(cache, task->from),
        .to = cache_server(cache, task->to),
        .others = task->others,
        .other_count = find_others(task),
        .door = cache_door(cache),
        .is_by_tls = !cache->spec.has_plain_port,
        .sync_timeout_ms = cache_sync_limit_ms(cache, 0),
        .announcer = cache->announcer,
        .record = record,
        .ctx = task,
    };

    task->handover.routine.op = (struct op){0};
    if (mark == NULL)
        handover_start(&task->handover, &options);
    else
        handover_resume(&task->handover, &options,
                        json_is_true(json_object_get(mark, "isPromoted")) ? HANDOVER_PROMOTE
                                                                          : HANDOVER_FENCE);
    return routine_wait(&task->routine, &task->handover.routine.op, E_OK);
}

/* What is told by the record comes first, also if others were meant. */
static bool take_up(struct cache_handover *task, const json_t *mark)
{
    const json_t *shard = json_object_get(mark, "shard");

    task->shard = (uint32_t)json_integer_value(shard);
    take_name(mark, "from", task->from);
    take_name(mark, "to", task->to);
    return shard_of(task) != NULL;
}

static enum stage unknown(struct cache_handover *task, const char *name)
{
    return routine_end(&task->routine, cause_set(&task->routine.why, E_NOT_FOUND,
                                                 "%s: there is no such server", name));
}

static enum stage begin(struct cache_handover *task, enum err err)
{
    const json_t *mark = mark_of(task);

    if (err)
        return routine_end(&task->routine, err);
    if (mark != NULL && take_up(task, mark))
        return hand_over(task, mark);
    const struct cache_shard *shard = cache_shard_with(task->cache, task->heir);
    const struct cache_member *primary = shard != NULL ? cache_shard_primary(shard) : NULL;
    if (primary == NULL)
        return unknown(task, task->heir);
    if (slice_eq(slice_of(primary->name), slice_of(task->heir)))
        return routine_end(&task->routine, E_OK);
    task->shard = shard->id;
    snprintf(task->from, sizeof task->from, "%s", primary->name);
    snprintf(task->to, sizeof task->to, "%s", task->heir);
    return hand_over(task, NULL);
}

/* ---- how it ended ---- */

static bool does_live(const struct cache_handover *task, const char *name)
{
    return cache_is_up(task->cache, name);
}

/* The crash rules open whoever is in sync. */
static void note_heir(struct cache_handover *task)
{
    const struct handover *handover = &task->handover;
    struct cache_member *heir =
        handover->opens != NULL ? record_of(task, member_record(handover->opens)->name) : NULL;

    if (heir != NULL && handover->has_all)
        heir->is_in_sync = true;
}

static enum stage judge(struct cache_handover *task, enum err err)
{
    const struct handover *handover = &task->handover;
    bool do_both_live = does_live(task, task->from) && does_live(task, task->to);

    if (mark_of(task) == NULL && handover->is_promoted)
        return routine_go(&task->routine, BEGIN);
    task->err = do_both_live ? err : E_CANCELED;
    task->why = task->routine.why;
    if (mark_of(task) == NULL)
        return routine_go(&task->routine, ENDED);
    if (do_both_live && (handover->is_promoted || !handover->is_open)) {
        task->err = E_CANCELED; /* to be gone on with */
        return routine_go(&task->routine, ENDED);
    }
    note_heir(task);
    drop_mark(task);
    return routine_wait(&task->routine, &task->op, cache_record(task->cache, &task->op));
}

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache_handover *task = container_of(routine, struct cache_handover, routine);

    switch (stage) {
    case BEGIN:
        return begin(task, err);
    case JUDGE:
        return judge(task, err);
    default:
        routine->why = task->why;
        return routine_end(routine, task->err);
    }
}

enum err cache_hand_over(struct cache *cache, const char *to, const char *reason,
                         struct cache_handover *task)
{
    task->cache = cache;
    task->reason = reason;
    task->err = E_OK;
    task->op = (struct op){0};
    snprintf(task->heir, sizeof task->heir, "%s", to);
    routine_start(&task->routine, cache->options->loop, run);
    return E_OK;
}
