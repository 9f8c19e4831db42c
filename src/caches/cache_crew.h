/* caches/cache_crew.h - all members of a shard at once: that there are as many as there shall be,
 * no more of them, and none at all. Tasks of steps, as those of cache.h. Not of a cluster. */
#ifndef CACHES_CACHE_CREW_H
#define CACHES_CACHE_CREW_H

#include "caches/cache.h"

struct crew_task { /* a zeroed one is new */
    struct routine routine;
    struct cache *cache;
    uint32_t shard;
    const char *program; /* borrowed; NULL = that of the cache */
    enum member_stop how;
    struct member_task tasks[CACHE_SHARD_MEMBERS_MAX];
};

/* cache_crew_fill: the shard, which has its primary, gets as many replicas as the spec says, all in
 * sync; those that are there count. Ends as cache_add_member() and cache_start_member(). */
enum err cache_crew_fill(struct cache *cache, uint32_t shard, const char *program,
                         struct crew_task *task);
/* cache_crew_trim: it has no more replicas than the spec says; those that are no copy go first.
 * Ends as cache_stop_member(). */
enum err cache_crew_trim(struct cache *cache, uint32_t shard, struct crew_task *task);
/* cache_crew_stop ends and removes all members of the shard, the primary too. */
enum err cache_crew_stop(struct cache *cache, uint32_t shard, enum member_stop how,
                         struct crew_task *task);
void crew_task_done(struct crew_task *task); /* not under way */

#endif
