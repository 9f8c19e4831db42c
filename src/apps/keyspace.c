#include "apps/keyspace.h"

#include "base/mem.h"

#define KEYSPACE SLICE("__keyspace@")
#define KEYEVENT SLICE("__keyevent@")
#define OWN SLICE("redgrid:")

bool keyspace_parse(struct slice channel, struct slice payload, struct keyspace_event *ret)
{
    struct keyspace_event event = {.is_keyevent = slice_has_prefix(channel, KEYEVENT)};

    if (!event.is_keyevent && !slice_has_prefix(channel, KEYSPACE))
        return false;
    struct slice rest = slice_from(channel, KEYSPACE.len);
    size_t end = slice_find_byte(rest, '_');
    if (!slice_to_u64(slice_first(rest, end), &event.database) ||
        !slice_has_prefix(slice_from(rest, end), SLICE("__:")))
        return false;
    struct slice name = slice_from(rest, end + SLICE("__:").len);
    event.key = event.is_keyevent ? payload : name;
    event.event = event.is_keyevent ? name : payload;
    *ret = event;
    return true;
}

bool keyspace_is_own(struct slice channel, struct slice payload)
{
    struct keyspace_event event;

    return keyspace_parse(channel, payload, &event) && slice_has_prefix(event.key, OWN);
}

const char *keyspace_classes(struct slice event)
{
    static const struct {
        const char *classes;
        struct slice events;
    } rows[] = {
        {"Ag", SLICE_INIT("del expire rename_from rename_to move_from move_to copy_to restore "
                          "persist")},
        {"A$", SLICE_INIT("set setrange incrby incrbyfloat append")},
        {"Al", SLICE_INIT("lpush rpush lpop rpop linsert lset ltrim lrem sortstore")},
        {"As", SLICE_INIT("sadd srem spop sinterstore sunionstore sdiffstore")},
        {"Ah", SLICE_INIT("hset hdel hincrby hincrbyfloat")},
        {"Az", SLICE_INIT("zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin "
                          "zpopmax zinterstore zunionstore zdiffstore zrangestore")},
        {"At", SLICE_INIT("xadd xtrim xdel xsetid")},
        {"Ax", SLICE_INIT("expired")},
        {"Ae", SLICE_INIT("evicted")},
        {"m", SLICE_INIT("keymiss")}, /* these two are not in A */
        {"n", SLICE_INIT("new")},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice rest = rows[i].events, word;
        while (slice_cut(&rest, ' ', &word))
            if (slice_eq(word, event))
                return rows[i].classes;
    }
    return "Ag$lshzxetdmn";
}
