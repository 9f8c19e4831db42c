/* apps/keyspace.h - a keyspace notification, told from an ordinary message.
 * Pure: callable anywhere. Behaviour: functions.md 7.3 and 10 of the specification. */
#ifndef APPS_KEYSPACE_H
#define APPS_KEYSPACE_H

#include "base/str.h"

struct keyspace_event {
    bool is_keyevent; /* __keyevent@<db>__:<event>, else __keyspace@<db>__:<key> */
    uint64_t database;
    struct slice key;
    struct slice event; /* "set", "expired" */
};

/* keyspace_parse: true and *ret if a message on `channel` is a notification; its slices point into
 * channel and payload. */
bool keyspace_parse(struct slice channel, struct slice payload, struct keyspace_event *ret);

/* keyspace_is_own: a notification about one of redgrid's own keys. Such are dropped: a function on
 * `__keyevent@0__:*` would call itself for ever. */
bool keyspace_is_own(struct slice channel, struct slice payload);

/* keyspace_classes: the letters of notify-keyspace-events of which one must be there for an event
 * to be sent ("$" for "set"); all of them for an event that we do not know. */
const char *keyspace_classes(struct slice event);

#endif
