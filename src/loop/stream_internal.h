/* loop/stream_internal.h - the parts of a stream: its socket, its connect, its TLS.
 * Rules: the socket's handle is closed in the background, so it is an object of its own that may
 * outlive the stream; `owner` is NULL from then on. Everything else dies in stream_free(). */
#ifndef LOOP_STREAM_INTERNAL_H
#define LOOP_STREAM_INTERNAL_H

#include "loop/internal.h"
#include "loop/stream.h"

struct connect;
struct session;

struct transport {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct stream *owner; /* NULL once the stream let go of it */
};

struct stream {
    struct loop *loop;
    struct transport *transport; /* NULL before the connect and after an abort */
    struct connect *connect;     /* NULL when there is none under way */
    struct session *session;     /* TLS; NULL = plain */
    struct op *secure_op;        /* who waits for a client's handshake, or NULL */
    bool is_finished;            /* by stream_finish() */

    struct op *read_op;  /* who waits for bytes, or NULL */
    struct op read_late; /* ends read_op next turn */
    struct buf *into;    /* of read_op */
    size_t chunk;        /* of read_op */
    struct turn pause;   /* stops reading when nobody asked again by the end of the turn */
    enum err read_err;   /* why nothing more will come; E_OK = it may */
    char read_text[96];  /* text behind read_err */
    bool is_reading;     /* the socket is watched */

    struct op *write_op; /* who waits for its bytes to be sent, or NULL */
    struct op write_late;
};

/* transport_new makes an unconnected handle: a pipe (unix socket) or TCP. NULL if there are no
 * descriptors. */
struct transport *transport_new(struct stream *stream, bool is_pipe);
/* transport_drop closes the stream's socket, if it has one. Nothing reads or writes any more. */
void transport_drop(struct stream *stream);

/* stream_connect_cancel: as op_abort() on a connect that is under way; its op ends later. */
void stream_connect_cancel(struct stream *stream);
/* stream_connect_secured is called by the session, from the loop, when the handshake ended. */
void stream_connect_secured(struct stream *stream, enum err err, const char *text);
/* stream_secured is the same for a stream that was adopted; its op ends next turn. */
void stream_secured(struct stream *stream, enum err err, const char *text);

/* stream_watch asks the socket for bytes. */
enum err stream_watch(struct stream *stream);
/* stream_read_end and stream_write_end end the op that waits, now; only from the loop. `text` may
 * be NULL. */
void stream_read_end(struct stream *stream, enum err err, const char *text);
void stream_write_end(struct stream *stream, enum err err, const char *text);

/* The same for TLS. They end the stream's ops as the plain functions do. session_start begins the
 * handshake; `host` NULL = as the server, then stream_secured(), else stream_connect_secured(). */
enum err session_start(struct stream *stream, const struct tls *tls, const char *host,
                       struct cause *why);
void session_finish(struct stream *stream);              /* says goodbye if it can; none is fine */
void session_free(struct stream *stream);                /* the same, and frees */
bool session_wants_bytes(const struct session *session); /* the handshake does */
void session_room(uv_buf_t *ret);
void session_got(struct stream *stream, ssize_t got); /* bytes from the socket, or a uv error */
void session_read(struct stream *stream);
void session_write(struct stream *stream, const struct slice *parts, size_t count);

#endif
