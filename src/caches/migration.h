/* caches/migration.h - slots of a cluster, and the keys in them, go to the shards that shall have
 * them, while clients read and write (caches.md 8).
 * Rules: each key is at one server at a time, and clients are sent there (ASK, then MOVED). What is
 * to be done is the difference between the goal, which is recorded before the first step, and what
 * the servers say; so it may be cut short anywhere and begun again, and goes forward only. Few keys
 * are moved at a time, since both servers stand still meanwhile. */
#ifndef CACHES_MIGRATION_H
#define CACHES_MIGRATION_H

#include "caches/cluster.h"

#define MIGRATION_SLOTS_MAX 32 /* open at once */
#define MIGRATION_KEYS_MAX 100 /* moved at once */

/* It is large: belongs on the heap, and zeroed before its first use. */
struct migration {
    struct routine routine;
    size_t left;  /* slots that have not moved yet, of those that the last look found */
    size_t moved; /* since the start */
    size_t keys;  /* likewise */

    struct cluster *cluster; /* private, as all below */
    struct slot_map goal;
    struct cluster_look look;
    struct migration_slot {
        uint8_t from; /* whose keys must go, a place in the cluster, or nobody's */
        uint8_t to;   /* where */
        bool is_back; /* who shall have it has it, and keys may lie elsewhere */
        bool is_open; /* only who has it and shall have it still says that it moves */
    } plan[CACHE_SLOTS];

    uint16_t slots[MIGRATION_SLOTS_MAX]; /* that move now, all from one member to one other */
    bool is_empty[MIGRATION_SLOTS_MAX];
    size_t count;
    uint8_t source, target;
    size_t asked[MIGRATION_SLOTS_MAX], asked_count; /* places in slots[], of the last question */
    size_t ask_max;                                 /* slots to ask for the next time */
    uint32_t room;                                  /* keys to move at once */
    uint32_t tries;                                 /* in a row that failed */
    uint64_t at_us;                                 /* monotonic: when the last move began */
    size_t under_way;                               /* keys of it */
    struct commands commands[CLUSTER_MEMBERS_MAX];
    struct member_talk talks[CLUSTER_MEMBERS_MAX];
    struct member_talk found; /* keys */
    struct timer *nap;
    struct op op;
};

/* migration_start: `goal` is copied; `cluster` is borrowed, and what looks see is set in it. Later:
 * E_OK: each slot is where it shall be, and none is open; E_NOT_FOUND: a slot that nobody has, or
 * that shall go to a shard without a primary; E_REDIS: a key could not be moved, with the reason;
 * else as a look. What was moved stays moved. */
void migration_start(struct migration *migration, struct cluster *cluster,
                     const struct slot_map *goal);
void migration_done(struct migration *migration); /* not under way; leaves zeroes */

/* migration_room is how many keys to move at once after `room` of them took so long. Pure. */
uint32_t migration_room(uint32_t room, uint64_t took_us);

#endif
