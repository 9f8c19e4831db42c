#include "base/utf8.h"

#include <string.h>

/* How the first byte decides: length of the sequence, and the range of the second byte (RFC 3629,
 * section 4). */
static int sequence_len(const unsigned char *s, size_t len, size_t *ret_bad)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t need;

    *ret_bad = 1;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        need = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        need = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        need = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < need; i++) {
        if (i >= len || s[i] < low || s[i] > high) {
            *ret_bad = i;
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return (int)need;
}

size_t utf8_valid_len(struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        uint64_t word;
        if (text.len - at >= sizeof word) { /* eight ASCII bytes at a time: nearly all there is */
            memcpy(&word, text.data + at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                at += sizeof word;
                continue;
            }
        }
        size_t bad;
        int step = sequence_len((const unsigned char *)text.data + at, text.len - at, &bad);
        if (step == 0)
            break;
        at += (size_t)step;
    }
    return at;
}

bool utf8_is_valid(struct slice text)
{
    return utf8_valid_len(text) == text.len;
}

void utf8_add_repaired(struct buf *out, struct slice text)
{
    for (;;) {
        size_t good = utf8_valid_len(text);
        buf_add(out, slice_first(text, good));
        text = slice_from(text, good);
        if (text.len == 0)
            return;
        size_t bad;
        sequence_len((const unsigned char *)text.data, text.len, &bad);
        buf_add(out, SLICE("\xef\xbf\xbd"));
        text = slice_from(text, bad);
    }
}
