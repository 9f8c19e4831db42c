/* LOOK --> JUDGE --nothing is missing--> SYNC --> end
 *   ^        |
 *   |        v  what is missing is asked for
 *   +------ NAP
 *
 * What is missing is looked for in an order in which one thing makes the next possible: epochs and
 * slots of servers that know nobody yet, acquaintance, roles, agreement. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "caches/cluster.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define NAP_MS 20
#define MEET_AGAIN_MS 2000 /* a handshake takes some milliseconds, a lost one is tried again */

enum { LOOK, JUDGE, NAP, SYNC, SYNCED };

static struct cluster_member *member_at(struct cluster_form *form, size_t at)
{
    return &form->cluster->members[at];
}

static const char *name_of(const struct cluster_member *member)
{
    return member_record(member->member)->name;
}

static bool has_missing(const struct cluster_form *form)
{
    return form->missing.text[0] != '\0';
}

/* The first thing that is missing is what a timeout tells of. */
#define MISSING(form, ...)                                                                         \
    do {                                                                                           \
        if (!has_missing(form))                                                                    \
            (void)cause_set(&(form)->missing, E_TIMEOUT, __VA_ARGS__);                             \
    } while (0)

/* ---- epochs and slots ---- */

static void find_epochs(struct cluster_form *form)
{
    uint64_t epoch = 0;

    for (size_t i = 0; i < form->cluster->count; i++)
        if (member_at(form, i)->epoch > epoch)
            epoch = member_at(form, i)->epoch;
    for (size_t i = 0; i < form->cluster->count; i++) {
        const struct cluster_member *member = member_at(form, i);
        if (!member->is_primary || member->is_replica || member->has_others || member->epoch != 0)
            continue;
        commands_try(&form->commands[i], "CLUSTER SET-CONFIG-EPOCH %" PRIu64, ++epoch);
        MISSING(form, "%s has no epoch", name_of(member));
    }
}

static void find_slots(struct cluster_form *form)
{
    struct slot_map now, wanted;
    struct cache_slots range;

    if (form->first == NULL)
        return;
    cluster_look_slots(&form->look, &now);
    slot_map_init(&wanted);
    for (size_t slot = 0; slot < CACHE_SLOTS; slot++)
        if (now.shard[slot] == SLOT_NOBODY)
            wanted.shard[slot] = form->first->shard[slot];
    for (size_t i = 0; i < form->cluster->count; i++) {
        const struct cluster_member *member = member_at(form, i);
        uint16_t shard = (uint16_t)member->shard;
        for (uint32_t at = 0; member->is_primary && slot_map_range(&wanted, shard, &at, &range);) {
            commands_try(&form->commands[i], "CLUSTER ADDSLOTSRANGE %u %u", range.first,
                         range.last);
            MISSING(form, "%s has no slots", name_of(member));
        }
    }
}

/* ---- who knows whom ---- */

enum acquaintance { STRANGER, KNOWN, FINE };

static size_t find_id(const struct cluster *cluster, struct slice id)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (slice_eq(slice_of(cluster->members[i].id), id))
            return i;
    return cluster->count;
}

static enum acquaintance acquaintance_of(const struct cluster_line *line)
{
    if (!line->is_met)
        return STRANGER;
    return line->is_self || (line->is_connected && !line->is_failing) ? FINE : KNOWN;
}

/* A server that is none of ours, but one that they have met. */
static void find_other(struct cluster_form *form, size_t at, const struct cluster_line *line)
{
    if (!line->is_met)
        return; /* of a handshake: has an id of its own until it ends */
    MISSING(form, "%s still knows %.*s, which is none of them", name_of(member_at(form, at)),
            SLICE_ARG(line->id));
    if (slice_trim(line->slots).len == 0)
        commands_try(&form->commands[at], "CLUSTER FORGET %.*s", SLICE_ARG(line->id));
}

static void find_acquaintances(struct cluster_form *form, size_t at, bool may_meet)
{
    struct cluster *cluster = form->cluster;
    enum acquaintance with[CLUSTER_MEMBERS_MAX] = {STRANGER};
    struct slice lines = cluster_look_lines(&form->look, at);
    struct cluster_line line;

    while (cluster_line_next(&lines, &line)) {
        size_t other = find_id(cluster, line.id);
        if (other == cluster->count)
            find_other(form, at, &line);
        else
            with[other] = acquaintance_of(&line);
    }
    for (size_t other = 0; other < cluster->count; other++) {
        const struct cluster_member *member = &cluster->members[other];
        if (with[other] != FINE)
            MISSING(form, "%s does not reach %s", name_of(&cluster->members[at]), name_of(member));
        /* At first one of each two greets, later whoever does not know the other. */
        if (with[other] == STRANGER && may_meet && (at < other || form->meet_at_ms != 0))
            commands_try(&form->commands[at], "CLUSTER MEET %s %u %u", cluster->address,
                         cluster_port(cluster, member), member_record(member->member)->bus_port);
    }
}

static void find_strangers(struct cluster_form *form)
{
    uint64_t now_ms = loop_now_ms(form->cluster->loop);
    bool may_meet = form->meet_at_ms == 0 || now_ms >= form->meet_at_ms + MEET_AGAIN_MS;

    for (size_t i = 0; i < form->cluster->count; i++)
        find_acquaintances(form, i, may_meet);
    if (has_missing(form) && may_meet)
        form->meet_at_ms = now_ms;
}

/* ---- roles ---- */

static void find_role(struct cluster_form *form, size_t at)
{
    const struct cluster_member *member = member_at(form, at);
    const struct cluster_member *primary = cluster_primary(form->cluster, member->shard);

    if (member->is_primary && member->is_replica)
        MISSING(form, "%s is a replica, but the record says primary", name_of(member));
    if (member->is_primary || primary == NULL ||
        slice_eq(slice_of(member->follows), slice_of(primary->id)))
        return;
    MISSING(form, "%s does not follow %s", name_of(member), name_of(primary));
    if (!primary->is_replica && member->slots == 0)
        commands_try(&form->commands[at], "CLUSTER REPLICATE %s", primary->id);
}

/* ---- agreement ---- */

/* Does a member see the others as they see themselves? */
static void find_agreement(struct cluster_form *form, size_t at)
{
    struct slice lines = cluster_look_lines(&form->look, at);
    struct cluster_line line;

    if (!member_at(form, at)->is_ok)
        MISSING(form, "%s does not take part yet", name_of(member_at(form, at)));
    while (cluster_line_next(&lines, &line)) {
        size_t other = find_id(form->cluster, line.id);
        if (other == form->cluster->count)
            continue;
        const struct cluster_member *member = member_at(form, other);
        if (!slice_eq(line.primary, slice_of(member->follows)) ||
            cluster_slots_count(line.slots) != member->slots)
            MISSING(form, "%s does not know the role of %s", name_of(member_at(form, at)),
                    name_of(member));
    }
}

/* ---- the routine ---- */

static void judge(struct cluster_form *form)
{
    size_t count = form->cluster->count;

    form->missing.text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        commands_clear(&form->commands[i]);
    find_epochs(form);
    find_slots(form);
    if (!has_missing(form))
        find_strangers(form);
    bool has_all = !has_missing(form);
    for (size_t i = 0; has_all && i < count; i++)
        find_role(form, i);
    has_all = !has_missing(form);
    for (size_t i = 0; has_all && i < count; i++)
        find_agreement(form, i);
}

static enum stage ask(struct cluster_form *form)
{
    for (size_t i = 0; i < form->cluster->count; i++) {
        if (form->commands[i].count == 0)
            continue;
        commands_send(&form->commands[i], member_at(form, i)->member, &form->talks[i]);
        (void)routine_wait(&form->routine, &form->talks[i].op, E_OK);
    }
    return routine_go(&form->routine, NAP);
}

static enum stage sync_replicas(struct cluster_form *form)
{
    for (size_t i = 0; i < form->cluster->count; i++) {
        const struct cluster_member *member = member_at(form, i);
        const struct cluster_member *primary = cluster_primary(form->cluster, member->shard);
        if (member->is_primary || primary == NULL)
            continue;
        member_sync(member->member, primary->member, form->limit_ms, &form->syncs[i]);
        (void)routine_wait(&form->routine, &form->syncs[i], E_OK);
    }
    return routine_go(&form->routine, SYNCED);
}

static enum stage end(struct cluster_form *form, enum err err)
{
    timer_free(form->nap);
    form->nap = NULL;
    return routine_end(&form->routine, err);
}

static enum stage run_form(struct routine *routine, uint32_t stage, enum err err)
{
    struct cluster_form *form = container_of(routine, struct cluster_form, routine);

    if (err)
        return end(form, err);
    switch (stage) {
    case LOOK:
        cluster_look(form->cluster, &form->look);
        return routine_wait(routine, &form->look.routine.op, E_OK);
    case JUDGE:
        judge(form);
        if (!has_missing(form))
            return routine_go(routine, SYNC);
        if (loop_now_ms(form->cluster->loop) >= form->end_at_ms)
            return end(form, cause_set(&routine->why, E_TIMEOUT, "%s", form->missing.text));
        return ask(form);
    case NAP:
        timer_wait(form->nap, NAP_MS, &form->op);
        (void)routine_go(routine, LOOK);
        return routine_wait(routine, &form->op, E_OK);
    case SYNC:
        return sync_replicas(form);
    default:
        return end(form, E_OK);
    }
}

void cluster_form(struct cluster *cluster, const struct slot_map *first, uint64_t limit_ms,
                  struct cluster_form *form)
{
    form->cluster = cluster;
    form->first = first;
    form->limit_ms = limit_ms;
    form->end_at_ms = loop_now_ms(cluster->loop) + limit_ms;
    form->meet_at_ms = 0;
    form->nap = timer_new(cluster->loop, NULL, NULL);
    routine_start(&form->routine, cluster->loop, run_form);
}

void cluster_form_done(struct cluster_form *form)
{
    cluster_look_done(&form->look);
    for (size_t i = 0; i < CLUSTER_MEMBERS_MAX; i++) {
        commands_done(&form->commands[i]);
        member_talk_done(&form->talks[i]);
    }
    *form = (struct cluster_form){0};
}
