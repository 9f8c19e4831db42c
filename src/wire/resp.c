#include "wire/resp.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NODES_FIRST 64
#define NODES_KEPT_MAX 65536 /* more than this is given back after the reply that needed it */
#define CRLF_BYTES 2
#define VERBATIM_HEAD_BYTES 4 /* "txt:" */
#define ATTRIBUTE (-1)        /* in `integer` of an open map: drop it when it closes */

/* What follows the first byte of an element. */
enum form { FORM_BAD, FORM_LINE, FORM_INTEGER, FORM_BOOL, FORM_NIL, FORM_BULK, FORM_AGGREGATE };

static const struct {
    unsigned char form;
    unsigned char type;
} elements[256] = {
    ['+'] = {FORM_LINE, RESP_STATUS},     ['-'] = {FORM_LINE, RESP_ERROR},
    [','] = {FORM_LINE, RESP_DOUBLE},     ['('] = {FORM_LINE, RESP_BULK},
    [':'] = {FORM_INTEGER, RESP_INTEGER}, ['#'] = {FORM_BOOL, RESP_BOOL},
    ['_'] = {FORM_NIL, RESP_NIL},         ['$'] = {FORM_BULK, RESP_BULK},
    ['='] = {FORM_BULK, RESP_BULK},       ['!'] = {FORM_BULK, RESP_ERROR},
    ['*'] = {FORM_AGGREGATE, RESP_ARRAY}, ['~'] = {FORM_AGGREGATE, RESP_ARRAY},
    ['>'] = {FORM_AGGREGATE, RESP_PUSH},  ['%'] = {FORM_AGGREGATE, RESP_MAP},
    ['|'] = {FORM_AGGREGATE, RESP_MAP},
};

/* One call's view: the parser, the bytes, and where in them it is. */
struct scan {
    struct resp_parser *parser;
    const struct resp_limits *limits;
    struct cause *why;
    const char *at; /* first byte behind the element's type byte, later behind the element */
    const char *end;
    const char *start;
    char tag;
};

static void grow_nodes(struct resp_parser *parser)
{
    parser->cap = parser->cap == 0 ? NODES_FIRST : parser->cap * 2;
    parser->nodes = mem_resize(parser->nodes, parser->cap, sizeof *parser->nodes);
}

static inline struct resp *push_node(struct resp_parser *parser, enum resp_type type)
{
    if (parser->count == parser->cap)
        grow_nodes(parser);
    struct resp *node = &parser->nodes[parser->count++];
    *node = (struct resp){.type = type, .span = 1};
    return node;
}

static enum err bad_wire(struct scan *scan, const char *what)
{
    return cause_set(scan->why, E_BAD_WIRE, "malformed reply: %s at byte %zu", what,
                     (size_t)(scan->at - scan->start));
}

static enum err over_limit(struct scan *scan, const char *what)
{
    return cause_set(scan->why, E_LIMIT, "reply over the limit: %s at byte %zu", what,
                     (size_t)(scan->at - scan->start));
}

/* take_line moves behind the next CRLF and returns what stands before it. */
static enum err take_line(struct scan *scan, struct slice *ret)
{
    size_t rest = (size_t)(scan->end - scan->at);
    size_t look = rest < RESP_LINE_MAX_BYTES ? rest : RESP_LINE_MAX_BYTES;
    const char *cr = memchr(scan->at, '\r', look);

    if (cr == NULL)
        return look == RESP_LINE_MAX_BYTES ? over_limit(scan, "a line") : E_MORE;
    if (cr + 1 == scan->end)
        return E_MORE;
    if (cr[1] != '\n')
        return bad_wire(scan, "a carriage return without a newline");
    *ret = (struct slice){scan->at, (size_t)(cr - scan->at)};
    scan->at = cr + CRLF_BYTES;
    return E_OK;
}

/* The slow way to say why a number did not end where it should. */
static enum err number_ended(struct scan *scan, const char *at, bool has_digits)
{
    if (at == scan->end || (has_digits && *at == '\r' && at + 1 == scan->end))
        return E_MORE;
    return bad_wire(scan, "not a number");
}

static inline enum err take_number(struct scan *scan, int64_t *ret)
{
    const char *at = scan->at;
    uint64_t number = 0;
    bool is_negative = at < scan->end && *at == '-';

    if (at < scan->end && (*at == '-' || *at == '+'))
        at++;
    const char *first = at;
    while (at < scan->end && *at >= '0' && *at <= '9') {
        unsigned digit = (unsigned)(*at++ - '0');
        if (number > ((uint64_t)INT64_MAX - digit) / 10) {
            /* the one number whose absolute value does not fit */
            if (!is_negative || number != INT64_MAX / 10 || digit != 8)
                return bad_wire(scan, "a number too large");
            number = (uint64_t)INT64_MAX + 1;
            break;
        }
        number = number * 10 + digit;
    }
    if (at == first || scan->end - at < CRLF_BYTES || at[0] != '\r' || at[1] != '\n')
        return number_ended(scan, at, at != first);
    scan->at = at + CRLF_BYTES;
    *ret = is_negative ? (int64_t)(0 - number) : (int64_t)number;
    return E_OK;
}

static enum err take_bulk(struct scan *scan, enum resp_type type)
{
    int64_t len = 0;
    enum err err = take_number(scan, &len);

    if (err)
        return err;
    if (len < 0) {
        if (len != -1 || scan->tag != '$')
            return bad_wire(scan, "a negative length");
        push_node(scan->parser, RESP_NIL);
        return E_OK;
    }
    if (scan->tag == '=' && len < VERBATIM_HEAD_BYTES)
        return bad_wire(scan, "a verbatim text without format");
    size_t used = (size_t)(scan->at - scan->start);
    size_t max_bytes = scan->limits->reply_max_bytes;
    if (used + CRLF_BYTES > max_bytes || (uint64_t)len > max_bytes - used - CRLF_BYTES)
        return over_limit(scan, "a bulk");
    size_t whole = (size_t)len + CRLF_BYTES;
    if ((size_t)(scan->end - scan->at) < whole) {
        scan->parser->wanted = used + whole;
        return E_MORE;
    }
    if (scan->at[len] != '\r' || scan->at[len + 1] != '\n')
        return bad_wire(scan, "a bulk without its end");
    size_t skip = scan->tag == '=' ? VERBATIM_HEAD_BYTES : 0;
    push_node(scan->parser, type)->text = (struct slice){scan->at + skip, (size_t)len - skip};
    scan->at += whole;
    return E_OK;
}

static enum err take_aggregate(struct scan *scan, enum resp_type type)
{
    struct resp_parser *parser = scan->parser;
    uint32_t depth_max = scan->limits->depth_max;
    int64_t count = 0;
    enum err err = take_number(scan, &count);

    if (err)
        return err;
    if (count < 0) {
        if (count != -1 || scan->tag != '*')
            return bad_wire(scan, "a negative count");
        push_node(parser, RESP_NIL);
        return E_OK;
    }
    uint64_t children = type == RESP_MAP ? (uint64_t)count * 2 : (uint64_t)count;
    if (children >= scan->limits->nodes_max || parser->count + children >= scan->limits->nodes_max)
        return over_limit(scan, "the number of elements");
    if (parser->depth >= (depth_max < RESP_DEPTH_MAX ? depth_max : RESP_DEPTH_MAX))
        return over_limit(scan, "the depth");
    struct resp *node = push_node(parser, type);
    node->count = (uint32_t)children;
    node->integer = scan->tag == '|' ? ATTRIBUTE : 0;
    parser->open[parser->depth] = parser->count - 1;
    parser->left[parser->depth] = (uint32_t)children;
    parser->depth++;
    return E_OK;
}

static enum err take_line_element(struct scan *scan, enum form form, enum resp_type type)
{
    struct slice line = SLICE("");
    enum err err = take_line(scan, &line);

    if (err)
        return err;
    if (form == FORM_NIL && line.len > 0)
        return bad_wire(scan, "a null with a text");
    if (form == FORM_BOOL && !slice_eq(line, SLICE("t")) && !slice_eq(line, SLICE("f")))
        return bad_wire(scan, "a boolean that is neither t nor f");
    struct resp *node = push_node(scan->parser, type);
    if (form == FORM_LINE)
        node->text = line;
    else if (form == FORM_BOOL)
        node->integer = line.data[0] == 't';
    return E_OK;
}

static enum err take_element(struct scan *scan)
{
    enum resp_type type = (enum resp_type)elements[(unsigned char)*scan->at].type;
    enum form form = (enum form)elements[(unsigned char)*scan->at].form;
    enum err err;
    int64_t integer = 0;

    scan->tag = *scan->at;
    if (form != FORM_BAD)
        scan->at++;
    switch (form) {
    case FORM_BULK:
        return take_bulk(scan, type);
    case FORM_AGGREGATE:
        return take_aggregate(scan, type);
    case FORM_INTEGER:
        err = take_number(scan, &integer);
        if (err == E_OK)
            push_node(scan->parser, type)->integer = integer;
        return err;
    case FORM_LINE:
    case FORM_BOOL:
    case FORM_NIL:
        return take_line_element(scan, form, type);
    case FORM_BAD:
        break;
    }
    return bad_wire(scan, "an unknown type");
}

/* close_element counts the element that was just read into the arrays that wait for it, and closes
 * those that are complete. True: the reply is complete. */
static bool close_element(struct resp_parser *parser, bool is_aggregate)
{
    bool is_counted = !is_aggregate; /* an opened array counts in its parent when it closes */

    while (parser->depth > 0) {
        uint32_t top = parser->depth - 1;
        if (is_counted)
            parser->left[top]--;
        if (parser->left[top] > 0)
            return false;
        struct resp *node = &parser->nodes[parser->open[top]];
        node->span = parser->count - parser->open[top];
        parser->depth--;
        is_counted = node->integer != ATTRIBUTE;
        if (!is_counted) { /* as if it had never been there */
            parser->count = parser->open[top];
            if (parser->depth > 0)
                return false;
        }
    }
    return is_counted;
}

/* Texts point into the bytes of the last call; those may stand elsewhere now. */
static void follow(struct resp_parser *parser, const char *start)
{
    for (uint32_t i = 0; i < parser->count; i++)
        if (parser->nodes[i].text.data != NULL)
            parser->nodes[i].text.data =
                start + ((uintptr_t)parser->nodes[i].text.data - parser->base);
    parser->base = (uintptr_t)start;
}

enum err resp_parse(struct resp_parser *parser, struct slice in, const struct resp_limits *limits,
                    size_t *ret_used, struct cause *why)
{
    if (in.len == 0 || in.len < parser->wanted)
        return E_MORE;
    if (parser->base != (uintptr_t)in.data)
        follow(parser, in.data);
    parser->wanted = 0;
    struct scan scan = {.parser = parser,
                        .limits = limits,
                        .why = why,
                        .at = in.data + parser->at,
                        .end = in.data + in.len,
                        .start = in.data};
    while (scan.at < scan.end) {
        uint32_t depth = parser->depth;
        if (parser->count >= limits->nodes_max)
            return over_limit(&scan, "the number of elements");
        enum err err = take_element(&scan);
        if (err)
            return err;
        parser->at = (size_t)(scan.at - scan.start);
        if (parser->at > limits->reply_max_bytes)
            return over_limit(&scan, "the size");
        if (close_element(parser, parser->depth > depth)) {
            *ret_used = parser->at;
            return E_OK;
        }
    }
    return E_MORE;
}

void resp_parser_next(struct resp_parser *parser)
{
    if (parser->cap > NODES_KEPT_MAX) {
        free(parser->nodes);
        parser->nodes = NULL;
        parser->cap = 0;
    }
    parser->count = parser->depth = 0;
    parser->at = parser->wanted = 0;
    parser->base = 0;
}

struct resp *resp_parser_detach(struct resp_parser *parser)
{
    struct resp *nodes = parser->nodes;
    parser->nodes = NULL;
    parser->cap = 0;
    resp_parser_next(parser);
    return nodes;
}

void resp_parser_attach(struct resp_parser *parser, struct resp *nodes, uint32_t cap)
{
    free(parser->nodes);
    parser->nodes = nodes;
    parser->cap = cap;
}

void resp_parser_done(struct resp_parser *parser)
{
    free(parser->nodes);
    *parser = (struct resp_parser){0};
}

const struct resp *resp_child(const struct resp *node, uint32_t index)
{
    if (index >= node->count)
        return NULL;
    const struct resp *child = node + 1;
    while (index-- > 0)
        child += child->span;
    return child;
}

const struct resp *resp_find(const struct resp *node, struct slice key)
{
    const struct resp *at = node + 1;
    for (uint32_t i = 0; i + 1 < node->count; i += 2) {
        const struct resp *value = at + at->span;
        if (at->text.data != NULL && slice_eq(at->text, key))
            return value;
        at = value + value->span;
    }
    return NULL;
}

bool resp_is_error(const struct resp *node, struct slice code)
{
    if (node->type != RESP_ERROR)
        return false;
    if (code.data == NULL)
        return true;
    return slice_has_prefix(node->text, code) &&
           (node->text.len == code.len || node->text.data[code.len] == ' ');
}

bool resp_int(const struct resp *node, int64_t *ret)
{
    if (node->type == RESP_INTEGER || node->type == RESP_BOOL) {
        *ret = node->integer;
        return true;
    }
    return node->text.data != NULL && node->type != RESP_ERROR && slice_to_i64(node->text, ret);
}

/* The head of an array or a bulk, written backwards into the end of `head`. */
#define HEAD_MAX_BYTES 23
static struct slice render_head(char tag, size_t number, char head[HEAD_MAX_BYTES])
{
    size_t at = HEAD_MAX_BYTES;
    head[--at] = '\n';
    head[--at] = '\r';
    do {
        head[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    head[--at] = tag;
    return (struct slice){head + at, HEAD_MAX_BYTES - at};
}

void resp_write_array(struct buf *out, size_t count)
{
    char head[HEAD_MAX_BYTES];
    buf_add(out, render_head('*', count, head));
}

void resp_write_bulk_head(struct buf *out, size_t len)
{
    char head[HEAD_MAX_BYTES];
    buf_add(out, render_head('$', len, head));
}

void resp_write_bulk(struct buf *out, struct slice bytes)
{
    char room[HEAD_MAX_BYTES];
    struct slice head = render_head('$', bytes.len, room);
    size_t whole =
        bytes.len > SIZE_MAX - HEAD_MAX_BYTES * 2 ? SIZE_MAX : head.len + bytes.len + CRLF_BYTES;
    char *to = buf_reserve(out, whole);

    if (to == NULL)
        return;
    memcpy(to, head.data, head.len);
    if (bytes.len > 0)
        memcpy(to + head.len, bytes.data, bytes.len);
    to[head.len + bytes.len] = '\r';
    to[head.len + bytes.len + 1] = '\n';
    buf_grow(out, whole);
}
