/* The life of the server, and what its callers share: who may come, memory, time.
 *
 *   open --close--> draining --no request left, or time is up--> (cut: 503 to what is held,
 *        a moment to send it) --> stopped --no caller left--> the op ends --nobody holds a request
 *        or stream--> freed */
#include "http/server.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/listen.h"
#include "http/server_internal.h"
#include "loop/listener.h"
#include "loop/timer.h"

#define CUT_MS 200 /* for the last answers to leave */
#define TICK_MS 1000
#define SPARE_MAX 256
#define SAFE_MS 1000       /* whoever is idle for so short a time may stay */
#define FULL_TOLD_MS 60000 /* not more often than this */

/* --- the end --- */

void server_look(struct http_server *server)
{
    loop_at_turn_end(server->loop, &server->turn);
}

static void server_free(struct http_server *server)
{
    struct list_node *node;

    while ((node = list_shift(&server->spare)) != NULL)
        request_free(container_of(node, struct http_request, node));
    turn_cancel(&server->turn);
    timer_free(server->tick);
    timer_free(server->grace);
    tls_free(server->tls);
    free(server);
}

static void settle(struct http_server *server)
{
    struct op *op = server->closing;
    enum err err = server->was_cut ? E_TIMEOUT : E_OK;

    if (!server->is_stopped || server->caller_count > 0)
        return;
    server->closing = NULL;
    if (server->owned == 0)
        server_free(server);
    if (op != NULL)
        op_end(op, err);
}

void server_let_go(struct http_server *server)
{
    assert(server->owned > 0);
    server->owned--;
    settle(server);
}

static void server_stop(struct http_server *server)
{
    struct http_stream *stream;
    struct caller *c;

    timer_clear(server->grace);
    list_each (&server->callers, struct caller, node, c)
        caller_close(c);
    list_each (&server->streams, struct http_stream, node, stream)
        stream_tell(stream);
    server->is_stopped = true;
    settle(server);
}

static bool is_idle(const struct http_server *server)
{
    const struct caller *c;

    list_each (&server->callers, struct caller, node, c)
        if (caller_is_live(c))
            return false;
    return true;
}

/* Time is up: what handlers still hold is answered for them. */
static void server_cut(struct http_server *server)
{
    struct caller *c;

    server->was_cut = true;
    list_each (&server->callers, struct caller, node, c) {
        struct http_request *request = c->request;
        if (request == NULL || !request->is_held)
            continue;
        request->gone = NULL;
        request->caller = NULL; /* the handler still has it */
        c->request = NULL;
        reply_refuse(c, 503, true);
    }
    timer_set(server->grace, CUT_MS);
}

static void on_grace_over(void *ctx)
{
    struct http_server *server = ctx;

    if (server->was_cut)
        server_stop(server);
    else
        server_cut(server);
}

/* --- requests --- */

struct http_request *server_take_request(struct http_server *server)
{
    struct list_node *node = list_shift(&server->spare);

    if (node == NULL)
        return request_new(server, server->bytes_max);
    server->spare_count--;
    return container_of(node, struct http_request, node);
}

void server_end_request(struct http_request *request)
{
    struct http_server *server = request->server;
    bool was_held = request->is_held;

    list_remove(&request->node);
    server->bodies_bytes -= request->reserved_bytes;
    if (!list_is_empty(&server->line))
        server_look(server);
    if (server->spare_count < SPARE_MAX) {
        request_reset(request);
        server->spare_count++;
        list_unshift(&server->spare, &request->node); /* the warmest first */
    } else {
        request_free(request);
    }
    if (was_held)
        server_let_go(server);
}

void http_request_watch(struct http_request *request, void (*gone)(void *ctx), void *ctx)
{
    assert(request->gone == NULL && request->is_held);
    if (request->server->was_cut)
        return;
    request->gone = gone;
    request->gone_ctx = ctx;
    if (request->caller != NULL && !request->caller->is_eof)
        return;
    request->server->has_late_watch = true;
    server_look(request->server);
}

static void tell_late_watchers(struct http_server *server)
{
    struct http_request *request;

    server->has_late_watch = false;
    list_each (&server->held, struct http_request, node, request) {
        void (*gone)(void *ctx) = request->gone;
        if (gone == NULL || (request->caller != NULL && !request->caller->is_eof))
            continue;
        request->gone = NULL;
        gone(request->gone_ctx);
    }
}

/* --- memory --- */

static bool is_first_in_line(const struct http_server *server, const struct caller *c)
{
    return list_is_empty(&server->line) || server->line.head.next == &c->line_node;
}

bool server_reserve(struct caller *c, size_t bytes)
{
    struct http_server *server = c->server;
    bool fits =
        server->bodies_bytes == 0 || /* however large: one at a time */
        (bytes <= HTTP_BODIES_MAX_BYTES && server->bodies_bytes <= HTTP_BODIES_MAX_BYTES - bytes);

    if (!fits || !is_first_in_line(server, c))
        return false;
    server->bodies_bytes += bytes;
    c->request->reserved_bytes = bytes;
    return true;
}

static void move_line(struct http_server *server)
{
    while (!list_is_empty(&server->line)) {
        struct caller *c = container_of(server->line.head.next, struct caller, line_node);
        caller_read_body(c);
        if (list_holds(&c->line_node))
            return;
        caller_take(c);
    }
}

/* Those who do not read are closed, the longest first. */
static void close_slowest(struct http_server *server)
{
    while (server->unsent_bytes > HTTP_UNSENT_MAX_BYTES) {
        struct caller *c, *slowest = NULL;
        list_each (&server->callers, struct caller, node, c)
            if (c->stream != NULL && c->write_op.is_busy &&
                (slowest == NULL || c->wrote_at_ms < slowest->wrote_at_ms))
                slowest = c;
        if (slowest == NULL)
            return;
        caller_close(slowest);
    }
}

/* --- who may come --- */

/* Room for one more, if need be that of who was idle longest. */
static bool has_place(struct http_server *server)
{
    struct caller *c, *oldest = NULL;

    if (server->open_count < server->options.connections_max)
        return true;
    list_each (&server->callers, struct caller, node, c)
        if (c->stream != NULL && c->phase == IDLE && c->unsent_bytes == 0 &&
            (oldest == NULL || c->since_ms < oldest->since_ms))
            oldest = c;
    if (oldest == NULL || loop_now_ms(server->loop) - oldest->since_ms < SAFE_MS)
        return false;
    caller_close(oldest);
    return true;
}

static void become_full(struct http_server *server)
{
    uint64_t now_ms = loop_now_ms(server->loop);

    server->is_full = true;
    listener_pause(server->listener, true);
    if (server->full_told_ms > 0 && now_ms - server->full_told_ms < FULL_TOLD_MS)
        return;
    server->full_told_ms = now_ms + 1;
    log_warn("HTTP-FULL", "%u connections are in use, as many as there may be: others wait",
             server->options.connections_max);
}

static void look_for_place(struct http_server *server)
{
    if (!server->is_full || server->listener == NULL || !has_place(server))
        return;
    server->is_full = false;
    listener_pause(server->listener, false);
}

/* --- what follows from many events of a turn --- */

static void on_turn_end(struct turn *turn)
{
    struct http_server *server = container_of(turn, struct http_server, turn);
    struct http_stream *stream;

    if (server->is_stopped)
        return;
    move_line(server);
    close_slowest(server);
    look_for_place(server);
    if (server->has_late_watch)
        tell_late_watchers(server);
    list_each (&server->streams, struct http_stream, node, stream)
        if (server->is_closing || stream->caller == NULL)
            stream_tell(stream);
    if (server->is_closing && is_idle(server))
        server_stop(server);
}

/* --- callers --- */

static void on_came(void *ctx, int fd)
{
    struct http_server *server = ctx;
    struct caller *c = caller_new(server, fd);

    if (c == NULL) /* the client sees why */
        return;
    if (server->caller_count++ == 0)
        timer_every(server->tick, TICK_MS);
    server->open_count++;
    list_push(&server->callers, &c->node);
    if (!has_place(server))
        become_full(server);
}

void server_caller_closed(struct http_server *server)
{
    server->open_count--;
    if (server->is_full || server->is_closing)
        server_look(server);
}

void server_caller_gone(struct http_server *server, struct caller *c)
{
    list_remove(&c->node);
    free(c);
    if (--server->caller_count == 0)
        timer_clear(server->tick);
    settle(server);
}

/* One for all, and coarse: to set a timer for each request would cost more than to look at all. */
static void on_tick(void *ctx)
{
    struct http_server *server = ctx;
    struct caller *c;
    uint64_t now_ms = loop_now_ms(server->loop);

    list_each (&server->callers, struct caller, node, c)
        caller_check_time(c, now_ms);
    look_for_place(server);
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

static struct http_server *server_new(struct loop *loop, const struct http_server_options *options)
{
    struct http_server *server = mem_new(struct http_server);

    server->loop = loop;
    server->options = *options;
    set_defaults(&server->options);
    server->bytes_max = server->options.body_max_bytes + READ_MARGIN_BYTES;
    list_init(&server->callers);
    list_init(&server->line);
    list_init(&server->held);
    list_init(&server->streams);
    list_init(&server->spare);
    server->turn.run = on_turn_end;
    server->tick = timer_new(loop, on_tick, server);
    server->grace = timer_new(loop, on_grace_over, server);
    return server;
}

enum err http_server_start(struct loop *loop, const struct http_server_options *options,
                           struct http_server **ret, struct cause *why)
{
    struct tls *tls = NULL;
    int fd;
    uint16_t port;
    enum err err = E_OK;

    if (options->cert_file != NULL)
        err = tls_server_new(options->cert_file, options->key_file, &tls, why);
    if (err == E_OK)
        err = listen_on(options->address, &fd, &port, why);
    if (err) {
        tls_free(tls);
        return err;
    }
    struct http_server *server = server_new(loop, options);
    server->tls = tls;
    server->port = port;
    server->listener = listener_new(loop, fd, on_came, server);
    if (server->listener == NULL) {
        close(fd);
        server_free(server);
        return cause_set(why, E_IO, "%s: cannot be listened on", options->address);
    }
    *ret = server;
    return E_OK;
}

enum err http_server_reload(struct http_server *server, struct cause *why)
{
    return server->tls != NULL ? tls_server_reload(server->tls, why) : E_OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_close(struct http_server *server, uint32_t grace_ms, struct op *op)
{
    assert(!server->is_closing);
    op_begin(op, NULL, server);
    server->closing = op;
    server->is_closing = true;
    listener_free(server->listener);
    server->listener = NULL;
    timer_set(server->grace, grace_ms);
    server_look(server); /* the rest in a turn of its own */
}
