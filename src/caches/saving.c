/* LOOK --busy: nap, again--> ASK --busy after all: nap--> LOOK
 *                             '--> nap --> WATCH --busy: nap, again--> ended */
#include "caches/saving.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "loop/routine.h"
#include "loop/timer.h"

#define NAP_MS 20

struct saving {
    struct routine routine;
    struct op *owner;
    struct member *member;
    struct timer *timer;
    struct member_talk talk;
    struct member_info info;
    struct op op;
    bool is_log;
};

enum { LOOK, ASK, ASKED, WATCH, JUDGE };

static enum stage look(struct saving *saving)
{
    saving->op = (struct op){0};
    member_info(saving->member, &saving->info, &saving->op);
    return routine_wait(&saving->routine, &saving->op, E_OK);
}

static enum stage nap(struct saving *saving, uint32_t then)
{
    timer_wait(saving->timer, NAP_MS, &saving->op);
    (void)routine_go(&saving->routine, then);
    return routine_wait(&saving->routine, &saving->op, E_OK);
}

static bool is_busy(const struct saving *saving)
{
    return saving->info.is_saving || saving->info.is_rewriting;
}

static enum stage ask(struct saving *saving)
{
    static const struct slice dump[] = {SLICE_INIT("BGSAVE")};
    static const struct slice rewrite[] = {SLICE_INIT("BGREWRITEAOF")};
    static const struct slice log[] = {SLICE_INIT("CONFIG"), SLICE_INIT("SET"),
                                       SLICE_INIT("appendonly"), SLICE_INIT("yes")};
    struct member_command command = {.args = dump, .count = COUNT_OF(dump), .may_fail = true};

    if (saving->is_log) {
        command.args = saving->info.has_aof ? rewrite : log;
        command.count = saving->info.has_aof ? COUNT_OF(rewrite) : COUNT_OF(log);
    }
    member_talk(saving->member, &command, 1, &saving->talk);
    return routine_wait(&saving->routine, &saving->talk.op, E_OK);
}

/* Something else began a child in between: a save that was due, a rewrite, a module. */
static bool was_too_late(const struct resp *reply)
{
    return slice_find(reply->text, SLICE("progress")) < reply->text.len ||
           slice_find(reply->text, SLICE("active")) < reply->text.len;
}

static enum stage judge_answer(struct saving *saving)
{
    const struct resp *reply = member_talk_reply(&saving->talk, 0);

    if (reply == NULL || reply->type != RESP_ERROR)
        return nap(saving, WATCH);
    if (was_too_late(reply))
        return nap(saving, LOOK);
    return routine_end(&saving->routine,
                       cause_set(&saving->routine.why, E_IO, "%s: it cannot save: %.*s",
                                 member_name(saving->member), SLICE_ARG(reply->text)));
}

static enum stage judge(struct saving *saving)
{
    bool is_ok = saving->is_log ? saving->info.is_rewrite_ok : saving->info.is_save_ok;

    if (is_busy(saving))
        return nap(saving, WATCH);
    return routine_end(&saving->routine, is_ok
                                             ? E_OK
                                             : cause_set(&saving->routine.why, E_IO,
                                                         "%s: it could not save, its log says why",
                                                         member_name(saving->member)));
}

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    struct saving *saving = container_of(routine, struct saving, routine);

    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case LOOK:
        return look(saving);
    case ASK:
        return is_busy(saving) ? nap(saving, LOOK) : ask(saving);
    case ASKED:
        return judge_answer(saving);
    case WATCH:
        return look(saving);
    default:
        return judge(saving);
    }
}

static void on_ended(struct op *op, enum err err)
{
    struct saving *saving = container_of(op, struct saving, routine.op);
    struct op *owner = saving->owner;

    owner->why = op->why;
    timer_free(saving->timer);
    member_talk_done(&saving->talk);
    free(saving);
    op_end(owner, err);
}

static void on_abort(struct op *op)
{
    struct saving *saving = op->runner;

    op_abort(&saving->routine.op);
}

static void start(struct loop *loop, struct member *member, bool is_log, struct op *op)
{
    struct saving *saving = mem_new(struct saving);

    saving->owner = op;
    saving->member = member;
    saving->is_log = is_log;
    saving->timer = timer_new(loop, NULL, NULL);
    saving->routine.op.done = on_ended;
    op_begin(op, on_abort, saving);
    routine_start(&saving->routine, loop, run);
}

void saving_dump(struct loop *loop, struct member *member, struct op *op)
{
    start(loop, member, false, op);
}

void saving_log(struct loop *loop, struct member *member, struct op *op)
{
    start(loop, member, true, op);
}
