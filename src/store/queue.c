#include "store/queue_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define KEY_HEAD "rg:{q:"
#define KEY_TAIL "}:"

/* {entries, states} of ids that are pending under ARGV[2] now; XCLAIM leaves out, or answers with a
 * nil for, what is no longer in the stream. */
#define LUA_HELD                                                                                   \
    "local function held(next, ids) "                                                              \
    "if #ids == 0 then return {next, {}, {}} end "                                                 \
    "local got, there, states = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(ids)), " \
    "{}, {} "                                                                                      \
    "for _, e in ipairs(got) do if e and e[2] then "                                               \
    "there[#there + 1] = e "                                                                       \
    "states[#states + 1] = redis.call('HGET', KEYS[3], e[1]) or '' end end "                       \
    "return {next, there, states} end "

static const char take_due_script[] =
    LUA_HELD "local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[3], "
             "'LIMIT', 0, ARGV[4]) "
             "if #ids > 0 then redis.call('ZREM', KEYS[2], unpack(ids)) end "
             "local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES') "
             "if #ids > 0 then ids[#ids + 1] = 'FORCE' end "
             "return held(first[2] or '', ids)";

/* ARGV: node, from, count, start. A name without entries goes: nothing can come between the look
 * and the removal. */
static const char adopt_script[] =
    LUA_HELD "local ids = {} "
             "for _, e in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[5], '+', ARGV[4], "
             "ARGV[3])) do ids[#ids + 1] = e[1] end "
             "if #ids == 0 and ARGV[5] == '-' then "
             "redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[3]) end "
             "return held('', ids)";

/* ARGV: now, ids. */
static const char finish_script[] =
    QUEUE_LUA_LANES "local freed = 0 "
                    "if redis.call('EXISTS', KEYS[5]) == 1 then "
                    "for i = 3, #ARGV do freed = freed + leave(ARGV[i], ARGV[2]) end end "
                    "redis.call('XDEL', KEYS[1], unpack(ARGV, 3)) "
                    "redis.call('ZREM', KEYS[2], unpack(ARGV, 3)) "
                    "redis.call('HDEL', KEYS[3], unpack(ARGV, 3)) "
                    "redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3)) "
                    "return freed";

/* Who is not pending any more has been finished by somebody else. */
static const char park_script[] = "for i = 2, #ARGV, 3 do "
                                  "if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 then "
                                  "redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i]) "
                                  "redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2]) end end "
                                  "return 0";

static const char bury_script[] =
    QUEUE_LUA_BURY "if redis.call('XACK', KEYS[1], ARGV[1], ARGV[3]) == 0 then return 0 end "
                   "return bury(ARGV[3], {unpack(ARGV, 4)}, ARGV[2])";

static const char stats_script[] =
    "local held = redis.pcall('XPENDING', KEYS[1], ARGV[1]) "
    "local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1] "
    "return {redis.call('XLEN', KEYS[1]), held.err and 0 or held[1], redis.call('ZCARD', KEYS[2]), "
    "redis.call('XLEN', KEYS[4]), first and first[1] or '0'}";

/* ---- calls ---- */

struct slice queue_key(const struct queue *queue, enum queue_key key)
{
    return slice_of(queue->keys[key]);
}

struct slice queue_number(struct queue_number *number, uint64_t value)
{
    int len = snprintf(number->text, sizeof number->text, "%" PRIu64, value);
    return (struct slice){number->text, (size_t)len};
}

enum err queue_run(struct queue *queue, const char *script, const struct slice *args, size_t count,
                   struct redis_call *call)
{
    struct slice all[QUEUE_ARGS_MAX + 8] = {SLICE("EVAL"), slice_of(script), SLICE("5")};
    size_t at = 3;

    assert(count <= QUEUE_ARGS_MAX);
    for (enum queue_key key = 0; key < QUEUE_KEY_COUNT; key++)
        all[at++] = queue_key(queue, key);
    all[at++] = SLICE(QUEUE_GROUP);
    if (count > 0)
        memcpy(all + at, args, count * sizeof *args);
    return redis_call(queue->redis, all, at + count, call);
}

struct queue *queue_new(struct redis *redis, struct slice id)
{
    static const char *const names[] = {"events", "due", "state", "dead", "order"};
    struct queue *queue = mem_new(struct queue);
    struct buf key;

    assert(id.len > 0);
    queue->redis = redis;
    for (size_t i = 0; i < QUEUE_KEY_COUNT; i++) {
        buf_init(&key, id.len + 32);
        buf_add(&key, SLICE(KEY_HEAD));
        buf_add(&key, id);
        buf_add(&key, SLICE(KEY_TAIL));
        buf_add(&key, slice_of(names[i]));
        queue->keys[i] = buf_detach(&key);
    }
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    for (size_t i = 0; i < QUEUE_KEY_COUNT; i++)
        free(queue->keys[i]);
    free(queue);
}

struct slice queue_id(const struct queue *queue)
{
    struct slice key = slice_from(queue_key(queue, QUEUE_EVENTS), sizeof KEY_HEAD - 1);
    return slice_first(key, slice_find(key, SLICE(KEY_TAIL)));
}

enum err queue_open(struct queue *queue, struct redis_call *call)
{
    const struct slice args[] = {
        SLICE("XGROUP"),    SLICE("CREATE"), queue_key(queue, QUEUE_EVENTS),
        SLICE(QUEUE_GROUP), SLICE("0"),      SLICE("MKSTREAM")};
    return redis_call(queue->redis, args, COUNT_OF(args), call);
}

bool queue_is_open(const struct redis_call *call, enum err err)
{
    return err == E_OK || (err == E_REDIS && resp_is_error(call->reply->root, SLICE("BUSYGROUP")));
}

enum err queue_append(struct queue *queue, struct slice head, struct slice body, struct slice lane,
                      struct redis_call *call)
{
    const struct slice args[] = {SLICE("XADD"), queue_key(queue, QUEUE_EVENTS),
                                 SLICE("*"),    SLICE("h"),
                                 head,          SLICE("b"),
                                 body,          SLICE(QUEUE_LANE),
                                 lane};
    return redis_call(queue->redis, args, COUNT_OF(args) - (lane.len > 0 ? 0 : 2), call);
}

enum err queue_take(struct queue *queue, struct slice node, size_t count, struct redis_call *call)
{
    struct queue_number number;
    const struct slice args[] = {SLICE("XREADGROUP"), SLICE("GROUP"),
                                 SLICE(QUEUE_GROUP),  node,
                                 SLICE("COUNT"),      queue_number(&number, count),
                                 SLICE("STREAMS"),    queue_key(queue, QUEUE_EVENTS),
                                 SLICE(">")};
    return redis_call(queue->redis, args, COUNT_OF(args), call);
}

enum err queue_take_due(struct queue *queue, struct slice node, uint64_t now_unix_ms, size_t count,
                        struct redis_call *call)
{
    struct queue_number now, most;
    const struct slice args[] = {node, queue_number(&now, now_unix_ms), queue_number(&most, count)};

    assert(count <= QUEUE_BATCH_MAX);
    return queue_run(queue, take_due_script, args, COUNT_OF(args), call);
}

enum err queue_holders(struct queue *queue, struct redis_call *call)
{
    const struct slice args[] = {SLICE("XINFO"), SLICE("CONSUMERS"), queue_key(queue, QUEUE_EVENTS),
                                 SLICE(QUEUE_GROUP)};
    return redis_call(queue->redis, args, COUNT_OF(args), call);
}

enum err queue_adopt(struct queue *queue, const struct queue_adoption *adoption,
                     struct redis_call *call)
{
    struct queue_number most;
    const struct slice args[] = {adoption->node, adoption->from,
                                 queue_number(&most, adoption->count), adoption->start};

    assert(adoption->count > 0 && adoption->count <= QUEUE_BATCH_MAX);
    return queue_run(queue, adopt_script, args, COUNT_OF(args), call);
}

enum err queue_finish(struct queue *queue, const struct slice *ids, size_t count,
                      struct redis_call *call)
{
    struct queue_number now;
    struct slice args[1 + QUEUE_BATCH_MAX] = {queue_number(&now, clock_unix_ms())};

    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    memcpy(args + 1, ids, count * sizeof *ids);
    return queue_run(queue, finish_script, args, 1 + count, call);
}

enum err queue_park(struct queue *queue, const struct queue_parking *parkings, size_t count,
                    struct redis_call *call)
{
    struct queue_number due[QUEUE_BATCH_MAX];
    struct slice args[3 * QUEUE_BATCH_MAX] = {0};

    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        args[3 * i] = parkings[i].id;
        args[3 * i + 1] = queue_number(&due[i], parkings[i].due_unix_ms);
        args[3 * i + 2] = parkings[i].state;
    }
    return queue_run(queue, park_script, args, 3 * count, call);
}

enum err queue_bury(struct queue *queue, struct slice id, const struct queue_field *fields,
                    size_t count, struct redis_call *call)
{
    struct queue_number now;
    struct slice args[2 + 2 * QUEUE_FIELDS_MAX] = {queue_number(&now, clock_unix_ms()), id};

    assert(count <= QUEUE_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        args[2 + 2 * i] = fields[i].name;
        args[3 + 2 * i] = fields[i].value;
    }
    return queue_run(queue, bury_script, args, 2 + 2 * count, call);
}

enum err queue_stats(struct queue *queue, struct redis_call *call)
{
    return queue_run(queue, stats_script, NULL, 0, call);
}

bool queue_stats_read(const struct reply *reply, struct queue_stats *ret)
{
    int64_t counts[4];
    const struct resp *oldest = resp_child(reply->root, 4);

    for (uint32_t i = 0; i < COUNT_OF(counts); i++) {
        const struct resp *count = resp_child(reply->root, i);
        if (count == NULL || !resp_int(count, &counts[i]) || counts[i] < 0)
            return false;
    }
    if (oldest == NULL)
        return false;
    *ret = (struct queue_stats){.entries = (uint64_t)counts[0],
                                .held = (uint64_t)counts[1],
                                .parked = (uint64_t)counts[2],
                                .dead = (uint64_t)counts[3],
                                .oldest_unix_ms = queue_stream_time(oldest->text)};
    return true;
}

enum err queue_delete(struct queue *queue, struct redis_call *call)
{
    struct slice args[1 + QUEUE_KEY_COUNT] = {SLICE("UNLINK")};

    for (enum queue_key key = 0; key < QUEUE_KEY_COUNT; key++)
        args[1 + key] = queue_key(queue, key);
    return redis_call(queue->redis, args, COUNT_OF(args), call);
}

/* ---- reading what came ---- */

uint64_t queue_stream_time(struct slice id)
{
    uint64_t time;
    return slice_to_u64(slice_first(id, slice_find_byte(id, '-')), &time) ? time : 0;
}

static const struct resp *after(const struct resp *node)
{
    return node + node->span;
}

/* XREADGROUP answers with one stream in an array (RESP2) or a map (RESP3), or with nil; scripts
 * with the next due time, entries, and the state of each, and may have more to say. */
void queue_cursor_init(struct queue_cursor *cursor, const struct reply *reply)
{
    const struct resp *root = reply->root, *entries = NULL, *states = NULL;

    *cursor = (struct queue_cursor){.due_unix_ms = UINT64_MAX};
    if (root->type == RESP_MAP && root->count == 2) {
        entries = resp_child(root, 1);
    } else if (root->type == RESP_ARRAY && root->count == 1) {
        entries = resp_child(resp_child(root, 0), 1);
    } else if (root->type == RESP_ARRAY && root->count >= 3) {
        double due; /* a score: an integer below 2^53, maybe with an exponent */
        struct slice first = resp_child(root, 0)->text;
        cursor->has_more = slice_eq(first, SLICE(QUEUE_MORE));
        if (slice_to_f64(first, &due) && due >= 0)
            cursor->due_unix_ms = (uint64_t)due;
        entries = resp_child(root, 1);
        states = resp_child(root, 2);
    }
    if (entries == NULL || entries->count == 0)
        return;
    cursor->left = entries->count;
    cursor->entry = resp_child(entries, 0);
    cursor->state =
        states != NULL && states->count == entries->count ? resp_child(states, 0) : NULL;
}

static bool read_entry(const struct resp *node, struct queue_entry *ret)
{
    const struct resp *id = resp_child(node, 0), *fields = resp_child(node, 1);

    if (fields == NULL || fields->count < 4)
        return false; /* deleted while it was pending: nobody's */
    *ret = (struct queue_entry){.id = id->text,
                                .accepted_unix_ms = queue_stream_time(id->text),
                                .head = resp_child(fields, 1)->text,
                                .body = resp_child(fields, 3)->text};
    return true;
}

bool queue_cursor_next(struct queue_cursor *cursor, struct queue_entry *ret)
{
    while (cursor->left > 0) {
        const struct resp *entry = cursor->entry, *state = cursor->state;
        if (--cursor->left > 0) {
            cursor->entry = after(entry);
            cursor->state = state != NULL ? after(state) : NULL;
        }
        if (!read_entry(entry, ret))
            continue;
        ret->state = state != NULL ? state->text : SLICE("");
        return true;
    }
    return false;
}

bool queue_holder_next(const struct reply *reply, uint32_t *at, struct slice *ret_name)
{
    while (*at < reply->root->count) {
        const struct resp *name = resp_find(resp_child(reply->root, (*at)++), SLICE("name"));
        if (name == NULL)
            continue;
        *ret_name = name->text;
        return true;
    }
    return false;
}
