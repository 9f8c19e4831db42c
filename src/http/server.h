/* http/server.h - an HTTP/1.1 server on the loop.
 * Rules: the handler is given whole requests, with their body, and answers each exactly once, now
 * or any time later, with http_respond() or http_respond_stream(). A connection has one request at
 * a time in the handler's hands; what it sent ahead waits. What is malformed or too large never
 * reaches the handler (400, 408, 413, 414, 417, 431, 501, 505). The answer to a client that has
 * gone is dropped in silence. Memory is bounded: by connections, by what one may send ahead and
 * leave unread, and by what all of them may (HTTP_BODIES_MAX_BYTES, HTTP_UNSENT_MAX_BYTES). Whoever
 * makes no progress is closed. Use:  static void handle(void *ctx, struct http_request *request)
 *       {
 *           struct buf body;
 *           buf_init(&body, BODY_MAX_BYTES);
 *           buf_addf(&body, "{\"ok\":true}");
 *           http_respond(request, 200, "application/json", &body);
 *       } */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdint.h>

#include "base/buf.h"
#include "loop/op.h"

#define HTTP_SERVER_CONNECTIONS 1024             /* when connections_max is 0 */
#define HTTP_SERVER_BODY_MAX_BYTES (1024 * 1024) /* when body_max_bytes is 0 */
#define HTTP_SERVER_TIMEOUT_S 60                 /* when timeout_s is 0 */
#define HTTP_BODIES_MAX_BYTES (64 * 1024 * 1024) /* of large bodies in memory; others wait */
#define HTTP_UNSENT_MAX_BYTES                                                                      \
    (64 * 1024 * 1024)                          /* of answers that clients do not read; above, the \
                                                   slowest of them are closed */
#define HTTP_REQUEST_HEAD_MAX_BYTES (16 * 1024) /* request line and headers; above: 431 */
#define HTTP_SEGMENTS_MAX 32
#define HTTP_PARAMETERS_MAX 32
#define HTTP_STREAM_MAX_BYTES (1024 * 1024) /* when buffer_max_bytes is 0 */

struct loop;
struct http_request;
struct http_server;
struct http_stream;

struct http_server_options {
    const char *address; /* "127.0.0.1:7070", "[::1]:7070", "localhost:0"; port 0 = a free one */
    const char *url;     /* as clients know this server; NULL or "" = as each request says */
    const char *cert_file, *key_file; /* PEM, read at the start: HTTPS; NULL = plain HTTP */
    uint32_t connections_max; /* at the limit those go that were idle longest, or new ones wait */
    size_t body_max_bytes;
    uint32_t timeout_s; /* a connection is closed that is idle for so long, or takes so long for a
                           head, or comes to a halt for so long in a body or an answer */
    void (*handler)(void *ctx, struct http_request *request);
    /* begin (NULL: nobody asks) is shown a request whose head is there and whose body is still to
     * come, and may answer it at once; the handler then never sees it, nor memory its body. */
    void (*begin)(void *ctx, struct http_request *request);
    void *ctx;
};

/* http_server_start: E_OK and *ret, listening; or E_BAD_INPUT (address), E_EXISTS (in use),
 * E_DENIED, E_IO, with the address named; E_TLS with the file. */
enum err http_server_start(struct loop *loop, const struct http_server_options *options,
                           struct http_server **ret, struct cause *why);
uint16_t http_server_port(const struct http_server *server);

/* http_server_reload reads the files of the certificate again, for connections to come: E_OK; or
 * E_TLS with the file named, and nothing has changed. */
enum err http_server_reload(struct http_server *server, struct cause *why);

/* http_server_close stops listening and answers 503 to new requests on open connections; streams
 * are ended. When all requests that came whole are answered and sent, or after grace_ms at the
 * latest, connections are closed, the server is freed, and the op ends: E_OK, or E_TIMEOUT if some
 * request was cut off. A request that its handler still holds then stays valid until it is
 * answered, to nobody. */
void http_server_close(struct http_server *server, uint32_t grace_ms, struct op *op);

/* The request. Slices are valid until the request is answered. */
struct slice http_request_method(const struct http_request *request);
struct slice http_request_path(const struct http_request *request); /* as sent, still escaped */
/* The path's segments, unescaped: "/api/a%2Fb/" has "api", "a/b". Empty ones are left out. Index
 * past the end: SLICE_NONE. */
size_t http_request_segment_count(const struct http_request *request);
struct slice http_request_segment(const struct http_request *request, size_t index);
/* http_request_parameter: the unescaped value of the first query parameter of that name (any case,
 * as Azure has it); empty for "?name"; SLICE_NONE if absent. */
struct slice http_request_parameter(const struct http_request *request, struct slice name);
/* http_request_add_url appends the URL of this server as the client knows it, without a path;
 * X-Forwarded-Proto tells whether a proxy in front speaks TLS. */
void http_request_add_url(struct buf *out, const struct http_request *request);
/* http_request_header: the first field of that name (any case), or SLICE_NONE. */
struct slice http_request_header(const struct http_request *request, struct slice name);
/* http_request_each_header calls `each` with all fields of the head, in their order. */
void http_request_each_header(const struct http_request *request,
                              void (*each)(void *ctx, struct slice name, struct slice value),
                              void *ctx);
struct slice http_request_body(const struct http_request *request);

/* http_request_watch, for an answer that may take long: `gone` is called once, with `ctx`, when the
 * client leaves before it is answered. It must be answered all the same. One that shut down its
 * sending side only counts as gone: the two cannot be told apart before something is sent. */
void http_request_watch(struct http_request *request, void (*gone)(void *ctx), void *ctx);

/* http_reply_header adds a field to the answer to come. False, and nothing added, if name or value
 * hold bytes that must not be there. */
bool http_reply_header(struct http_request *request, struct slice name, struct slice value);

/* http_respond answers and ends the request. content_type NULL = none. `body` NULL = empty; else it
 * is emptied and its bytes go out without a copy; one that missed something becomes a 500. */
void http_respond(struct http_request *request, int status, const char *content_type,
                  struct buf *body);

/* An answer that goes on, sent chunked. The stream lives until http_stream_end(). `gone` (may be
 * NULL) is called once, with `ctx`, when the client has left or the server closes; the stream must
 * then be ended. */
struct http_stream_options {
    const char *content_type;
    size_t buffer_max_bytes; /* what may wait for a slow client */
    void (*gone)(void *ctx);
    void *ctx;
};
struct http_stream *http_respond_stream(struct http_request *request, int status,
                                        const struct http_stream_options *options);
/* http_stream_write takes all of `bytes` or none: E_OK; E_LIMIT when the client is too slow, try
 * again later or drop; E_CLOSED when it is gone. */
enum err http_stream_write(struct http_stream *stream, struct slice bytes);
/* http_stream_end ends the answer after what was written; the stream is invalid afterwards. */
void http_stream_end(struct http_stream *stream);

#endif
