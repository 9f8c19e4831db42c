#include "apps/keyspace.h"

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
