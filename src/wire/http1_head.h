/* wire/http1_head.h - what heads of requests and of responses have in common. For the files of
 * HTTP/1 here. */
#ifndef WIRE_HTTP1_HEAD_H
#define WIRE_HTTP1_HEAD_H

#include "wire/http1.h"

/* What the fields say that decide about the connection and where the body ends. */
struct http1_says {
    uint64_t length;
    unsigned lengths; /* how often it was said */
    unsigned hosts;
    bool is_chunked;
    bool closes;
    bool keeps_alive;
    bool expects_continue;
    bool expects_other; /* what nobody knows */
    struct slice host;
};

bool http1_is_token_byte(unsigned char c);
bool http1_is_space(char c);
/* http1_is_text: no control byte but the tab. Bytes above 0x7f are opaque and allowed. */
bool http1_is_text(struct slice text);

/* http1_line_cut takes a line off `rest`, without its CR LF; false at the end. http1_head_end() has
 * seen that both are there. */
bool http1_line_cut(struct slice *rest, struct slice *ret);

/* http1_fields_parse reads field lines up to the empty one. `fields` has room for
 * HTTP1_HEADERS_MAX. E_OK; E_LIMIT (too many), E_BAD_WIRE; E_UNSUPPORTED for a coding other than
 * chunked. */
enum err http1_fields_parse(struct slice lines, struct http_header *fields, size_t *ret_count,
                            struct http1_says *ret);

#endif
