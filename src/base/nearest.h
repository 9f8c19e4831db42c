/* base/nearest.h - what somebody may have meant.
 *   struct nearest nearest = nearest_to(word);
 *   for (..) nearest_try(&nearest, names[i]);
 *   .. nearest_found(&nearest) ..
 * Pure: callable anywhere. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/str.h"

struct nearest {
    struct slice word;
    const char *name; /* the best so far; borrowed */
    size_t distance;
};

static inline struct nearest nearest_to(struct slice word)
{
    return (struct nearest){word, NULL, SIZE_MAX};
}
void nearest_try(struct nearest *nearest, const char *name);
/* nearest_found is the nearest of the names, if it is near enough to be suggested; else NULL. */
const char *nearest_found(const struct nearest *nearest);

/* nearest_distance counts the letters to insert, delete, replace or swap to make b of a; texts
 * above 63 bytes are far from everything (SIZE_MAX). */
size_t nearest_distance(struct slice a, struct slice b);
/* nearest_ok: is that distance small enough, for a word of `len` letters, to suggest it? */
bool nearest_ok(size_t distance, size_t len);

#endif
