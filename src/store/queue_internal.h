/* store/queue_internal.h - what the files of the queue share.
 * Keys rg:{q:ID}:events, :due, :state, :dead; the tag keeps them in one slot of a cluster. A stream
 * entry is h = head, b = body; a dead letter has further fields behind these. All that changes more
 * than one key, or looks before it writes, is a script; its KEYS are always the four, ARGV[1] is
 * the group. */
#ifndef STORE_QUEUE_INTERNAL_H
#define STORE_QUEUE_INTERNAL_H

#include "store/queue.h"

#define QUEUE_GROUP "redgrid"
#define QUEUE_ARGS_MAX (3 * QUEUE_BATCH_MAX + 16) /* of a script, beside the group */

enum queue_key { QUEUE_EVENTS, QUEUE_DUE, QUEUE_STATE, QUEUE_DEAD, QUEUE_KEY_COUNT };

struct queue {
    struct redis *redis;
    char *keys[QUEUE_KEY_COUNT];
};

/* bury(id, fields): from the stream to the dead letters, wherever it was. 1, or 0 if it is gone. */
#define QUEUE_LUA_BURY                                                                             \
    "local function bury(id, fields) "                                                             \
    "local e = redis.call('XRANGE', KEYS[1], id, id)[1] "                                          \
    "if e then "                                                                                   \
    "local f = e[2] "                                                                              \
    "for _, v in ipairs(fields) do f[#f + 1] = v end "                                             \
    "redis.call('XADD', KEYS[4], '*', unpack(f)) "                                                 \
    "redis.call('XDEL', KEYS[1], id) end "                                                         \
    "redis.call('ZREM', KEYS[2], id) "                                                             \
    "redis.call('HDEL', KEYS[3], id) "                                                             \
    "return e and 1 or 0 end "

struct queue_number {
    char text[24];
};
struct slice queue_number(struct queue_number *number, uint64_t value);
struct slice queue_key(const struct queue *queue, enum queue_key key);
/* queue_run calls a script; at most QUEUE_ARGS_MAX arguments. */
enum err queue_run(struct queue *queue, const char *script, const struct slice *args, size_t count,
                   struct redis_call *call);
/* queue_stream_time reads the milliseconds of an entry's id; 0 if it is none. */
uint64_t queue_stream_time(struct slice id);

#endif
