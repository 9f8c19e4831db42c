/* caches/live_settings.h - steps that several kinds of operation have: the servers that run are
 * told what cache->spec says, without a restart (caches.md 7.2).
 *
 *   values: memory, clients, policy, events, persistence --> link: the plain port, and the way that
 *   replicas are linked --> users: who may come in
 *
 * Rules: each makes it so whatever there was, so it is its own undo. Replicas before primaries. Who
 * does not live is passed over: it is started with all that cache->spec says. The scratch of the
 * kind begins with a struct live_scratch. */
#ifndef CACHES_LIVE_SETTINGS_H
#define CACHES_LIVE_SETTINGS_H

#include "caches/cache.h"
#include "caches/commands.h"

struct live_scratch {
    struct live_slot { /* for one server each */
        struct commands commands;
        struct member_talk talk;
        struct member_info info;
        struct member_task task;
        struct op op;
        char schedule[32];
        const char *name; /* of the record; borrowed, valid for a stage */
    } slots[ROUTINE_WAITS_MAX];
    size_t count;
};
void live_scratch_done(struct live_scratch *scratch);

operation_run live_values, live_link, live_users;

/* live_check is for `check` of a kind that changes the spec: what is in use must fit, and the
 * memory budget be enough: E_BAD_INPUT with the numbers. */
operation_run live_check;

#endif
