/* http/client_internal.h - what client.c (origins, waiting, time) and connection.c (one exchange at
 * a time) share. */
#ifndef HTTP_CLIENT_INTERNAL_H
#define HTTP_CLIENT_INTERNAL_H

#include "base/map.h"
#include "http/client.h"
#include "loop/loop.h"
#include "loop/stream.h"

struct http_client {
    struct loop *loop;
    struct http_client_options options;
    struct map origins;
    struct http_origin *last_origin; /* most calls go where the one before went */
    struct list all;                 /* connections */
    struct list idle;                /* connections, the longest unused first */
    struct list timed;               /* calls that may expire */
    struct list ended;               /* calls that end with call->ending when flush ends */
    struct op flush;
    struct timer *timer;
    uint64_t timer_at_ms; /* when it fires; 0 = not set */
    struct http_client_stats stats;
    bool is_freed;
};

struct http_origin {
    struct http_client *client;
    struct slice key;
    char *host;           /* in key */
    struct buf host_line; /* "Host: h\r\n" */
    char *name;           /* for messages */
    struct url url;
    struct list idle;    /* connections, the last used first */
    struct list waiting; /* calls */
    uint32_t waiting_count;
    uint32_t connections;
    bool is_delivering; /* a connection will be free when the callback under way returns */
};

struct http_connection {
    struct list_node node;        /* in client->all */
    struct list_node idle_node;   /* in origin->idle */
    struct list_node unused_node; /* in client->idle */
    struct http_origin *origin;
    struct stream *stream; /* NULL once it is closing */
    struct stream_target target;
    struct op connect_op;
    struct op read_op; /* busy from connect to close, so that a close is seen at once, unless the
                          sink has something to take */
    struct op write_op;
    struct op sink_op;      /* nothing is read while it is busy */
    struct http_call *call; /* NULL when idle */
    uint64_t unused_since_ms;

    bool is_reused;
    bool has_bytes;     /* some of the answer, a 1xx included, has come */
    bool is_whole;      /* the sink has the last piece */
    bool is_complete;   /* the answer is all there, the request is not all sent */
    bool is_delivering; /* in the owner's callback */
    bool may_retry;
    enum err late_err; /* how the call ends when its time is up */

    struct buf out;      /* head of the request */
    struct slice *parts; /* of the request */
    size_t parts_cap;
    struct buf in;
    size_t scanned;        /* bytes of the head that were looked at */
    size_t head_bytes;     /* 0 until the whole head is there */
    size_t body_end;       /* in `in`; what follows is still coded */
    uint64_t sunk;         /* bytes of the body that the sink took, and that are not in `in` */
    const char *parsed_at; /* where `in` was when the head was parsed */
    struct http1_chunks chunks;
    struct http1_head head;
};

/* connection.c. http_connection_open takes the call on a fresh connection, connection_send on an
 * idle one. */
void http_connection_open(struct http_origin *origin, struct http_call *call);
void connection_send(struct http_connection *connection, struct http_call *call);
/* connection_close ends the stream; when the last of its ops is back, its call (if any) ends with
 * err and the connection is freed. */
void connection_close(struct http_connection *connection, enum err err, const struct cause *why);

/* client.c. */
void origin_pump(struct http_origin *origin); /* gives waiting calls what is free */
void origin_drop(struct http_origin *origin); /* frees it if nothing is left of it */
void client_drop(struct http_client *client); /* the same, after http_client_free() */
void client_watch_time(struct http_client *client, uint64_t at_ms);
void call_limit(struct http_call *call, uint64_t at_ms); /* it ends at at_ms, or sooner */
void call_end(struct http_call *call, enum err err);     /* now: calls done() */

#endif
