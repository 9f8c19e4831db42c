#include "store/queue_internal.h"

#include <assert.h>

#include "base/id.h"

/* Why an entry that nobody has locked is dead, and where its kind is counted; nil: it is not. */
#define LUA_REASON                                                                                 \
    "local function reason_of(id, locks, max, ttl, now) "                                          \
    "if max > 0 and locks >= max then return 'MaxDeliveryAttemptsExceeded', 1 end "                \
    "if ttl > 0 and tonumber(string.match(id, '^%d+')) + ttl <= now then "                         \
    "return 'TimeToLiveExceeded', 2 end end "

/* A state is "locks token time", of the last lock; without the token there is none. That of an
 * entry which was delivered before, as the mode was another, has more words and no token.
 * ARGV: now, count, lock_ms, max_locks, ttl_ms, bytes, then a token for each of the count. What is
 * dead is replaced by the next, so that a client that waits for one is not sent away; after a
 * thousand it is. Pending is only what was held for delivery then, and left: that comes last, and
 * when it was held for longer than a lock. */
#define LUA_LOCKS                                                                                  \
    "local function lock_of(id) "                                                                  \
    "local s = redis.call('HGET', KEYS[3], id) or '0' "                                            \
    "local token, at = string.match(s, '^%d+ ([^ ]*) ?(%d*)$') "                                   \
    "return tonumber(string.match(s, '^%d+')), token or '', at or '' end "

static const char receive_script[] = QUEUE_LUA_BURY LUA_LOCKS LUA_REASON
    "local now, count, lock, max, ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), "
    "tonumber(ARGV[5]), tonumber(ARGV[6]) "
    "local entries, states, looked, bytes, buried = {}, {}, 0, 0, {0, 0} "
    "while #entries < count and looked < 1000 and bytes < tonumber(ARGV[7]) do "
    "looked = looked + 1 "
    "local id = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1] "
    "local e "
    "if id then e = redis.call('XRANGE', KEYS[1], id, id)[1] "
    "if not e then redis.call('ZREM', KEYS[2], id) redis.call('HDEL', KEYS[3], id) end "
    "else "
    "local r = redis.call('XREADGROUP', 'GROUP', ARGV[1], 'pull', 'COUNT', 1, 'NOACK', 'STREAMS', "
    "KEYS[1], '>') "
    "if r then e = r[1][2][1] else "
    "local left = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', lock, '-', '+', 1)[1] "
    "if not left then break end "
    "redis.call('XACK', KEYS[1], ARGV[1], left[1]) "
    "e = redis.call('XRANGE', KEYS[1], left[1], left[1])[1] end end "
    "if e then "
    "local locks, _, at = lock_of(e[1]) "
    "local reason, k = reason_of(e[1], locks, max, ttl, now) "
    "if reason then "
    "buried[k] = buried[k] + bury(e[1], {'reason', reason, 'attempts', locks, 'attempted', at}) "
    "else "
    "local state = (locks + 1) .. ' ' .. ARGV[8 + #entries] .. ' ' .. ARGV[2] "
    "bytes = bytes + #e[2][4] "
    "redis.call('ZADD', KEYS[2], now + lock, e[1]) "
    "redis.call('HSET', KEYS[3], e[1], state) "
    "entries[#entries + 1] = e "
    "states[#states + 1] = state end end end "
    "local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES') "
    "return {first[2] or '', entries, states, buried}";

/* ARGV: now, max_locks, ttl_ms, count, start. Ids are times, so those that are too old are the
 * first. A score above now is a lock, or the delay of a release. */
static const char expire_script[] = QUEUE_LUA_BURY LUA_LOCKS LUA_REASON
    "local now, max, ttl, count = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), "
    "tonumber(ARGV[5]) "
    "local buried, last, until_id = {0, 0}, nil, string.format('%.0f', now - ttl) "
    "local old = redis.call('XRANGE', KEYS[1], ARGV[6], until_id, 'COUNT', count) "
    "for _, e in ipairs(old) do "
    "last = e[1] "
    "if tonumber(redis.call('ZSCORE', KEYS[2], last) or 0) <= now then "
    "local locks, _, at = lock_of(last) "
    "local reason, k = reason_of(last, locks, max, ttl, now) "
    "buried[k] = buried[k] + bury(last, {'reason', reason, 'attempts', locks, 'attempted', at}) "
    "end end "
    "local next_id = '' "
    "if #old == count then "
    "local time, sequence = string.match(last, '^(%d+)%-(%d+)$') "
    "next_id = time .. '-' .. string.format('%.0f', sequence + 1) end "
    "local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1] "
    "return {buried, next_id, first and first[1] or '0'}";

/* ARGV: what to do, now, delay, then id and token of each. */
static const char unlock_script[] = QUEUE_LUA_BURY LUA_LOCKS
    "local ends, now, delay, answers = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), {} "
    "for i = 5, #ARGV, 2 do "
    "local id = ARGV[i] "
    "local locks, token, at = lock_of(id) "
    "local due = tonumber(redis.call('ZSCORE', KEYS[2], id) or 0) "
    "local mine = ARGV[i + 1] ~= '' and token == ARGV[i + 1] and due > now "
    "answers[#answers + 1] = mine and 1 or 0 "
    "if mine then "
    "if ends == 'acknowledge' then leave(id, now) redis.call('XDEL', KEYS[1], id) "
    "redis.call('ZREM', KEYS[2], id) redis.call('HDEL', KEYS[3], id) "
    "elseif ends == 'reject' then "
    "bury(id, {'reason', 'Rejected', 'attempts', locks, 'attempted', at}) "
    "else redis.call('ZADD', KEYS[2], now + delay, id) "
    "if ends == 'release' then redis.call('HSET', KEYS[3], id, locks .. '  ' .. at) "
    "elseif ends == 'return' then redis.call('HSET', KEYS[3], id, (locks - 1) .. ' ') end end end "
    "end "
    "return answers";

enum err queue_receive(struct queue *queue, const struct queue_pull *pull, struct redis_call *call)
{
    struct queue_number numbers[6];
    struct id tokens[QUEUE_BATCH_MAX];
    struct slice args[6 + QUEUE_BATCH_MAX] = {queue_number(&numbers[0], pull->now_unix_ms),
                                              queue_number(&numbers[1], pull->count),
                                              queue_number(&numbers[2], pull->lock_ms),
                                              queue_number(&numbers[3], pull->max_locks),
                                              queue_number(&numbers[4], pull->ttl_ms),
                                              queue_number(&numbers[5], QUEUE_RECEIVE_BYTES)};

    assert(pull->count > 0 && pull->count <= QUEUE_BATCH_MAX);
    for (size_t i = 0; i < pull->count; i++) {
        tokens[i] = id_secret();
        args[6 + i] = id_slice(&tokens[i]);
    }
    return queue_run(queue, receive_script, args, 6 + pull->count, call);
}

static bool read_burials(const struct resp *node, struct queue_burials *ret)
{
    int64_t locked_out, expired;

    if (node == NULL || node->type != RESP_ARRAY || node->count != 2 ||
        !resp_int(resp_child(node, 0), &locked_out) || !resp_int(resp_child(node, 1), &expired) ||
        locked_out < 0 || expired < 0)
        return false;
    *ret = (struct queue_burials){(uint64_t)locked_out, (uint64_t)expired};
    return true;
}

struct queue_burials queue_burials_read(const struct reply *reply)
{
    struct queue_burials burials = {0};

    (void)read_burials(resp_child(reply->root, 3), &burials);
    return burials;
}

bool queue_lock_read(struct slice state, uint32_t *ret_locks, struct slice *ret_token)
{
    size_t space = slice_find_byte(state, ' ');
    uint64_t locks;

    if (!slice_to_u64(slice_first(state, space), &locks) || locks > UINT32_MAX)
        return false;
    *ret_locks = (uint32_t)locks;
    *ret_token = slice_from(state, space + 1);
    *ret_token = slice_first(*ret_token, slice_find_byte(*ret_token, ' '));
    return true;
}

enum err queue_unlock(struct queue *queue, enum queue_lock_end end, const struct slice *tokens,
                      size_t count, const struct queue_times *times, struct redis_call *call)
{
    static const char *const names[] = {"acknowledge", "release", "reject", "renew", "return"};
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

enum err queue_expire(struct queue *queue, const struct queue_pull *pull, struct slice start,
                      struct redis_call *call)
{
    struct queue_number numbers[4];
    const struct slice args[] = {
        queue_number(&numbers[0], pull->now_unix_ms), queue_number(&numbers[1], pull->max_locks),
        queue_number(&numbers[2], pull->ttl_ms), queue_number(&numbers[3], pull->count), start};

    assert(pull->ttl_ms > 0 && pull->ttl_ms <= pull->now_unix_ms);
    return queue_run(queue, expire_script, args, COUNT_OF(args), call);
}

bool queue_expiry_read(const struct reply *reply, struct queue_expiry *ret)
{
    const struct resp *next = resp_child(reply->root, 1), *oldest = resp_child(reply->root, 2);
    struct queue_burials burials;

    if (oldest == NULL || !read_burials(resp_child(reply->root, 0), &burials))
        return false;
    *ret = (struct queue_expiry){
        .burials = burials, .next = next->text, .oldest_unix_ms = queue_stream_time(oldest->text)};
    return true;
}
