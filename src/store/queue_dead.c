#include "store/queue_internal.h"

#include <assert.h>
#include <string.h>

static const char redrive_script[] =
    "local n = 0 "
    "for i = 2, #ARGV do "
    "local e = redis.call('XRANGE', KEYS[4], ARGV[i], ARGV[i])[1] "
    "if e then "
    "redis.call('XADD', KEYS[1], '*', unpack(e[2], 1, e[2][5] == 'k' and 6 or 4)) "
    "redis.call('XDEL', KEYS[4], ARGV[i]) n = n + 1 end end "
    "return n";

/* ARGV: after, until, count, max_bytes. Page by page: one call could bring any number of bytes. */
static const char range_script[] =
    "local found, bytes, from = {}, 0, ARGV[2] "
    "while true do "
    "local page = redis.call('XRANGE', KEYS[4], from, ARGV[3], 'COUNT', 9) "
    "for _, e in ipairs(page) do if e[1] ~= from then "
    "found[#found + 1] = e "
    "bytes = bytes + #(e[2][4] or '') "
    "if #found >= tonumber(ARGV[4]) or bytes >= tonumber(ARGV[5]) then return found end "
    "end end "
    "if #page < 9 then return found end "
    "from = page[9][1] end";

/* ARGV: max_bytes, then the ids. */
static const char find_script[] =
    "local found, bytes = {}, 0 "
    "for i = 3, #ARGV do "
    "local e = redis.call('XRANGE', KEYS[4], ARGV[i], ARGV[i])[1] "
    "if e then found[#found + 1] = e bytes = bytes + #(e[2][4] or '') "
    "if bytes >= tonumber(ARGV[2]) then break end end end "
    "return found";

/* By the store's clock, which makes the ids; one that was set back goes on behind the newest. */
static const char edge_script[] =
    "local t = redis.call('TIME') "
    "local ms = t[1] * 1000 + math.floor(t[2] / 1000) - 1 "
    "local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)[1] "
    "if last and tonumber(string.match(last[1], '^%d+')) > ms then return last[1] end "
    "return string.format('%.0f-18446744073709551615', ms)";

enum err queue_dead(struct queue *queue, const struct queue_dead_range *range,
                    struct redis_call *call)
{
    struct queue_number count, bytes;
    const struct slice args[] = {range->after.len > 0 ? range->after : SLICE("-"),
                                 range->until.len > 0 ? range->until : SLICE("+"),
                                 queue_number(&count, range->count),
                                 queue_number(&bytes, range->max_bytes)};

    assert(range->count > 0 && range->count <= QUEUE_BATCH_MAX);
    return queue_run(queue, range_script, args, COUNT_OF(args), call);
}

enum err queue_dead_find(struct queue *queue, const struct slice *ids, size_t count,
                         size_t max_bytes, struct redis_call *call)
{
    struct queue_number bytes;
    struct slice args[1 + QUEUE_BATCH_MAX] = {queue_number(&bytes, max_bytes)};

    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    memcpy(args + 1, ids, count * sizeof *ids);
    return queue_run(queue, find_script, args, 1 + count, call);
}

enum err queue_dead_edge(struct queue *queue, struct redis_call *call)
{
    return queue_run(queue, edge_script, NULL, 0, call);
}

bool queue_dead_is_id(struct slice id)
{
    size_t dash = slice_find_byte(id, '-');
    uint64_t number;

    return slice_to_u64(slice_first(id, dash), &number) &&
           slice_to_u64(slice_from(id, dash + 1), &number);
}

uint64_t queue_dead_time(struct slice id)
{
    return queue_stream_time(id);
}

bool queue_dead_next(const struct reply *reply, uint32_t *at, struct queue_dead_entry *ret)
{
    while (*at < reply->root->count) {
        const struct resp *entry = resp_child(reply->root, (*at)++);
        const struct resp *id = resp_child(entry, 0), *fields = resp_child(entry, 1);
        if (fields == NULL || fields->count < 4)
            continue;
        *ret = (struct queue_dead_entry){.id = id->text,
                                         .died_unix_ms = queue_stream_time(id->text),
                                         .head = resp_child(fields, 1)->text,
                                         .body = resp_child(fields, 3)->text,
                                         .fields = fields};
        return true;
    }
    return false;
}

struct slice queue_dead_field(const struct queue_dead_entry *entry, struct slice name)
{
    const struct resp *value = resp_find(entry->fields, name);
    return value != NULL ? value->text : SLICE_NONE;
}

enum err queue_redrive(struct queue *queue, const struct slice *ids, size_t count,
                       struct redis_call *call)
{
    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    return queue_run(queue, redrive_script, ids, count, call);
}

enum err queue_purge(struct queue *queue, const struct slice *ids, size_t count,
                     struct redis_call *call)
{
    struct slice args[2 + QUEUE_BATCH_MAX] = {SLICE("XDEL"), queue_key(queue, QUEUE_DEAD)};

    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    memcpy(args + 2, ids, count * sizeof *ids);
    return redis_call(queue->redis, args, 2 + count, call);
}
