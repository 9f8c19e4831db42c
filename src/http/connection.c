/* One connection, and one exchange at a time on it.
 *
 * connecting --> exchange --answer complete--> delivering --> idle --> exchange --> ...
 *      |            |                                          |
 *      +------------+--- error, abort, time is up, unasked bytes ---> closing --> freed
 *
 * A read is always under way, also when idle: a server that closes is seen before the next call,
 * and what comes unasked is never taken for an answer. Only a sink that has not taken its piece
 * holds reading up. Closing waits for the ops to come back, since the parts of the request are
 * borrowed until then; then the call ends, or is sent once more.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/client_internal.h"

#define READ_BYTES 16384
#define READ_LARGE_BYTES (256 * 1024)
#define KEPT_BYTES (256 * 1024) /* a larger buffer is not kept for the next answer */
#define LINGER_MS 1000          /* for the rest of a request that is answered already */

static struct http_client *client_of(const struct http_connection *c)
{
    return c->origin->client;
}

/* --- closing --- */

static void connection_free(struct http_connection *c)
{
    list_remove(&c->node);
    list_remove(&c->idle_node);
    list_remove(&c->unused_node);
    buf_done(&c->out);
    buf_done(&c->in);
    free(c->parts);
    free(c);
}

static bool is_closing(const struct http_connection *c)
{
    return c->stream == NULL;
}

/* The last op is back. */
static void connection_gone(struct http_connection *c)
{
    struct http_origin *origin = c->origin;
    struct http_client *client = origin->client;
    struct http_call *call = c->call;

    if (c->connect_op.is_busy || c->read_op.is_busy || c->write_op.is_busy || c->sink_op.is_busy ||
        c->is_delivering)
        return;
    origin->connections--;
    client->stats.open--;
    list_remove(&c->node);
    if (call != NULL && c->may_retry && call->ending != E_OK) {
        call->was_retried = true;
        call->op.why.text[0] = 0;
        client->stats.retries++;
        http_connection_open(origin, call);
    } else if (call != NULL) {
        origin->is_delivering = true; /* keeps the origin; a call made now waits for the pump */
        call_end(call, call->ending);
        origin->is_delivering = false;
    }
    connection_free(c);
    origin_pump(origin);
    origin_drop(origin);
    client_drop(client);
}

void connection_close(struct http_connection *c, enum err err, const struct cause *why)
{
    if (is_closing(c))
        return;
    if (list_holds(&c->idle_node))
        client_of(c)->stats.idle--;
    list_remove(&c->idle_node);
    list_remove(&c->unused_node);
    if (c->call != NULL) {
        c->call->ending = err;
        if (why != NULL)
            c->call->op.why = *why;
    }
    op_abort(&c->sink_op);
    stream_free(c->stream); /* its ops come back later */
    c->stream = NULL;
}

/* Closes after an error of the connection itself. `op` is idle: this is its callback. */
static void connection_lost(struct http_connection *c, enum err err, const struct cause *why)
{
    bool is_broken = err == E_CLOSED || err == E_IO;
    c->may_retry =
        is_broken && c->is_reused && !c->has_bytes && c->call != NULL && !c->call->was_retried;
    connection_close(c, err, why);
    connection_gone(c);
}

/* --- the request --- */

static bool has_length(const struct http_call *call, size_t bytes)
{
    return bytes > 0 ||
           !(slice_eq(call->method, SLICE("GET")) || slice_eq(call->method, SLICE("HEAD")) ||
             slice_eq(call->method, SLICE("DELETE")));
}

static void write_head(struct http_connection *c, const struct http_call *call, size_t body_bytes)
{
    struct buf *out = &c->out;

    buf_clear(out);
    buf_add(out, call->method);
    buf_add_byte(out, ' ');
    buf_add(out, call->url.path);
    buf_add(out, call->url.query);
    buf_add(out, SLICE(" HTTP/1.1\r\n"));
    buf_add(out, buf_slice(&c->origin->host_line));
    for (size_t i = 0; i < call->header_count; i++) {
        buf_add(out, call->headers[i].name);
        buf_add(out, SLICE(": "));
        buf_add(out, call->headers[i].value);
        buf_add(out, SLICE("\r\n"));
    }
    if (has_length(call, body_bytes)) {
        buf_add(out, SLICE("Content-Length: "));
        buf_add_u64(out, body_bytes);
        buf_add(out, SLICE("\r\n"));
    }
    buf_add(out, SLICE("\r\n"));
    assert(buf_err(out) == E_OK); /* http_send() has checked the size */
}

static void send_request(struct http_connection *c)
{
    struct http_call *call = c->call;
    size_t bytes = 0;

    if (call->body_count + 1 > c->parts_cap) {
        c->parts_cap = call->body_count + 1;
        c->parts = mem_resize(c->parts, c->parts_cap, sizeof(*c->parts));
    }
    for (size_t i = 0; i < call->body_count; i++) {
        c->parts[i + 1] = call->body[i];
        bytes += call->body[i].len;
    }
    write_head(c, call, bytes);
    c->parts[0] = buf_slice(&c->out);
    enum err err = stream_write(c->stream, c->parts, call->body_count + 1, &c->write_op);
    if (err)
        loop_later(client_of(c)->loop, &c->write_op, err);
}

static void expect_answer(struct http_connection *c)
{
    size_t body_max = c->call->sink != NULL ? HTTP_RESPONSE_MAX_BYTES : c->call->response_max_bytes;

    c->in.max_bytes = HTTP_HEAD_MAX_BYTES + READ_LARGE_BYTES +
                      (body_max < SIZE_MAX / 2 ? body_max : SIZE_MAX / 2);
    c->scanned = c->head_bytes = c->body_end = 0;
    c->chunks = (struct http1_chunks){0};
    c->sunk = 0;
    c->is_whole = c->is_complete = c->has_bytes = false;
    c->may_retry = false;
    c->late_err = E_TIMEOUT;
}

static void read_more(struct http_connection *c)
{
    size_t chunk = c->in.len >= READ_BYTES || c->sunk > 0 ? READ_LARGE_BYTES : READ_BYTES;
    enum err err = stream_read(c->stream, &c->in, chunk, &c->read_op);
    if (err)
        loop_later(client_of(c)->loop, &c->read_op, err);
}

/* --- the answer --- */

static bool has_sink(const struct http_connection *c)
{
    return c->call->sink != NULL && c->head.status <= 299;
}

static uint64_t body_max_of(const struct http_connection *c)
{
    bool is_kept = c->call->sink != NULL && !has_sink(c);
    return is_kept ? HTTP_RESPONSE_MAX_BYTES : c->call->response_max_bytes;
}

/* Bytes of the body, the sunk ones included. */
static uint64_t body_of(const struct http_connection *c)
{
    return c->sunk + (c->body_end - c->head_bytes);
}

/* Moves what the chunks hold together, so that the body is one piece. */
static enum err take_chunks(struct http_connection *c)
{
    size_t at = c->body_end;

    while (at < c->in.len && !c->chunks.is_done) {
        struct slice data;
        size_t used;
        enum err err =
            http1_chunk_next(&c->chunks, slice_from(buf_slice(&c->in), at), &data, &used);
        if (err)
            return err;
        if (data.len > body_max_of(c) - body_of(c))
            return E_LIMIT;
        memmove(c->in.data + c->body_end, data.data, data.len);
        c->body_end += data.len;
        at += used;
    }
    if (c->chunks.is_done) {
        c->head.is_keep_alive &= at == c->in.len; /* unasked bytes behind it */
        return E_OK;
    }
    c->in.len = c->body_end;
    return E_MORE;
}

static enum err take_length(struct http_connection *c)
{
    uint64_t left = c->head.body_bytes - c->sunk;
    size_t have = c->in.len - c->head_bytes;

    if (c->head.body_bytes > body_max_of(c))
        return E_LIMIT;
    c->body_end = c->head_bytes + (have < left ? have : (size_t)left);
    if (have < left)
        return E_MORE;
    c->head.is_keep_alive &= have == left;
    return E_OK;
}

static enum err take_body(struct http_connection *c)
{
    switch (c->head.framing) {
    case HTTP1_NO_BODY:
        c->head.is_keep_alive &= c->in.len == c->head_bytes;
        return E_OK;
    case HTTP1_LENGTH:
        return take_length(c);
    case HTTP1_CHUNKED:
        return take_chunks(c);
    case HTTP1_UNTIL_CLOSE:
        c->body_end = c->in.len;
        return body_of(c) > body_max_of(c) ? E_LIMIT : E_MORE;
    }
    return E_BAD_WIRE;
}

/* Skips 1xx; E_OK when the final head is there. */
static enum err take_head(struct http_connection *c)
{
    bool is_head = slice_eq(c->call->method, SLICE("HEAD"));

    for (;;) {
        size_t bytes;
        enum err err = http1_head_end(buf_slice(&c->in), HTTP_HEAD_MAX_BYTES, &c->scanned, &bytes);
        if (err == E_OK)
            err = http1_head_parse(slice_first(buf_slice(&c->in), bytes), is_head, &c->head);
        if (err)
            return err;
        if (c->head.status == 101) /* nobody asked to change the protocol */
            return E_BAD_WIRE;
        if (c->head.status >= 200) {
            c->head_bytes = c->body_end = bytes;
            c->parsed_at = c->in.data;
            return E_OK;
        }
        buf_consume(&c->in, bytes);
        c->scanned = 0;
    }
}

static enum err take_answer(struct http_connection *c)
{
    enum err err = c->head_bytes > 0 ? E_OK : take_head(c);
    return err ? err : take_body(c);
}

static void publish_answer(struct http_connection *c)
{
    struct http_call *call = c->call;
    struct slice in = buf_slice(&c->in);

    if (c->parsed_at != in.data) /* the buffer grew and moved since */
        (void)!http1_head_parse(slice_first(in, c->head_bytes),
                                slice_eq(call->method, SLICE("HEAD")), &c->head);
    call->status = c->head.status;
    call->head = &c->head;
    call->response = slice_from(slice_first(in, c->body_end), c->head_bytes);
}

/* --- the turn of a connection --- */

static void become_free(struct http_connection *c)
{
    struct http_client *client = client_of(c);

    buf_clear(&c->in);
    if (c->in.cap > KEPT_BYTES) {
        buf_done(&c->in);
        buf_init(&c->in, READ_LARGE_BYTES);
    }
    c->head_bytes = 0;
    c->is_reused = true;
    c->unused_since_ms = loop_now_ms(client->loop);
    list_unshift(&c->origin->idle, &c->idle_node);
    list_push(&client->idle, &c->unused_node);
    client->stats.idle++;
    origin_pump(c->origin);
    if (!is_closing(c))
        read_more(c);
    if (c->call == NULL)
        client_watch_time(client, c->unused_since_ms + client->options.idle_timeout_ms);
}

/* The answer is complete and the request is sent. */
static void deliver(struct http_connection *c)
{
    struct http_origin *origin = c->origin;
    struct http_call *call = c->call;
    bool is_reusable = c->head.is_keep_alive;

    publish_answer(c);
    if (!is_reusable) {
        connection_close(c, E_OK, NULL);
        connection_gone(c);
        return;
    }
    c->call = NULL;
    c->is_delivering = origin->is_delivering = true;
    call_end(call, E_OK);
    c->is_delivering = origin->is_delivering = false;
    if (is_closing(c)) /* the client was freed in there */
        connection_gone(c);
    else
        become_free(c);
}

static void answer_complete(struct http_connection *c)
{
    if (!c->write_op.is_busy) {
        deliver(c);
        return;
    }
    /* An early answer, as 413: the server may or may not read the rest. */
    c->is_complete = true;
    c->late_err = E_OK;
    c->head.is_keep_alive = false;
    publish_answer(c);
    call_limit(c->call, loop_now_ms(client_of(c)->loop) + LINGER_MS);
}

static void go_on(struct http_connection *c, bool is_whole)
{
    if (is_whole)
        answer_complete(c);
    else
        read_more(c);
}

static void on_sunk(struct op *op, enum err err)
{
    struct http_connection *c = container_of(op, struct http_connection, sink_op);

    if (is_closing(c)) {
        connection_gone(c);
        return;
    }
    if (err) {
        connection_lost(c, err, &op->why);
        return;
    }
    c->sunk += c->body_end - c->head_bytes;
    c->in.len = c->body_end = c->head_bytes;
    if (list_holds(&c->call->timed) && c->late_err == E_TIMEOUT)
        c->call->expires_at_ms = loop_now_ms(client_of(c)->loop) + c->call->timeout_ms;
    go_on(c, c->is_whole);
}

/* What came of the body is in one piece behind the head. */
static void take_piece(struct http_connection *c, bool is_whole)
{
    struct slice piece = slice_from(slice_first(buf_slice(&c->in), c->body_end), c->head_bytes);

    if (c->head_bytes == 0 || !has_sink(c) || piece.len == 0) {
        go_on(c, is_whole);
        return;
    }
    c->is_whole = is_whole;
    enum err err = c->call->sink->take(c->call->sink, piece, &c->sink_op);
    if (err)
        connection_lost(c, err, &c->sink_op.why);
}

static void on_read(struct op *op, enum err err)
{
    struct http_connection *c = container_of(op, struct http_connection, read_op);

    if (is_closing(c)) {
        connection_gone(c);
        return;
    }
    if (c->call == NULL || c->connect_op.is_busy) { /* idle: it closed, or sent what nobody asked */
        connection_lost(c, err ? err : E_BAD_WIRE, NULL);
        return;
    }
    if (err == E_CLOSED && c->head_bytes > 0 && c->head.framing == HTTP1_UNTIL_CLOSE) {
        answer_complete(c);
        return;
    }
    if (err) {
        connection_lost(c, err, &op->why);
        return;
    }
    c->has_bytes = true;
    err = take_answer(c);
    if (err != E_OK && err != E_MORE)
        connection_lost(c, err, NULL);
    else
        take_piece(c, err == E_OK);
}

static void on_written(struct op *op, enum err err)
{
    struct http_connection *c = container_of(op, struct http_connection, write_op);

    if (is_closing(c)) {
        connection_gone(c);
    } else if (c->is_complete) {
        connection_close(c, E_OK, NULL);
        connection_gone(c);
    } else if (err && c->call != NULL) {
        /* A server may answer, say 413, and close: let the read tell, for a moment. */
        c->late_err = err;
        call_limit(c->call, loop_now_ms(client_of(c)->loop) + LINGER_MS);
    }
}

static void on_connected(struct op *op, enum err err)
{
    struct http_connection *c = container_of(op, struct http_connection, connect_op);

    if (is_closing(c)) {
        connection_gone(c);
    } else if (err) {
        connection_close(c, err, &op->why);
        connection_gone(c);
    } else {
        read_more(c);
        send_request(c);
    }
}

void connection_send(struct http_connection *c, struct http_call *call)
{
    client_of(c)->stats.idle--;
    list_remove(&c->idle_node);
    list_remove(&c->unused_node);
    c->call = call;
    call->connection = c;
    expect_answer(c);
    send_request(c);
}

void http_connection_open(struct http_origin *origin, struct http_call *call)
{
    struct http_client *client = origin->client;
    struct http_connection *c = mem_new(struct http_connection);
    bool is_unix = origin->url.scheme == URL_UNIX;

    c->origin = origin;
    c->stream = stream_new(client->loop);
    c->connect_op.done = on_connected;
    c->read_op.done = on_read;
    c->write_op.done = on_written;
    c->sink_op.done = on_sunk;
    buf_init(&c->out, 2 * HTTP_HEAD_MAX_BYTES);
    buf_init(&c->in, READ_LARGE_BYTES);
    c->target = (struct stream_target){
        .path = is_unix ? origin->host : NULL,
        .host = is_unix ? NULL : origin->host,
        .port = origin->url.port,
        .tls = origin->url.scheme == URL_HTTPS ? client->options.tls : NULL,
        .timeout_ms = client->options.connect_timeout_ms,
        .reaches = origin->url.scheme == URL_HTTPS ? client->options.tls_reaches
                                                   : client->options.plain_reaches,
    };
    list_push(&client->all, &c->node);
    origin->connections++;
    client->stats.open++;
    client->stats.connects++;
    c->call = call;
    call->connection = c;
    expect_answer(c);
    enum err err = stream_connect(c->stream, &c->target, &c->connect_op);
    if (err)
        loop_later(client->loop, &c->connect_op, err);
}
