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

enum err queue_dead(struct queue *queue, struct slice from, size_t count, struct redis_call *call)
{
    struct queue_number most;
    const struct slice args[] = {SLICE("XRANGE"), queue_key(queue, QUEUE_DEAD), from, SLICE("+"),
                                 SLICE("COUNT"),  queue_number(&most, count)};

    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    return redis_call(queue->redis, args, COUNT_OF(args), call);
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
