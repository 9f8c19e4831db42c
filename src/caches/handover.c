/*  BEGIN -> SYNC -> FENCE_MARK -> PAUSE -> DRAIN <-> DRAINED -> SHUT -> DRAIN <-> DRAINED
 *    |                             ^ |________|_________|_________|_______|________|   |
 *    |   resumed, FENCE -----------'          v a failure                              |
 *    |                                     GIVE_BACK <-> GIVEN_BACK -> end             |
 *    |      ,--------------------------------------------------------------------------'
 *    |      '-> PROMOTE_MARK -> ADMIT <-> ADMITTED -> FOLLOW <-> FOLLOWED -> DONE_MARK -> end
 *    |                            ^
 *    '-> RESHUT <-> RESHUT_DONE --'      resumed, PROMOTE
 *
 * The pause only keeps short what is still under way when `from` is shut, since it holds back
 * writers while readers go on. Safety comes from the offset that is read after the shutting. */
#include "caches/handover.h"

#include "base/clock.h"
#include "base/mem.h"
#include "caches/announcer.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define PAUSE_MS "3000" /* longer than a drain may take */
#define DRAIN_MAX_MS 2000
#define DRAIN_BUSY_MS 3 /* so long it is asked at once again; it is over by then mostly */
#define DRAIN_NAP_MS 1
#define TRY_AGAIN_MS 50
#define TRIES_MAX_MS 10000

enum {
    BEGIN,
    SYNC,
    FENCE_MARK,
    PAUSE,
    PAUSED,
    DRAIN,
    DRAINED,
    SHUT,
    SHUT_DONE,
    PROMOTE_MARK,
    ADMIT,
    ADMITTED,
    FOLLOW,
    FOLLOWED,
    DONE_MARK,
    END,
    GIVE_BACK,
    GIVEN_BACK,
    RESHUT,
    RESHUT_DONE,
};

static bool is_up(const struct member *member)
{
    return member != NULL && member_is_up(member);
}

static const char *name_of(const struct member *member)
{
    return member != NULL ? member_record(member)->name : "nobody";
}

static uint64_t now_ms(const struct handover *handover)
{
    return loop_now_ms(handover->options.loop);
}

/* ---- how stages end ---- */

static void hold(struct handover *handover)
{
    if (handover->options.announcer != NULL && !handover->holds) {
        handover->holds = true;
        announcer_hold(handover->options.announcer);
    }
}

static void release(struct handover *handover)
{
    if (handover->holds)
        announcer_release(handover->options.announcer);
    handover->holds = false;
}

static enum stage finish(struct handover *handover, enum err err)
{
    struct routine *routine = &handover->routine;

    release(handover);
    timer_free(handover->timer);
    member_talk_done(&handover->talk);
    for (size_t i = 0; i < COUNT_OF(handover->follows); i++)
        member_talk_done(&handover->follows[i]);
    err = cause_wrap(&routine->why, err, "hand over from %s to %s", name_of(handover->options.from),
                     name_of(handover->options.to));
    return routine_end(routine, err);
}

/* `opens` is to be the primary, and is not, as far as anybody knows. */
static enum stage leave(struct handover *handover, struct member *opens, bool has_all, enum err err)
{
    handover->opens = is_up(opens) ? opens : NULL;
    handover->has_all = handover->opens != NULL && has_all;
    return finish(handover, err);
}

static enum stage end_open(struct handover *handover, struct member *opens, enum err err)
{
    handover->opens = opens;
    handover->is_open = true;
    handover->has_all = true;
    return finish(handover, err);
}

/* Nothing was done. */
static enum stage leave_as_is(struct handover *handover, enum err err)
{
    if (is_up(handover->options.from))
        return end_open(handover, handover->options.from, err);
    return leave(handover, handover->options.to, false, err);
}

static enum stage wait_op(struct handover *handover)
{
    return routine_wait(&handover->routine, &handover->op, E_OK);
}

static enum stage wait_talk(struct handover *handover, struct member_talk *talk)
{
    return routine_wait(&handover->routine, &talk->op, E_OK);
}

static enum stage nap(struct handover *handover, uint64_t ms, uint32_t next)
{
    timer_wait(handover->timer, ms, &handover->op);
    (void)wait_op(handover);
    return routine_go(&handover->routine, next);
}

/* Has what is tried again and again been tried for too long? */
static bool is_tired(struct handover *handover)
{
    if (handover->tries_end_ms == 0)
        handover->tries_end_ms = now_ms(handover) + TRIES_MAX_MS;
    return now_ms(handover) >= handover->tries_end_ms;
}

static enum stage fail(struct handover *handover, enum err err)
{
    handover->err = err;
    handover->why = handover->routine.why;
    return routine_go(&handover->routine, GIVE_BACK);
}

static enum stage mark(struct handover *handover, enum handover_mark what)
{
    handover->options.record(handover->options.ctx, handover, what, &handover->op);
    return wait_op(handover);
}

/* ---- as long as `from` is the primary ---- */

static enum stage begin(struct handover *handover, enum err err)
{
    if (err)
        return leave_as_is(handover, err);
    if (handover->first != SYNC)
        handover->routine.op.abort = NULL; /* what is half shut must not stay so */
    return routine_go(&handover->routine, handover->first);
}

static enum stage await_sync(struct handover *handover, enum err err)
{
    (void)err; /* there is none */
    member_sync(handover->options.to, handover->options.from, handover->options.sync_timeout_ms,
                &handover->op);
    return wait_op(handover);
}

static enum stage fence_mark(struct handover *handover, enum err err)
{
    if (err)
        return leave_as_is(handover, err);
    handover->routine.op.abort = NULL; /* as above */
    return mark(handover, HANDOVER_FENCE);
}

static enum stage pause_writers(struct handover *handover, enum err err)
{
    const struct member_command commands[] = {
        COMMAND(SLICE("CLIENT"), SLICE("PAUSE"), SLICE(PAUSE_MS), SLICE("WRITE")),
        COMMAND(SLICE("ROLE")),
    };

    if (err)
        return leave_as_is(handover, err);
    if (!is_up(handover->options.to) || !is_up(handover->options.from))
        return fail(handover, cause_set(&handover->routine.why, E_CLOSED, "one of them has ended"));
    hold(handover);
    handover->paused_at_us = clock_now_us();
    member_talk(handover->options.from, commands, COUNT_OF(commands), &handover->talk);
    return wait_talk(handover, &handover->talk);
}

static enum stage drain_to(struct handover *handover, uint64_t offset)
{
    handover->offset = offset;
    handover->drain_ends_ms = now_ms(handover) + DRAIN_MAX_MS;
    return routine_go(&handover->routine, DRAIN);
}

static enum stage paused(struct handover *handover, enum err err)
{
    struct member_role role = {0};

    if (err == E_OK)
        err = member_role_read(member_talk_reply(&handover->talk, 1), &role);
    if (err == E_OK && !role.is_primary)
        err = cause_set(&handover->routine.why, E_FAILED, "%s is no primary",
                        name_of(handover->options.from));
    return err ? fail(handover, err) : drain_to(handover, role.offset);
}

static enum stage drain(struct handover *handover, enum err err)
{
    const struct member_command commands[] = {COMMAND(SLICE("ROLE"))};

    (void)err; /* of a nap */
    member_talk(handover->options.to, commands, COUNT_OF(commands), &handover->talk);
    return wait_talk(handover, &handover->talk);
}

static enum stage drained(struct handover *handover, enum err err)
{
    const char *to = name_of(handover->options.to);
    struct cause *why = &handover->routine.why;
    struct member_role role = {0};

    if (err == E_OK)
        err = member_role_read(member_talk_reply(&handover->talk, 0), &role);
    if (err)
        return fail(handover, err);
    if (role.is_primary)
        return fail(handover, cause_set(why, E_FAILED, "%s is no replica", to));
    if (role.is_connected && role.offset >= handover->offset) {
        handover->is_drained = handover->is_shut;
        return routine_go(&handover->routine, handover->is_shut ? PROMOTE_MARK : SHUT);
    }
    if (!is_up(handover->options.from))
        return fail(handover,
                    cause_set(why, E_CLOSED, "%s has ended", name_of(handover->options.from)));
    if (now_ms(handover) >= handover->drain_ends_ms)
        return fail(handover, cause_set(why, E_TIMEOUT, "after %d ms %s is at %llu of %llu",
                                        DRAIN_MAX_MS, to, (unsigned long long)role.offset,
                                        (unsigned long long)handover->offset));
    if (now_ms(handover) + DRAIN_MAX_MS < handover->drain_ends_ms + DRAIN_BUSY_MS)
        return routine_go(&handover->routine, DRAIN);
    return nap(handover, DRAIN_NAP_MS, DRAIN);
}

static enum stage shut(struct handover *handover, enum err err)
{
    (void)err; /* there is none */
    handover->is_shutting = true;
    member_shut(handover->options.from, &handover->talk);
    return wait_talk(handover, &handover->talk);
}

static enum stage shut_done(struct handover *handover, enum err err)
{
    if (err)
        return fail(handover, err);
    handover->is_shut = true;
    return drain_to(handover, member_shut_offset(&handover->talk));
}

/* ---- back to `from` ---- */

/* `from` is dead, whom nobody can give anything back to. */
static enum stage leave_to_other(struct handover *handover)
{
    handover->routine.why = handover->why;
    return leave(handover, handover->options.to, handover->is_drained, handover->err);
}

static enum stage give_back(struct handover *handover, enum err err)
{
    const struct member_command unpause[] = {COMMAND(SLICE("CLIENT"), SLICE("UNPAUSE"))};
    struct member *from = handover->options.from;

    (void)err; /* of a nap */
    if (!is_up(from))
        return leave_to_other(handover);
    if (handover->is_shutting) {
        member_admit(from, &handover->options.door, &handover->follows[0]);
        (void)wait_talk(handover, &handover->follows[0]);
    }
    member_talk(from, unpause, COUNT_OF(unpause), &handover->follows[1]);
    return wait_talk(handover, &handover->follows[1]);
}

static enum stage given_back(struct handover *handover, enum err err)
{
    if (err && !is_up(handover->options.from))
        return leave_to_other(handover);
    if (err && !is_tired(handover))
        return nap(handover, TRY_AGAIN_MS, GIVE_BACK);
    handover->routine.why = handover->why;
    if (err)
        return leave(handover, handover->options.from, true, handover->err);
    return end_open(handover, handover->options.from, handover->err);
}

/* ---- `to` is the primary ---- */

static enum stage promote_mark(struct handover *handover, enum err err)
{
    (void)err; /* there is none */
    return mark(handover, HANDOVER_PROMOTE);
}

static enum stage admit(struct handover *handover, enum err err)
{
    if (err && !handover->is_promoted)
        return fail(handover, err);
    handover->is_promoted = true;
    if (!is_up(handover->options.to)) {
        err = cause_set(&handover->routine.why, E_CLOSED, "%s has ended",
                        name_of(handover->options.to));
        return leave(handover, handover->options.from, handover->is_shut && !handover->is_admitting,
                     err);
    }
    handover->is_admitting = true;
    member_admit(handover->options.to, &handover->options.door, &handover->talk);
    return wait_talk(handover, &handover->talk);
}

static enum stage admitted(struct handover *handover, enum err err)
{
    struct member *to = handover->options.to;

    if (err && is_up(to) && is_tired(handover))
        return leave(handover, to, true, err);
    if (err)
        return nap(handover, TRY_AGAIN_MS, ADMIT);
    handover->gap_us = handover->paused_at_us != 0 ? clock_now_us() - handover->paused_at_us : 0;
    handover->tries_end_ms = 0;
    release(handover);
    if (handover->options.announcer != NULL)
        announcer_tell(handover->options.announcer, NOTICE_FAILOVER_COMPLETE, false);
    return routine_go(&handover->routine, FOLLOW);
}

static void follow_to(struct handover *handover, struct member *member, struct member_talk *talk)
{
    const struct cache_member *to = member_record(handover->options.to);

    if (!is_up(member))
        return; /* whoever starts it says whom it follows */
    member_follow(member, to->address, handover->options.is_by_tls ? to->tls_port : to->port, talk);
    (void)wait_talk(handover, talk);
}

static enum stage follow(struct handover *handover, enum err err)
{
    const struct member_command unpause[] = {COMMAND(SLICE("CLIENT"), SLICE("UNPAUSE"))};
    struct member *from = handover->options.from;

    (void)err; /* of a nap */
    follow_to(handover, from, &handover->follows[0]);
    if (is_up(from)) {
        member_talk(from, unpause, COUNT_OF(unpause), &handover->follows[1]);
        (void)wait_talk(handover, &handover->follows[1]);
    }
    for (size_t i = 0; i < handover->options.other_count; i++)
        follow_to(handover, handover->options.others[i], &handover->follows[2 + i]);
    return routine_go(&handover->routine, FOLLOWED);
}

static bool does_any_live(const struct handover *handover)
{
    bool is_one = is_up(handover->options.from);

    for (size_t i = 0; i < handover->options.other_count; i++)
        is_one = is_one || is_up(handover->options.others[i]);
    return is_one;
}

static enum stage followed(struct handover *handover, enum err err)
{
    if (err && does_any_live(handover)) {
        if (is_tired(handover))
            return end_open(handover, handover->options.to, err);
        return nap(handover, TRY_AGAIN_MS, FOLLOW);
    }
    return routine_go(&handover->routine, DONE_MARK);
}

static enum stage done_mark(struct handover *handover, enum err err)
{
    (void)err; /* there is none, or it is of somebody dead */
    return mark(handover, HANDOVER_DONE);
}

static enum stage end(struct handover *handover, enum err err)
{
    return end_open(handover, handover->options.to, err);
}

/* ---- goes on after a restart ---- */

/* It is shut, but nobody is promoted on a promise. */
static enum stage reshut(struct handover *handover, enum err err)
{
    (void)err; /* of a nap */
    if (!is_up(handover->options.from))
        return routine_go(&handover->routine, ADMIT);
    member_shut(handover->options.from, &handover->talk);
    return wait_talk(handover, &handover->talk);
}

static enum stage reshut_done(struct handover *handover, enum err err)
{
    if (err && is_tired(handover) && is_up(handover->options.from))
        return leave(handover, handover->options.to, true, err);
    if (err)
        return nap(handover, TRY_AGAIN_MS, RESHUT);
    return routine_go(&handover->routine, ADMIT);
}

static enum stage (*const stages[])(struct handover *handover, enum err err) = {
    [BEGIN] = begin,           [SYNC] = await_sync,
    [FENCE_MARK] = fence_mark, [PAUSE] = pause_writers,
    [PAUSED] = paused,         [DRAIN] = drain,
    [DRAINED] = drained,       [SHUT] = shut,
    [SHUT_DONE] = shut_done,   [PROMOTE_MARK] = promote_mark,
    [ADMIT] = admit,           [ADMITTED] = admitted,
    [FOLLOW] = follow,         [FOLLOWED] = followed,
    [DONE_MARK] = done_mark,   [END] = end,
    [GIVE_BACK] = give_back,   [GIVEN_BACK] = given_back,
    [RESHUT] = reshut,         [RESHUT_DONE] = reshut_done,
};

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    return stages[stage](container_of(routine, struct handover, routine), err);
}

static void start(struct handover *handover, const struct handover_options *options, uint32_t first)
{
    void (*done)(struct op * op, enum err err) = handover->routine.op.done;

    *handover = (struct handover){
        .options = *options, .first = first, .timer = timer_new(options->loop, NULL, NULL)};
    handover->routine.op.done = done;
    routine_start(&handover->routine, options->loop, run);
}

void handover_start(struct handover *handover, const struct handover_options *options)
{
    start(handover, options, SYNC);
}

void handover_resume(struct handover *handover, const struct handover_options *options,
                     enum handover_mark marked)
{
    start(handover, options, marked == HANDOVER_FENCE ? PAUSE : RESHUT);
    handover->is_shutting = true; /* nobody knows */
    handover->is_promoted = marked != HANDOVER_FENCE;
}
