#include "base/nearest.h"

#define WORD_MAX_BYTES 63

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t nearest_distance(struct slice a, struct slice b)
{
    size_t rows[3][WORD_MAX_BYTES + 1]; /* before the last, the last, and this letter of a */

    if (a.len > WORD_MAX_BYTES || b.len > WORD_MAX_BYTES)
        return SIZE_MAX;
    for (size_t k = 0; k <= b.len; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3];
        now[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            size_t cost = a.data[i - 1] == b.data[k - 1] ? 0 : 1;
            now[k] = min3(last[k] + 1, now[k - 1] + 1, last[k - 1] + cost);
            bool swaps =
                i > 1 && k > 1 && a.data[i - 1] == b.data[k - 2] && a.data[i - 2] == b.data[k - 1];
            if (swaps && rows[(i + 1) % 3][k - 2] + 1 < now[k])
                now[k] = rows[(i + 1) % 3][k - 2] + 1;
        }
    }
    return rows[a.len % 3][b.len];
}

bool nearest_ok(size_t distance, size_t len)
{
    return distance <= (len < 5 ? 1U : len < 9 ? 2U : 3U);
}

void nearest_try(struct nearest *nearest, const char *name)
{
    size_t distance = nearest_distance(nearest->word, slice_of(name));

    if (distance >= nearest->distance)
        return;
    nearest->distance = distance;
    nearest->name = name;
}

const char *nearest_found(const struct nearest *nearest)
{
    return nearest_ok(nearest->distance, nearest->word.len) ? nearest->name : NULL;
}
