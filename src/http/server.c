/* The loop's side: takes what arrived, hands back what was answered, and the life of the server.
 *
 *   open --close--> draining --no request left, or time is up--> (cut: 503 to what is held,
 *        a moment to send it) --> stopped --nobody holds a request or stream--> freed */
#include "http/server.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/listen.h"
#include "http/server_internal.h"
#include "loop/hangup.h"
#include "loop/timer.h"

#define CUT_MS 200 /* for the last answers to leave */

static void server_free(struct http_server *server)
{
    struct list_node *node;

    while ((node = list_shift(&server->spare)) != NULL)
        request_free(container_of(node, struct http_request, node));
    turn_cancel(&server->turn);
    timer_free(server->timer);
    if (server->wake != NULL)
        wake_free(server->wake);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

void server_let_go(struct http_server *server)
{
    assert(server->owned > 0);
    server->owned--;
    if (server->owned == 0 && server->is_stopped)
        server_free(server);
}

/* --- requests --- */

static void hand_back_all(struct turn *turn)
{
    struct http_server *server = container_of(turn, struct http_server, turn);
    struct list_node *node;

    while ((node = list_shift(&server->answered)) != NULL)
        polling_hand_back(container_of(node, struct http_request, node));
}

void http_request_watch(struct http_request *request, void (*gone)(void *ctx), void *ctx)
{
    assert(request->hangup == NULL && !request->is_answered);
    if (!request->is_cut) /* then the socket is not ours any more */
        request->hangup = hangup_new(request->server->loop, polling_socket(request), gone, ctx);
}

/* Before the polling thread has the socket again. */
static void stop_watching(struct http_request *request)
{
    hangup_free(request->hangup);
    request->hangup = NULL;
}

static void set_reply(struct http_request *request, int status, struct buf *body)
{
    request->status = status;
    if (body == NULL)
        return;
    if (buf_err(body)) {
        request->status = 500;
    } else {
        request->reply_bytes = body->len;
        request->reply = body->len > 0 ? body->data : NULL;
        if (body->len > 0)
            body->data = NULL; /* the request's now */
    }
    buf_done(body);
}

/* The polling thread may still be sending its 503. */
static void let_go_cut(struct http_server *server, struct http_request *request)
{
    pthread_mutex_lock(&server->lock);
    bool is_free = request->is_let_go;
    request->is_let_go = true;
    pthread_mutex_unlock(&server->lock);
    if (is_free)
        request_free(request);
}

void http_respond(struct http_request *request, int status, const char *content_type,
                  struct buf *body)
{
    struct http_server *server = request->server;

    assert(!request->is_answered && status >= 200 && status <= 599);
    set_reply(request, status, body);
    if (content_type != NULL)
        (void)http_reply_header(request, SLICE("Content-Type"), slice_of(content_type));
    list_remove(&request->node);
    stop_watching(request);
    request->is_answered = true;
    if (request->is_cut) {
        let_go_cut(server, request);
    } else {
        list_push(&server->answered, &request->node);
        loop_at_turn_end(server->loop, &server->turn);
    }
    server_let_go(server);
}

static void handle_all(struct http_server *server, struct list *due)
{
    struct list_node *node;

    while ((node = list_shift(due)) != NULL) {
        struct http_request *request = container_of(node, struct http_request, node);
        list_push(&server->held, node);
        server->owned++;
        server->options.handler(server->options.ctx, request);
    }
}

static void tell_streams(struct http_server *server, struct list *left)
{
    struct list_node *node;
    struct http_stream *stream;

    while ((node = list_shift(left)) != NULL)
        stream_tell(container_of(node, struct http_stream, left_node));
    if (server->closing == NULL)
        return;
    list_each (&server->streams, struct http_stream, node, stream) {
        stream_tell(stream);
    }
}

/* --- the end --- */

static void server_stop(struct http_server *server)
{
    struct op *op = server->closing;
    enum err err = server->was_cut ? E_TIMEOUT : E_OK;
    struct http_stream *stream;

    hand_back_all(&server->turn);
    pthread_mutex_lock(&server->lock);
    list_each (&server->streams, struct http_stream, node, stream) {
        if (stream->is_suspended)
            MHD_resume_connection(stream->connection);
        stream->is_suspended = false;
    }
    pthread_mutex_unlock(&server->lock);
    MHD_stop_daemon(server->daemon); /* joins the thread, which waits for nothing of ours */
    server->daemon = NULL;
    wake_free(server->wake);
    server->wake = NULL;
    timer_clear(server->timer);
    list_each (&server->streams, struct http_stream, node, stream) {
        stream_tell(stream);
    }
    server->is_stopped = true;
    if (server->owned == 0)
        server_free(server);
    op_end(op, err);
}

/* Time is up: what handlers still hold is answered for them. */
static void server_cut(struct http_server *server)
{
    struct list_node *node;

    server->was_cut = true;
    while ((node = list_shift(&server->held)) != NULL) {
        struct http_request *request = container_of(node, struct http_request, node);
        request->is_cut = true;
        stop_watching(request);
        polling_hand_back(request);
    }
    timer_set(server->timer, CUT_MS);
}

static void on_time_up(void *ctx)
{
    struct http_server *server = ctx;

    if (server->was_cut)
        server_stop(server);
    else
        server_cut(server);
}

static void on_woken(void *ctx)
{
    struct http_server *server = ctx;
    struct list due, left;

    pthread_mutex_lock(&server->lock);
    list_move(&due, &server->arrived);
    list_move(&left, &server->left);
    pthread_mutex_unlock(&server->lock);
    tell_streams(server, &left);
    handle_all(server, &due);
    if (server->closing == NULL)
        return;
    pthread_mutex_lock(&server->lock);
    bool is_idle = server->live == 0;
    pthread_mutex_unlock(&server->lock);
    if (is_idle)
        server_stop(server);
}

void http_server_close(struct http_server *server, uint32_t grace_ms, struct op *op)
{
    assert(server->closing == NULL);
    op_begin(op, NULL, server);
    server->closing = op;
    pthread_mutex_lock(&server->lock);
    server->is_draining = true;
    pthread_mutex_unlock(&server->lock);
    MHD_socket fd = MHD_quiesce_daemon(server->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    timer_set(server->timer, grace_ms);
    wake_send(server->wake); /* the rest in a turn of its own */
}

/* --- the start --- */

static void set_defaults(struct http_server_options *options)
{
    if (options->connections_max == 0)
        options->connections_max = HTTP_SERVER_CONNECTIONS;
    if (options->body_max_bytes == 0)
        options->body_max_bytes = HTTP_SERVER_BODY_MAX_BYTES;
    if (options->timeout_s == 0)
        options->timeout_s = HTTP_SERVER_TIMEOUT_S;
}

enum err http_server_start(struct loop *loop, const struct http_server_options *options,
                           struct http_server **ret, struct cause *why)
{
    int fd;
    uint16_t port;
    enum err err = listen_on(options->address, &fd, &port, why);

    if (err)
        return err;
    struct http_server *server = mem_new(struct http_server);
    server->loop = loop;
    server->options = *options;
    set_defaults(&server->options);
    server->port = port;
    pthread_mutex_init(&server->lock, NULL);
    list_init(&server->arrived);
    list_init(&server->left);
    list_init(&server->spare);
    list_init(&server->held);
    list_init(&server->answered);
    list_init(&server->streams);
    server->turn.run = hand_back_all;
    server->timer = timer_new(loop, on_time_up, server);
    server->wake = wake_new(loop, on_woken, server);
    err = polling_start(server, fd, why);
    if (err) {
        close(fd);
        server_free(server);
        return err;
    }
    *ret = server;
    return E_OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}
