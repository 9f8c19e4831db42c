/* caches/change.h - what it takes to make one spec of a cache into another: which operation, or why
 * none can do it (caches.md 7, 7.2). Pure. */
#ifndef CACHES_CHANGE_H
#define CACHES_CHANGE_H

#include "caches/spec.h"

/* What differs; several at once. */
enum cache_difference {
    DIFFERS_TIER = 1,
    DIFFERS_SIZE = 2,      /* capacity */
    DIFFERS_SHARDS = 4,    /* their number, or whether there is a cluster */
    DIFFERS_REPLICAS = 8,  /* how many there really are */
    DIFFERS_PROGRAM = 16,  /* what servers must be started anew for */
    DIFFERS_SETTINGS = 32, /* what servers are told while they run, ports and keys included */
    DIFFERS_RECORD = 64,   /* what only the store has to know */
};
unsigned cache_spec_differences(const struct cache_spec *old, const struct cache_spec *new);

enum cache_change { CHANGE_NONE, CHANGE_UPDATE, CHANGE_SCALE, CHANGE_PATCH, CHANGE_CREATE };

/* How much the servers hold. */
struct cache_usage {
    uint64_t fullest_bytes; /* of the primary that uses the most memory */
    uint64_t total_bytes;   /* of all primaries */
};

/* cache_spec_change: E_OK and *ret, the operation that takes a cache from `old` (NULL = there is
 * none) to `new`; settings that differ beside the reason of a scale or a patch belong to it. Or
 * E_BAD_INPUT, with the member and the reason in `why`. `usage` NULL = not measured: not judged. */
enum err cache_spec_change(const struct cache_spec *old, const struct cache_spec *new,
                           const struct cache_host *host, const struct cache_usage *usage,
                           enum cache_change *ret, struct cause *why);

/* cache_spec_write_changed appends the paths of the members that differ, as a JSON array of texts:
 * ["redisConfiguration.maxmemory-policy"]. */
void cache_spec_write_changed(struct buf *out, const struct cache_spec *old,
                              const struct cache_spec *new);

#endif
