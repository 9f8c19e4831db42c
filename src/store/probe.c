/* CONNECT --> WRITE --> READ --> ended. Any failure ends it too. */
#include "store/probe.h"

#include <stdlib.h>

#include "base/mem.h"
#include "loop/loop.h"

#define ANSWER_MAX_BYTES 256

enum state { CONNECT, WRITE, READ };

struct probe {
    struct stream *stream;
    struct op op; /* of the stream's work */
    struct op *owner;
    enum state state;
    struct slice question;
    struct buf answer;
    bool is_forgotten; /* freed while the stream's op was busy */
};

static void probe_destroy(struct probe *probe)
{
    buf_done(&probe->answer);
    free(probe);
}

static void finish(struct probe *probe, enum err err)
{
    struct op *owner = probe->owner;

    probe->owner = NULL;
    owner->why = probe->op.why;
    op_end(owner, err);
}

static void on_step(struct op *op, enum err err)
{
    struct probe *probe = container_of(op, struct probe, op);

    if (probe->is_forgotten) {
        probe_destroy(probe);
        return;
    }
    if (err == E_OK) {
        switch (probe->state) {
        case CONNECT:
            probe->state = WRITE;
            err = stream_write(probe->stream, &probe->question, 1, &probe->op);
            break;
        case WRITE:
            probe->state = READ;
            err = stream_read(probe->stream, &probe->answer, ANSWER_MAX_BYTES, &probe->op);
            break;
        case READ:
            if (slice_has_prefix(buf_slice(&probe->answer), SLICE("+PONG"))) {
                finish(probe, E_OK);
                return;
            }
            (void)cause_set(&probe->op.why, E_REDIS, "%.*s",
                            SLICE_ARG(slice_trim(buf_slice(&probe->answer))));
            err = E_REDIS;
            break;
        }
    }
    if (err)
        finish(probe, err);
}

struct probe *probe_start(struct loop *loop, const struct stream_target *target, struct op *op)
{
    struct probe *probe = mem_new(struct probe);

    probe->op.done = on_step;
    probe->owner = op;
    probe->question = SLICE("PING\r\n");
    buf_init(&probe->answer, ANSWER_MAX_BYTES);
    probe->stream = stream_new(loop);
    op_begin(op, NULL, probe);
    enum err err = stream_connect(probe->stream, target, &probe->op);
    if (err) /* judged like any failure, one turn later */
        loop_later(loop, &probe->op, err);
    return probe;
}

void probe_free(struct probe *probe)
{
    if (probe == NULL)
        return;
    stream_free(probe->stream);
    probe->stream = NULL;
    if (probe->owner != NULL) { /* the op's memory may go: it must not be touched again */
        probe->owner->is_busy = false;
        probe->owner = NULL;
    }
    if (probe->op.is_busy)
        probe->is_forgotten = true; /* the stream ends it with E_CANCELED */
    else
        probe_destroy(probe);
}
