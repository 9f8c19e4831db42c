/* caches/tier.h - what kinds of caches there are, and what each size gives (caches.md 2).
 * Sizes are those of Azure Cache for Redis: family C (Basic, Standard) 0 to 6, family P (Premium) 1
 * to 5. To add a size: a row in sizes[]. Pure. */
#ifndef CACHES_TIER_H
#define CACHES_TIER_H

#include <stdbool.h>
#include <stdint.h>

#define CACHE_MB ((uint64_t)1 << 20) /* what Azure calls a megabyte */

enum cache_tier { TIER_BASIC, TIER_STANDARD, TIER_PREMIUM };
#define CACHE_TIERS 3

/* The names as answers have them, "Basic", with a NULL behind the last: jx_word() takes them. */
extern const char *const cache_tier_names[CACHE_TIERS + 1];

struct cache_tier_rules {
    char family;             /* 'C' or 'P' */
    uint32_t replicas;       /* of each shard, unless the user says more */
    uint32_t replicas_max;   /* equal: there is no choice */
    bool has_persistence;    /* RDB or AOF */
    bool has_shards;         /* may be a cluster */
    uint32_t capacity_first; /* the smallest and the largest size */
    uint32_t capacity_last;
};
const struct cache_tier_rules *cache_tier_rules(enum cache_tier tier);

/* A size; of Premium, that of one shard. */
struct cache_size {
    char family;
    uint32_t capacity;
    uint64_t memory_bytes;
    uint32_t clients_max;
    uint32_t databases_max;
};
/* cache_size_of is the size, NULL if the tier has none of that capacity. */
const struct cache_size *cache_size_of(enum cache_tier tier, uint32_t capacity);

#endif
