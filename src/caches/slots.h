/* caches/slots.h - which shard of a cluster has which of the 16384 slots, and which it shall have.
 * Rules: the record (state.h) says who shall have a slot, the servers say who has it: a move of
 * slots is recorded as a whole before its first step, and what is left of it is always the
 * difference of the two. Pure. */
#ifndef CACHES_SLOTS_H
#define CACHES_SLOTS_H

#include "caches/state.h"

#define SLOT_NOBODY UINT16_MAX

struct slot_map {
    uint16_t shard[CACHE_SLOTS]; /* its id, or SLOT_NOBODY */
};
void slot_map_init(struct slot_map *map); /* nobody has any */

/* slot_map_of is what a record says. slot_map_store writes it into the record: E_OK; or E_LIMIT,
 * and the record is as it was: a shard would have more ranges than it may, or is none of the
 * record's. */
void slot_map_of(struct slot_map *map, const struct cache_state *state);
enum err slot_map_store(const struct slot_map *map, struct cache_state *state, struct cause *why);

/* slot_map_plan spreads all slots evenly over the `count` shards of these ids, 1 at least: each has
 * a share of CACHE_SLOTS / count, or one more. Of all ways to do so it takes one with the fewest
 * moves. From nothing, it is one range for each. */
void slot_map_plan(const struct slot_map *from, const uint32_t *shards, size_t count,
                   struct slot_map *ret);

/* slot_map_moves: how many slots somebody has in `from`, and another in `to`. */
size_t slot_map_moves(const struct slot_map *from, const struct slot_map *to);
size_t slot_map_count(const struct slot_map *map, uint16_t shard); /* SLOT_NOBODY too */

/* slot_map_range finds the next range of a shard: start with *at = 0; false at the end. */
bool slot_map_range(const struct slot_map *map, uint16_t shard, uint32_t *at,
                    struct cache_slots *ret);

#endif
