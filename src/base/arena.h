/* base/arena.h - memory that is given back all at once: what lives as long as one message.
 * Rules: nothing is freed by itself. Sizes come from input, so there is a limit, and arena_alloc()
 * may fail. After a few resets an arena works without malloc(): it keeps its largest block. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* the newest; older ones behind it */
    size_t used;               /* bytes handed out since the last reset, padding included */
    size_t max_bytes;
};

void arena_init(struct arena *arena, size_t max_bytes);
void arena_done(struct arena *arena); /* frees; leaves zeroes */

/* arena_alloc gives count * size zeroed bytes, aligned for any type; NULL if that is over the
 * limit. A count of 0 gives a pointer that must not be read. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
/* arena_copy gives a copy with a NUL behind it; SLICE_NONE if that is over the limit. */
struct slice arena_copy(struct arena *arena, struct slice text);

/* arena_reset takes everything back: all pointers into the arena are stale. */
void arena_reset(struct arena *arena);

#define arena_array(arena, count, type) ((type *)arena_alloc((arena), (count), sizeof(type)))

#endif
