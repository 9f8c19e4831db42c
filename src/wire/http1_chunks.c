/* Chunked bodies, one byte at a time but for the data.
 *
 * SIZE -digits-> (ext) -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *                                -size 0-> LINE (trailer) -> TRAILER -> ... empty line: done */
#include "wire/http1_head.h"

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
    return expect(chunks, http1_is_space(c), SIZE_SPACE);
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
        return expect(chunks, http1_is_token_byte((unsigned char)c), TRAILER);
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
