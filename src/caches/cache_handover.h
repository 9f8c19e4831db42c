/* caches/cache_handover.h - a handover (handover.h) as operations of a cache use it: its marks are
 * in the record, so it goes on after a restart, and how it ended is too, whoever is the primary
 * then. The event FailoverCompleted is stored with its end.
 * Rules: operation->work has the member `handover` while one is under way:
 * {"shard":0,"from":"n1","to":"n2","isPromoted":false}. Not of a cluster. */
#ifndef CACHES_CACHE_HANDOVER_H
#define CACHES_CACHE_HANDOVER_H

#include "caches/cache.h"
#include "caches/handover.h"

struct cache_handover {
    struct routine routine; /* its op is what the owner waits for */

    struct cache *cache; /* private, as all below */
    uint32_t shard;
    char heir[MEMBER_NAME_MAX_BYTES]; /* who shall be it */
    char from[MEMBER_NAME_MAX_BYTES], to[MEMBER_NAME_MAX_BYTES];
    const char *reason;
    struct handover handover;
    struct member *others[CACHE_SHARD_MEMBERS_MAX];
    struct op op;
    enum err err;
    struct cause why;
};

/* cache_hand_over makes `to`, a replica in sync, the primary of its shard. `reason` is that of the
 * event: "patch"; it lives for ever. If `work` tells of one that was interrupted, that is ended
 * first. Later: E_OK: `to` is the primary, as it may have been before; E_CANCELED: a server died,
 * so the crash rules have something to do, or the daemon stops; any other error: it is not, who was
 * the primary is it again. A zeroed one is new; it may be used again. */
enum err cache_hand_over(struct cache *cache, const char *to, const char *reason,
                         struct cache_handover *handover);

#endif
