/* One connection, and one request at a time on it.
 *
 *   SECURING --> IDLE --> HEAD --> LINE --> BODY --> HELD --> STREAMING
 *                 ^         |       |        |        |          |
 *                 |         +-------+-- answered -----+----------+
 *                 |                       |
 *                 +---- DISCARDING <------+------> LINGERING --> closed
 *
 * A read is nearly always under way, also while a request is held: it tells that the client has
 * gone, and costs nothing until bytes come. What came is taken in caller_take() as far as it goes,
 * so that all requests of a turn are handled in it. Closing waits for the ops to come back. */
#include "http/server_internal.h"

#include <stdlib.h>

#include "base/mem.h"

#define FIRST_READ_BYTES 4096 /* a request without much of a body fits */
#define LARGE_READ_BYTES (256 * 1024)
#define DROPPED_READ_BYTES (64 * 1024)
#define KEPT_BYTES (64 * 1024) /* a larger buffer is not kept for the next request */
#define HANDSHAKE_MS 10000
#define LINGER_MS 5000

static bool is_closing(const struct caller *c)
{
    return c->stream == NULL;
}

void caller_set(struct caller *c, enum phase phase)
{
    c->phase = phase;
    c->since_ms = c->got_at_ms = loop_now_ms(c->server->loop);
    c->got_bytes = 0;
}

/* --- closing --- */

static void caller_gone(struct caller *c)
{
    if (c->secure_op.is_busy || c->read_op.is_busy || c->write_op.is_busy)
        return;
    buf_done(&c->in);
    buf_done(&c->out);
    buf_done(&c->sending);
    free(c->reply);
    server_caller_gone(c->server, c);
}

/* The request takes its bytes with it; what lies behind them stays. */
static void keep_request(struct caller *c)
{
    struct http_request *request = c->request;
    struct buf taken = c->in;

    buf_add(&request->bytes, slice_from(buf_slice(&c->in), c->at + c->end));
    c->in = request->bytes;
    request->bytes = taken;
    c->at = c->end = 0;
}

static void let_go_of_request(struct caller *c)
{
    struct http_request *request = c->request;

    if (request == NULL)
        return;
    void (*gone)(void *ctx) = request->gone;
    if (request->is_held && request->bytes.len == 0) /* the handler is on the stack */
        keep_request(c);
    c->request = NULL;
    request->caller = NULL;
    request->gone = NULL; /* once */
    if (!request->is_held)
        server_end_request(request);
    else if (gone != NULL)
        gone(request->gone_ctx);
}

static void let_go_of_stream(struct caller *c)
{
    struct http_stream *stream = c->streaming;

    if (stream == NULL)
        return;
    c->streaming = NULL;
    stream->caller = NULL;
    stream_tell(stream);
}

void caller_close(struct caller *c)
{
    struct http_server *server = c->server;

    if (is_closing(c))
        return;
    stream_free(c->stream);
    c->stream = NULL;
    turn_cancel(&c->turn);
    list_remove(&c->line_node);
    server->unsent_bytes -= c->unsent_bytes;
    c->unsent_bytes = 0;
    if (!c->secure_op.is_busy && !c->read_op.is_busy && !c->write_op.is_busy)
        loop_later(server->loop, &c->read_op, E_CANCELED);
    server_caller_closed(server);
    let_go_of_request(c);
    let_go_of_stream(c);
}

/* --- reading --- */

static bool is_held_back(const struct caller *c)
{
    return c->reply != NULL || c->unsent_bytes > UNSENT_HIGH_BYTES;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t wanted_of_body(const struct caller *c, size_t have)
{
    size_t want = min(have > FIRST_READ_BYTES ? have : FIRST_READ_BYTES, LARGE_READ_BYTES);

    return c->framing == HTTP1_LENGTH ? min(want, c->head_bytes + (size_t)c->left - have) : want;
}

/* How many bytes may be read now. */
static size_t wanted(const struct caller *c)
{
    size_t have = c->in.len - c->at;
    size_t ahead = have < AHEAD_MAX_BYTES ? AHEAD_MAX_BYTES - have : 0;

    switch (c->phase) {
    case SECURING:
    case LINE:
        return 0;
    case IDLE:
    case HEAD:
        return is_held_back(c) ? min(ahead, FIRST_READ_BYTES) : FIRST_READ_BYTES;
    case BODY:
        return wanted_of_body(c, have);
    case HELD:
    case STREAMING:
        return min(ahead, FIRST_READ_BYTES);
    case DISCARDING:
    case LINGERING:
        return DROPPED_READ_BYTES;
    }
    return 0;
}

static void drop_spent(struct caller *c)
{
    size_t max_bytes = c->in.max_bytes;

    if (c->at > 0)
        buf_consume(&c->in, c->at);
    c->at = 0;
    if (c->in.len == 0 && c->in.cap > KEPT_BYTES) {
        buf_done(&c->in);
        buf_init(&c->in, max_bytes);
    }
}

static void read_more(struct caller *c)
{
    size_t bytes = c->read_op.is_busy || c->is_eof ? 0 : wanted(c);

    if (bytes > 0)
        drop_spent(c);
    c->seen_len = c->in.len; /* TLS may have bytes at once, which on_read() counts */
    if (bytes == 0)
        return;
    enum err err = stream_read(c->stream, &c->in, bytes, &c->read_op);
    if (err)
        loop_later(c->server->loop, &c->read_op, err);
}

/* --- what was read --- */

void caller_answered(struct caller *c)
{
    c->request = NULL;
    c->at += c->end;
    c->end = 0;
    list_remove(&c->line_node);
    if (c->streaming != NULL)
        caller_set(c, STREAMING);
    else if (c->is_last)
        caller_set(c, LINGERING);
    else
        caller_set(c, c->framing == HTTP1_NO_BODY ? IDLE : DISCARDING);
    reply_send(c);
}

static void hand_over(struct caller *c)
{
    struct http_request *request = c->request;
    struct http_server *server = c->server;
    struct slice head = {c->in.data + c->at, c->head_bytes};
    bool is_framed;
    int status;

    if (request->parsed_at != head.data) /* the buffer has moved since: the same once more */
        (void)!request_read(request, head, &status, &is_framed);
    request->body = (struct slice){head.data + head.len, c->body_bytes};
    request->is_held = true;
    list_push(&server->held, &request->node);
    server->owned++;
    caller_set(c, HELD);
    server->options.handler(server->options.ctx, request);
    if (c->request == request)
        keep_request(c);
}

/* A client that waits to be told to send its body may send it all the same, or not. */
bool caller_may_drop_body(const struct caller *c)
{
    if (c->request->head.expects_continue && c->phase != BODY && c->framing != HTTP1_NO_BODY)
        return false;
    return c->framing != HTTP1_LENGTH || c->left <= DISCARD_MAX_BYTES;
}

static void refuse_body(struct caller *c, enum err err)
{
    reply_refuse(c, err == E_LIMIT ? 413 : 400, err != E_LIMIT);
}

/* A chunked body tells its size only as it comes. */
static bool has_room(struct caller *c)
{
    size_t need = c->framing == HTTP1_LENGTH        ? (size_t)c->left
                  : c->body_bytes > FREE_BODY_BYTES ? c->server->options.body_max_bytes
                                                    : 0;
    return need <= FREE_BODY_BYTES || c->request->reserved_bytes > 0 || server_reserve(c, need);
}

void caller_read_body(struct caller *c)
{
    if (!has_room(c)) {
        if (c->phase != LINE) {
            list_push(&c->server->line, &c->line_node);
            caller_set(c, LINE);
        }
        return;
    }
    list_remove(&c->line_node);
    if (c->request->head.expects_continue && c->phase != BODY && c->in.len == c->at + c->head_bytes)
        reply_continue(c);
    caller_set(c, BODY);
}

static void take_request(struct caller *c, struct slice head)
{
    struct http_server *server = c->server;
    struct http_request *request = server_take_request(server);
    bool is_framed;
    int status;

    request->caller = c;
    c->request = request;
    c->scanned = 0;
    c->head_bytes = head.len;
    enum err err = request_read(request, head, &status, &is_framed);
    if (!is_framed) {
        reply_refuse(c, status, true);
        return;
    }
    body_begin(c);
    if (err || server->is_closing) {
        reply_refuse(c, err ? status : 503, err == E_OK);
        return;
    }
    err = body_take(c);
    if (err == E_MORE && server->options.begin != NULL)
        server->options.begin(server->options.ctx, request);
    if (c->request == NULL) /* answered */
        return;
    if (err == E_OK)
        hand_over(c);
    else if (err == E_MORE)
        caller_read_body(c);
    else
        refuse_body(c, err);
}

/* Empty lines between requests are what some clients send behind a body. */
static struct slice skip_empty_lines(struct caller *c)
{
    struct slice in = slice_from(buf_slice(&c->in), c->at);

    while (slice_has_prefix(in, SLICE("\r\n"))) {
        in = slice_from(in, 2);
        c->at += 2;
        c->scanned = 0;
    }
    return in;
}

static bool take_head(struct caller *c)
{
    struct slice in = skip_empty_lines(c);
    size_t bytes;

    if (in.len == 0 || is_held_back(c))
        return false;
    if (c->phase == IDLE)
        caller_set(c, HEAD);
    enum err err = http1_head_end(in, HTTP_REQUEST_HEAD_MAX_BYTES, &c->scanned, &bytes);
    if (err == E_MORE)
        return false;
    if (err == E_OK)
        take_request(c, slice_first(in, bytes));
    else if (err == E_LIMIT)
        reply_refuse(c, slice_find_byte(in, '\n') < in.len ? 431 : 414, true);
    else
        reply_refuse(c, 400, true);
    return true;
}

static bool take_body(struct caller *c)
{
    enum err err = body_take(c);

    if (err == E_OK)
        hand_over(c);
    else if (err != E_MORE)
        refuse_body(c, err);
    else if (!has_room(c))
        caller_read_body(c);
    return err != E_MORE;
}

static bool take_discarded(struct caller *c)
{
    enum err err = body_discard(c);

    if (err == E_OK)
        caller_set(c, IDLE);
    else if (err != E_MORE)
        caller_close(c);
    return err == E_OK;
}

static bool take_lingering(struct caller *c)
{
    c->at = c->in.len;
    if (c->got_bytes > DISCARD_MAX_BYTES)
        caller_close(c);
    return false;
}

/* Each takes what it can, and returns whether there is something for the next. */
static bool (*const takes[])(struct caller *c) = {
    [IDLE] = take_head,           [HEAD] = take_head,
    [BODY] = take_body,           [DISCARDING] = take_discarded,
    [LINGERING] = take_lingering,
};

static void end_if_done(struct caller *c)
{
    if (c->is_eof && c->unsent_bytes == 0 && c->phase != HELD && c->phase != STREAMING)
        caller_close(c);
}

void caller_take(struct caller *c)
{
    if (c->is_taking || is_closing(c))
        return;
    c->is_taking = true;
    while (!is_closing(c) && takes[c->phase] != NULL && takes[c->phase](c))
        ;
    c->is_taking = false;
    if (is_closing(c))
        return;
    read_more(c);
    end_if_done(c);
}

/* --- events --- */

static void client_left(struct caller *c)
{
    void (*gone)(void *ctx) = c->phase == HELD ? c->request->gone : NULL;

    c->is_eof = true;
    if (c->phase == STREAMING) {
        caller_close(c);
    } else if (gone != NULL) {
        c->request->gone = NULL;
        gone(c->request->gone_ctx);
    } else {
        end_if_done(c);
    }
}

static void on_read(struct op *op, enum err err)
{
    struct caller *c = container_of(op, struct caller, read_op);

    if (is_closing(c)) {
        caller_gone(c);
    } else if (err) {
        client_left(c);
    } else {
        c->got_bytes += c->in.len - c->seen_len;
        c->got_at_ms = loop_now_ms(c->server->loop);
        caller_take(c);
    }
}

static void finish_if_sent(struct caller *c)
{
    if (c->phase != LINGERING || c->unsent_bytes > 0 || is_closing(c))
        return;
    stream_finish(c->stream);
    caller_set(c, LINGERING);
}

static void on_turn_end(struct turn *turn)
{
    struct caller *c = container_of(turn, struct caller, turn);

    reply_flush(c);
    finish_if_sent(c);
    caller_take(c);
    if (c->server->is_closing)
        server_look(c->server);
}

static void on_written(struct op *op, enum err err)
{
    struct caller *c = container_of(op, struct caller, write_op);

    if (is_closing(c)) {
        caller_gone(c);
        return;
    }
    if (err) {
        caller_close(c);
        return;
    }
    reply_written(c);
    reply_flush(c);
    finish_if_sent(c);
    caller_take(c);
    if (c->server->is_closing)
        server_look(c->server);
}

static void on_secured(struct op *op, enum err err)
{
    struct caller *c = container_of(op, struct caller, secure_op);

    if (is_closing(c)) {
        caller_gone(c);
    } else if (err) {
        caller_close(c);
    } else {
        caller_set(c, IDLE);
        caller_take(c);
    }
}

/* --- life --- */

static void begin(struct caller *c)
{
    const struct tls *tls = c->server->tls;

    if (tls == NULL) {
        caller_set(c, IDLE);
        read_more(c);
        return;
    }
    caller_set(c, SECURING);
    enum err err = stream_secure(c->stream, tls, &c->secure_op);
    if (err)
        loop_later(c->server->loop, &c->secure_op, err);
}

struct caller *caller_new(struct http_server *server, int fd)
{
    struct stream *stream;
    struct cause why;

    if (stream_adopt(server->loop, fd, &stream, &why) != E_OK)
        return NULL;
    struct caller *c = mem_new(struct caller);
    c->server = server;
    c->stream = stream;
    c->secure_op.done = on_secured;
    c->read_op.done = on_read;
    c->write_op.done = on_written;
    c->turn.run = on_turn_end;
    buf_init(&c->in, server->bytes_max);
    buf_init(&c->out, SIZE_MAX / 2); /* bounded by what is taken, and what streams may hold */
    buf_init(&c->sending, SIZE_MAX / 2);
    begin(c);
    return c;
}

bool caller_is_live(const struct caller *c)
{
    return c->phase == HELD || c->phase == STREAMING || c->unsent_bytes > 0;
}

/* A body must not come to a halt, nor drip: a byte in a millisecond is the least. */
static bool is_too_slow(const struct caller *c, uint64_t now_ms, uint64_t timeout_ms)
{
    return now_ms - c->got_at_ms > timeout_ms || now_ms - c->since_ms > timeout_ms + c->got_bytes;
}

static bool is_late(const struct caller *c, uint64_t now_ms, uint64_t timeout_ms)
{
    uint64_t waited_ms = now_ms - c->since_ms;

    switch (c->phase) {
    case SECURING:
        return waited_ms > HANDSHAKE_MS;
    case IDLE:
    case HEAD:
    case LINE:
        return waited_ms > timeout_ms;
    case BODY:
    case DISCARDING:
        return is_too_slow(c, now_ms, timeout_ms);
    case LINGERING:
        return waited_ms > LINGER_MS;
    case HELD:
    case STREAMING:
        return false;
    }
    return false;
}

static void give_up(struct caller *c)
{
    if (c->phase == LINE)
        reply_refuse(c, 503, true);
    else if (c->phase == HEAD || c->phase == BODY)
        reply_refuse(c, 408, true);
    else
        caller_close(c);
}

void caller_check_time(struct caller *c, uint64_t now_ms)
{
    uint64_t timeout_ms = (uint64_t)c->server->options.timeout_s * 1000;

    if (is_closing(c))
        return;
    if (c->unsent_bytes == 0 && is_late(c, now_ms, timeout_ms))
        give_up(c);
    else if (c->write_op.is_busy && now_ms - c->wrote_at_ms > timeout_ms)
        caller_close(c);
}
