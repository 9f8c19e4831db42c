#include "base/base64.h"

#define DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* The digits of one of the two alphabets. */
static const char plain_alphabet[] = DIGITS "+/";
static const char url_alphabet[] = DIGITS "-_";

/* How many digits stand for `len` bytes, without padding. */
static size_t digits_of(size_t len)
{
    return len / 3 * 4 + (len % 3 > 0 ? len % 3 + 1 : 0);
}

static void write_digits(char *to, struct slice bytes, const char *alphabet)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    unsigned word = 0, bits = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        word = word << 8 | in[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *to++ = alphabet[word >> (bits - 6) & 63];
    }
    if (bits > 0)
        *to = alphabet[word << (6 - bits) & 63];
}

void base64_add(struct buf *out, struct slice bytes)
{
    size_t digits = digits_of(bytes.len), len = (digits + 3) / 4 * 4;
    char *to = buf_reserve(out, len);

    if (to == NULL)
        return;
    write_digits(to, bytes, plain_alphabet);
    for (size_t i = digits; i < len; i++)
        to[i] = '=';
    buf_grow(out, len);
}

void base64_add_url(struct buf *out, struct slice bytes)
{
    size_t len = digits_of(bytes.len);
    char *to = buf_reserve(out, len);

    if (to == NULL)
        return;
    write_digits(to, bytes, url_alphabet);
    buf_grow(out, len);
}

static int value_of(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

static enum err decode(struct buf *out, struct slice digits, const char *alphabet)
{
    size_t len = digits.len / 4 * 3 + digits.len % 4 * 3 / 4;
    unsigned word = 0, bits = 0;

    if (digits.len % 4 == 1)
        return E_BAD_INPUT;
    char *to = buf_reserve(out, len);
    if (to == NULL)
        return E_LIMIT;
    for (size_t i = 0; i < digits.len; i++) {
        int value = value_of(digits.data[i], alphabet);
        if (value < 0)
            return E_BAD_INPUT;
        word = word << 6 | (unsigned)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (char)(word >> bits);
        }
    }
    buf_grow(out, len);
    return E_OK;
}

enum err base64_decode(struct buf *out, struct slice text)
{
    size_t padding = 0;

    if (text.len % 4 != 0)
        return E_BAD_INPUT;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
        padding++;
    return decode(out, slice_first(text, text.len - padding), plain_alphabet);
}

enum err base64_decode_url(struct buf *out, struct slice text)
{
    return decode(out, text, url_alphabet);
}
