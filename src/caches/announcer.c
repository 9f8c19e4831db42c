#include "caches/announcer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "caches/member.h"
#include "loop/loop.h"
#include "loop/routine.h"
#include "loop/timer.h"
#include "redis/client.h"

#define START_LEAD_MS 100
#define ECHO_MS 1000
#define PENDING_MAX 16
#define NOTICE_MAX_BYTES 512

/* Waits to be told. */
struct pending {
    enum notice_kind kind;
    bool is_replica;
    uint64_t due_at_ms;
};

struct announcer {
    struct announcer_options options;
    struct pending pending[PENDING_MAX]; /* in the order of their times */
    size_t pending_count;
    struct timer *pending_timer;
    uint32_t holds;
    struct routine routine; /* of work that begins */
    struct op *begun;       /* who waits for that, or NULL */
    struct timer *begin_timer;
    struct op wait;
    bool is_replica; /* it is one that is worked on */
};

/* ---- one notice ---- */

/* A PUBLISH that nobody waits for. */
struct shout {
    struct redis_call call;
};

static void on_shouted(struct op *op, enum err err)
{
    (void)err; /* who did not hear it sees what happens */
    free(container_of(op, struct shout, call.op));
}

static void publish(const struct announcer *announcer, enum notice_kind kind, bool is_replica)
{
    struct notice notice = {.kind = kind,
                            .start_unix_ms = clock_unix_ms() + announcer->options.notice_ms,
                            .is_replica = is_replica};
    const struct member *place = announcer->options.place(announcer->options.ctx, &notice);
    struct redis *redis = place != NULL ? member_redis(place) : NULL;
    struct buf text;

    if (redis == NULL)
        return;
    buf_init(&text, NOTICE_MAX_BYTES);
    notice_write(&text, &notice);
    const struct slice args[] = {SLICE("PUBLISH"), SLICE(NOTICE_CHANNEL), buf_slice(&text)};
    struct shout *shout = mem_new(struct shout);
    shout->call.op.done = on_shouted;
    if (redis_call(redis, args, COUNT_OF(args), &shout->call))
        free(shout);
    buf_done(&text);
}

/* ---- what is told later ---- */

static void set_pending_timer(struct announcer *announcer)
{
    uint64_t now_ms = loop_now_ms(announcer->options.loop);

    if (announcer->pending_count == 0 || announcer->holds > 0)
        timer_clear(announcer->pending_timer);
    else if (announcer->pending[0].due_at_ms > now_ms)
        timer_set(announcer->pending_timer, announcer->pending[0].due_at_ms - now_ms);
    else
        timer_set(announcer->pending_timer, 0);
}

static void drop_first(struct announcer *announcer)
{
    announcer->pending_count--;
    memmove(&announcer->pending[0], &announcer->pending[1],
            announcer->pending_count * sizeof announcer->pending[0]);
}

static void add_pending(struct announcer *announcer, const struct pending *pending)
{
    size_t at = announcer->pending_count;

    if (at == PENDING_MAX) { /* the oldest is the least news */
        drop_first(announcer);
        at--;
    }
    while (at > 0 && announcer->pending[at - 1].due_at_ms > pending->due_at_ms) {
        announcer->pending[at] = announcer->pending[at - 1];
        at--;
    }
    announcer->pending[at] = *pending;
    announcer->pending_count++;
}

static void tell_due(void *ctx)
{
    struct announcer *announcer = ctx;
    uint64_t now_ms = loop_now_ms(announcer->options.loop);

    while (announcer->holds == 0 && announcer->pending_count > 0 &&
           announcer->pending[0].due_at_ms <= now_ms) {
        struct pending first = announcer->pending[0];
        drop_first(announcer);
        publish(announcer, first.kind, first.is_replica);
    }
    set_pending_timer(announcer);
}

void announcer_tell(struct announcer *announcer, enum notice_kind kind, bool is_replica)
{
    uint64_t now_ms = loop_now_ms(announcer->options.loop);

    add_pending(announcer, &(struct pending){kind, is_replica, now_ms});
    if (kind == NOTICE_FAILOVER_COMPLETE || kind == NOTICE_ENDED)
        add_pending(announcer, &(struct pending){kind, is_replica, now_ms + ECHO_MS});
    tell_due(announcer);
}

void announcer_hold(struct announcer *announcer)
{
    announcer->holds++;
    set_pending_timer(announcer);
}

void announcer_release(struct announcer *announcer)
{
    assert(announcer->holds > 0);
    announcer->holds--;
    set_pending_timer(announcer);
}

/* ---- work that begins ---- */

static enum stage begin(struct routine *routine, uint32_t stage, enum err err)
{
    struct announcer *announcer = container_of(routine, struct announcer, routine);
    const uint64_t waits_ms[] = {announcer->options.notice_ms, START_LEAD_MS};
    static const enum notice_kind kinds[] = {NOTICE_STARTING, NOTICE_START};

    if (err || stage == COUNT_OF(kinds))
        return routine_end(routine, err);
    publish(announcer, kinds[stage], announcer->is_replica);
    timer_wait(announcer->begin_timer, waits_ms[stage], &announcer->wait);
    return routine_wait(routine, &announcer->wait, E_OK);
}

static void on_begun(struct op *op, enum err err)
{
    struct announcer *announcer = container_of(op, struct announcer, routine.op);
    struct op *begun = announcer->begun;

    announcer->begun = NULL;
    op_end(begun, err);
}

static void abort_begin(struct op *op)
{
    struct announcer *announcer = op->runner;
    op_abort(&announcer->routine.op);
}

void announcer_begin(struct announcer *announcer, bool is_replica, struct op *op)
{
    assert(announcer->begun == NULL && announcer->holds == 0);
    op_begin(op, abort_begin, announcer);
    announcer->begun = op;
    announcer->is_replica = is_replica;
    announcer->routine.op.done = on_begun;
    routine_start(&announcer->routine, announcer->options.loop, begin);
}

/* ---- life ---- */

struct announcer *announcer_new(const struct announcer_options *options)
{
    struct announcer *announcer = mem_new(struct announcer);

    announcer->options = *options;
    announcer->pending_timer = timer_new(options->loop, tell_due, announcer);
    announcer->begin_timer = timer_new(options->loop, NULL, NULL);
    return announcer;
}

void announcer_free(struct announcer *announcer)
{
    if (announcer == NULL)
        return;
    assert(announcer->begun == NULL);
    timer_free(announcer->pending_timer);
    timer_free(announcer->begin_timer);
    free(announcer);
}
