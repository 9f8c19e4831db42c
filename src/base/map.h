/* base/map.h - a hash table from bytes to a pointer.
 * Rules: the map copies its keys and owns nothing else. A zeroed map is empty and valid. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t count;
    size_t used; /* slots that hold or held a key */
    size_t cap;  /* a power of two, or 0 */
};

void map_done(struct map *map); /* frees; leaves zeroes; the values are the caller's */

/* map_get: the value, or NULL. */
void *map_get(const struct map *map, struct slice key);
/* map_set: the value that was there before, or NULL. `value` must not be NULL. */
void *map_set(struct map *map, struct slice key, void *value);
/* map_remove: the value that was there, or NULL. */
void *map_remove(struct map *map, struct slice key);

/* map_next walks in no particular order: start with *at = 0; false at the end. The current key may
 * be removed while walking, none may be set. */
bool map_next(const struct map *map, size_t *at, struct slice *ret_key, void **ret_value);

#endif
