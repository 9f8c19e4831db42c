/* LINK --up--> PROBE --> PROBED --> ARRIVED? --yes--> in sync
 *  ^ '-- not yet                       | not yet: asks again; the link is lost: LINK
 *  '-----------------------------------'
 * The link is up before the stream has begun: so something is sent, and awaited, after it came up.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "caches/member_internal.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define ASK_EVERY_MS 10

enum { LINK, LINK_JUDGE, PROBE, PROBED, PROBE_JUDGE, ARRIVAL, ARRIVAL_JUDGE };

struct sync {
    struct routine routine;
    struct op *op;
    struct member *replica, *primary;
    struct member_info info;         /* of the replica, now */
    struct member_info primary_info; /* right behind the probe */
    struct member_talk talk;
    struct op wait;
    struct timer *timer;
    uint64_t limit_at_ms;
};

static enum stage ask(struct sync *sync, struct member *member, struct member_info *ret)
{
    member_info(member, ret, &sync->wait);
    return routine_wait(&sync->routine, &sync->wait, E_OK);
}

static enum stage again(struct sync *sync, uint32_t stage)
{
    struct routine *routine = &sync->routine;

    if (!member_is_up(sync->primary)) /* nobody to follow: no use in waiting */
        return routine_end(
            routine, cause_set(&routine->why, E_CLOSED, "%s: no server runs", sync->primary->name));
    if (loop_now_ms(sync->replica->loop) >= sync->limit_at_ms)
        return routine_end(routine, cause_set(&routine->why, E_TIMEOUT,
                                              "%s: not in sync with %s in time: link %s, %" PRIu64
                                              " of %" PRIu64 " bytes",
                                              sync->replica->name, sync->primary->name,
                                              sync->info.is_link_up ? "up" : "down",
                                              sync->info.offset, sync->primary_info.offset));
    (void)routine_go(routine, stage);
    timer_wait(sync->timer, ASK_EVERY_MS, &sync->wait);
    return routine_wait(routine, &sync->wait, E_OK);
}

static bool is_linked(const struct sync *sync)
{
    return !sync->info.is_primary && sync->info.is_link_up && !sync->info.is_syncing &&
           !sync->info.is_loading;
}

/* In a cluster messages do not go by the stream of replication; a WAIT that waits for more than
 * there are does, and holds this connection up for a moment. */
static enum stage probe(struct sync *sync)
{
    struct member_command command = COMMAND(SLICE("PUBLISH"), SLICE("__redgrid:probe"), SLICE("x"));
    struct member_command wait = COMMAND(SLICE("WAIT"), SLICE("100"), SLICE("10"));

    member_talk(sync->primary, sync->primary_info.is_cluster ? &wait : &command, 1, &sync->talk);
    return routine_wait(&sync->routine, &sync->talk.op, E_OK);
}

/* Offsets may be compared within one history only. */
static enum stage judge_arrival(struct sync *sync)
{
    const struct member_info *replica = &sync->info, *primary = &sync->primary_info;

    if (!is_linked(sync) || strcmp(replica->replid, primary->replid) != 0)
        return again(sync, LINK);
    if (replica->offset < primary->offset)
        return again(sync, ARRIVAL);
    return routine_end(&sync->routine, E_OK);
}

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    struct sync *sync = container_of(routine, struct sync, routine);

    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case LINK:
        return ask(sync, sync->replica, &sync->info);
    case LINK_JUDGE:
        return is_linked(sync) ? ask(sync, sync->primary, &sync->primary_info) : again(sync, LINK);
    case PROBE:
        return probe(sync);
    case PROBED:
        return ask(sync, sync->primary, &sync->primary_info);
    case PROBE_JUDGE:
    case ARRIVAL:
        routine->stage = ARRIVAL_JUDGE;
        return ask(sync, sync->replica, &sync->info);
    default:
        return judge_arrival(sync);
    }
}

static void on_ended(struct op *op, enum err err)
{
    struct sync *sync = container_of(op, struct sync, routine.op);
    struct op *owner = sync->op;

    if (err)
        owner->why = op->why;
    timer_free(sync->timer);
    member_talk_done(&sync->talk);
    free(sync);
    op_end(owner, err);
}

static void on_abort(struct op *op)
{
    struct sync *sync = op->runner;

    op->abort = NULL;
    op_abort(&sync->routine.op);
}

void member_sync(struct member *replica, struct member *primary, uint64_t limit_ms, struct op *op)
{
    struct sync *sync = mem_new(struct sync);

    sync->op = op;
    sync->replica = replica;
    sync->primary = primary;
    sync->timer = timer_new(replica->loop, NULL, NULL);
    sync->limit_at_ms = loop_now_ms(replica->loop) + limit_ms;
    sync->routine.op.done = on_ended;
    op_begin(op, on_abort, sync);
    routine_start(&sync->routine, replica->loop, run);
}
