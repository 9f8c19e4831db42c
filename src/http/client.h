/* http/client.h - requests to HTTP/1.1 servers, over connections that are kept and reused.
 * Rules: a call is embedded in the one that waits for it (op first to know), and everything in it
 * is borrowed until op.done. Connections are pooled per origin (scheme, host, port); when all that
 * an origin may have are busy, calls wait in order. Nothing is pipelined, redirects are not
 * followed, 1xx answers are skipped.
 * At least once: when a reused connection turns out to be closed before any byte of the answer, the
 * call is sent once more on a fresh connection; the first may have been carried out. All else that
 * fails is reported, not repeated.
 * Use: zero a struct http_call, fill the request, http_send(), read status and body in op.done. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdint.h>

#include "loop/op.h"
#include "wire/http1.h"
#include "wire/url.h"

#define HTTP_HEAD_MAX_BYTES (64 * 1024)       /* of an answer */
#define HTTP_RESPONSE_MAX_BYTES (1024 * 1024) /* when response_max_bytes is 0 */
#define HTTP_CLIENT_CONNECTIONS 64            /* when connections_max is 0 */
#define HTTP_CLIENT_IDLE_MS 30000             /* when idle_timeout_ms is 0 */
#define HTTP_CLIENT_CONNECT_MS 10000          /* when connect_timeout_ms is 0 */
#define HTTP_BODY_PARTS_MAX 1000

struct loop;
struct tls;
struct http_client;

struct http_client_options {
    uint32_t connections_max;            /* per origin */
    uint32_t idle_timeout_ms;            /* an unused connection is closed after it */
    uint32_t connect_timeout_ms;         /* name, connect and handshake */
    unsigned plain_reaches, tls_reaches; /* kinds of addresses (loop/address.h) that http and https
                                            may connect to; 0 = all */
    const struct tls
        *tls; /* for https; borrowed until the client is freed. NULL: https is refused */
};

/* Where a long body goes, piece by piece, instead of into memory. `take` is handed bytes of the
 * body of a 2xx answer, borrowed until `op` ends; nothing more is read before that. Now: E_OK; or
 * an error, and op.done never runs. An error, now or later, ends the call with it. */
struct http_sink {
    enum err (*take)(struct http_sink *sink, struct slice bytes, struct op *op);
};

struct http_call {
    struct op op;

    /* The request. Host, Content-Length and Connection are the client's and must not be given. */
    struct slice method; /* SLICE("POST") */
    struct url url;      /* and the text behind it */
    const struct http_header *headers;
    size_t header_count;
    const struct slice *body;  /* parts, sent in order without a copy */
    size_t body_count;         /* at most HTTP_BODY_PARTS_MAX */
    uint32_t timeout_ms;       /* for all of it, waiting for a connection included; 0 = none. With a
                                  sink: from one piece to the next */
    size_t response_max_bytes; /* a longer body is E_LIMIT */
    struct http_sink *sink;    /* NULL = `response` */

    /* The answer: set with E_OK, valid until op.done returns. Any status is E_OK. */
    int status;
    struct slice response; /* of at most HTTP_RESPONSE_MAX_BYTES if there is a sink; empty if that
                              took it */
    const struct http1_head *head;

    /* The client's. */
    struct http_origin *origin;
    struct http_connection *connection; /* NULL while it waits for one */
    struct list_node timed;             /* in the list of calls that may expire */
    uint64_t expires_at_ms;
    enum err ending;
    bool was_retried;
};

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options);

/* http_may_give: may a call bring a header of this name? */
bool http_may_give(struct slice name);
/* http_send. Now: E_OK; or E_BAD_INPUT (method, header), E_LIMIT (parts, head), E_UNSUPPORTED
 * (https without tls), and op.done never runs. Later: E_OK with the answer; E_REFUSED, E_DNS,
 * E_DENIED (plain_reaches, tls_reaches), E_TLS, E_IO: no connection; E_CLOSED: it broke; E_TIMEOUT;
 * E_LIMIT: the answer is too large; E_BAD_WIRE: it is no HTTP; E_CANCELED by op_abort(), which
 * works at any moment. op.why names the origin. In callbacks: yes. */
enum err http_send(struct http_client *client, struct http_call *call);

/* http_call_header: the first field of that name (any case) of the answer, or SLICE_NONE. Valid as
 * long as the answer is. */
struct slice http_call_header(const struct http_call *call, struct slice name);

/* http_client_free closes all connections; calls under way end with E_CANCELED, later. NULL is
 * fine. In callbacks: yes. */
void http_client_free(struct http_client *client);

/* For metrics and tests. */
struct http_client_stats {
    uint64_t connects; /* connections begun */
    uint64_t retries;  /* calls sent again because a reused connection was closed */
    uint32_t open;     /* connections now, idle ones included */
    uint32_t idle;
    uint32_t waiting; /* calls that wait for a connection */
};
struct http_client_stats http_client_stats(const struct http_client *client);

#endif
