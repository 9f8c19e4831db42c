/*  BEGIN -> LEARN -(sync)-> MARK -> PAUSE -> PAUSED -> DRAIN <-> DRAINED -> TAKE <-> RENEW -> TAKEN
 *               '---resumed------^     ^                    |        |          (the pause)     |
 *                                      '- it grew too old --)--------'                          |
 *                                                           v a failure                         |
 *                                                       GIVE_BACK -> GIVEN_BACK -> end          |
 *      ,----------------------------------------------------------------------------------------'
 *      '-> FOLLOW <-> FOLLOWED -> UNPAUSE -> UNPAUSED -> DONE_MARK -> end
 *
 * Without `from` there is nothing to pause, and nothing to wait for. */
#include "caches/takeover.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "caches/announcer.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"

#define PAUSE_MS "5000"
#define PAUSE_SAFE_US 3000000 /* so long the pause surely lasts */
#define RENEW_MS 1000         /* what takes longer renews it */
#define DRAIN_MAX_MS 2000
#define FOLLOW_MAX_MS 5000 /* then `from` is killed: it would take writes when the pause ends */
#define NAP_MS 1
#define TRY_AGAIN_MS 50
#define TRIES_MAX_MS 10000

enum {
    BEGIN,
    LEARN,
    MARK,
    PAUSE,
    PAUSED,
    DRAIN,
    DRAINED,
    TAKE,
    RENEW,
    RENEWED,
    TAKEN,
    FOLLOW,
    FOLLOWED,
    UNPAUSE,
    UNPAUSED,
    DONE_MARK,
    END,
    GIVE_BACK,
    GIVEN_BACK,
};

/* Who loses all its slots to a server that it does not know to be of its shard (valkey 8 tells that
 * by and by) follows it only if it may. Else it never may: where slots go is our decision. */
#define MAY_FOLLOW                                                                                 \
    SLICE_INIT("CONFIG"), SLICE_INIT("SET"), SLICE_INIT("cluster-allow-replica-migration")
static const struct member_command unpause_commands[] = {
    COMMAND(SLICE_INIT("CLIENT"), SLICE_INIT("UNPAUSE")),
    COMMAND(SLICE_INIT("ROLE")),
    COMMAND(MAY_FOLLOW, SLICE_INIT("no")),
};
static const struct member_command pause_commands[] = {
    COMMAND(MAY_FOLLOW, SLICE_INIT("yes")),
    COMMAND(SLICE_INIT("CLIENT"), SLICE_INIT("PAUSE"), SLICE_INIT(PAUSE_MS), SLICE_INIT("WRITE")),
    COMMAND(SLICE_INIT("ROLE")),
};
static const struct member_command role_command[] = {COMMAND(SLICE_INIT("ROLE"))};

static bool is_up(const struct member *member)
{
    return member != NULL && member_is_up(member);
}

static const char *name_of(const struct member *member)
{
    return member != NULL ? member_record(member)->name : "nobody";
}

static uint64_t now_ms(const struct takeover *takeover)
{
    return loop_now_ms(takeover->options.loop);
}

/* ---- how stages end ---- */

static void hold(struct takeover *takeover)
{
    if (takeover->options.announcer != NULL && !takeover->holds) {
        takeover->holds = true;
        announcer_hold(takeover->options.announcer);
    }
}

static void release(struct takeover *takeover)
{
    if (takeover->holds)
        announcer_release(takeover->options.announcer);
    takeover->holds = false;
}

static enum stage finish(struct takeover *takeover, struct member *opens, bool is_open,
                         enum err err)
{
    struct routine *routine = &takeover->routine;

    takeover->opens = is_up(opens) ? opens : NULL;
    takeover->is_open = takeover->opens != NULL && is_open;
    release(takeover);
    timer_free(takeover->timer);
    member_talk_done(&takeover->talk);
    member_talk_done(&takeover->taking);
    for (size_t i = 0; i < COUNT_OF(takeover->follows); i++)
        member_talk_done(&takeover->follows[i]);
    err = cause_wrap(&routine->why, err, "take over from %s by %s", name_of(takeover->options.from),
                     name_of(takeover->options.to));
    return routine_end(routine, err);
}

static enum stage leave_as_is(struct takeover *takeover, enum err err)
{
    if (is_up(takeover->options.from)) {
        takeover->has_all = true;
        return finish(takeover, takeover->options.from, true, err);
    }
    return finish(takeover, takeover->options.to, false, err);
}

static enum stage wait_op(struct takeover *takeover)
{
    return routine_wait(&takeover->routine, &takeover->op, E_OK);
}

static enum stage wait_talk(struct takeover *takeover, struct member_talk *talk)
{
    return routine_wait(&takeover->routine, &talk->op, E_OK);
}

static enum stage nap(struct takeover *takeover, uint64_t ms, uint32_t next)
{
    timer_wait(takeover->timer, ms, &takeover->op);
    (void)wait_op(takeover);
    return routine_go(&takeover->routine, next);
}

static enum stage go(struct takeover *takeover, uint32_t next)
{
    return routine_go(&takeover->routine, next);
}

static bool is_tired(struct takeover *takeover)
{
    if (takeover->tries_end_ms == 0)
        takeover->tries_end_ms = now_ms(takeover) + TRIES_MAX_MS;
    return now_ms(takeover) >= takeover->tries_end_ms;
}

static enum stage fail(struct takeover *takeover, enum err err)
{
    takeover->err = err;
    takeover->why = takeover->routine.why;
    return go(takeover, GIVE_BACK);
}

/* ---- as long as `from` has the slots ---- */

static enum stage begin(struct takeover *takeover, enum err err)
{
    const struct member_command commands[] = {COMMAND(SLICE("CLUSTER"), SLICE("NODES"))};

    if (err && !takeover->is_resumed)
        return leave_as_is(takeover, err);
    member_talk(takeover->options.to, commands, COUNT_OF(commands), &takeover->talk);
    return wait_talk(takeover, &takeover->talk);
}

/* Who `to` is, and what it would take. */
static bool learn_line(struct takeover *takeover, struct slice text)
{
    struct slice rest = text, primary = SLICE_NONE;
    struct cluster_line line;
    bool is_primary = false;

    while (cluster_line_next(&rest, &line)) {
        if (!line.is_self)
            continue;
        snprintf(takeover->id, sizeof takeover->id, "%.*s", SLICE_ARG(line.id));
        primary = line.is_replica ? line.primary : line.id;
        is_primary = !line.is_replica;
    }
    while (cluster_line_next(&text, &line))
        if (slice_eq(line.id, primary))
            takeover->has_slots = cluster_slots_count(line.slots) > 0;
    return is_primary;
}

static enum stage learn(struct takeover *takeover, enum err err)
{
    if (err)
        return takeover->is_resumed ? fail(takeover, err) : leave_as_is(takeover, err);
    bool is_primary = learn_line(takeover, member_talk_reply(&takeover->talk, 0)->text);
    if (is_primary && takeover->is_resumed) {
        takeover->is_taking = takeover->is_drained = true; /* or it would not be */
        return go(takeover, FOLLOW);
    }
    if (is_primary)
        return leave_as_is(takeover, cause_set(&takeover->routine.why, E_FAILED, "%s is no replica",
                                               name_of(takeover->options.to)));
    if (takeover->is_resumed)
        return go(takeover, PAUSE);
    if (!is_up(takeover->options.from))
        return go(takeover, MARK);
    member_sync(takeover->options.to, takeover->options.from, takeover->options.sync_timeout_ms,
                &takeover->op);
    (void)wait_op(takeover);
    return go(takeover, MARK);
}

static enum stage mark(struct takeover *takeover, enum err err)
{
    if (err && is_up(takeover->options.from))
        return leave_as_is(takeover, err);
    takeover->routine.op.abort = NULL; /* a pause must not be left as it is */
    takeover->options.record(takeover->options.ctx, takeover, HANDOVER_PROMOTE, &takeover->op);
    return wait_op(takeover);
}

static enum stage send_pause(struct takeover *takeover)
{
    takeover->paused_at_us = clock_now_us();
    if (takeover->first_pause_at_us == 0)
        takeover->first_pause_at_us = takeover->paused_at_us;
    member_talk(takeover->options.from, pause_commands, COUNT_OF(pause_commands), &takeover->talk);
    return wait_talk(takeover, &takeover->talk);
}

static bool is_pause_old(const struct takeover *takeover)
{
    return clock_now_us() - takeover->paused_at_us >= PAUSE_SAFE_US;
}

static enum stage pause_writers(struct takeover *takeover, enum err err)
{
    if (err && !takeover->is_promoted)
        return leave_as_is(takeover, err);
    takeover->is_promoted = true;
    if (!is_up(takeover->options.to))
        return fail(takeover, cause_set(&takeover->routine.why, E_CLOSED, "%s has ended",
                                        name_of(takeover->options.to)));
    if (!is_up(takeover->options.from))
        return go(takeover, TAKE);
    hold(takeover);
    return send_pause(takeover);
}

static enum stage paused(struct takeover *takeover, enum err err)
{
    struct member_role role;

    if (err && !is_up(takeover->options.from))
        return go(takeover, TAKE);
    if (err == E_OK)
        err = member_role_read(member_talk_reply(&takeover->talk, 2), &role);
    if (err == E_OK && !role.is_primary)
        err = cause_set(&takeover->routine.why, E_FAILED, "%s is no primary",
                        name_of(takeover->options.from));
    if (err)
        return fail(takeover, err);
    takeover->offset = role.offset;
    if (takeover->drain_ends_ms == 0)
        takeover->drain_ends_ms = now_ms(takeover) + DRAIN_MAX_MS;
    return STAGE_GOES_ON;
}

static enum stage drain(struct takeover *takeover, enum err err)
{
    (void)err; /* of a nap */
    member_talk(takeover->options.to, role_command, COUNT_OF(role_command), &takeover->talk);
    return wait_talk(takeover, &takeover->talk);
}

static enum stage drained(struct takeover *takeover, enum err err)
{
    struct member_role role;

    if (err == E_OK)
        err = member_role_read(member_talk_reply(&takeover->talk, 0), &role);
    if (err)
        return fail(takeover, err);
    if (!is_up(takeover->options.from))
        return go(takeover, TAKE);
    if (!role.is_primary && role.is_connected && role.offset >= takeover->offset) {
        takeover->is_drained = true;
        return go(takeover, TAKE);
    }
    if (now_ms(takeover) >= takeover->drain_ends_ms)
        return fail(takeover,
                    cause_set(&takeover->routine.why, E_TIMEOUT,
                              "after %d ms %s is at %llu of %llu", DRAIN_MAX_MS,
                              name_of(takeover->options.to), (unsigned long long)role.offset,
                              (unsigned long long)takeover->offset));
    return nap(takeover, NAP_MS, is_pause_old(takeover) ? PAUSE : DRAIN);
}

/* ---- the taking over ---- */

static void on_taken(struct op *op, enum err err)
{
    struct takeover *takeover = op->owner;

    takeover->has_answered = true;
    takeover->err = err;
    takeover->why = op->why;
    op_abort(&takeover->op); /* of the nap, if it is that */
}

/* It must leave in this turn, or nobody knows how old the pause is then. */
static bool can_take_now(const struct takeover *takeover)
{
    const struct redis *redis = member_redis(takeover->options.to);
    return redis != NULL && redis_is_ready(redis);
}

static enum stage await_answer(struct takeover *takeover)
{
    if (takeover->has_answered)
        return go(takeover, TAKEN);
    timer_wait(takeover->timer, RENEW_MS, &takeover->op);
    (void)wait_op(takeover);
    return go(takeover, RENEW);
}

static enum stage take(struct takeover *takeover, enum err err)
{
    const struct member_command commands[] = {
        COMMAND(SLICE("CLUSTER"), SLICE("FAILOVER"), SLICE("TAKEOVER"))};

    (void)err; /* there is none */
    if (is_up(takeover->options.from) && is_pause_old(takeover))
        return go(takeover, PAUSE);
    if (!is_up(takeover->options.to))
        return fail(takeover, cause_set(&takeover->routine.why, E_CLOSED, "%s has ended",
                                        name_of(takeover->options.to)));
    if (!can_take_now(takeover)) {
        if (is_tired(takeover))
            return fail(takeover, cause_set(&takeover->routine.why, E_TIMEOUT, "%s does not answer",
                                            name_of(takeover->options.to)));
        return nap(takeover, TRY_AGAIN_MS, TAKE);
    }
    takeover->is_taking = true;
    takeover->has_answered = false;
    takeover->taking.op.done = on_taken;
    takeover->taking.op.owner = takeover;
    member_talk(takeover->options.to, commands, COUNT_OF(commands), &takeover->taking);
    return await_answer(takeover);
}

/* Answered, or it takes long. */
static enum stage renew(struct takeover *takeover, enum err err)
{
    (void)err; /* of the nap that was cut short */
    if (takeover->has_answered || !is_up(takeover->options.from))
        return STAGE_GOES_ON;
    return send_pause(takeover);
}

static enum stage renewed(struct takeover *takeover, enum err err)
{
    (void)err; /* if it died, there is nothing to hold back */
    return await_answer(takeover);
}

/* Whether it did so, or will, only `to` can tell. */
static enum stage doubt(struct takeover *takeover)
{
    takeover->is_resumed = true;
    if (is_up(takeover->options.to) && !is_tired(takeover))
        return nap(takeover, TRY_AGAIN_MS, BEGIN);
    takeover->is_torn = true;
    return go(takeover, GIVE_BACK);
}

static enum stage taken(struct takeover *takeover, enum err err)
{
    (void)err; /* there is none */
    if (takeover->err)
        return doubt(takeover);
    if (takeover->first_pause_at_us != 0)
        takeover->gap_us = clock_now_us() - takeover->first_pause_at_us;
    takeover->tries_end_ms = now_ms(takeover) + FOLLOW_MAX_MS;
    return STAGE_GOES_ON;
}

/* ---- `to` has them ---- */

/* Those of a shard without slots see no reason to follow anybody else. */
static void ask_to_follow(struct takeover *takeover, struct member *member,
                          struct member_talk *talk)
{
    const struct slice follow[] = {SLICE("CLUSTER"), SLICE("REPLICATE"), slice_of(takeover->id)};
    const struct member_command commands[] = {COMMAND(SLICE("ROLE")),
                                              {.args = follow, .count = 3, .may_fail = true}};

    if (!is_up(member))
        return;
    member_talk(member, commands, takeover->has_slots ? 1 : 2, talk);
    (void)wait_talk(takeover, talk);
}

static enum stage follow(struct takeover *takeover, enum err err)
{
    (void)err; /* of a nap */
    if (is_up(takeover->options.from) && is_pause_old(takeover))
        (void)send_pause(takeover);
    ask_to_follow(takeover, takeover->options.from, &takeover->follows[0]);
    for (size_t i = 0; !takeover->has_slots && i < takeover->options.other_count; i++)
        ask_to_follow(takeover, takeover->options.others[i], &takeover->follows[1 + i]);
    return go(takeover, FOLLOWED);
}

static enum stage followed(struct takeover *takeover, enum err err)
{
    struct member_role role = {0};

    if (!is_up(takeover->options.from))
        return go(takeover, DONE_MARK);
    if (err == E_OK)
        err = member_role_read(member_talk_reply(&takeover->follows[0], 0), &role);
    if (err == E_OK && !role.is_primary)
        return go(takeover, UNPAUSE);
    if (is_tired(takeover)) {
        member_kill(takeover->options.from);
        return go(takeover, DONE_MARK);
    }
    return nap(takeover, NAP_MS, FOLLOW);
}

static enum stage unpause(struct takeover *takeover, enum err err)
{
    (void)err; /* there is none */
    member_talk(takeover->options.from, unpause_commands, COUNT_OF(unpause_commands),
                &takeover->talk);
    return wait_talk(takeover, &takeover->talk);
}

static enum stage unpaused(struct takeover *takeover, enum err err)
{
    (void)err; /* then it ends by itself, or the server has */
    release(takeover);
    if (takeover->options.announcer != NULL)
        announcer_tell(takeover->options.announcer, NOTICE_FAILOVER_COMPLETE, false);
    return STAGE_GOES_ON;
}

static enum stage done_mark(struct takeover *takeover, enum err err)
{
    (void)err; /* there is none */
    takeover->options.record(takeover->options.ctx, takeover, HANDOVER_DONE, &takeover->op);
    return wait_op(takeover);
}

static enum stage end(struct takeover *takeover, enum err err)
{
    takeover->has_all = takeover->is_drained;
    return finish(takeover, takeover->options.to, true, err);
}

/* ---- back to `from` ---- */

static enum stage give_back(struct takeover *takeover, enum err err)
{
    (void)err; /* it is kept */
    if (!is_up(takeover->options.from)) {
        takeover->routine.why = takeover->why;
        takeover->has_all = takeover->is_drained;
        return finish(takeover, takeover->options.to, false, takeover->err);
    }
    member_talk(takeover->options.from, unpause_commands, COUNT_OF(unpause_commands),
                &takeover->talk);
    return wait_talk(takeover, &takeover->talk);
}

/* It may be that `to` took over, and died before it could say so. */
static enum stage given_back(struct takeover *takeover, enum err err)
{
    struct member_role role = {0};

    if (err == E_OK)
        err = member_role_read(member_talk_reply(&takeover->talk, 1), &role);
    if (err && is_up(takeover->options.from) && !is_tired(takeover))
        return nap(takeover, TRY_AGAIN_MS, GIVE_BACK);
    takeover->routine.why = takeover->why;
    takeover->has_all = !takeover->is_taking || role.is_primary;
    return finish(takeover, takeover->options.from, role.is_primary, takeover->err);
}

static enum stage (*const stages[])(struct takeover *takeover, enum err err) = {
    [BEGIN] = begin,           [LEARN] = learn,     [MARK] = mark,
    [PAUSE] = pause_writers,   [PAUSED] = paused,   [DRAIN] = drain,
    [DRAINED] = drained,       [TAKE] = take,       [RENEW] = renew,
    [RENEWED] = renewed,       [TAKEN] = taken,     [FOLLOW] = follow,
    [FOLLOWED] = followed,     [UNPAUSE] = unpause, [UNPAUSED] = unpaused,
    [DONE_MARK] = done_mark,   [END] = end,         [GIVE_BACK] = give_back,
    [GIVEN_BACK] = given_back,
};

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    return stages[stage](container_of(routine, struct takeover, routine), err);
}

static void start(struct takeover *takeover, const struct takeover_options *options,
                  bool is_resumed)
{
    void (*done)(struct op * op, enum err err) = takeover->routine.op.done;
    void *owner = takeover->routine.op.owner;

    *takeover = (struct takeover){.options = *options,
                                  .is_resumed = is_resumed,
                                  .is_promoted = is_resumed,
                                  .timer = timer_new(options->loop, NULL, NULL)};
    takeover->routine.op.done = done;
    takeover->routine.op.owner = owner;
    routine_start(&takeover->routine, options->loop, run);
    if (is_resumed)
        takeover->routine.op.abort = NULL;
}

void takeover_start(struct takeover *takeover, const struct takeover_options *options)
{
    start(takeover, options, false);
}

void takeover_resume(struct takeover *takeover, const struct takeover_options *options)
{
    start(takeover, options, true);
}
