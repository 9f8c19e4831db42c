#include "base/utf8.h"

#include <string.h>

#include "base/mem.h"

/* What the first byte says: the length of the sequence, and the range of the second byte (RFC 3629,
 * section 4). The range keeps out what could be said in fewer bytes, surrogates, and what lies
 * beyond the last code point. */
static const struct lead {
    unsigned char from, to, len, low, high;
} leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *find_lead(unsigned char first)
{
    for (size_t i = 0; i < COUNT_OF(leads); i++)
        if (first >= leads[i].from && first <= leads[i].to)
            return &leads[i];
    return NULL;
}

/* The length of the sequence at `s`; 0 and *ret_bad, the bytes to step over, if it is none. */
static int sequence_len(const unsigned char *s, size_t len, size_t *ret_bad)
{
    *ret_bad = 1;
    if (s[0] < 0x80)
        return 1;
    const struct lead *lead = find_lead(s[0]);
    if (lead == NULL)
        return 0;
    for (size_t i = 1; i < lead->len; i++) {
        unsigned char low = i == 1 ? lead->low : 0x80, high = i == 1 ? lead->high : 0xbf;
        if (i >= len || s[i] < low || s[i] > high) {
            *ret_bad = i;
            return 0;
        }
    }
    return lead->len;
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
