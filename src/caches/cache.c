/* One cache at work: what is to be done next.
 *
 *   look --> closing? ------------------> CLOSE      (cache_close.c)
 *        --> not taken up yet? ---------> ADOPT      (cache_adopt.c)
 *        --> a primary is gone? --------> REPAIR     (cache_crash.c)
 *        --> a member is to be started? > TEND       (cache_tend.c)
 *        --> an operation? -------------> OPERATION  (operation.c)
 *        --> else, now and then --------> MEASURE    (cache_measure.c)
 *
 * Each is a routine; when it has ended, well or not, it is looked again. What is more urgent than
 * what runs interrupts it: a death all but the end, the end of the daemon everything. */
#include "caches/cache.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"
#include "caches/caches_internal.h"
#include "loop/loop.h"
#include "loop/timer.h"

/* ---- what is to be done next ---- */

static bool is_removed(const struct cache *cache)
{
    return cache->operation != NULL && cache->operation->kind->is_removal;
}

/* The earlier of two moments; 0 = none. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Something died: what comes before all steps. False: a step may come first, or wait until *ret_ms.
 */
static bool choose_cure(struct cache *cache, enum cache_job *ret, uint64_t *ret_ms)
{
    uint64_t now = loop_now_ms(cache->options->loop), repair_ms = cache->work->repair_due_ms;

    if (cache_needs_repair(cache)) {
        *ret = repair_ms <= now ? JOB_REPAIR : JOB_NONE;
        *ret_ms = repair_ms;
        return true;
    }
    const struct seat *seat = cache_next_due(cache, ret_ms);
    if (seat == NULL)
        return false;
    *ret = *ret_ms <= now ? JOB_TEND : JOB_NONE;
    /* its first start comes before the next step, which may need it; later ones do not */
    return *ret == JOB_TEND || seat->tries == 0;
}

/* What can begin now; or JOB_NONE, and *ret_ms is when to look again, 0 = when something comes. */
static enum cache_job choose(struct cache *cache, uint64_t *ret_ms)
{
    struct cache_work *w = cache->work;
    uint64_t now = loop_now_ms(cache->options->loop), operation_due = 0;

    if (w->is_closing)
        return JOB_CLOSE;
    if (!w->is_adopted)
        return JOB_ADOPT;
    enum cache_job cure = JOB_NONE;
    if (!is_removed(cache) && choose_cure(cache, &cure, ret_ms))
        return cure;
    uint64_t due = *ret_ms;
    if (operation_is_due(cache, &operation_due))
        return JOB_OPERATION;
    if (cache->operation == NULL && w->measure_due_ms <= now)
        return JOB_MEASURE;
    *ret_ms = earlier(due, cache->operation != NULL ? operation_due : w->measure_due_ms);
    return JOB_NONE;
}

static operation_run *const runs[] = {
    [JOB_ADOPT] = cache_adopt_run,     [JOB_REPAIR] = cache_repair_run,
    [JOB_TEND] = cache_tend_run,       [JOB_OPERATION] = cache_operation_run,
    [JOB_MEASURE] = cache_measure_run, [JOB_CLOSE] = cache_close_run};

static void end_close(struct cache *cache)
{
    struct op *closed = cache->work->closed;

    cache->work->closed = NULL;
    if (closed != NULL)
        op_end(closed, E_OK);
}

static void look(struct cache *cache)
{
    struct cache_work *w = cache->work;
    uint64_t at_ms = 0, now = loop_now_ms(cache->options->loop);

    if (w->is_closed && cache_record_is_idle(cache))
        end_close(cache);
    if (w->job != JOB_NONE || w->is_closed)
        return;
    w->job = choose(cache, &at_ms);
    w->is_interrupted = false;
    if (w->job != JOB_NONE)
        routine_start(&w->routine, cache->options->loop, runs[w->job]);
    else if (at_ms != 0)
        timer_set(w->timer, at_ms > now ? at_ms - now : 0);
}

static void on_turn(struct turn *turn)
{
    look(container_of(turn, struct cache_work, turn)->cache);
}

static void on_timer(void *ctx)
{
    look(ctx);
}

void cache_look(struct cache *cache)
{
    loop_at_turn_end(cache->options->loop, &cache->work->turn);
}

void cache_interrupt(struct cache *cache)
{
    struct cache_work *w = cache->work;
    bool is_end = w->job == JOB_OPERATION && w->stage == OPERATION_END;
    bool is_kept = w->job == JOB_CLOSE || ((w->job == JOB_ADOPT || is_end) && !w->is_closing);

    if (w->job == JOB_NONE || is_kept)
        return;
    w->is_interrupted = true;
    op_abort(&w->routine.op);
}

static void on_job_end(struct op *op, enum err err)
{
    struct cache_work *w = container_of(op, struct cache_work, routine.op);
    struct cache *cache = w->cache;
    enum cache_job job = w->job;

    w->job = JOB_NONE;
    if (job == JOB_ADOPT && err == E_OK)
        w->is_adopted = true;
    if (job == JOB_REPAIR && err != E_OK && !w->is_interrupted) {
        log_warn("CACHE-REPAIR", "%s: %s; trying again", cache->name, cause_text(&op->why, err));
        w->repair_due_ms = loop_now_ms(cache->options->loop) + RETRY_FIRST_MS;
    }
    if (job == JOB_CLOSE) {
        w->is_closed = true;
        cache_look(cache);
    } else if (w->is_removed) {
        caches_gone(cache->caches, cache);
    } else {
        cache_look(cache);
    }
}

/* ---- seats: the processes of the members ---- */

struct seat *cache_seat_find(const struct cache *cache, const char *name)
{
    struct seat *seat;

    list_each (&cache->work->seats, struct seat, node, seat)
        if (slice_eq(slice_of(seat->name), slice_of(name)))
            return seat;
    return NULL;
}

const char *cache_last_words(const struct cache *cache, const char *name)
{
    const struct seat *seat = cache_seat_find(cache, name);

    return seat != NULL && !member_is_up(seat->member) ? seat->last_words : NULL;
}

void cache_seat_free(struct seat *seat)
{
    if (seat == NULL)
        return;
    list_remove(&seat->node);
    member_free(seat->member);
    member_talk_done(&seat->talk);
    free(seat);
}

static void sit_down(struct seat *seat, const struct cache_member *record)
{
    struct cache *cache = seat->cache;

    seat->member =
        member_new(&(struct member_options){.loop = cache->options->loop,
                                            .hub = cache->options->hub,
                                            .cache = cache->name,
                                            .record = record,
                                            .password = cache->state.secrets.admin,
                                            .hang_ms = cache->options->settings.hang_ms,
                                            .is_detached = cache->options->settings.is_detached,
                                            .down = cache_down,
                                            .ctx = seat});
}

struct seat *cache_seat(struct cache *cache, const char *name)
{
    const struct cache_member *record = cache_state_find(&cache->state, slice_of(name));
    struct seat *seat = cache_seat_find(cache, name);

    if (record == NULL)
        return NULL;
    if (seat == NULL) {
        seat = mem_new(struct seat);
        seat->cache = cache;
        snprintf(seat->name, sizeof seat->name, "%s", name);
        list_push(&cache->work->seats, &seat->node);
        sit_down(seat, record);
    }
    return seat;
}

struct member *cache_server(struct cache *cache, const char *name)
{
    struct seat *seat = cache_seat(cache, name);
    return seat != NULL ? seat->member : NULL;
}

void cache_seat_renew(struct cache *cache, const char *name)
{
    struct seat *seat = cache_seat(cache, name);

    if (seat == NULL || member_is_up(seat->member))
        return;
    member_free(seat->member);
    sit_down(seat, cache_state_find(&cache->state, slice_of(name)));
}

/* ---- finding ---- */

struct cache_shard *cache_shard_of(const struct cache *cache, uint32_t shard)
{
    for (size_t i = 0; i < cache->state.shard_count; i++)
        if (cache->state.shards[i].id == shard)
            return &cache->state.shards[i];
    return NULL;
}

struct cache_shard *cache_shard_with(const struct cache *cache, const char *member)
{
    for (size_t i = 0; i < cache->state.shard_count; i++)
        for (size_t j = 0; j < cache->state.shards[i].member_count; j++)
            if (slice_eq(slice_of(cache->state.shards[i].members[j].name), slice_of(member)))
                return &cache->state.shards[i];
    return NULL;
}

struct cache_member *cache_primary(const struct cache *cache, uint32_t shard)
{
    const struct cache_shard *found = cache_shard_of(cache, shard);
    return found != NULL ? cache_shard_primary(found) : NULL;
}

bool cache_is_up(const struct cache *cache, const char *name)
{
    const struct seat *seat = cache_seat_find(cache, name);
    return seat != NULL && member_is_up(seat->member);
}

struct cache_member *cache_best_replica(struct cache *cache, uint32_t shard)
{
    const struct cache_shard *found = cache_shard_of(cache, shard);

    for (size_t i = 0; found != NULL && i < found->member_count; i++) {
        struct cache_member *member = &found->members[i];
        if (member != cache_shard_primary(found) && member->is_in_sync &&
            member->state == MEMBER_CLOSED && cache_is_up(cache, member->name))
            return member;
    }
    return NULL;
}

struct member_door cache_door(const struct cache *cache)
{
    return (struct member_door){.addresses = cache->host.addresses,
                                .count = cache->host.address_count,
                                .is_key_refused = cache->spec.is_key_refused};
}

uint16_t cache_link_port(const struct cache *cache, const struct cache_member *primary)
{
    return cache->spec.has_plain_port ? primary->port : primary->tls_port;
}

/* ---- life ---- */

/* Where clients are told of maintenance: on the primary of the first shard; all others get it. */
static struct member *on_place(void *ctx, struct notice *ret)
{
    struct cache *cache = ctx;
    const struct cache_member *primary =
        cache->state.shard_count > 0 ? cache_shard_primary(&cache->state.shards[0]) : NULL;

    if (primary == NULL || !cache_is_up(cache, primary->name))
        return NULL;
    ret->address = cache->host.addresses[0];
    ret->port = cache->spec.has_plain_port ? cache->state.port : 0;
    ret->tls_port = cache->state.tls_port;
    return cache_server(cache, primary->name);
}

static void take_host(struct cache *cache)
{
    cache->host = *caches_host(cache->caches);
    cache->host.has_tls = cache->state.tls_port != 0;
    cache->tls = *caches_tls(cache->caches);
}

enum err cache_read_spec(struct cache *cache, struct slice document, struct cause *why)
{
    struct cache_spec spec = {0};
    enum err err =
        cache_spec_read_stored(&spec, jx_scan_member(document, SLICE("properties")), why);

    if (err == E_OK) {
        cache_spec_done(&cache->spec);
        cache->spec = spec;
    } else {
        cache_spec_done(&spec);
    }
    return err;
}

struct cache *cache_new(struct caches *caches, struct slice id, struct slice document,
                        struct slice state, struct cause *why)
{
    struct cache *cache = mem_new(struct cache);
    struct cache_work *w = cache->work = mem_new(struct cache_work);
    char room[CACHE_ID_MAX_BYTES];

    cache->caches = caches;
    cache->options = caches_options(caches);
    cache->id = slice_dup(id);
    cache->key = slice_dup(slice_lower(slice_first(id, sizeof room), room));
    cache->name = slice_dup(caches_name_of(slice_of(cache->id)));
    w->cache = cache;
    list_init(&w->seats);
    w->turn.run = on_turn;
    w->timer = timer_new(cache->options->loop, on_timer, cache);
    w->routine.op.done = on_job_end;
    cache_record_init(cache);
    cache->announcer =
        announcer_new(&(struct announcer_options){.loop = cache->options->loop,
                                                  .notice_ms = cache->options->settings.notice_ms,
                                                  .place = on_place,
                                                  .ctx = cache});
    cache_state_init(&cache->state);
    enum err err = cache_state_read(&cache->state, state, why);
    if (err == E_OK)
        err = cache_read_spec(cache, document, why);
    if (err) {
        cache_free(cache);
        return NULL;
    }
    take_host(cache);
    cache_look(cache);
    return cache;
}

void cache_close(struct cache *cache, struct op *op)
{
    op_begin(op, NULL, cache);
    cache->work->closed = op;
    cache->work->is_closing = true;
    cache_interrupt(cache);
    cache_look(cache);
}

void cache_cut(struct cache *cache)
{
    cache->work->was_cut = true;
    op_abort(&cache->work->routine.op);
}

void cache_free(struct cache *cache)
{
    struct cache_work *w;
    struct list_node *node;

    if (cache == NULL)
        return;
    w = cache->work;
    turn_cancel(&w->turn);
    timer_free(w->timer);
    announcer_free(cache->announcer);
    while ((node = list_shift(&w->seats)) != NULL)
        cache_seat_free(container_of(node, struct seat, node));
    operation_free(cache->operation);
    cache_record_done(cache);
    member_task_done(&w->task);
    cache_spec_done(&cache->spec);
    cache_state_done(&cache->state);
    free(cache->id);
    free(cache->key);
    free(cache->name);
    free(w);
    free(cache);
}
