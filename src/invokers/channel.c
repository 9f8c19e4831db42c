#include "invokers/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "loop/loop.h"
#include "loop/stream.h"

#define READ_CHUNK_BYTES (64 * 1024)
#define KEPT_BYTES (1024 * 1024) /* a larger buffer is given back when it is empty */

struct channel {
    struct channel_options options;
    struct stream *stream;
    struct buf in;
    struct buf gather;  /* leaves next */
    struct buf sending; /* under way */
    struct op read;
    struct op write;
    struct turn turn;
    int fd;         /* the stream's */
    bool is_ending; /* no more to send: half-close after the last byte */
    bool is_inside; /* a callback is running: not the moment to go away */
    bool is_over;   /* `closed` was told, or is not wanted */
    bool is_freed;  /* by the owner; the memory follows when both ops have ended */
};

/* Nothing happens here any more: the stream's ops still have to come home. */
static void release(struct channel *c)
{
    if (!c->is_freed || c->is_inside || c->read.is_busy || c->write.is_busy)
        return;
    buf_done(&c->in);
    buf_done(&c->gather);
    buf_done(&c->sending);
    free(c);
}

static void over(struct channel *c, enum err err, const struct cause *why)
{
    if (c->is_over)
        return;
    c->is_over = true;
    turn_cancel(&c->turn);
    stream_free(c->stream);
    c->stream = NULL;
    c->options.closed(c->options.ctx, err, why);
}

static void empty(struct buf *buf)
{
    size_t max_bytes = buf->max_bytes;
    if (buf->cap > KEPT_BYTES) {
        buf_done(buf);
        buf_init(buf, max_bytes);
    } else {
        buf_clear(buf);
    }
}

/* ---- out ---- */

static void flush(struct channel *c)
{
    if (c->is_over || c->write.is_busy)
        return;
    if (c->gather.len == 0) {
        if (c->is_ending)
            (void)shutdown(c->fd, SHUT_WR);
        return;
    }
    struct buf gather = c->gather;
    c->gather = c->sending;
    c->sending = gather;
    struct slice part = buf_slice(&c->sending);
    enum err err = stream_write(c->stream, &part, 1, &c->write);
    if (err)
        over(c, err, NULL);
}

static void on_turn(struct turn *turn)
{
    flush(container_of(turn, struct channel, turn));
}

static void on_written(struct op *op, enum err err)
{
    struct channel *c = container_of(op, struct channel, write);
    c->is_inside = true;
    empty(&c->sending);
    /* A broken pipe shows in the read too, which may still find the peer's last answers. */
    if (err == E_OK)
        flush(c);
    else
        empty(&c->gather);
    c->is_inside = false;
    release(c);
}

enum err channel_send(struct channel *c, const struct rpc_message *message)
{
    if (c->is_over || c->is_ending)
        return E_CLOSED;
    size_t before = c->gather.len;
    rpc_frame_add(&c->gather, RPC_FRAME_PLAIN, message);
    bool is_too_long = c->gather.len - before > c->options.message_max_bytes + 4;
    if (buf_err(&c->gather) || is_too_long) {
        c->gather.len = before;
        c->gather.missed = false;
        return E_LIMIT;
    }
    loop_at_turn_end(c->options.loop, &c->turn);
    return E_OK;
}

/* ---- in ---- */

static void read_more(struct channel *c, size_t wanted)
{
    size_t chunk = wanted > READ_CHUNK_BYTES ? wanted : READ_CHUNK_BYTES;
    enum err err = stream_read(c->stream, &c->in, chunk, &c->read);
    if (err)
        over(c, err, NULL);
}

/* Hands out all whole messages; *ret_wanted is how much the rest of the next one takes. */
static enum err parse(struct channel *c, size_t *ret_wanted)
{
    struct slice rest = buf_slice(&c->in);
    struct slice message;
    size_t used = 0;
    enum err err;
    while ((err = rpc_frame_next(rest, RPC_FRAME_PLAIN, c->options.message_max_bytes, &message,
                                 &used)) == E_OK) {
        c->options.message(c->options.ctx, message);
        if (c->is_over)
            return E_OK;
        rest = slice_from(rest, used);
    }
    if (err != E_MORE)
        return err;
    *ret_wanted = used > rest.len ? used - rest.len : 0;
    if (rest.len == 0)
        empty(&c->in);
    else
        buf_consume(&c->in, c->in.len - rest.len);
    return E_OK;
}

static void on_read(struct op *op, enum err err)
{
    struct channel *c = container_of(op, struct channel, read);
    struct cause why = op->why;
    size_t wanted = 0;
    if (c->is_over) {
        release(c);
        return;
    }
    c->is_inside = true;
    if (err == E_CLOSED && c->in.len > 0)
        err = cause_set(&why, E_BAD_WIRE, "it ended inside a message");
    if (err == E_OK) {
        err = parse(c, &wanted);
        if (err == E_LIMIT)
            (void)cause_set(&why, err, "a message is longer than %zu bytes",
                            c->options.message_max_bytes);
    }
    if (err != E_OK)
        over(c, err, &why);
    else if (!c->is_over)
        read_more(c, wanted);
    c->is_inside = false;
    release(c);
}

/* ---- life ---- */

enum err channel_start(const struct channel_options *options, int fd, struct channel **ret,
                       struct cause *why)
{
    struct stream *stream;
    enum err err = stream_adopt(options->loop, fd, &stream, why);
    if (err)
        return err;
    struct channel *c = mem_new(struct channel);
    c->options = *options;
    if (c->options.message_max_bytes == 0)
        c->options.message_max_bytes = RPC_MESSAGE_MAX_BYTES;
    if (c->options.queue_max_bytes == 0)
        c->options.queue_max_bytes = CHANNEL_QUEUE_MAX_BYTES;
    c->stream = stream;
    c->fd = fd;
    c->turn.run = on_turn;
    c->read.done = on_read;
    c->write.done = on_written;
    buf_init(&c->in, c->options.message_max_bytes + 4 + READ_CHUNK_BYTES);
    buf_init(&c->gather, c->options.queue_max_bytes);
    buf_init(&c->sending, c->options.queue_max_bytes);
    err = stream_read(stream, &c->in, READ_CHUNK_BYTES, &c->read);
    if (err) {
        stream_free(stream);
        c->is_freed = true;
        release(c);
        return err;
    }
    *ret = c;
    return E_OK;
}

void channel_end(struct channel *c)
{
    c->is_ending = true;
    if (!c->is_over)
        loop_at_turn_end(c->options.loop, &c->turn);
}

void channel_free(struct channel *c)
{
    if (c == NULL)
        return;
    c->is_over = c->is_freed = true;
    turn_cancel(&c->turn);
    stream_free(c->stream);
    c->stream = NULL;
    release(c);
}
