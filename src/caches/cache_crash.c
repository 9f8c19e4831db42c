/* A server ended unasked (caches.md 7.7). A replica is only started again (cache_tend.c). Of a
 * shard whose primary is gone, the first of these that there is becomes the primary:
 *
 *   1. a replica in sync, that with the highest offset
 *   2. with persistence: the primary, of its files
 *   3. a replica that lives and was in sync once: something may be lost
 *   4. with persistence: another member, of its files: something may be lost
 *   5. the primary, empty: the data is lost
 *
 * So a dead primary never comes back empty while there is a copy. Between the death and the first
 * write of a client there are one question to the replicas, the record, and the opening. A shard
 * that had no primary yet is the step's that makes it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"
#include "caches/replacement.h"
#include "loop/loop.h"

#define PATH_MAX_BYTES 4200

/* ---- what is known of a death ---- */

static void tell_node(struct cache *cache, const struct cache_member *member,
                      enum lifecycle_kind kind, const struct member_end *end)
{
    const struct cache_shard *shard = cache_shard_with(cache, member->name);
    struct lifecycle event = {.kind = kind};

    event.about.node.node = member->name;
    event.about.node.shard = shard->id;
    event.about.node.is_primary = member == cache_shard_primary(shard);
    event.about.node.exit_code = end != NULL && end->signal == 0 ? end->exit_code : -1;
    event.about.node.signal = end != NULL && end->signal != 0 ? end->signal : -1;
    cache_event(cache, &event);
}

void cache_tell_up(struct seat *seat)
{
    const struct cache_member *member = cache_state_find(&seat->cache->state, slice_of(seat->name));

    if (seat->was_told_down && member != NULL)
        tell_node(seat->cache, member, LIFECYCLE_NODE_UP, NULL);
    seat->was_told_down = false;
    seat->tries = 0;
}

void cache_note_death(struct seat *seat, const struct member_end *end, bool is_told)
{
    struct cache *cache = seat->cache;
    struct cache_member *member = cache_state_find(&cache->state, slice_of(seat->name));

    seat->died_at_us = clock_now_us();
    seat->due_at_ms = loop_now_ms(cache->options->loop) + (end != NULL ? RETRY_FIRST_MS : 0);
    seat->tries = 0;
    seat->reason = end == NULL ? "restart" : end->is_hang ? "hang" : "crash";
    member->state = MEMBER_GONE;
    member->pid = 0;
    member->is_in_sync = false;
    if (is_told) {
        seat->was_told_down = true;
        tell_node(cache, member, LIFECYCLE_NODE_DOWN, end);
    }
}

void cache_down(void *ctx, struct member *member, const struct member_end *end)
{
    struct seat *seat = ctx;
    struct cache *cache = seat->cache;
    const struct cache_member *record = cache_state_find(&cache->state, slice_of(seat->name));
    bool is_removed = cache->operation != NULL && cache->operation->kind->is_removal;

    if (record == NULL)
        return;
    log_warn("CACHE-DOWN", "%s ended (%s %d)%s%s", member_name(member),
             end->signal != 0 ? "signal" : "exit code",
             end->signal != 0 ? end->signal : end->exit_code,
             end->last_words[0] != '\0' ? ": " : "", end->last_words);
    bool is_of_import = record->is_side; /* which sees it by itself */
    snprintf(seat->last_words, sizeof seat->last_words, "%s", end->last_words);
    cache_note_death(seat, end, !is_removed && !is_of_import);
    if (!is_removed && !is_of_import)
        cache_interrupt(cache);
    cache_look(cache);
}

/* ---- which shard ---- */

static bool is_orphan(const struct cache *cache, const struct cache_shard *shard)
{
    const struct cache_member *primary = cache_shard_primary(shard);
    const struct operation *operation = cache->operation;

    if (primary == NULL || cache->spec.shards != 0)
        return false;
    if (!cache_is_up(cache, primary->name))
        return primary->state != MEMBER_STOPPING && /* else it is a step's that stops it, */
               !(primary->state == MEMBER_STARTING && replacement_keeps(cache, primary->name));
    if (shard->failed != NULL) /* nobody was told */
        return primary->state != MEMBER_STOPPING;
    return primary->state != MEMBER_OPEN && operation == NULL;
}

static struct cache_shard *orphan(const struct cache *cache)
{
    for (size_t i = 0; i < cache->state.shard_count; i++)
        if (is_orphan(cache, &cache->state.shards[i]))
            return &cache->state.shards[i];
    return NULL;
}

bool cache_needs_repair(const struct cache *cache)
{
    return orphan(cache) != NULL;
}

/* ---- who may follow ---- */

static bool has_file(const struct cache_member *member, const char *name)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/%s", member->dir, name);
    return access(path, R_OK) == 0;
}

/* An append-only log counts before a dump, as the server itself has it. */
static bool has_files(const struct cache *cache, const struct cache_member *member)
{
    if (cache_spec_has_aof(&cache->spec))
        return has_file(member, "appendonlydir");
    return cache_spec_has_rdb(&cache->spec) && has_file(member, "dump.rdb");
}

static bool is_copy(const struct cache *cache, const struct cache_member *member)
{
    const struct seat *seat = cache_seat_find(cache, member->name);

    return !member->is_side && member->state != MEMBER_STOPPING &&
           cache_is_up(cache, member->name) &&
           (member->is_in_sync || (seat->info.keys > 0 && !seat->info.is_loading));
}

/* Rules 1 and 3: the best of those that live. */
static struct cache_member *best_copy(const struct cache *cache, const struct cache_shard *shard,
                                      bool is_in_sync)
{
    struct cache_member *best = NULL;
    uint64_t best_offset = 0;

    for (size_t i = 0; i < shard->member_count; i++) {
        struct cache_member *member = &shard->members[i];
        if (!is_copy(cache, member) || member->is_in_sync != is_in_sync)
            continue;
        uint64_t offset = cache_seat_find(cache, member->name)->info.offset;
        if (best == NULL || offset > best_offset) {
            best = member;
            best_offset = offset;
        }
    }
    return best;
}

/* Rule 4: the one whose files were left; those that live have no need of them. */
static struct cache_member *with_files(const struct cache *cache, const struct cache_shard *shard)
{
    for (size_t i = 0; i < shard->member_count; i++)
        if (!shard->members[i].is_side && has_files(cache, &shard->members[i]) &&
            !cache_is_up(cache, shard->members[i].name))
            return &shard->members[i];
    return NULL;
}

/* ---- the repair ---- */

struct remedy {
    struct cache_member *member;
    bool starts, has_files; /* it is to be started, of its files */
    bool may_have_lost, has_lost;
};

/* `failed`: starting of files was tried, in vain. */
static struct remedy find_remedy(const struct cache *cache, const struct cache_shard *shard,
                                 uint32_t failed)
{
    struct cache_member *primary = cache_shard_primary(shard), *found;

    if (cache_is_up(cache, primary->name))
        return (struct remedy){.member = primary};
    if ((found = best_copy(cache, shard, true)) != NULL)
        return (struct remedy){.member = found};
    if (failed == 0 && has_files(cache, primary))
        return (struct remedy){.member = primary, .starts = true, .has_files = true};
    if ((found = best_copy(cache, shard, false)) != NULL)
        return (struct remedy){.member = found, .may_have_lost = true};
    if (failed <= 1 && (found = with_files(cache, shard)) != NULL && found != primary)
        return (struct remedy){
            .member = found, .starts = true, .has_files = true, .may_have_lost = true};
    return (struct remedy){.member = primary, .starts = true, .has_lost = true};
}

enum { REPAIR_ASK, REPAIR_START, REPAIR_OPEN, REPAIR_TELL, REPAIR_END };

/* All replicas that live tell their offsets. One that says nothing is waited for: it answers, or is
 * killed as hung, and then this is begun again. */
static enum stage ask_replicas(struct cache *cache, const struct cache_shard *shard)
{
    struct cache_work *w = cache->work;

    w->repair.shard = shard->id;
    for (size_t i = 0; i < shard->member_count; i++) {
        struct seat *seat = cache_seat(cache, shard->members[i].name);
        if (!member_is_up(seat->member))
            continue;
        seat->op = (struct op){0};
        member_info(seat->member, &seat->info, &seat->op);
        (void)routine_wait(&w->routine, &seat->op, E_OK);
    }
    return STAGE_GOES_ON;
}

/* What is to be told, however often the daemon ends until then. */
static void note_remedy(struct cache *cache, struct cache_shard *shard, const struct remedy *remedy)
{
    struct repair *r = &cache->work->repair;
    const struct seat *dead = cache_seat(cache, shard->primary);

    bool is_new = shard->failed == NULL && r->loads_failed == 0;

    if (is_new || r->reason == NULL) {
        r->died_at_us = dead->died_at_us;
        r->reason = dead->reason != NULL ? dead->reason : "crash";
    }
    if (shard->failed == NULL && (remedy->has_lost || remedy->member != cache_shard_primary(shard)))
        shard->failed = slice_dup(slice_of(shard->primary));
    shard->may_have_lost |= remedy->may_have_lost;
    shard->has_lost |= remedy->has_lost;
    r->has_files = remedy->has_files;
    snprintf(r->to, sizeof r->to, "%s", remedy->member->name);
}

/* It must not follow anybody while it loads, so it is named before it is started; recorded by the
 * start. */
static enum stage begin_remedy(struct cache *cache, struct cache_shard *shard)
{
    struct repair *r = &cache->work->repair;
    const struct remedy remedy = find_remedy(cache, shard, r->loads_failed);

    note_remedy(cache, shard, &remedy);
    if (!remedy.starts)
        return STAGE_GOES_ON;
    cache_name_primary(cache, shard, remedy.member);
    return routine_wait(&cache->work->routine, &cache->work->task.routine.op,
                        cache_start_member(cache, r->to, r->has_files, &cache->work->task));
}

/* It could not be started: the next time it is another remedy, or the same again. */
static void note_failure(struct cache *cache)
{
    struct repair *r = &cache->work->repair;

    cache_note_death(cache_seat(cache, r->to), NULL, false);
    if (r->has_files)
        r->loads_failed++;
}

static void tell_lost(struct cache *cache)
{
    const struct repair *r = &cache->work->repair;
    struct lifecycle event = {.kind = LIFECYCLE_DATA_LOST};

    log_warn("CACHE-LOST", "%s: %s serves, empty: there was no copy of its data", cache->name,
             r->to);
    event.about.lost.shard = r->shard;
    event.about.lost.reason = r->reason;
    cache_event(cache, &event);
}

static void tell_failover(struct cache *cache, const struct cache_shard *shard)
{
    const struct repair *r = &cache->work->repair;
    struct lifecycle event = {.kind = LIFECYCLE_FAILOVER_COMPLETED};

    event.about.failover.reason = slice_eq(slice_of(r->reason), SLICE("hang")) ? "hang" : "crash";
    event.about.failover.shard = r->shard;
    event.about.failover.from = shard->failed;
    event.about.failover.to = r->to;
    event.about.failover.gap_us = r->died_at_us != 0 ? clock_now_us() - r->died_at_us : 0;
    event.about.failover.may_have_lost = shard->may_have_lost;
    log_info("CACHE-FAILOVER", "%s: %s serves in the place of %s, after %" PRIu64 " us",
             cache->name, r->to, shard->failed, event.about.failover.gap_us);
    cache_event(cache, &event);
}

static void tell(struct cache *cache, struct cache_shard *shard)
{
    struct repair *r = &cache->work->repair;

    if (shard->has_lost)
        tell_lost(cache);
    else if (shard->failed != NULL && strcmp(shard->failed, r->to) != 0)
        tell_failover(cache, shard);
    free(shard->failed);
    shard->failed = NULL;
    shard->may_have_lost = shard->has_lost = false;
    r->reason = NULL;
    cache_tell_up(cache_seat(cache, r->to));
}

enum stage cache_repair_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = cache_of(routine);
    struct cache_work *w = cache->work;
    struct cache_shard *shard =
        stage == REPAIR_ASK ? orphan(cache) : cache_shard_of(cache, w->repair.shard);

    if (stage == REPAIR_OPEN && err != E_OK && err != E_CANCELED)
        note_failure(cache);
    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case REPAIR_ASK:
        return shard != NULL ? ask_replicas(cache, shard) : routine_end(routine, E_OK);
    case REPAIR_START:
        return begin_remedy(cache, shard);
    case REPAIR_OPEN:
        w->repair.loads_failed = 0;
        return routine_wait(routine, &w->task.routine.op,
                            cache_open_member(cache, w->repair.to, &w->task));
    case REPAIR_TELL:
        cache_fail_at(cache, "crash.open:after");
        tell(cache, shard);
        return routine_wait(routine, &w->op, cache_record(cache, &w->op));
    default:
        return routine_end(routine, E_OK);
    }
}
