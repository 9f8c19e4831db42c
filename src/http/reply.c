/* Answers. Heads, small bodies and the chunks of streams gather in `out`, and leave at the end of
 * the turn in one write; a large body goes behind them without a copy, piece by piece, so that
 * progress shows. While it waits, nothing else is answered. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/date.h"
#include "http/server_internal.h"

#define COPIED_MAX_BYTES (16 * 1024) /* a body up to it is gathered */
#define PIECE_MAX_BYTES (256 * 1024) /* of a larger one, in one write */
#define KEPT_BYTES (64 * 1024)       /* a larger buffer is not kept for the next answers */

/* --- heads --- */

static struct slice reason_of(int status)
{
    static const struct {
        int status;
        struct slice reason;
    } rows[] = {
        {200, SLICE_INIT("OK")},
        {201, SLICE_INIT("Created")},
        {202, SLICE_INIT("Accepted")},
        {204, SLICE_INIT("No Content")},
        {304, SLICE_INIT("Not Modified")},
        {400, SLICE_INIT("Bad Request")},
        {401, SLICE_INIT("Unauthorized")},
        {403, SLICE_INIT("Forbidden")},
        {404, SLICE_INIT("Not Found")},
        {405, SLICE_INIT("Method Not Allowed")},
        {406, SLICE_INIT("Not Acceptable")},
        {408, SLICE_INIT("Request Timeout")},
        {409, SLICE_INIT("Conflict")},
        {410, SLICE_INIT("Gone")},
        {412, SLICE_INIT("Precondition Failed")},
        {413, SLICE_INIT("Content Too Large")},
        {414, SLICE_INIT("URI Too Long")},
        {415, SLICE_INIT("Unsupported Media Type")},
        {417, SLICE_INIT("Expectation Failed")},
        {422, SLICE_INIT("Unprocessable Content")},
        {429, SLICE_INIT("Too Many Requests")},
        {431, SLICE_INIT("Request Header Fields Too Large")},
        {500, SLICE_INIT("Internal Server Error")},
        {501, SLICE_INIT("Not Implemented")},
        {502, SLICE_INIT("Bad Gateway")},
        {503, SLICE_INIT("Service Unavailable")},
        {504, SLICE_INIT("Gateway Timeout")},
        {505, SLICE_INIT("HTTP Version Not Supported")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].status == status)
            return rows[i].reason;
    return SLICE("Status"); /* clients go by the number */
}

/* Written once a second. */
static struct slice date_line(struct http_server *server)
{
    struct buf line = {.data = server->date, .cap = sizeof server->date};
    uint64_t now_s = loop_now_ms(server->loop) / 1000 + 1;

    line.max_bytes = sizeof server->date;
    if (server->date_at_s != now_s) {
        buf_add(&line, SLICE("Date: "));
        date_add_http(&line, clock_unix_ms());
        buf_add(&line, SLICE("\r\n"));
        server->date_len = line.len;
        server->date_at_s = now_s;
    }
    return (struct slice){server->date, server->date_len};
}

static bool has_body(int status)
{
    return status != 204 && status != 304;
}

static void add_framing(struct buf *out, const struct caller *c, bool is_http10,
                        const size_t *body_bytes)
{
    if (body_bytes != NULL) {
        buf_add(out, SLICE("Content-Length: "));
        buf_add_u64(out, *body_bytes);
        buf_add(out, SLICE("\r\n"));
    } else if (!is_http10) {
        buf_add(out, SLICE("Transfer-Encoding: chunked\r\n"));
    }
    if (c->is_last)
        buf_add(out, SLICE("Connection: close\r\n"));
    else if (is_http10)
        buf_add(out, SLICE("Connection: keep-alive\r\n"));
}

static void count(struct caller *c, size_t bytes)
{
    c->unsent_bytes += bytes;
    c->server->unsent_bytes += bytes;
    if (c->server->unsent_bytes > HTTP_UNSENT_MAX_BYTES)
        server_look(c->server);
}

void reply_add(struct caller *c, struct slice bytes)
{
    buf_add(&c->out, bytes);
    count(c, bytes.len);
}

void reply_send(struct caller *c)
{
    loop_at_turn_end(c->server->loop, &c->turn);
}

/* `request` NULL: it was not even read. body_bytes NULL: nobody knows how many. */
void reply_head(struct caller *c, const struct http_request *request, int status,
                const size_t *body_bytes)
{
    struct buf *out = &c->out;
    size_t before = out->len;
    bool is_http10 = request != NULL && request->head.is_http10;

    c->is_last = c->is_last || request == NULL || !request->head.is_keep_alive ||
                 !caller_may_drop_body(c) || c->server->is_closing ||
                 (is_http10 && body_bytes == NULL);
    buf_add(out, SLICE("HTTP/1.1 "));
    buf_add_u64(out, (uint64_t)status);
    buf_add_byte(out, ' ');
    buf_add(out, reason_of(status));
    buf_add(out, SLICE("\r\n"));
    buf_add(out, date_line(c->server));
    buf_add(out, request != NULL ? buf_slice(&request->fields)
                                 : SLICE("Content-Type: application/json\r\n"));
    if (has_body(status))
        add_framing(out, c, is_http10, body_bytes);
    else if (c->is_last)
        buf_add(out, SLICE("Connection: close\r\n"));
    buf_add(out, SLICE("\r\n"));
    count(c, out->len - before);
}

void reply_continue(struct caller *c)
{
    reply_add(c, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    reply_send(c);
}

/* --- what the server answers by itself --- */

static const struct refusal {
    int status;
    struct slice body; /* in the shape that Azure's services use */
} refusals[] = {
#define REFUSAL(status, code, message)                                                             \
    {                                                                                              \
        status, SLICE_INIT("{\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}")      \
    }
    REFUSAL(400, "BadRequest", "The request is malformed."),
    REFUSAL(408, "RequestTimeout", "The request took too long to arrive."),
    REFUSAL(413, "RequestEntityTooLarge", "The request's body is larger than the server accepts."),
    REFUSAL(414, "UriTooLong", "The URL is too long, or has too many parts."),
    REFUSAL(417, "ExpectationFailed", "The server knows no expectation but 100-continue."),
    REFUSAL(431, "RequestHeaderFieldsTooLarge", "The request's headers are too large or too many."),
    REFUSAL(501, "NotImplemented", "The server knows no transfer coding but chunked."),
    REFUSAL(503, "ServiceUnavailable", "The server is closing, or has no room. Try again."),
    REFUSAL(505, "HttpVersionNotSupported", "The server speaks HTTP/1.1 and HTTP/1.0."),
#undef REFUSAL
};

void reply_refuse(struct caller *c, int status, bool is_last)
{
    struct http_request *request = c->request;
    const struct refusal *row = &refusals[0];

    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        if (refusals[i].status == status)
            row = &refusals[i];
    c->is_last = c->is_last || is_last;
    if (request != NULL)
        (void)http_reply_header(request, SLICE("Content-Type"), SLICE("application/json"));
    reply_head(c, request, row->status, &row->body.len);
    if (request == NULL || !request->is_head)
        reply_add(c, row->body);
    caller_answered(c);
    if (request != NULL)
        server_end_request(request);
}

/* --- what the handler answers --- */

static void send_body(struct caller *c, struct buf *body)
{
    if (body->len <= COPIED_MAX_BYTES) {
        reply_add(c, buf_slice(body));
        return;
    }
    assert(c->reply == NULL);
    c->reply = body->data;
    c->reply_bytes = body->len;
    c->reply_at = 0;
    count(c, body->len);
    body->data = NULL;
}

void http_respond(struct http_request *request, int status, const char *content_type,
                  struct buf *body)
{
    struct caller *c = request->caller;

    assert(status >= 200 && status <= 599 &&
           (request->is_held || (c != NULL && c->request == request)));
    if (body != NULL && buf_err(body)) {
        status = 500;
        buf_clear(body);
    }
    if (content_type != NULL)
        (void)http_reply_header(request, SLICE("Content-Type"), slice_of(content_type));
    if (c != NULL) {
        size_t bytes = body != NULL ? body->len : 0;
        reply_head(c, request, status, &bytes);
        if (bytes > 0 && has_body(status) && !request->is_head)
            send_body(c, body);
        caller_answered(c);
    }
    if (body != NULL)
        buf_done(body);
    server_end_request(request);
}

/* --- writing --- */

static void swap(struct buf *a, struct buf *b)
{
    struct buf kept = *a;
    *a = *b;
    *b = kept;
}

void reply_flush(struct caller *c)
{
    if (c->write_op.is_busy || c->unsent_bytes == 0)
        return;
    swap(&c->out, &c->sending);
    if (c->streaming != NULL)
        stream_sending(c->streaming);
    struct slice reply = {c->reply, c->reply_bytes};
    struct slice parts[] = {buf_slice(&c->sending),
                            slice_first(slice_from(reply, c->reply_at), PIECE_MAX_BYTES)};
    c->writing_bytes = parts[0].len + parts[1].len;
    c->wrote_at_ms = loop_now_ms(c->server->loop);
    enum err err = stream_write(c->stream, parts, COUNT_OF(parts), &c->write_op);
    if (err)
        loop_later(c->server->loop, &c->write_op, err);
}

void reply_written(struct caller *c)
{
    size_t max_bytes = c->sending.max_bytes;

    c->unsent_bytes -= c->writing_bytes;
    c->server->unsent_bytes -= c->writing_bytes;
    c->reply_at += c->writing_bytes - c->sending.len;
    buf_clear(&c->sending);
    if (c->sending.cap > KEPT_BYTES) {
        buf_done(&c->sending);
        buf_init(&c->sending, max_bytes);
    }
    if (c->streaming != NULL)
        c->streaming->sending_bytes = 0;
    if (c->reply != NULL && c->reply_at == c->reply_bytes) {
        free(c->reply);
        c->reply = NULL;
        c->reply_bytes = c->reply_at = 0;
    }
}
