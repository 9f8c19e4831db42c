/* wire/resp.h - the Redis protocol, RESP2 and RESP3. Pure: callable anywhere.
 * Source: the protocol specification of Redis (RESP2, RESP3).
 * A reply is an array of nodes in the order of the bytes: the children of an array follow it, and
 * `span` is how many nodes a reply takes with all its children, so `node + node->span` is the next
 * sibling. Texts point into the bytes that were parsed: nothing is copied. */
#ifndef WIRE_RESP_H
#define WIRE_RESP_H

#include "base/buf.h"

enum resp_type {
    RESP_STATUS,
    RESP_ERROR, /* text = the whole line, as "NOGROUP No such key" */
    RESP_INTEGER,
    RESP_BULK, /* also big numbers as sent, and verbatim texts without their format */
    RESP_NIL,
    RESP_ARRAY, /* also sets */
    RESP_MAP,   /* count = 2 x pairs, children alternate: looks like RESP2's flat array */
    RESP_PUSH,
    RESP_DOUBLE, /* text = as sent */
    RESP_BOOL,   /* integer 0 or 1 */
};

struct resp {
    enum resp_type type;
    uint32_t count; /* children */
    uint32_t span;  /* nodes, this one and all below it */
    int64_t integer;
    struct slice text;
};

struct resp_limits {
    size_t reply_max_bytes; /* all of one reply */
    uint32_t nodes_max;
    uint32_t depth_max; /* 1 = no arrays in arrays; at most RESP_DEPTH_MAX */
};
#define RESP_DEPTH_MAX 32
#define RESP_LINE_MAX_BYTES (1024 * 1024) /* a status, an error, a number */

/* The parser keeps its place, so that a reply that arrives in many pieces is scanned once. Zeroed =
 * new. */
struct resp_parser {
    struct resp *nodes; /* the reply; valid when resp_parse() returned E_OK */
    uint32_t count;
    uint32_t cap;
    size_t at;      /* bytes looked at so far */
    uintptr_t base; /* where `in` was at the last call: texts follow it when it moves */
    uint32_t depth;
    uint32_t open[RESP_DEPTH_MAX]; /* node of each array that still lacks children */
    uint32_t left[RESP_DEPTH_MAX]; /* how many it lacks */
    size_t wanted; /* bytes from the start of `in` that a whole bulk needs: a hint for the reader */
};

/* resp_parse looks for one whole reply at the start of `in`. `in` must start with the same bytes at
 * every call until it ended; it may have moved. E_OK: parser->nodes[0] is the reply, its texts
 * point into this `in`, *ret_used is its size. E_MORE: call again with more bytes. E_LIMIT,
 * E_BAD_WIRE: the connection is useless (text in why). After E_OK call resp_parser_next() before
 * the next reply. Attributes of RESP3 are read and dropped. */
enum err resp_parse(struct resp_parser *parser, struct slice in, const struct resp_limits *limits,
                    size_t *ret_used, struct cause *why);
void resp_parser_next(struct resp_parser *parser); /* forget the reply, keep the memory */
/* resp_parser_detach hands the node array over (free() ends it), to keep a reply for longer; after
 * it, resp_parser_attach may lend the empty parser another array to fill, which it then owns. */
struct resp *resp_parser_detach(struct resp_parser *parser);
void resp_parser_attach(struct resp_parser *parser, struct resp *nodes, uint32_t cap);
void resp_parser_done(struct resp_parser *parser);

/* Reading a reply. resp_child: NULL if there is no such child. */
const struct resp *resp_child(const struct resp *node, uint32_t index);
/* resp_find looks a key up in a map or a flat array of pairs (as XINFO, CONFIG GET and HGETALL
 * answer); NULL if absent. */
const struct resp *resp_find(const struct resp *node, struct slice key);
/* resp_is_error: an error whose first word is `code`; code SLICE_NONE asks for any error. */
bool resp_is_error(const struct resp *node, struct slice code);
/* resp_int reads an integer, or a text that is one; false if it is neither. */
bool resp_int(const struct resp *node, int64_t *ret);

/* Writing a command. */
void resp_write_array(struct buf *out, size_t count);
void resp_write_bulk(struct buf *out, struct slice bytes);
void resp_write_bulk_head(struct buf *out,
                          size_t len); /* then the bytes, then "\r\n": for large payloads */

#endif
