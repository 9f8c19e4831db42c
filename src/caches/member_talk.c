#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "caches/member_internal.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"

struct member_talk_call {
    struct redis_call call;
    struct member_talk *talk;
    struct slice *args; /* with their bytes behind them */
    size_t arg_count;
    struct reply *reply;
    bool may_fail;
};

/* ---- the commands ---- */

static struct slice *copy_args(const struct member_command *command)
{
    size_t sum = 0;

    for (size_t i = 0; i < command->count; i++)
        sum += command->args[i].len;
    struct slice *args = mem_zeroed(1, command->count * sizeof *args + sum);
    char *at = (char *)(args + command->count);
    for (size_t i = 0; i < command->count; i++) {
        size_t len = command->args[i].len;
        args[i] = (struct slice){at, len};
        if (len > 0)
            memcpy(at, command->args[i].data, len);
        at += len;
    }
    return args;
}

/* "CONFIG SET", without what may be a secret. */
static void name_command(const struct member_talk_call *call, struct cause *why, enum err err)
{
    static const struct slice with_two[] = {SLICE_INIT("ACL"), SLICE_INIT("CLIENT"),
                                            SLICE_INIT("CLUSTER"), SLICE_INIT("CONFIG")};
    bool has_two = false;

    for (size_t i = 0; i < COUNT_OF(with_two); i++)
        has_two = has_two || (call->arg_count > 1 && slice_eq_nocase(call->args[0], with_two[i]));
    (void)cause_wrap(why, err, "%.*s%s%.*s", SLICE_ARG(call->args[0]), has_two ? " " : "",
                     SLICE_ARG(has_two ? call->args[1] : SLICE_NONE));
}

static void drop_calls(struct member_talk *talk)
{
    for (size_t i = 0; i < talk->count; i++) {
        reply_unref(talk->calls[i].reply);
        free(talk->calls[i].args);
    }
    free(talk->calls);
    talk->calls = NULL;
    talk->count = 0;
}

void member_talk_done(struct member_talk *talk)
{
    assert(!talk->op.is_busy);
    drop_calls(talk);
    *talk = (struct member_talk){0};
}

const struct resp *member_talk_reply(const struct member_talk *talk, size_t index)
{
    if (index >= talk->count || talk->calls[index].reply == NULL)
        return NULL;
    return talk->calls[index].reply->root;
}

/* ---- the talk ---- */

static void note_error(struct member_talk *talk, enum err err, const struct cause *why)
{
    if (talk->err != E_OK)
        return;
    talk->err = err;
    talk->why = *why;
}

static void finish(struct member_talk *talk)
{
    enum err err = talk->err;

    timer_free(talk->limit);
    talk->limit = NULL;
    if (talk->is_aborted)
        err = E_CANCELED;
    else if (talk->is_late)
        err = cause_set(&talk->why, E_TIMEOUT, "no connection within %u ms", talk->member->hang_ms);
    else if (err == E_CANCELED)
        err = cause_set(&talk->why, E_CLOSED, "the server ended");
    talk->op.why = talk->why;
    (void)cause_wrap(&talk->op.why, err, "%s", talk->member->name);
    op_end(&talk->op, err);
}

static void on_answered(struct op *op, enum err err)
{
    struct member_talk_call *call = container_of(op, struct member_talk_call, call.op);
    struct member_talk *talk = call->talk;

    if (call->call.reply != NULL)
        call->reply = reply_ref(call->call.reply);
    if (err != E_OK && !(err == E_REDIS && call->may_fail)) {
        name_command(call, &op->why, err);
        note_error(talk, err, &op->why);
    }
    if (--talk->left == 0)
        finish(talk);
}

/* All in one turn, and so in one write. */
static void send(struct member_talk *talk)
{
    for (size_t i = 0; i < talk->count; i++) {
        struct member_talk_call *call = &talk->calls[i];
        call->call.op.done = on_answered;
        enum err err = redis_call(talk->member->redis, call->args, call->arg_count, &call->call);
        if (err)
            note_error(talk, err, &call->call.op.why);
        else
            talk->left++;
    }
    if (talk->left == 0)
        loop_later(talk->member->loop, &talk->ready, talk->err);
}

/* There is a connection, or there will be none, or nothing could be sent. */
static void on_ready(struct op *op, enum err err)
{
    struct member_talk *talk = container_of(op, struct member_talk, ready);

    if (talk->limit != NULL)
        timer_clear(talk->limit);
    if (err == E_OK && talk->err == E_OK && talk->count > 0 && talk->member->redis != NULL) {
        send(talk);
        return;
    }
    if (err == E_OK)
        err = E_CANCELED;
    note_error(talk, err, &op->why);
    finish(talk);
}

static void on_limit(void *ctx)
{
    struct member_talk *talk = ctx;

    talk->is_late = true;
    op_abort(&talk->ready);
}

static void on_abort(struct op *op)
{
    struct member_talk *talk = op->runner;

    op->abort = NULL;
    talk->is_aborted = true;
    op_abort(&talk->ready);
    for (size_t i = 0; i < talk->count; i++)
        op_abort(&talk->calls[i].call.op);
}

static void begin(struct member_talk *talk)
{
    struct member *member = talk->member;

    talk->ready.done = on_ready;
    if (member_redis(member) == NULL) {
        (void)cause_set(&talk->ready.why, E_CLOSED, "no server runs");
        loop_later(member->loop, &talk->ready, E_CLOSED);
    } else if (redis_is_ready(member->redis)) {
        send(talk);
    } else {
        talk->limit = timer_new(member->loop, on_limit, talk);
        timer_set(talk->limit, member->hang_ms);
        redis_ready(member->redis, &talk->ready);
    }
}

void member_talk(struct member *member, const struct member_command *commands, size_t count,
                 struct member_talk *talk)
{
    assert(count > 0);
    drop_calls(talk);
    op_begin(&talk->op, on_abort, talk);
    talk->member = member;
    talk->left = 0;
    talk->is_late = talk->is_aborted = false;
    talk->err = E_OK;
    talk->why.text[0] = '\0';
    talk->count = count;
    talk->calls = mem_new_array(count, struct member_talk_call);
    for (size_t i = 0; i < count; i++)
        talk->calls[i] = (struct member_talk_call){.call = {.timeout_ms = commands[i].timeout_ms},
                                                   .talk = talk,
                                                   .args = copy_args(&commands[i]),
                                                   .arg_count = commands[i].count,
                                                   .may_fail = commands[i].may_fail};
    begin(talk);
}
