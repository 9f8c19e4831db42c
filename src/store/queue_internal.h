/* store/queue_internal.h - what the files of the queue share.
 * Keys rg:{q:ID}:events, :due, :state, :dead, :order; the tag keeps them in one slot of a cluster.
 * A stream entry is h = head, b = body and, if it keeps an order, k = lane; a dead letter has
 * further fields behind these. All that changes more than one key, or looks before it writes, is a
 * script; its KEYS are always the five, ARGV[1] is the group. */
#ifndef STORE_QUEUE_INTERNAL_H
#define STORE_QUEUE_INTERNAL_H

#include "store/queue.h"

#define QUEUE_GROUP "redgrid"
#define QUEUE_LANE "k"                            /* field of a stream entry */
#define QUEUE_MORE "more"                         /* in place of a due time: there may be more */
#define QUEUE_ARGS_MAX (3 * QUEUE_BATCH_MAX + 16) /* of a script, beside the group */

enum queue_key { QUEUE_EVENTS, QUEUE_DUE, QUEUE_STATE, QUEUE_DEAD, QUEUE_ORDER, QUEUE_KEY_COUNT };

struct queue {
    struct redis *redis;
    char *keys[QUEUE_KEY_COUNT];
};

/* Lanes (queue_order.c). place(e): "lane:id" of an entry, the id at full width, so that places sort
 * as ids do; nil if it keeps no order. first_in(place): the first of that lane. leave(id, now): the
 * entry is about to be gone; the next of its lane may be taken from now on, and 1 is returned, else
 * 0. One that has vanished from the stream by another's hand stops nobody. */
#define QUEUE_LUA_LANES                                                                            \
    "local function place(e) "                                                                     \
    "if not e or e[2][5] ~= 'k' then return nil end "                                              \
    "local ms, n = string.match(e[1], '^(%d+)-(%d+)$') "                                           \
    "return e[2][6] .. ':' .. string.rep('0', 20 - #ms) .. ms .. '-' .. "                          \
    "string.rep('0', 20 - #n) .. n end "                                                           \
    "local function first_in(place) "                                                              \
    "local lane = string.match(place, '^[^:]*') "                                                  \
    "return redis.call('ZRANGEBYLEX', KEYS[5], '[' .. lane .. ':', '(' .. lane .. ';', "           \
    "'LIMIT', 0, 1)[1] end "                                                                       \
    "local function leave(id, now) "                                                               \
    "if redis.call('EXISTS', KEYS[5]) == 0 then return 0 end "                                     \
    "local mine = place(redis.call('XRANGE', KEYS[1], id, id)[1]) "                                \
    "if not mine then return 0 end "                                                               \
    "local first = first_in(mine) "                                                                \
    "redis.call('ZREM', KEYS[5], mine) "                                                           \
    "if first ~= mine then return 0 end "                                                          \
    "while true do "                                                                               \
    "first = first_in(mine) "                                                                      \
    "if not first then return 0 end "                                                              \
    "local ms, n = string.match(first, ':0*(%d+)-0*(%d+)$') "                                      \
    "local next = ms .. '-' .. n "                                                                 \
    "if redis.call('XRANGE', KEYS[1], next, next)[1] then "                                        \
    "redis.call('ZADD', KEYS[2], now, next) return 1 end "                                         \
    "redis.call('ZREM', KEYS[5], first) end end "

/* bury(id, fields, now): from the stream to the dead letters, wherever it was. 1, or 0 if it is
 * gone. Without `now` what waited behind it is due at once. */
#define QUEUE_LUA_BURY                                                                             \
    QUEUE_LUA_LANES                                                                                \
    "local function bury(id, fields, now) "                                                        \
    "leave(id, now or 0) "                                                                         \
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
