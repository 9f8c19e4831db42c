/* http/server_internal.h - what server.c (life), polling.c (the other thread) and server_stream.c
 * share. */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include <pthread.h>

#include "http/request.h"
#include "loop/loop.h"

struct MHD_Daemon;
struct MHD_Response;

struct http_server {
    struct loop *loop;
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    struct wake *wake; /* NULL once closed */
    uint16_t port;

    pthread_mutex_t lock; /* of the next five, and of the insides of streams */
    struct list arrived;  /* requests for the handler */
    struct list left;     /* streams whose client has gone */
    uint32_t live;        /* requests from their last byte to the last of their answer */
    bool is_draining;

    struct list spare; /* the polling thread's: requests to use again */
    uint32_t spare_count;

    /* The loop's. */
    struct list held;     /* requests in the hands of the handler */
    struct list answered; /* to be resumed at the end of this turn */
    struct list streams;  /* not ended yet */
    uint32_t owned;       /* requests and streams that others still hold */
    struct turn turn;
    struct timer *timer;
    struct op *closing;
    bool was_cut;
    bool is_stopped;
};

struct http_stream {
    struct list_node node;      /* in server->streams */
    struct list_node left_node; /* in server->left, then in the loop's hands */
    struct http_server *server;
    struct http_stream_options options;
    bool is_told; /* gone() was called */

    /* Under the server's lock. */
    struct MHD_Connection *connection;
    struct buf pending;
    size_t sent; /* of pending */
    bool is_suspended;
    bool is_ended; /* the loop has let go */
    bool is_gone;  /* the polling thread has let go */
};

/* polling.c. polling_start makes the daemon on a listening socket, which it takes on success. */
enum err polling_start(struct http_server *server, int fd, struct cause *why);
int polling_socket(const struct http_request *request); /* of a request that is handed over */
/* polling_hand_back lets the polling thread go on with a request, which is its own from now on. */
void polling_hand_back(struct http_request *request);

/* server_stream.c. */
struct MHD_Response *stream_response(struct http_stream *stream);
void stream_client_left(void *stream);          /* polling thread: will not read any more */
void stream_tell(struct http_stream *stream);   /* loop: call gone(), once */
void server_let_go(struct http_server *server); /* loop: something others held was given back */

#endif
