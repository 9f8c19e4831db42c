/* Each second: what the server has logged is read, and it is asked for a PONG. Silence is counted
 * in seconds in which we were awake: time that passed while we were stopped tells nothing about it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "caches/member_internal.h"
#include "loop/timer.h"
#include "store/probe.h"

#define TICK_MS 1000u
#define TICKS_MIN 4 /* of silence */

static uint32_t tick_ms(const struct member *member)
{
    return member->hang_ms < TICK_MS * TICKS_MIN ? member->hang_ms / TICKS_MIN + 1 : TICK_MS;
}

static void on_answered(struct op *op, enum err err)
{
    struct member *member = container_of(op, struct member, probe_op);

    if (err == E_OK || err == E_REDIS) /* a refusal is an answer too */
        member->silent_ticks = 0;
}

static void ask(struct member *member)
{
    const struct member_command ping[] = {COMMAND(SLICE("PING"))};

    member->probe_op.done = on_answered;
    member_ask(member, ping, COUNT_OF(ping), 2 * member->hang_ms, &member->probe_op);
}

static void on_tick(void *ctx)
{
    struct member *member = ctx;

    member_log_read(&member->log, false);
    if (member->is_hang)
        return; /* it is being killed */
    if (member->silent_ticks++ * tick_ms(member) >= member->hang_ms) {
        log_error("MEMBER-HANGS", "%s: process %d has not answered for %u ms: killing it",
                  member->name, (int)member->pid, member->hang_ms);
        member->is_hang = true;
        member_kill(member);
    } else if (!member->probe_op.is_busy) {
        ask(member);
    }
}

void member_watch_begin(struct member *member)
{
    member->silent_ticks = 0;
    member->tick = timer_new(member->loop, on_tick, member);
    timer_every(member->tick, tick_ms(member));
}

void member_watch_end(struct member *member)
{
    timer_free(member->tick);
    member->tick = NULL;
    probe_free(member->probe);
    member->probe = NULL;
}
