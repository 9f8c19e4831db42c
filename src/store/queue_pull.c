#include "store/queue_internal.h"

#include <assert.h>

#include "base/id.h"

/* A state is "locks token". ARGV: now, count, lock_ms, max_locks, ttl_ms, then a token for each of
 * the count. What is dead is replaced by the next, so that a client that waits for one is not sent
 * away; after a thousand it is. */
#define LUA_LOCKS                                                                                  \
    "local function lock_of(id) "                                                                  \
    "local s = redis.call('HGET', KEYS[3], id) or '0 ' "                                           \
    "return tonumber(string.match(s, '^%d+')), string.match(s, ' (.*)$') end "

static const char receive_script[] = QUEUE_LUA_BURY LUA_LOCKS
    "local now, count, lock, max, ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), "
    "tonumber(ARGV[5]), tonumber(ARGV[6]) "
    "local entries, states, looked = {}, {}, 0 "
    "while #entries < count and looked < 1000 do "
    "looked = looked + 1 "
    "local id = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1] "
    "local e "
    "if id then e = redis.call('XRANGE', KEYS[1], id, id)[1] "
    "if not e then redis.call('ZREM', KEYS[2], id) redis.call('HDEL', KEYS[3], id) end "
    "else "
    "local r = redis.call('XREADGROUP', 'GROUP', ARGV[1], 'pull', 'COUNT', 1, 'NOACK', 'STREAMS', "
    "KEYS[1], '>') "
    "if not r then break end "
    "e = r[1][2][1] end "
    "if e then "
    "local locks = lock_of(e[1]) "
    "local reason "
    "if max > 0 and locks >= max then reason = 'MaxDeliveryAttemptsExceeded' "
    "elseif ttl > 0 and tonumber(string.match(e[1], '^%d+')) + ttl <= now then "
    "reason = 'TimeToLiveExceeded' end "
    "if reason then bury(e[1], {'reason', reason, 'attempts', locks}) "
    "else "
    "local state = (locks + 1) .. ' ' .. ARGV[7 + #entries] "
    "redis.call('ZADD', KEYS[2], now + lock, e[1]) "
    "redis.call('HSET', KEYS[3], e[1], state) "
    "entries[#entries + 1] = e "
    "states[#states + 1] = state end end end "
    "local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES') "
    "return {first[2] or '', entries, states}";

/* ARGV: what to do, now, delay, then id and token of each. */
static const char unlock_script[] = QUEUE_LUA_BURY LUA_LOCKS
    "local ends, now, delay, answers = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), {} "
    "for i = 5, #ARGV, 2 do "
    "local id = ARGV[i] "
    "local locks, token = lock_of(id) "
    "local due = tonumber(redis.call('ZSCORE', KEYS[2], id) or 0) "
    "local mine = ARGV[i + 1] ~= '' and token == ARGV[i + 1] and due > now "
    "answers[#answers + 1] = mine and 1 or 0 "
    "if mine then "
    "if ends == 'acknowledge' then leave(id, now) redis.call('XDEL', KEYS[1], id) "
    "redis.call('ZREM', KEYS[2], id) redis.call('HDEL', KEYS[3], id) "
    "elseif ends == 'reject' then bury(id, {'reason', 'Rejected', 'attempts', locks}) "
    "else redis.call('ZADD', KEYS[2], now + delay, id) "
    "if ends == 'release' then redis.call('HSET', KEYS[3], id, locks .. ' ') end end end end "
    "return answers";

enum err queue_receive(struct queue *queue, const struct queue_pull *pull, struct redis_call *call)
{
    struct queue_number numbers[5];
    struct id tokens[QUEUE_BATCH_MAX];
    struct slice args[5 + QUEUE_BATCH_MAX] = {
        queue_number(&numbers[0], pull->now_unix_ms), queue_number(&numbers[1], pull->count),
        queue_number(&numbers[2], pull->lock_ms), queue_number(&numbers[3], pull->max_locks),
        queue_number(&numbers[4], pull->ttl_ms)};

    assert(pull->count > 0 && pull->count <= QUEUE_BATCH_MAX);
    for (size_t i = 0; i < pull->count; i++) {
        tokens[i] = id_secret();
        args[5 + i] = id_slice(&tokens[i]);
    }
    return queue_run(queue, receive_script, args, 5 + pull->count, call);
}

bool queue_lock_read(struct slice state, uint32_t *ret_locks, struct slice *ret_token)
{
    size_t space = slice_find_byte(state, ' ');
    uint64_t locks;

    if (!slice_to_u64(slice_first(state, space), &locks) || locks > UINT32_MAX)
        return false;
    *ret_locks = (uint32_t)locks;
    *ret_token = slice_from(state, space + 1);
    return true;
}

enum err queue_unlock(struct queue *queue, enum queue_lock_end end, const struct slice *tokens,
                      size_t count, const struct queue_times *times, struct redis_call *call)
{
    static const char *const names[] = {"acknowledge", "release", "reject", "renew"};
    struct queue_number now, delay;
    struct slice args[3 + 2 * QUEUE_BATCH_MAX] = {slice_of(names[end]),
                                                  queue_number(&now, times->now_unix_ms),
                                                  queue_number(&delay, times->delay_ms)};

    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t colon = slice_find_byte(tokens[i], ':');
        args[3 + 2 * i] = slice_first(tokens[i], colon);
        args[4 + 2 * i] = slice_from(tokens[i], colon + 1); /* none: empty, which is nobody's */
    }
    return queue_run(queue, unlock_script, args, 3 + 2 * count, call);
}
