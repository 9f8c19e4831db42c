/* json/plain.h - text in JSON, eight bytes at a time: nearly all of it needs no second look. Pure.
 */
#ifndef JSON_PLAIN_H
#define JSON_PLAIN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define PLAIN_EACH_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))

/* The high bit of each byte that is `"`, `\`, a control character or not ASCII; other bits are
 * noise only above the first such byte, and we ask no more than where that is. */
static inline uint64_t plain_odd_bytes(uint64_t word)
{
    uint64_t quote = word ^ PLAIN_EACH_BYTE('"');
    uint64_t backslash = word ^ PLAIN_EACH_BYTE('\\');
    uint64_t hits = (word - PLAIN_EACH_BYTE(0x20)) | (quote - PLAIN_EACH_BYTE(1)) |
                    (backslash - PLAIN_EACH_BYTE(1));
    return (hits | word) & PLAIN_EACH_BYTE(0x80);
}

/* plain_skip: the first place from `at` on that may hold such a byte: it does, or the text has less
 * than eight bytes left. */
static inline size_t plain_skip(struct slice text, size_t at)
{
    uint64_t word;

    while (text.len - at >= sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        uint64_t odd = plain_odd_bytes(le64toh(word));
        if (odd != 0)
            return at + (size_t)__builtin_ctzll(odd) / 8; /* exact: borrows go up only */
        at += sizeof word;
    }
    return at;
}

#endif
