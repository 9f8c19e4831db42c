/* http/server_internal.h - what the files of the server share: server.c (life), caller.c (one
 * connection), body.c (of requests), reply.c (answers), server_stream.c. */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include "http/request.h"
#include "loop/loop.h"
#include "loop/stream.h"

#define AHEAD_MAX_BYTES (16 * 1024)   /* read while a request is being answered */
#define UNSENT_HIGH_BYTES (64 * 1024) /* of one caller; above it is not served on */
#define FREE_BODY_BYTES (64 * 1024)   /* a larger body needs room among HTTP_BODIES_MAX_BYTES */
#define READ_MARGIN_BYTES                                                                          \
    (1024 * 1024) /* of a buffer, beside a body: a head, and what is ahead                         \
                   */
#define DISCARD_MAX_BYTES (16 * 1024 * 1024) /* read and dropped, so that the client sees why */

struct listener;
struct timer;

struct http_server {
    struct loop *loop;
    struct http_server_options options;
    struct listener *listener; /* NULL once closed */
    struct tls *tls;           /* NULL = plain */
    uint16_t port;
    bool is_full;          /* the listener is paused */
    uint64_t full_told_ms; /* when that was told; 0 = never */

    struct list callers;
    uint32_t caller_count; /* all of them */
    uint32_t open_count;   /* those that are not closing */
    struct list line;      /* callers that wait for room for a body */
    struct list held;      /* requests in the hands of the handler */
    struct list streams;   /* not ended yet */
    uint32_t owned;        /* requests and streams that others still hold */
    struct list spare;     /* requests to use again */
    uint32_t spare_count;
    size_t bytes_max;    /* of what a caller has read */
    size_t bodies_bytes; /* reserved */
    size_t unsent_bytes;

    char date[40]; /* "Date: ...\r\n" */
    size_t date_len;
    uint64_t date_at_s; /* monotonic; 0 = not written yet */

    struct timer *tick;
    struct timer *grace;
    struct turn turn; /* what follows from many events of a turn */
    struct op *closing;
    bool is_closing, was_cut, is_stopped;
    bool has_late_watch; /* somebody watches a client that had left before */
};

enum phase {
    SECURING, /* the TLS handshake */
    IDLE,
    HEAD, /* some of it is there */
    LINE, /* waits for room for the body */
    BODY,
    HELD,       /* in the handler's hands */
    STREAMING,  /* the answer goes on */
    DISCARDING, /* answered, but the body is still coming */
    LINGERING,  /* answered, for the last time: until the client closes */
};

struct caller {
    struct list_node node;      /* in server->callers */
    struct list_node line_node; /* in server->line */
    struct http_server *server;
    struct stream *stream; /* NULL once it is closing */
    struct op secure_op, read_op, write_op;
    struct turn turn; /* sends what gathered */
    enum phase phase;
    uint64_t since_ms; /* when the phase began */
    bool is_taking;    /* caller_take() is on the stack */
    bool is_eof;       /* nothing more will come */
    bool is_last;      /* no more requests are taken: the answer says so */

    struct buf in;
    size_t at;      /* in `in`: before it all is spent */
    size_t scanned; /* bytes of the head, from `at`, that hold no end */

    /* Of the request under way. */
    struct http_request *request;  /* from its head until its answer, or NULL */
    size_t head_bytes, body_bytes; /* from `at`: the head, and the body as far as it is decoded */
    size_t end;                    /* from `at`: what lies behind is not looked at yet */
    uint64_t left;                 /* DISCARDING, of a body with a length */
    struct http1_chunks chunks;
    enum http1_framing framing; /* HTTP1_NO_BODY once all of the body was seen */
    uint64_t got_bytes;         /* since the phase began */
    uint64_t got_at_ms;
    size_t seen_len; /* of `in`, when it was last looked at */

    struct buf out, sending; /* heads and small bodies; chunks */
    char *reply;             /* a large body behind `sending`, malloc()ed; or NULL */
    size_t reply_bytes, reply_at;
    size_t writing_bytes, unsent_bytes;
    uint64_t wrote_at_ms; /* of the last progress, while write_op is busy */
    struct http_stream *streaming;
};

struct http_stream {
    struct list_node node; /* in server->streams */
    struct http_server *server;
    struct caller *caller; /* NULL: the client has gone, or wants no body */
    struct http_stream_options options;
    bool is_chunked;
    bool is_told; /* gone() was called */
    size_t out_bytes, sending_bytes;
};

/* server.c */
struct http_request *server_take_request(struct http_server *server);
/* server_end_request takes an answered request, to be used again. The server may be gone then. */
void server_end_request(struct http_request *request);
void server_let_go(struct http_server *server); /* something others held was given back; the same */
void server_look(struct http_server *server);   /* at the end of this turn */
void server_caller_closed(struct http_server *server);
/* server_caller_gone frees it, and perhaps the server. */
void server_caller_gone(struct http_server *server, struct caller *caller);
/* server_reserve: true if a body of so many bytes may be read now. */
bool server_reserve(struct caller *caller, size_t bytes);

/* caller.c. caller_new takes the descriptor; NULL if it is of no use. */
struct caller *caller_new(struct http_server *server, int fd);
void caller_set(struct caller *caller, enum phase phase);
void caller_take(struct caller *caller);      /* goes on with what was read */
void caller_read_body(struct caller *caller); /* or waits in the line for room */
/* caller_may_drop_body: can the next request be found behind the rest of the body? */
bool caller_may_drop_body(const struct caller *caller);
void caller_close(struct caller *caller);
void caller_check_time(struct caller *caller, uint64_t now_ms);
bool caller_is_live(const struct caller *caller); /* a request is not answered and sent yet */
/* caller_answered: the request under way is over, unless its body is still coming. */
void caller_answered(struct caller *caller);

/* body.c */
void body_begin(struct caller *caller); /* behind a head of head_bytes */
/* body_take looks at what was read. E_OK: the body is whole; E_MORE; E_LIMIT, E_BAD_WIRE. */
enum err body_take(struct caller *caller);
/* body_discard drops what was read of it. E_OK: that was all; E_MORE; E_LIMIT, E_BAD_WIRE: it will
 * not end. */
enum err body_discard(struct caller *caller);

/* reply.c */
/* reply_refuse answers the request under way, or what could not be read as one. */
void reply_refuse(struct caller *caller, int status, bool is_last);
void reply_continue(struct caller *caller); /* 100 */
void reply_head(struct caller *caller, const struct http_request *request, int status,
                const size_t *body_bytes);
void reply_add(struct caller *caller, struct slice bytes);
void reply_send(struct caller *caller);    /* at the end of the turn */
void reply_flush(struct caller *caller);   /* now, unless a write is under way */
void reply_written(struct caller *caller); /* that write is done */

/* server_stream.c */
void stream_sending(struct http_stream *stream); /* all that was written so far */
void stream_tell(struct http_stream *stream);    /* call gone(), once */

#endif
