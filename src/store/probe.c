/* CONNECT --> WRITE --> READ, until all has been answered --> ended. Any failure ends it too. */
#include "store/probe.h"

#include <stdlib.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "wire/resp.h"

#define QUESTION_MAX_BYTES (16u * 1024)
#define CHUNK_BYTES 4096
#define TIMEOUT_MS 10000

enum state { CONNECT, WRITE, READ };

struct probe {
    struct stream *stream;
    struct timer *limit;
    struct op op; /* of the stream's work */
    struct op *owner;
    enum state state;
    struct buf question, answer;
    struct slice part; /* the question, as stream_write() borrows it */
    struct resp_parser parser;
    size_t parsed;      /* bytes of `answer` */
    uint32_t left;      /* replies that have not come */
    struct cause error; /* the first reply that is one */
    bool is_late, is_aborted;
    bool is_forgotten; /* freed while the stream's op was busy */
};

static void probe_destroy(struct probe *probe)
{
    resp_parser_done(&probe->parser);
    buf_done(&probe->question);
    buf_done(&probe->answer);
    free(probe);
}

/* The stream's op ends it then. */
static void hang_up(struct probe *probe)
{
    stream_free(probe->stream);
    probe->stream = NULL;
}

static void finish(struct probe *probe, enum err err)
{
    struct op *owner = probe->owner;

    probe->owner = NULL;
    timer_clear(probe->limit);
    hang_up(probe);
    if (probe->is_aborted)
        err = E_CANCELED;
    else if (probe->is_late)
        err = cause_set(&owner->why, E_TIMEOUT, "no answer in time");
    else
        owner->why = err == E_REDIS ? probe->error : probe->op.why;
    op_end(owner, err);
}

/* E_MORE until all replies are there. */
static enum err take_replies(struct probe *probe)
{
    static const struct resp_limits limits = {PROBE_ANSWER_MAX_BYTES, 1024, 8};
    size_t used;

    while (probe->left > 0) {
        enum err err =
            resp_parse(&probe->parser, slice_from(buf_slice(&probe->answer), probe->parsed),
                       &limits, &used, &probe->op.why);
        if (err)
            return err;
        const struct resp *reply = &probe->parser.nodes[0];
        if (resp_is_error(reply, SLICE_NONE) && probe->error.text[0] == '\0')
            (void)cause_set(&probe->error, E_REDIS, "%.*s", SLICE_ARG(reply->text));
        resp_parser_next(&probe->parser);
        probe->parsed += used;
        probe->left--;
    }
    return probe->error.text[0] != '\0' ? E_REDIS : E_OK;
}

static enum err read_more(struct probe *probe)
{
    return stream_read(probe->stream, &probe->answer, CHUNK_BYTES, &probe->op);
}

/* E_OK: there is something to wait for. */
static enum err next_step(struct probe *probe, bool *ret_is_done)
{
    enum err err;

    switch (probe->state) {
    case CONNECT:
        probe->state = WRITE;
        probe->part = buf_slice(&probe->question);
        return stream_write(probe->stream, &probe->part, 1, &probe->op);
    case WRITE:
        probe->state = READ;
        return read_more(probe);
    case READ:
        break;
    }
    err = take_replies(probe);
    if (err == E_MORE)
        return read_more(probe);
    *ret_is_done = true;
    return err;
}

static void on_step(struct op *op, enum err err)
{
    struct probe *probe = container_of(op, struct probe, op);
    bool is_done = false;

    if (probe->is_forgotten) {
        probe_destroy(probe);
        return;
    }
    if (err == E_OK && probe->stream == NULL)
        err = E_CANCELED; /* told to hang up at the very end of a step */
    if (err == E_OK)
        err = next_step(probe, &is_done);
    if (err || is_done)
        finish(probe, err);
}

static void on_limit(void *ctx)
{
    struct probe *probe = ctx;

    probe->is_late = true;
    hang_up(probe);
}

static void on_abort(struct op *op)
{
    struct probe *probe = op->runner;

    op->abort = NULL;
    probe->is_aborted = true;
    hang_up(probe);
}

struct probe *probe_ask(struct loop *loop, const struct stream_target *target,
                        struct slice commands, uint32_t replies, struct op *op)
{
    struct probe *probe = mem_new(struct probe);

    probe->op.done = on_step;
    probe->owner = op;
    probe->left = replies;
    buf_init(&probe->question, QUESTION_MAX_BYTES);
    buf_init(&probe->answer, PROBE_ANSWER_MAX_BYTES);
    buf_add(&probe->question, commands);
    probe->stream = stream_new(loop);
    probe->limit = timer_new(loop, on_limit, probe);
    timer_set(probe->limit, target->timeout_ms > 0 ? target->timeout_ms : TIMEOUT_MS);
    op_begin(op, on_abort, probe);
    enum err err = buf_err(&probe->question);
    if (!err)
        err = stream_connect(probe->stream, target, &probe->op);
    if (err) /* judged like any failure, one turn later */
        loop_later(loop, &probe->op, err);
    return probe;
}

struct probe *probe_start(struct loop *loop, const struct stream_target *target, struct op *op)
{
    return probe_ask(loop, target, SLICE("PING\r\n"), 1, op);
}

struct slice probe_answer(const struct probe *probe)
{
    return buf_slice(&probe->answer);
}

void probe_free(struct probe *probe)
{
    if (probe == NULL)
        return;
    hang_up(probe);
    timer_free(probe->limit);
    probe->limit = NULL;
    if (probe->owner != NULL) { /* the op's memory may go: it must not be touched again */
        probe->owner->is_busy = false;
        probe->owner = NULL;
    }
    if (probe->op.is_busy)
        probe->is_forgotten = true; /* the stream ends it with E_CANCELED */
    else
        probe_destroy(probe);
}
