/* config/nearest.h - what somebody may have meant. Pure: callable anywhere. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include "base/str.h"

/* nearest_distance counts the letters to insert, delete, replace or swap to make b of a; texts
 * above 63 bytes are far from everything (SIZE_MAX). */
size_t nearest_distance(struct slice a, struct slice b);
/* nearest_ok: is that distance small enough, for a word of `len` letters, to suggest it? */
bool nearest_ok(size_t distance, size_t len);

#endif
