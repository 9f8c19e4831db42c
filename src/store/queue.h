/* store/queue.h - the events that one subscription still has to deliver, and its dead letters.
 *
 *   append --> FRESH --take--> HELD --finish--> gone
 *                               |-----park----> PARKED --take_due, when it is time--> HELD
 *                               |-----bury----> DEAD --redrive--> FRESH, or --purge--> gone
 *   A node is gone:  HELD by it --adopt--> HELD by another
 *
 * An entry may have a lane: those of one lane are taken one after the other, in the order of their
 * ids; while one is held or parked, the others are BLOCKED behind it (queue_order.c).
 *
 *   FRESH --take_in_order--> HELD, the first of its lane --finish or bury--> the next is PARKED,
 * due
 *                       |--> BLOCKED, any other
 *
 * A subscription whose clients fetch for themselves (pull) has one place less: receive makes an
 * entry PARKED until its lock runs out, and whoever has the lock finishes, releases or buries it.
 *
 * Rules: an entry is in one place at any time, and every step from one to the next is one command
 * or one script, so that a crash leaves nothing between. Fresh = beyond the group's position in the
 * stream; held = pending under a node's name; parked = in the sorted set of due times. An entry
 * leaves the stream when it was delivered or is dead, never before; a lane, too. Its id is the time
 * at which it was accepted, by the store's clock, in milliseconds. Times that callers give are wall
 * time. Every call is one redis_call(): `call->op` ends as described there, and what came back is
 * read with the functions below while the reply is valid. In callbacks: yes. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "redis/client.h"

struct queue;

#define QUEUE_BATCH_MAX 256 /* entries in one call */

/* queue_new: `redis` is borrowed; `id` names the subscription for ever and is not empty. */
struct queue *queue_new(struct redis *redis, struct slice id);
void queue_free(struct queue *queue); /* forgets it; what is stored stays */
struct slice queue_id(const struct queue *queue);

/* queue_open makes the stream and its group; there already: E_REDIS with BUSYGROUP, which
 * queue_is_open() tells from other errors. Not needed before queue_append(). */
enum err queue_open(struct queue *queue, struct redis_call *call);
bool queue_is_open(const struct redis_call *call, enum err err);

/* queue_append: `head` is what the router wants to know before it reads the body; `lane` says whom
 * it keeps its order with: QUEUE_LANE_MAX_BYTES at most, no ':'; empty = nobody. Durable once the
 * reply is there, as far as the store is. */
#define QUEUE_LANE_MAX_BYTES 64
enum err queue_append(struct queue *queue, struct slice head, struct slice body, struct slice lane,
                      struct redis_call *call);

/* What take, take_due, adopt and receive bring. Slices point into the reply. */
struct queue_entry {
    struct slice id;
    uint64_t accepted_unix_ms;
    struct slice head, body;
    struct slice state; /* of the last park; in a pulled one: the lock; empty = none */
};
struct queue_cursor {
    uint64_t due_unix_ms; /* when the next parked entry is due; UINT64_MAX = none, or not asked */
    bool has_more;        /* of take_in_order: it stopped before the last fresh one */
    const struct resp *entry, *state; /* the next */
    uint32_t left;
};
void queue_cursor_init(struct queue_cursor *cursor, const struct reply *reply);
bool queue_cursor_next(struct queue_cursor *cursor, struct queue_entry *ret);

/* queue_take holds up to `count` fresh entries for `node`, without regard to lanes. */
enum err queue_take(struct queue *queue, struct slice node, size_t count, struct redis_call *call);
/* queue_take_in_order holds of the fresh entries those that nobody is ahead of, and blocks others;
 * it may bring none while cursor.has_more. */
enum err queue_take_in_order(struct queue *queue, struct slice node, size_t count,
                             struct redis_call *call);
/* queue_take_due holds up to `count` parked entries that are due. With count 0 it only tells when
 * the next one is. */
enum err queue_take_due(struct queue *queue, struct slice node, uint64_t now_unix_ms, size_t count,
                        struct redis_call *call);
/* queue_holders brings the names of nodes that have, or had, entries: queue_holder_next(). */
enum err queue_holders(struct queue *queue, struct redis_call *call);
bool queue_holder_next(const struct reply *reply, uint32_t *at, struct slice *ret_name);
/* queue_adopt takes up to `count` entries of a node that is gone, from id `start` ("-" = the first)
 * on; if it has none at all, its name is removed. A node may adopt from itself what it does not
 * know that it holds, after an answer was lost. */
struct queue_adoption {
    struct slice node, from, start;
    size_t count;
};
enum err queue_adopt(struct queue *queue, const struct queue_adoption *adoption,
                     struct redis_call *call);

/* queue_finish: they were delivered. At most QUEUE_BATCH_MAX; already gone is fine. The reply is
 * how many others are due now, since they waited behind these. */
enum err queue_finish(struct queue *queue, const struct slice *ids, size_t count,
                      struct redis_call *call);
/* queue_park: they are due again at their time, and keep the state. An entry that another node has
 * adopted and finished meanwhile stays gone. */
struct queue_parking {
    struct slice id;
    uint64_t due_unix_ms;
    struct slice state;
};
enum err queue_park(struct queue *queue, const struct queue_parking *parkings, size_t count,
                    struct redis_call *call);
/* queue_bury makes one a dead letter with these fields beside head and body; who waited behind it
 * is due now. */
struct queue_field {
    struct slice name, value;
};
#define QUEUE_FIELDS_MAX 16
enum err queue_bury(struct queue *queue, struct slice id, const struct queue_field *fields,
                    size_t count, struct redis_call *call);

/* Pull. queue_receive locks up to `count` entries, parked ones that are due first, until `lock_ms`
 * from now; state = the token of the lock, new each time, and how often it was locked: read it with
 * queue_lock_read(). Fewer come when they have more than QUEUE_RECEIVE_BYTES together. One that was
 * locked max_locks times before, or is older than ttl_ms, becomes a dead letter instead, with
 * `reason`, `attempts` and `attempted`, the time of the last lock; queue_burials_read() tells how
 * many did. */
#define QUEUE_RECEIVE_BYTES (1024 * 1024)
struct queue_pull {
    uint64_t now_unix_ms;
    size_t count; /* 1..QUEUE_BATCH_MAX */
    uint64_t lock_ms;
    uint32_t max_locks; /* 0 = no limit */
    uint64_t ttl_ms;    /* 0 = no limit */
};
enum err queue_receive(struct queue *queue, const struct queue_pull *pull, struct redis_call *call);
struct queue_burials {
    uint64_t locked_out; /* MaxDeliveryAttemptsExceeded */
    uint64_t expired;    /* TimeToLiveExceeded */
};
struct queue_burials queue_burials_read(const struct reply *reply);
bool queue_lock_read(struct slice state, uint32_t *ret_locks, struct slice *ret_token);
/* What to do with entries by their tokens, as "id:token". The reply has one integer each, in their
 * order: 1 = done, 0 = the lock is no longer this one's. A return is a release of what nobody got:
 * the lock does not count. */
enum queue_lock_end { QUEUE_ACKNOWLEDGE, QUEUE_RELEASE, QUEUE_REJECT, QUEUE_RENEW, QUEUE_RETURN };
struct queue_times {
    uint64_t now_unix_ms;
    uint64_t delay_ms; /* of a release: when it may be received again; of a renewal: the lock */
};
enum err queue_unlock(struct queue *queue, enum queue_lock_end end, const struct slice *tokens,
                      size_t count, const struct queue_times *times, struct redis_call *call);

/* queue_expire makes those dead letters that are older than ttl_ms, locked ones excepted; `pull` as
 * for queue_receive(), its lock_ms unused. It looks at `count` entries from id `start` ("-" = the
 * oldest) on, all of which the server has in memory once more meanwhile. */
enum err queue_expire(struct queue *queue, const struct queue_pull *pull, struct slice start,
                      struct redis_call *call);
struct queue_expiry {
    struct queue_burials burials;
    struct slice next;       /* where to go on; empty = all were looked at. Points into the reply */
    uint64_t oldest_unix_ms; /* that is left; 0 = none is */
};
bool queue_expiry_read(const struct reply *reply, struct queue_expiry *ret);

/* Dead letters. queue_dead brings a part of them, in the order in which they died; queue_dead_find
 * those of some ids that are there, in the order of the ids. Of either the bodies decide how much
 * comes at once: what reaches max_bytes is the last. queue_dead_edge answers with an id between
 * what has died so far and what will. */
struct queue_dead_range {
    struct slice after; /* those behind this id, or from this time on; empty = the oldest */
    struct slice until; /* up to this id, or time, and with it; empty = the newest */
    size_t count;       /* 1..QUEUE_BATCH_MAX */
    size_t max_bytes;
};
enum err queue_dead(struct queue *queue, const struct queue_dead_range *range,
                    struct redis_call *call);
enum err queue_dead_find(struct queue *queue, const struct slice *ids, size_t count,
                         size_t max_bytes, struct redis_call *call);
enum err queue_dead_edge(struct queue *queue, struct redis_call *call);
/* queue_dead_is_id: is it one as they have, which may have gone? Others are an error to the store.
 */
bool queue_dead_is_id(struct slice id);
/* queue_dead_time: when it died, by its id. */
uint64_t queue_dead_time(struct slice id);
struct queue_dead_entry {
    struct slice id;
    uint64_t died_unix_ms;
    struct slice head, body;
    const struct resp *fields; /* names and values alternate: queue_dead_field() */
};
bool queue_dead_next(const struct reply *reply, uint32_t *at, struct queue_dead_entry *ret);
struct slice queue_dead_field(const struct queue_dead_entry *entry, struct slice name);
/* Both answer how many there were. What is redriven comes after all others, of its lane too. */
enum err queue_redrive(struct queue *queue, const struct slice *ids, size_t count,
                       struct redis_call *call);
enum err queue_purge(struct queue *queue, const struct slice *ids, size_t count,
                     struct redis_call *call);

struct queue_stats {
    uint64_t entries; /* fresh, held, parked and blocked */
    uint64_t held, parked, dead;
    uint64_t oldest_unix_ms; /* 0 = empty */
};
enum err queue_stats(struct queue *queue, struct redis_call *call);
bool queue_stats_read(const struct reply *reply, struct queue_stats *ret);

/* queue_delete removes all that is stored of it, dead letters too. */
enum err queue_delete(struct queue *queue, struct redis_call *call);

#endif
