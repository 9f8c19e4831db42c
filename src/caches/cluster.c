#include "caches/cluster.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

bool cluster_add(struct cluster *cluster, struct member *member, uint32_t shard, bool is_primary)
{
    if (cluster->count == CLUSTER_MEMBERS_MAX)
        return false;
    cluster->members[cluster->count++] =
        (struct cluster_member){.member = member, .shard = shard, .is_primary = is_primary};
    return true;
}

struct cluster_member *cluster_find(struct cluster *cluster, const struct member *member)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->members[i].member == member)
            return &cluster->members[i];
    return NULL;
}

struct cluster_member *cluster_primary(struct cluster *cluster, uint32_t shard)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->members[i].shard == shard && cluster->members[i].is_primary)
            return &cluster->members[i];
    return NULL;
}

struct cluster_member *cluster_master(struct cluster *cluster, uint32_t shard)
{
    struct cluster_member *found = NULL, *primary = cluster_primary(cluster, shard);

    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_member *member = &cluster->members[i];
        if (member->shard == shard && !member->is_replica && member->slots > 0 &&
            (found == NULL || member->epoch > found->epoch))
            found = member;
    }
    if (found == NULL && primary != NULL && !primary->is_replica)
        found = primary;
    return found;
}

uint16_t cluster_port(const struct cluster *cluster, const struct cluster_member *member)
{
    const struct cache_member *record = member_record(member->member);
    return cluster->is_tls ? record->tls_port : record->port;
}

/* ---- to look ---- */

static const struct member_command questions[] = {
    COMMAND(SLICE_INIT("CLUSTER"), SLICE_INIT("NODES")),
    COMMAND(SLICE_INIT("CLUSTER"), SLICE_INIT("INFO"))};

static void note_self(struct cluster_member *member, const struct cluster_line *line)
{
    snprintf(member->id, sizeof member->id, "%.*s", SLICE_ARG(line->id));
    snprintf(member->follows, sizeof member->follows, "%.*s", SLICE_ARG(line->primary));
    member->is_replica = line->is_replica;
    member->epoch = line->epoch;
    member->slots = cluster_slots_count(line->slots);
}

static enum err note(const struct cluster_look *look, size_t at, struct cause *why)
{
    struct cluster_member *member = &look->cluster->members[at];
    const struct resp *info = member_talk_reply(&look->talks[at], 1);
    struct slice lines = cluster_look_lines(look, at);
    struct cluster_line line;
    bool has_self = false;

    member->has_others = false;
    while (cluster_line_next(&lines, &line)) {
        if (line.is_self)
            note_self(member, &line);
        has_self |= line.is_self;
        member->has_others |= !line.is_self;
    }
    if (!has_self)
        return cause_set(why, E_BAD_WIRE, "%s: is no server of a cluster",
                         member_name(member->member));
    member->is_ok = slice_find(info->text, SLICE("cluster_state:ok")) < info->text.len;
    return E_OK;
}

static enum stage run_look(struct routine *routine, uint32_t stage, enum err err)
{
    struct cluster_look *look = container_of(routine, struct cluster_look, routine);
    const struct cluster *cluster = look->cluster;

    if (stage == 0 && err == E_OK) {
        for (size_t i = 0; i < cluster->count; i++) {
            member_talk(cluster->members[i].member, questions, COUNT_OF(questions),
                        &look->talks[i]);
            (void)routine_wait(routine, &look->talks[i].op, E_OK);
        }
        return STAGE_WAITS;
    }
    for (size_t i = 0; err == E_OK && i < cluster->count; i++)
        err = note(look, i, &routine->why);
    return routine_end(routine, err);
}

void cluster_look(struct cluster *cluster, struct cluster_look *look)
{
    assert(cluster->count > 0);
    look->cluster = cluster;
    routine_start(&look->routine, cluster->loop, run_look);
}

void cluster_look_done(struct cluster_look *look)
{
    for (size_t i = 0; i < CLUSTER_MEMBERS_MAX; i++)
        member_talk_done(&look->talks[i]);
    *look = (struct cluster_look){0};
}

struct slice cluster_look_lines(const struct cluster_look *look, size_t member)
{
    return member_talk_reply(&look->talks[member], 0)->text;
}

static void claim(struct slice text, uint16_t shard, struct slot_map *map)
{
    struct cluster_slots slots;

    while (cluster_slots_next(&text, &slots))
        for (size_t slot = slots.first; slots.kind == SLOTS_OWNED && slot <= slots.last; slot++)
            map->shard[slot] = shard;
}

/* Those with lower epochs first: the later ones win. */
static size_t next_by_epoch(const struct cluster *cluster, const bool *is_told)
{
    size_t found = cluster->count;

    for (size_t i = 0; i < cluster->count; i++)
        if (!is_told[i] &&
            (found == cluster->count || cluster->members[i].epoch < cluster->members[found].epoch))
            found = i;
    return found;
}

void cluster_look_slots(const struct cluster_look *look, struct slot_map *ret)
{
    const struct cluster *cluster = look->cluster;
    bool is_told[CLUSTER_MEMBERS_MAX] = {false};
    struct cluster_line line;
    size_t at;

    slot_map_init(ret);
    while ((at = next_by_epoch(cluster, is_told)) < cluster->count) {
        struct slice lines = cluster_look_lines(look, at);
        is_told[at] = true;
        while (cluster_line_next(&lines, &line))
            if (line.is_self && !line.is_replica)
                claim(line.slots, (uint16_t)cluster->members[at].shard, ret);
    }
}
