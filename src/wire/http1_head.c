#include "wire/http1_head.h"

#include <string.h>

#include "base/mem.h"

/* --- characters --- */

#define BIT(byte) ((uint64_t)1 << ((byte)&63))
#define BITS(first, last) (BIT(last) - BIT(first) + BIT(last))

/* Letters, digits and !#$%&'*+-.^_`|~ (RFC 9110, 5.6.2): the first 64 byte values, the next 64. */
static const uint64_t token_bits[2] = {
    BIT('!') | BITS('#', '\'') | BITS('*', '+') | BITS('-', '.') | BITS('0', '9'),
    BITS('A', 'Z') | BITS('^', '`') | BITS('a', 'z') | BIT('|') | BIT('~'),
};

bool http1_is_token_byte(unsigned char c)
{
    return c < 128 && (token_bits[c >> 6] & BIT(c)) != 0;
}

bool http1_is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!http1_is_token_byte((unsigned char)text.data[i]))
            return false;
    return text.len > 0;
}

bool http1_is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* No control byte but the tab; bytes above 0x7f are opaque and allowed. Every byte is looked at,
 * whatever the first were, so that the compiler takes many at a time. */
bool http1_is_text(struct slice text)
{
    unsigned bad = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bad |= (unsigned)(c < ' ') & (unsigned)(c != '\t');
        bad |= (unsigned)(c == 0x7f);
    }
    return bad == 0;
}

bool http1_is_value(struct slice text)
{
    if (text.len > 0 && (http1_is_space(text.data[0]) || http1_is_space(text.data[text.len - 1])))
        return false;
    return http1_is_text(text);
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && http1_is_space(text.data[0]))
        text = slice_from(text, 1);
    while (text.len > 0 && http1_is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* --- head --- */

enum err http1_head_end(struct slice in, size_t max_bytes, size_t *scanned, size_t *ret_bytes)
{
    size_t at = *scanned; /* all before it was looked at, and holds no end */
    const char *lf;

    while (at < in.len && (lf = memchr(in.data + at, '\n', in.len - at)) != NULL) {
        size_t end = (size_t)(lf - in.data);
        if (end == 0 || in.data[end - 1] != '\r')
            return E_BAD_WIRE;
        at = end + 1;
        if (at > max_bytes)
            return E_LIMIT;
        if (end == 1 || in.data[end - 2] == '\n') { /* an empty line */
            *ret_bytes = at;
            return E_OK;
        }
    }
    *scanned = in.len;
    return in.len >= max_bytes ? E_LIMIT : E_MORE;
}

bool http1_line_cut(struct slice *rest, struct slice *ret)
{
    size_t end = slice_find_byte(*rest, '\n');

    if (end == rest->len || end == 0)
        return false;
    *ret = slice_first(*rest, end - 1);
    *rest = slice_from(*rest, end + 1);
    return true;
}

/* --- fields --- */

static enum err field_parse(struct slice line, struct http_header *ret)
{
    size_t colon = slice_find_byte(line, ':');
    struct slice name = slice_first(line, colon);
    struct slice value = trim(slice_from(line, colon + 1));

    /* A folded line begins with a space, which no token has. */
    if (colon == line.len || !http1_is_token(name) || !http1_is_text(value))
        return E_BAD_WIRE;
    *ret = (struct http_header){name, value};
    return E_OK;
}

/* Listed and repeated lengths must agree at least (RFC 9110, 8.6). */
static enum err length_add(struct http1_says *says, struct slice value)
{
    struct slice part;
    uint64_t length;

    while (slice_cut(&value, ',', &part)) {
        part = trim(part);
        if (part.len == 0 || part.data[0] < '0' || part.data[0] > '9' ||
            !slice_to_u64(part, &length) || length > INT64_MAX)
            return E_BAD_WIRE;
        if (says->lengths > 0 && says->length != length)
            return E_BAD_WIRE;
        says->length = length;
        says->lengths++;
    }
    return says->lengths > 0 ? E_OK : E_BAD_WIRE;
}

static enum err connection_add(struct http1_says *says, struct slice value)
{
    struct slice part;

    while (slice_cut(&value, ',', &part)) {
        part = trim(part);
        says->closes |= slice_eq_nocase(part, SLICE("close"));
        says->keeps_alive |= slice_eq_nocase(part, SLICE("keep-alive"));
    }
    return E_OK;
}

/* Chunked, once, is all that we read. */
static enum err coding_add(struct http1_says *says, struct slice value)
{
    if (says->is_chunked)
        return E_BAD_WIRE;
    if (!slice_eq_nocase(value, SLICE("chunked")))
        return E_UNSUPPORTED;
    says->is_chunked = true;
    return E_OK;
}

static enum err host_add(struct http1_says *says, struct slice value)
{
    says->host = value;
    says->hosts++;
    return E_OK;
}

static enum err expect_add(struct http1_says *says, struct slice value)
{
    if (slice_eq_nocase(value, SLICE("100-continue")))
        says->expects_continue = true;
    else
        says->expects_other = true;
    return E_OK;
}

static const struct {
    struct slice name;
    enum err (*add)(struct http1_says *says, struct slice value);
} deciding[] = {
    {SLICE_INIT("Host"), host_add},
    {SLICE_INIT("Content-Length"), length_add},
    {SLICE_INIT("Transfer-Encoding"), coding_add},
    {SLICE_INIT("Connection"), connection_add},
    {SLICE_INIT("Expect"), expect_add},
};

static enum err decide(struct http1_says *says, const struct http_header *field)
{
    for (size_t i = 0; i < COUNT_OF(deciding); i++)
        if (slice_eq_nocase(field->name, deciding[i].name))
            return deciding[i].add(says, field->value);
    return E_OK;
}

enum err http1_fields_parse(struct slice lines, struct http_header *fields, size_t *ret_count,
                            struct http1_says *ret)
{
    struct slice line;
    size_t count = 0;
    enum err err = E_OK;

    *ret = (struct http1_says){0};
    while (err == E_OK && http1_line_cut(&lines, &line) && line.len > 0) {
        if (count == HTTP1_HEADERS_MAX)
            return E_LIMIT;
        err = field_parse(line, &fields[count]);
        if (err == E_OK)
            err = decide(ret, &fields[count++]);
    }
    *ret_count = count;
    return err;
}

struct slice http1_field_find(const struct http_header *fields, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_nocase(fields[i].name, name))
            return fields[i].value;
    return SLICE_NONE;
}
