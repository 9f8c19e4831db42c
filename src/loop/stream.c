/* The plain half of a stream. Bytes go from the socket straight into the reader's buf, and from the
 * writer's parts straight to the socket.
 *
 * Reading: the socket is watched from the first stream_read() until a turn ends in which nobody
 * asked again. Stopping at once would cost two system calls for every answer of a peer. */
#include "loop/stream.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/stream_internal.h"

/* ---- the socket ---- */

struct transport *transport_new(struct stream *stream, bool is_pipe)
{
    struct transport *transport = mem_new(struct transport);
    uv_loop_t *uv = loop_uv(stream->loop);

    transport->owner = stream;
    if (is_pipe)
        uv_pipe_init(uv, &transport->uv.pipe, 0);
    else
        uv_tcp_init(uv, &transport->uv.tcp); /* the descriptor comes with the connect */
    stream->transport = transport;
    return transport;
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct transport, uv.handle));
}

void transport_drop(struct stream *stream)
{
    struct transport *transport = stream->transport;
    if (transport == NULL)
        return;
    stream->transport = NULL;
    stream->is_reading = false;
    transport->owner = NULL;
    uv_close(&transport->uv.handle, on_closed);
}

/* ---- reading ---- */

void stream_read_end(struct stream *stream, enum err err, const char *text)
{
    struct op *op = stream->read_op;
    stream->read_op = NULL;
    if (text != NULL && err != E_OK)
        snprintf(op->why.text, sizeof op->why.text, "%s", text);
    op_end(op, err);
}

static void on_read_late(struct op *op, enum err err)
{
    struct stream *stream = container_of(op, struct stream, read_late);
    stream_read_end(stream, err, err == stream->read_err ? stream->read_text : NULL);
}

static void stop_reading(struct stream *stream)
{
    if (stream->is_reading)
        uv_read_stop(&stream->transport->uv.stream);
    stream->is_reading = false;
}

static bool wants_bytes(const struct stream *stream)
{
    return (stream->read_op != NULL && !stream->read_late.is_busy) ||
           (stream->session != NULL && session_wants_bytes(stream->session));
}

static void on_turn_end(struct turn *turn)
{
    struct stream *stream = container_of(turn, struct stream, pause);
    if (!wants_bytes(stream))
        stop_reading(stream);
}

static size_t room_of(const struct stream *stream)
{
    const struct buf *into = stream->into;
    size_t room = into->missed ? 0 : into->max_bytes - into->len;
    return room < stream->chunk ? room : stream->chunk;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct stream *stream = container_of(handle, struct transport, uv.handle)->owner;
    size_t room;

    (void)suggested;
    *ret = (uv_buf_t){0}; /* libuv then reads nothing and reports UV_ENOBUFS */
    if (stream == NULL || !wants_bytes(stream))
        return;
    if (stream->session != NULL)
        session_room(ret);
    else if ((room = room_of(stream)) > 0)
        *ret = (uv_buf_t){buf_reserve(stream->into, room), room};
}

static void note_read_err(struct stream *stream, ssize_t status)
{
    stream->read_err = err_from_uv((int)status);
    snprintf(stream->read_text, sizeof stream->read_text, "%s",
             status == UV_EOF ? "closed by the peer" : uv_text((int)status));
}

static void got_plain(struct stream *stream, ssize_t got)
{
    if (got > 0) {
        buf_grow(stream->into, (size_t)got);
        stream_read_end(stream, E_OK, NULL);
    } else if (stream->read_op == NULL || stream->read_late.is_busy) {
        return; /* the next stream_read() tells */
    } else if (got == UV_ENOBUFS) {
        stream_read_end(stream, E_LIMIT, NULL);
    } else {
        stream_read_end(stream, stream->read_err, stream->read_text);
    }
}

static void on_got(uv_stream_t *uv, ssize_t got, const uv_buf_t *buf)
{
    struct transport *transport = container_of(uv, struct transport, uv.stream);
    struct stream *stream = transport->owner;

    (void)buf;
    if (got == 0 || stream == NULL) /* 0: nothing there after all */
        return;
    if (got == UV_ENOBUFS && !wants_bytes(stream)) {
        stop_reading(stream);
        return;
    }
    if (got < 0) {
        stop_reading(stream);
        if (got != UV_ENOBUFS)
            note_read_err(stream, got);
    }
    if (stream->session != NULL)
        session_got(stream, got);
    else
        got_plain(stream, got);
    if (transport->owner != NULL && !wants_bytes(stream)) /* else the callback freed it */
        loop_at_turn_end(stream->loop, &stream->pause);
}

enum err stream_watch(struct stream *stream)
{
    if (stream->is_reading)
        return E_OK;
    int status = uv_read_start(&stream->transport->uv.stream, on_room, on_got);
    if (status < 0) {
        note_read_err(stream, status);
        return stream->read_err;
    }
    stream->is_reading = true;
    return E_OK;
}

static void read_abort(struct op *op)
{
    struct stream *stream = op->runner;
    loop_forget(&stream->read_late);
    stream->read_op = NULL;
    loop_at_turn_end(stream->loop, &stream->pause);
    loop_end_later(stream->loop, op, E_CANCELED);
}

enum err stream_read(struct stream *stream, struct buf *into, size_t chunk, struct op *op)
{
    assert(stream->read_op == NULL && stream->connect == NULL && stream->secure_op == NULL);
    assert(chunk > 0);
    if (stream->transport == NULL)
        return cause_set(&op->why, E_CLOSED, "not connected");
    op_begin(op, read_abort, stream);
    stream->read_op = op;
    stream->into = into;
    stream->chunk = chunk;
    if (room_of(stream) == 0)
        loop_later(stream->loop, &stream->read_late, E_LIMIT);
    else if (stream->session != NULL)
        session_read(stream);
    else if (stream->read_err != E_OK || stream_watch(stream) != E_OK)
        loop_later(stream->loop, &stream->read_late, stream->read_err);
    return E_OK;
}

/* ---- writing ---- */

void stream_write_end(struct stream *stream, enum err err, const char *text)
{
    struct op *op = stream->write_op;
    stream->write_op = NULL;
    if (text != NULL && err != E_OK)
        snprintf(op->why.text, sizeof op->why.text, "%s", text);
    op_end(op, err);
}

static void on_write_late(struct op *op, enum err err)
{
    struct stream *stream = container_of(op, struct stream, write_late);
    stream_write_end(stream, err, NULL);
}

static void on_written(uv_write_t *req, int status)
{
    struct stream *stream = container_of(req, struct transport, write)->owner;
    if (stream != NULL) /* else the op ends, or has ended, as canceled */
        stream_write_end(stream, err_from_uv(status), uv_text(status));
}

/* Without the first `sent` bytes; returns how many bufs are left. */
static unsigned skip_sent(uv_buf_t *bufs, unsigned count, size_t sent)
{
    unsigned first = 0;
    while (first < count && sent >= bufs[first].len)
        sent -= bufs[first++].len;
    if (first < count) {
        bufs[first].base += sent;
        bufs[first].len -= sent;
    }
    memmove(bufs, bufs + first, (count - first) * sizeof *bufs);
    return count - first;
}

static void write_plain(struct stream *stream, const struct slice *parts, size_t count)
{
    struct transport *transport = stream->transport;
    uv_buf_t bufs[STREAM_PARTS_MAX];
    unsigned left = 0;

    for (size_t i = 0; i < count; i++)
        if (parts[i].len > 0) /* libuv does not write through its pointer */
            bufs[left++] = (uv_buf_t){(char *)(uintptr_t)parts[i].data, parts[i].len};
    int status = left == 0 ? 0 : uv_try_write(&transport->uv.stream, bufs, left);
    if (status > 0)
        left = skip_sent(bufs, left, (size_t)status);
    if (left > 0 && (status >= 0 || status == UV_EAGAIN))
        status = uv_write(&transport->write, &transport->uv.stream, bufs, left, on_written);
    else if (left == 0)
        status = 1;
    if (status == 0)
        return; /* on_written() comes */
    if (status < 0)
        (void)cause_set(&stream->write_op->why, E_IO, "%s", uv_text(status));
    loop_later(stream->loop, &stream->write_late, err_from_uv(status));
}

static void write_abort(struct op *op)
{
    struct stream *stream = op->runner;
    loop_forget(&stream->write_late);
    stream->write_op = NULL;
    transport_drop(stream); /* nothing else keeps libuv from the parts, or heals half a message */
    if (stream->read_op != NULL && !stream->read_late.is_busy)
        loop_later(stream->loop, &stream->read_late, E_CLOSED);
    loop_end_later(stream->loop, op, E_CANCELED);
}

enum err stream_write(struct stream *stream, const struct slice *parts, size_t count, struct op *op)
{
    assert(stream->write_op == NULL && stream->connect == NULL && stream->secure_op == NULL);
    if (stream->transport == NULL)
        return cause_set(&op->why, E_CLOSED, "not connected");
    if (count > STREAM_PARTS_MAX)
        return cause_set(&op->why, E_LIMIT, "%zu parts in one write", count);
    op_begin(op, write_abort, stream);
    stream->write_op = op;
    if (stream->session != NULL)
        session_write(stream, parts, count);
    else
        write_plain(stream, parts, count);
    return E_OK;
}

static void on_shut_down(uv_shutdown_t *req, int status)
{
    (void)req, (void)status; /* libuv wants one; reading tells how the peer took it */
}

void stream_finish(struct stream *stream)
{
    struct transport *transport = stream->transport;

    assert(stream->write_op == NULL);
    if (transport == NULL || stream->is_finished)
        return;
    stream->is_finished = true;
    session_finish(stream);
    (void)uv_shutdown(&transport->shutdown, &transport->uv.stream, on_shut_down);
}

/* ---- life ---- */

struct stream *stream_new(struct loop *loop)
{
    struct stream *stream = mem_new(struct stream);
    stream->loop = loop;
    stream->read_late.done = on_read_late;
    stream->write_late.done = on_write_late;
    stream->pause.run = on_turn_end;
    return stream;
}

static int open_fd(struct stream *stream, int fd)
{
    int domain = AF_UNIX,
        one = 1; /* what is no socket (a pipe) goes libuv's way for unix sockets */
    socklen_t len = sizeof domain;

    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    bool is_tcp = domain == AF_INET || domain == AF_INET6;
    struct transport *transport = transport_new(stream, !is_tcp);
    if (!is_tcp)
        return uv_pipe_open(&transport->uv.pipe, fd);
    (void)setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
    return uv_tcp_open(&transport->uv.tcp, fd);
}

enum err stream_adopt(struct loop *loop, int fd, struct stream **ret, struct cause *why)
{
    struct stream *stream = stream_new(loop);
    int status = open_fd(stream, fd);

    if (status < 0) {
        enum err err =
            cause_set(why, err_from_uv(status), "descriptor %d: %s", fd, uv_text(status));
        stream_free(stream);
        close(fd);
        return err;
    }
    *ret = stream;
    return E_OK;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->connect != NULL)
        stream_connect_cancel(stream);
    if (stream->secure_op != NULL)
        loop_end_later(stream->loop, stream->secure_op, E_CANCELED);
    loop_forget(&stream->read_late);
    loop_forget(&stream->write_late);
    turn_cancel(&stream->pause);
    if (stream->read_op != NULL)
        loop_end_later(stream->loop, stream->read_op, E_CANCELED);
    if (stream->write_op != NULL)
        loop_end_later(stream->loop, stream->write_op, E_CANCELED);
    session_free(stream);
    transport_drop(stream);
    free(stream);
}
