#include "store/outbox.h"

#include <stdio.h>

#include "base/mem.h"

#define GROUP "redgrid"
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

/* The group is made at the first look; at 0, so that nothing is skipped. ARGV: node. */
#define LUA_GROUP "redis.pcall('XGROUP', 'CREATE', KEYS[1], '" GROUP "', '0', 'MKSTREAM') "

static const char take_script[] =
    LUA_GROUP "local got = redis.call('XREADGROUP', 'GROUP', '" GROUP "', ARGV[1], "
              "'COUNT', " TEXT(OUTBOX_BATCH_MAX) ", 'STREAMS', KEYS[1], '>') "
                                                 "return got and got[1][2] or {}";

/* What is no longer in the stream is left out, or answered with a nil, by XCLAIM. */
static const char adopt_script[] = LUA_GROUP
    "local ids, there = {}, {} "
    "for _, e in ipairs(redis.call('XPENDING', KEYS[1], '" GROUP "', '-', '+', " TEXT(
        OUTBOX_BATCH_MAX) ")) do "
                          "if e[3] >= tonumber(ARGV[2]) then ids[#ids + 1] = e[1] end end "
                          "if #ids == 0 then return {} end "
                          "for _, e in ipairs(redis.call('XCLAIM', KEYS[1], '" GROUP
                          "', ARGV[1], ARGV[2], "
                          "unpack(ids))) do if e and e[2] then there[#there + 1] = e end end "
                          "return there";

static const char done_script[] = "redis.call('XACK', KEYS[1], '" GROUP "', ARGV[1]) "
                                  "return redis.call('XDEL', KEYS[1], ARGV[1])";

static enum err run(struct redis *redis, const char *script, const struct slice *args, size_t count,
                    struct redis_call *call)
{
    struct slice all[8] = {SLICE("EVAL"), slice_of(script), SLICE("1"), SLICE(OUTBOX_KEY)};

    for (size_t i = 0; i < count; i++)
        all[4 + i] = args[i];
    return redis_call(redis, all, 4 + count, call);
}

enum err outbox_take(struct redis *redis, struct slice node, struct redis_call *call)
{
    return run(redis, take_script, &node, 1, call);
}

enum err outbox_adopt(struct redis *redis, struct slice node, struct redis_call *call)
{
    const struct slice args[] = {node, SLICE(TEXT(OUTBOX_IDLE_MS))};
    return run(redis, adopt_script, args, COUNT_OF(args), call);
}

enum err outbox_done(struct redis *redis, struct slice id, struct redis_call *call)
{
    return run(redis, done_script, &id, 1, call);
}

bool outbox_next(const struct reply *reply, uint32_t *at, struct outbox_entry *ret)
{
    while (*at < reply->root->count) {
        const struct resp *entry = resp_child(reply->root, (*at)++);
        const struct resp *id = resp_child(entry, 0), *fields = resp_child(entry, 1);
        if (fields == NULL || fields->count < 4)
            continue;
        *ret = (struct outbox_entry){.id = id->text,
                                     .scope = resp_child(fields, 1)->text,
                                     .event = resp_child(fields, 3)->text};
        return true;
    }
    return false;
}
