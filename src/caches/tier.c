#include "caches/tier.h"

#include <stddef.h>

#include "base/mem.h"

const char *const cache_tier_names[CACHE_TIERS + 1] = {"Basic", "Standard", "Premium", NULL};

static const struct cache_tier_rules rules[CACHE_TIERS] = {
    [TIER_BASIC] = {.family = 'C', .capacity_first = 0, .capacity_last = 6},
    [TIER_STANDARD] =
        {.family = 'C', .replicas = 1, .replicas_max = 1, .capacity_first = 0, .capacity_last = 6},
    [TIER_PREMIUM] = {.family = 'P',
                      .replicas = 1,
                      .replicas_max = 3,
                      .has_persistence = true,
                      .has_shards = true,
                      .capacity_first = 1,
                      .capacity_last = 5},
};

#define GB (1024 * CACHE_MB)

static const struct cache_size sizes[] = {
    {'C', 0, 250 * CACHE_MB, 256, 16}, {'C', 1, GB, 1000, 16},       {'C', 2, 5 * GB / 2, 2000, 16},
    {'C', 3, 6 * GB, 5000, 16},        {'C', 4, 13 * GB, 10000, 32}, {'C', 5, 26 * GB, 15000, 48},
    {'C', 6, 53 * GB, 20000, 64},      {'P', 1, 6 * GB, 7500, 16},   {'P', 2, 13 * GB, 15000, 32},
    {'P', 3, 26 * GB, 30000, 48},      {'P', 4, 53 * GB, 40000, 64}, {'P', 5, 120 * GB, 40000, 64},
};

const struct cache_tier_rules *cache_tier_rules(enum cache_tier tier)
{
    return &rules[tier];
}

const struct cache_size *cache_size_of(enum cache_tier tier, uint32_t capacity)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        if (sizes[i].family == rules[tier].family && sizes[i].capacity == capacity)
            return &sizes[i];
    return NULL;
}
