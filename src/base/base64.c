#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *out, struct slice bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    char *to = buf_reserve(out, (bytes.len + 2) / 3 * 4);
    if (to == NULL)
        return;
    char *start = to;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        unsigned word = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) |
                        (left > 2 ? in[i + 2] : 0);
        *to++ = alphabet[word >> 18];
        *to++ = alphabet[word >> 12 & 63];
        *to++ = left > 1 ? alphabet[word >> 6 & 63] : '=';
        *to++ = left > 2 ? alphabet[word & 63] : '=';
    }
    buf_grow(out, (size_t)(to - start));
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Four characters give 24 bits; of the last four the first `meaningful` count, the others are
 * padding. */
static bool read_four(const char *text, size_t meaningful, unsigned *ret)
{
    unsigned word = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < meaningful ? value_of(text[i]) : 0;
        if (value < 0)
            return false;
        word = word << 6 | (unsigned)value;
    }
    *ret = word;
    return true;
}

enum err base64_decode(struct buf *out, struct slice text)
{
    size_t padding = 0;

    if (text.len % 4 != 0)
        return E_BAD_INPUT;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
        padding++;
    size_t len = text.len / 4 * 3 - padding, written = 0;
    char *to = buf_reserve(out, len);
    if (to == NULL)
        return E_LIMIT;
    for (size_t i = 0; i < text.len; i += 4) {
        unsigned word;
        if (!read_four(text.data + i, text.len - padding - i, &word))
            return E_BAD_INPUT;
        for (int shift = 16; shift >= 0 && written < len; shift -= 8)
            to[written++] = (char)(word >> shift);
    }
    buf_grow(out, len);
    return E_OK;
}
