/* wire/http1.h - the bytes of HTTP/1.1 responses and requests.
 * Pure: callable anywhere. Source: RFC 9112. Strict where leniency lets two readers disagree about
 * where a message ends: bare CR or LF, folded lines, both Transfer-Encoding and Content-Length,
 * differing Content-Lengths, codings other than chunked, and odd chunk sizes are errors. Use: look
 * for the end of the head with http1_head_end(), read it with http1_head_parse() or
 * http1_request_parse(), then the body as framing tells; a chunked one through http1_chunk_next().
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include <stdint.h>

#include "base/buf.h"

#define HTTP1_HEADERS_MAX 100
#define HTTP1_CHUNK_LINE_MAX_BYTES 256 /* size and extensions */
#define HTTP1_TRAILER_MAX_BYTES 8192

struct http_header {
    struct slice name;
    struct slice value;
};

enum http1_framing { HTTP1_NO_BODY, HTTP1_LENGTH, HTTP1_CHUNKED, HTTP1_UNTIL_CLOSE };

struct http1_head {
    int status; /* 100..599 */
    bool is_keep_alive;
    enum http1_framing framing;
    uint64_t body_bytes; /* of HTTP1_LENGTH */
    struct slice reason;
    size_t count;
    struct http_header headers[HTTP1_HEADERS_MAX]; /* names as sent, values trimmed */
};

/* http1_head_end looks for the empty line that ends a head at the start of `in`. *scanned, 0 at
 * first, keeps the place, so that a head that arrives in many pieces is scanned once. E_OK and
 * *ret_bytes, the head's size; E_MORE; E_LIMIT as soon as it cannot end within max_bytes;
 * E_BAD_WIRE for an LF without its CR. */
enum err http1_head_end(struct slice in, size_t max_bytes, size_t *scanned, size_t *ret_bytes);

/* http1_head_parse reads a whole head, its empty line included. is_head: it answers a HEAD request.
 * E_OK, and *ret points into `head`; E_BAD_WIRE or E_LIMIT (too many fields), and *ret is junk. */
enum err http1_head_parse(struct slice head, bool is_head, struct http1_head *ret);

/* http1_head_find: the value of the first field of that name (any case), or SLICE_NONE. */
struct slice http1_head_find(const struct http1_head *head, struct slice name);

/* http1_field_find does the same in an array of fields. */
struct slice http1_field_find(const struct http_header *fields, size_t count, struct slice name);

struct http1_request {
    struct slice method;
    struct slice target; /* as sent */
    bool is_http10;
    bool is_keep_alive;
    bool expects_continue;
    enum http1_framing framing; /* never HTTP1_UNTIL_CLOSE */
    uint64_t body_bytes;        /* of HTTP1_LENGTH, above 0 */
    int refusal;                /* with an error: the status that says so */
    size_t count;
    struct http_header headers[HTTP1_HEADERS_MAX]; /* names as sent, values trimmed */
};

/* http1_request_parse reads a whole head, its empty line included. E_OK, and *ret points into
 * `head`. Else only ret->refusal is set, and nobody knows where the next request begins:
 * E_BAD_WIRE: 400, also for no Host or two; E_LIMIT: 431, too many fields; E_UNSUPPORTED: 501 (a
 * coding other than chunked), 505 (a version other than 1.x), 417 (Expect). */
enum err http1_request_parse(struct slice head, struct http1_request *ret);

/* Where a chunked body was cut. Zeroed = at its start. */
struct http1_chunks {
    int state;
    uint64_t left;       /* bytes of the current chunk still to come */
    uint32_t line_bytes; /* of the current line, or of the trailers */
    bool is_done;        /* the whole body was read */
};

/* http1_chunk_next spends some of `in` and may find data in it: call it until `in` is used up or
 * chunks->is_done. E_OK, and *ret_data (may be empty) points into `in`, *ret_used bytes are spent;
 * or E_BAD_WIRE, E_LIMIT, and the connection is useless. */
enum err http1_chunk_next(struct http1_chunks *chunks, struct slice in, struct slice *ret_data,
                          size_t *ret_used);

/* What may stand in a request: a name or method is a token, a value has no control bytes but tab
 * and no white space at its ends. */
bool http1_is_token(struct slice text);
bool http1_is_value(struct slice text);

#endif
