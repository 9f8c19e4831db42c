#include "wire/protobuf.h"

#include <string.h>

#define VARINT_MAX_BYTES 10
#define FIELD_NUMBER_MAX 0x1fffffff

struct pb_reader pb_reader_of(struct slice message)
{
    const char *start = message.data == NULL ? "" : message.data;
    return (struct pb_reader){.at = start, .end = start + message.len};
}

static bool bad(struct pb_reader *reader)
{
    reader->is_bad = true;
    return false;
}

static bool varint_from(struct pb_reader *reader, uint64_t *ret)
{
    const char *at = reader->at;
    uint64_t value = 0;

    if (at == reader->end)
        return false;
    for (unsigned shift = 0; shift < 7 * VARINT_MAX_BYTES; shift += 7) {
        if (at == reader->end)
            return bad(reader);
        uint8_t byte = (uint8_t)*at++;
        value |= (uint64_t)(byte & 0x7f) << shift; /* bits beyond 64 fall off, as elsewhere */
        if (byte < 0x80) {
            reader->at = at;
            *ret = value;
            return true;
        }
    }
    return bad(reader);
}

/* Nearly all of them are tags and lengths of one byte. */
static inline bool varint(struct pb_reader *reader, uint64_t *ret)
{
    if (reader->at != reader->end && (uint8_t)*reader->at < 0x80) {
        *ret = (uint8_t)*reader->at++;
        return true;
    }
    return varint_from(reader, ret);
}

bool pb_varint(struct pb_reader *reader, uint64_t *ret)
{
    return varint(reader, ret);
}

static uint64_t load_little_endian(const char *from, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)(uint8_t)from[i] << 8 * i;
    return value;
}

static bool fixed(struct pb_reader *reader, size_t len, uint64_t *ret)
{
    if ((size_t)(reader->end - reader->at) < len)
        return bad(reader);
    *ret = load_little_endian(reader->at, len);
    reader->at += len;
    return true;
}

bool pb_fixed64(struct pb_reader *reader, uint64_t *ret)
{
    return reader->at != reader->end && fixed(reader, 8, ret);
}

static bool read_bytes(struct pb_reader *reader, struct slice *ret)
{
    uint64_t len;

    if (!varint(reader, &len) || len > (size_t)(reader->end - reader->at))
        return bad(reader);
    *ret = (struct slice){reader->at, (size_t)len};
    reader->at += len;
    return true;
}

bool pb_next(struct pb_reader *reader, struct pb_field *ret)
{
    uint64_t tag;

    if (reader->is_bad || !varint(reader, &tag))
        return false;
    uint64_t number = tag >> 3;
    if (number == 0 || number > FIELD_NUMBER_MAX)
        return bad(reader);
    ret->number = (uint32_t)number;
    switch (tag & 7) {
    case PB_VARINT:
        ret->wire = PB_VARINT;
        return varint(reader, &ret->value) || bad(reader);
    case PB_FIXED64:
        ret->wire = PB_FIXED64;
        return fixed(reader, 8, &ret->value);
    case PB_BYTES:
        ret->wire = PB_BYTES;
        return read_bytes(reader, &ret->bytes);
    case PB_FIXED32:
        ret->wire = PB_FIXED32;
        return fixed(reader, 4, &ret->value);
    default:
        return bad(reader);
    }
}

size_t pb_count(struct pb_reader reader, uint32_t number, enum pb_wire wire)
{
    struct pb_field field;
    size_t count = 0;

    while (pb_next(&reader, &field))
        count += field.number == number && field.wire == wire;
    return count;
}

int64_t pb_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

uint64_t pb_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

double pb_double(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

uint64_t pb_double_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

size_t pb_varint_len(uint64_t value)
{
    size_t len = 1;
    for (; value >= 0x80; value >>= 7) /* rarely more than once */
        len++;
    return len;
}

static char *store_varint(char *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (char)(value | 0x80);
        value >>= 7;
    }
    *to++ = (char)value;
    return to;
}

static uint64_t tag_of(uint32_t number, enum pb_wire wire)
{
    return (uint64_t)number << 3 | wire;
}

void pb_write_varint(struct buf *out, uint64_t value)
{
    size_t len = pb_varint_len(value);
    char *to = buf_reserve(out, len);
    if (to == NULL)
        return;
    store_varint(to, value);
    buf_grow(out, len);
}

void pb_write_fixed64(struct buf *out, uint64_t bits)
{
    char *to = buf_reserve(out, 8);
    if (to == NULL)
        return;
    for (unsigned i = 0; i < 8; i++)
        to[i] = (char)(bits >> 8 * i);
    buf_grow(out, 8);
}

void pb_write_u64(struct buf *out, uint32_t number, uint64_t value)
{
    pb_write_varint(out, tag_of(number, PB_VARINT));
    pb_write_varint(out, value);
}

void pb_write_double(struct buf *out, uint32_t number, double value)
{
    pb_write_varint(out, tag_of(number, PB_FIXED64));
    pb_write_fixed64(out, pb_double_bits(value));
}

void pb_write_bytes(struct buf *out, uint32_t number, struct slice bytes)
{
    uint64_t tag = tag_of(number, PB_BYTES);
    size_t len = pb_varint_len(tag) + pb_varint_len(bytes.len) + bytes.len;
    char *to = buf_reserve(out, len);
    if (to == NULL)
        return;
    to = store_varint(store_varint(to, tag), bytes.len);
    if (bytes.len > 0)
        memcpy(to, bytes.data, bytes.len);
    buf_grow(out, len);
}

struct pb_nested pb_begin(struct buf *out, uint32_t number, size_t expected_bytes)
{
    struct pb_nested nested = {.start = out->len};

    pb_write_varint(out, tag_of(number, PB_BYTES));
    size_t width = pb_varint_len(expected_bytes);
    if (buf_reserve(out, width) != NULL)
        buf_grow(out, width); /* pb_end writes it */
    nested.content = out->len;
    return nested;
}

static size_t tag_len(const struct buf *out, struct pb_nested nested)
{
    size_t len = 1;
    while ((uint8_t)out->data[nested.start + len - 1] >= 0x80)
        len++;
    return len;
}

void pb_end(struct buf *out, struct pb_nested nested)
{
    if (out->missed)
        return;
    size_t len = out->len - nested.content;
    size_t length_at = nested.start + tag_len(out, nested);
    size_t content = length_at + pb_varint_len(len);
    if (content > nested.content && buf_reserve(out, content - nested.content) == NULL)
        return;
    if (content != nested.content)
        memmove(out->data + content, out->data + nested.content, len);
    store_varint(out->data + length_at, len);
    out->len = content + len;
}

void pb_end_unless_empty(struct buf *out, struct pb_nested nested)
{
    if (out->missed || out->len != nested.content)
        pb_end(out, nested);
    else
        out->len = nested.start;
}
