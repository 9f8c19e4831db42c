/* apps/glob.h - Redis' patterns for channels: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\` escapes.
 * Pure: callable anywhere. Behaviour: functions.md 10 of the specification. */
#ifndef APPS_GLOB_H
#define APPS_GLOB_H

#include "base/str.h"

/* glob_match tells whether the whole of `text` matches, as the server does. Takes pattern times
 * text steps at most. */
bool glob_match(struct slice pattern, struct slice text);

/* What a subscription can receive: a set of these. */
enum channel_kind {
    CHANNEL_ORDINARY = 1,
    CHANNEL_KEYSPACE = 2, /* __keyspace@<db>__:<key> */
    CHANNEL_KEYEVENT = 4, /* __keyevent@<db>__:<event> */
};

/* channel_kinds is the set for a channel, or for a pattern. A pattern that begins with
 * `__keyspace@` or `__keyevent@` is not ordinary: nobody else publishes there. Allocates for the
 * time of the call. */
unsigned channel_kinds(struct slice channel, bool is_pattern);

#endif
