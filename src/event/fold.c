#include "event/fold.h"

#include <string.h>

#include "base/mem.h"

/* From each code point of a row, the distance to its small letter. In rows of pairs a large letter
 * is followed by its small one; `first` is a large one. */
static const struct row {
    uint16_t first, last, distance;
    bool is_pairs;
} rows[] = {
    {0x00c0, 0x00d6, 32, false}, {0x00d8, 0x00de, 32, false}, {0x0100, 0x012f, 1, true},
    {0x0132, 0x0137, 1, true},   {0x0139, 0x0148, 1, true},   {0x014a, 0x0177, 1, true},
    {0x0179, 0x017e, 1, true},   {0x0370, 0x0373, 1, true},   {0x0386, 0x0386, 38, false},
    {0x0388, 0x038a, 37, false}, {0x038c, 0x038c, 64, false}, {0x038e, 0x038f, 63, false},
    {0x0391, 0x03a1, 32, false}, {0x03a3, 0x03ab, 32, false}, {0x03c2, 0x03c2, 1, false},
    {0x0400, 0x040f, 80, false}, {0x0410, 0x042f, 32, false}, {0x0460, 0x0481, 1, true},
    {0x048a, 0x04bf, 1, true},   {0x04c0, 0x04c0, 15, false}, {0x04c1, 0x04ce, 1, true},
    {0x04d0, 0x052f, 1, true},   {0x0531, 0x0556, 48, false}, {0x1e00, 0x1e95, 1, true},
    {0x1ea0, 0x1eff, 1, true},   {0xff21, 0xff3a, 32, false},
};

static unsigned fold_letter(unsigned c)
{
    if (c == 0x0178) /* the one that goes down */
        return 0x00ff;
    for (size_t i = 0; i < COUNT_OF(rows) && c >= rows[i].first; i++)
        if (c <= rows[i].last && (!rows[i].is_pairs || (c - rows[i].first) % 2 == 0))
            return c + rows[i].distance;
    return c;
}

static bool is_tail(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Sequences of two and three bytes hold all rows; returns the length of what was looked at. */
static size_t fold_sequence(char *at, size_t len)
{
    unsigned char head = (unsigned char)at[0];

    if (head >= 0xc2 && head < 0xe0 && len >= 2 && is_tail(at[1])) {
        unsigned c = fold_letter((head & 0x1fu) << 6 | ((unsigned char)at[1] & 0x3fu));
        at[0] = (char)(0xc0 | c >> 6);
        at[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (head >= 0xe1 && head < 0xf0 && len >= 3 && is_tail(at[1]) && is_tail(at[2])) {
        unsigned c = fold_letter((head & 0x0fu) << 12 | ((unsigned char)at[1] & 0x3fu) << 6 |
                                 ((unsigned char)at[2] & 0x3fu));
        at[0] = (char)(0xe0 | c >> 12);
        at[1] = (char)(0x80 | (c >> 6 & 0x3f));
        at[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    return 1;
}

void fold_text(char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        if ((unsigned char)text[i] < 0x80) {
            text[i] = lower_of(text[i]);
            i++;
            continue;
        }
        i += fold_sequence(text + i, len - i);
    }
}

struct slice fold_copy(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.len + 1, 1);

    if (copy == NULL)
        return SLICE_NONE;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    fold_text(copy, text.len);
    return (struct slice){copy, text.len};
}
