#include "wire/http1.h"

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

static bool is_token_byte(unsigned char c)
{
    return c < 128 && (token_bits[c >> 6] & BIT(c)) != 0;
}

bool http1_is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_byte((unsigned char)text.data[i]))
            return false;
    return text.len > 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* No control byte but the tab; bytes above 0x7f are opaque and allowed. Every byte is looked at,
 * whatever the first were, so that the compiler takes many at a time. */
static bool is_field_text(struct slice text)
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
    if (text.len > 0 && (is_space(text.data[0]) || is_space(text.data[text.len - 1])))
        return false;
    return is_field_text(text);
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && is_space(text.data[0]))
        text = slice_from(text, 1);
    while (text.len > 0 && is_space(text.data[text.len - 1]))
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

/* Takes a line off `rest`, without its CR LF. http1_head_end() has seen that both are there. */
static bool line_cut(struct slice *rest, struct slice *ret)
{
    size_t end = slice_find_byte(*rest, '\n');

    if (end == rest->len || end == 0)
        return false;
    *ret = slice_first(*rest, end - 1);
    *rest = slice_from(*rest, end + 1);
    return true;
}

static enum err status_parse(struct slice line, struct http1_head *head)
{
    /* HTTP/1.x SP 3 digits [SP reason]; many servers leave the second space out */
    if (line.len < 12 || !slice_has_prefix(line, SLICE("HTTP/1.")) || line.data[8] != ' ')
        return E_BAD_WIRE;
    if (line.data[7] != '0' && line.data[7] != '1')
        return E_BAD_WIRE;
    head->is_keep_alive = line.data[7] == '1';
    head->status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return E_BAD_WIRE;
        head->status = head->status * 10 + (line.data[i] - '0');
    }
    if (head->status < 100 || head->status > 599)
        return E_BAD_WIRE;
    if (line.len > 12 && line.data[12] != ' ')
        return E_BAD_WIRE;
    head->reason = slice_from(line, 13);
    return is_field_text(head->reason) ? E_OK : E_BAD_WIRE;
}

static enum err field_parse(struct slice line, struct http1_head *head)
{
    size_t colon = slice_find_byte(line, ':');
    struct slice name = slice_first(line, colon);
    struct slice value = trim(slice_from(line, colon + 1));

    /* A folded line begins with a space, which no token has. */
    if (colon == line.len || !http1_is_token(name) || !is_field_text(value))
        return E_BAD_WIRE;
    if (head->count == HTTP1_HEADERS_MAX)
        return E_LIMIT;
    head->headers[head->count++] = (struct http_header){name, value};
    return E_OK;
}

/* --- framing --- */

/* What the fields that decide about the body's end said. */
struct framing {
    uint64_t length;
    bool has_length;
    bool is_chunked;
    bool says_close;
    bool says_keep_alive;
};

/* Repeated and listed lengths are tolerated if they agree (RFC 9110, 8.6). */
static enum err length_add(struct framing *framing, struct slice value)
{
    struct slice part;
    uint64_t length;

    while (slice_cut(&value, ',', &part)) {
        part = trim(part);
        if (part.len == 0 || part.data[0] < '0' || part.data[0] > '9' ||
            !slice_to_u64(part, &length) || length > INT64_MAX)
            return E_BAD_WIRE;
        if (framing->has_length && framing->length != length)
            return E_BAD_WIRE;
        framing->length = length;
        framing->has_length = true;
    }
    return framing->has_length ? E_OK : E_BAD_WIRE;
}

static enum err connection_add(struct framing *framing, struct slice value)
{
    struct slice part;

    while (slice_cut(&value, ',', &part)) {
        part = trim(part);
        framing->says_close |= slice_eq_nocase(part, SLICE("close"));
        framing->says_keep_alive |= slice_eq_nocase(part, SLICE("keep-alive"));
    }
    return E_OK;
}

/* No coding was asked for, so that chunked, once, is all that may come. */
static enum err coding_add(struct framing *framing, struct slice value)
{
    if (framing->is_chunked || !slice_eq_nocase(value, SLICE("chunked")))
        return E_BAD_WIRE;
    framing->is_chunked = true;
    return E_OK;
}

static const struct {
    struct slice name;
    enum err (*add)(struct framing *framing, struct slice value);
} framing_fields[] = {
    {SLICE_INIT("Content-Length"), length_add},
    {SLICE_INIT("Transfer-Encoding"), coding_add},
    {SLICE_INIT("Connection"), connection_add},
};

static enum err framing_read(const struct http1_head *head, struct framing *framing)
{
    for (size_t i = 0; i < head->count; i++) {
        const struct http_header *field = &head->headers[i];
        for (size_t j = 0; j < COUNT_OF(framing_fields); j++) {
            if (!slice_eq_nocase(field->name, framing_fields[j].name))
                continue;
            enum err err = framing_fields[j].add(framing, field->value);
            if (err)
                return err;
        }
    }
    return E_OK;
}

static bool has_no_body(int status, bool is_head)
{
    return is_head || status < 200 || status == 204 || status == 304;
}

static enum err framing_decide(struct http1_head *head, bool is_head)
{
    struct framing framing = {0};
    enum err err = framing_read(head, &framing);

    if (err)
        return err;
    if (framing.is_chunked && (framing.has_length || !head->is_keep_alive))
        return E_BAD_WIRE; /* both, or chunked in HTTP/1.0: the classic ways to smuggle */
    if (framing.says_close || (!head->is_keep_alive && !framing.says_keep_alive))
        head->is_keep_alive = false;
    else
        head->is_keep_alive = true;
    head->body_bytes = 0;
    if (has_no_body(head->status, is_head)) {
        head->framing = HTTP1_NO_BODY;
    } else if (framing.is_chunked) {
        head->framing = HTTP1_CHUNKED;
    } else if (framing.has_length) {
        head->framing = HTTP1_LENGTH;
        head->body_bytes = framing.length;
    } else {
        head->framing = HTTP1_UNTIL_CLOSE;
        head->is_keep_alive = false;
    }
    return E_OK;
}

enum err http1_head_parse(struct slice bytes, bool is_head, struct http1_head *ret)
{
    struct slice line;

    ret->count = 0;
    if (!line_cut(&bytes, &line))
        return E_BAD_WIRE;
    enum err err = status_parse(line, ret);
    while (err == E_OK && line_cut(&bytes, &line) && line.len > 0)
        err = field_parse(line, ret);
    return err ? err : framing_decide(ret, is_head);
}

struct slice http1_head_find(const struct http1_head *head, struct slice name)
{
    for (size_t i = 0; i < head->count; i++)
        if (slice_eq_nocase(head->headers[i].name, name))
            return head->headers[i].value;
    return SLICE_NONE;
}

/* --- chunked bodies ---
 * SIZE -digits-> (ext) -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *                                -size 0-> LINE (trailer) -> TRAILER -> ... empty line: done */

enum chunk_state {
    SIZE_FIRST, /* must be a digit */
    SIZE,
    SIZE_SPACE, /* white space that some servers put behind the size */
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LINE, /* start of a trailer line */
    TRAILER,
    TRAILER_LF,
    LAST_LF,
};

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err size_digit(struct http1_chunks *chunks, int digit)
{
    if (chunks->left > (uint64_t)INT64_MAX / 16 - 1)
        return E_BAD_WIRE;
    chunks->left = chunks->left * 16 + (uint64_t)digit;
    chunks->state = SIZE;
    return E_OK;
}

static enum err expect(struct http1_chunks *chunks, bool is_right, enum chunk_state next)
{
    chunks->state = (int)next;
    return is_right ? E_OK : E_BAD_WIRE;
}

static bool is_line_byte(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

/* One byte of the size line. */
static enum err size_step(struct http1_chunks *chunks, char c)
{
    int digit = digit_of(c);

    if (chunks->state == SIZE_FIRST || chunks->state == SIZE) {
        if (digit >= 0)
            return size_digit(chunks, digit);
        if (chunks->state == SIZE_FIRST)
            return E_BAD_WIRE;
    }
    if (c == '\r')
        return expect(chunks, true, SIZE_LF);
    if (chunks->state == EXTENSION)
        return expect(chunks, is_line_byte(c), EXTENSION);
    if (c == ';')
        return expect(chunks, true, EXTENSION);
    return expect(chunks, is_space(c), SIZE_SPACE);
}

/* One byte of anything but data. */
static enum err line_step(struct http1_chunks *chunks, char c)
{
    switch ((enum chunk_state)chunks->state) {
    case SIZE_FIRST:
    case SIZE:
    case SIZE_SPACE:
    case EXTENSION:
        return size_step(chunks, c);
    case SIZE_LF:
        chunks->line_bytes = 0;
        return expect(chunks, c == '\n', chunks->left > 0 ? DATA : LINE);
    case DATA: /* the caller's */
    case DATA_CR:
        return expect(chunks, c == '\r', DATA_LF);
    case DATA_LF:
        chunks->line_bytes = 0;
        return expect(chunks, c == '\n', SIZE_FIRST);
    case LINE:
        if (c == '\r')
            return expect(chunks, true, LAST_LF);
        return expect(chunks, is_token_byte((unsigned char)c), TRAILER);
    case TRAILER:
        if (c == '\r')
            return expect(chunks, true, TRAILER_LF);
        return expect(chunks, is_line_byte(c), TRAILER);
    case TRAILER_LF:
        return expect(chunks, c == '\n', LINE);
    case LAST_LF:
        chunks->is_done = c == '\n';
        return chunks->is_done ? E_OK : E_BAD_WIRE;
    }
    return E_BAD_WIRE;
}

static uint32_t line_max_bytes(int state)
{
    return state >= LINE ? HTTP1_TRAILER_MAX_BYTES : HTTP1_CHUNK_LINE_MAX_BYTES;
}

enum err http1_chunk_next(struct http1_chunks *chunks, struct slice in, struct slice *ret_data,
                          size_t *ret_used)
{
    size_t at = 0;
    struct slice data = {in.data, 0};

    while (at < in.len && chunks->state != DATA && !chunks->is_done) {
        enum err err = line_step(chunks, in.data[at++]);
        if (err)
            return err;
        if (++chunks->line_bytes > line_max_bytes(chunks->state))
            return E_LIMIT;
    }
    if (chunks->state == DATA && at < in.len) {
        data = slice_from(in, at);
        if (data.len > chunks->left)
            data.len = (size_t)chunks->left;
        chunks->left -= data.len;
        at += data.len;
        if (chunks->left == 0)
            chunks->state = DATA_CR;
    }
    *ret_data = data;
    *ret_used = at;
    return E_OK;
}
