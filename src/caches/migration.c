/* LOOK --> PLAN --nothing is left--> end
 *   ^       v
 *   '-none- NEXT <-----------------------------------------------------.
 *            v   a batch: slots that go from one member to another     |
 *          IMPORT -> EXPORT -> ASK -> MOVE -> MOVED -> ASK ..          |
 *                                      | no keys                       |
 *                                      '------> GIVE -> TAKE -> TELL --'
 *
 * GIVE: the target has the slots; TAKE: the source has not; TELL: the others know. A server refuses
 * to let go of a slot with keys, so what came in between is moved too. */
#include "caches/migration.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/timer.h"

#define NOBODY UINT8_MAX
#define MIGRATE_TIMEOUT_MS "5000" /* a server that hangs makes another one wait so long */
#define TRIES_MAX 20
#define TRY_AGAIN_MS 100
#define ROOM_FIRST 32
#define ROOM_LEAST 8
#define LONG_US 10000 /* both servers stand still while keys move: so long is enough */
#define VERY_LONG_US 200000

_Static_assert(CLUSTER_MEMBERS_MAX < NOBODY, "a place in the cluster fits");

enum { LOOK, PLAN, NEXT, IMPORT, EXPORT, ASK, MOVE, MOVED, GIVE, TAKE, TAKEN, TELL };

uint32_t migration_room(uint32_t room, uint64_t took_us)
{
    uint32_t least = took_us > VERY_LONG_US ? 1 : ROOM_LEAST;

    if (took_us > LONG_US)
        return room / 2 >= least ? room / 2 : (room < least ? room : least);
    if (took_us < LONG_US / 2)
        room *= 2;
    return room < MIGRATION_KEYS_MAX ? room : MIGRATION_KEYS_MAX;
}

static enum stage end(struct migration *migration, enum err err)
{
    timer_free(migration->nap);
    migration->nap = NULL;
    return routine_end(&migration->routine, err);
}

static struct cluster_member *member_at(struct migration *migration, size_t at)
{
    return &migration->cluster->members[at];
}

static struct commands *fresh(struct migration *migration, size_t at)
{
    commands_clear(&migration->commands[at]);
    return &migration->commands[at];
}

/* What was gathered for a member goes there. */
static void send(struct migration *migration, size_t at)
{
    if (migration->commands[at].count == 0)
        return;
    commands_send(&migration->commands[at], member_at(migration, at)->member,
                  &migration->talks[at]);
    (void)routine_wait(&migration->routine, &migration->talks[at].op, E_OK);
}

/* ---- what there is to do ---- */

static enum stage look(struct migration *migration, enum err err)
{
    if (err)
        return end(migration, err);
    cluster_look(migration->cluster, &migration->look);
    return routine_wait(&migration->routine, &migration->look.routine.op, E_OK);
}

static uint8_t master_of(struct migration *migration, uint16_t shard)
{
    const struct cluster_member *master = cluster_master(migration->cluster, shard);
    return master == NULL ? NOBODY : (uint8_t)(master - migration->cluster->members);
}

/* Who has a slot, and who shall have it. */
static enum err plan_owned(struct migration *migration, const struct slot_map *now)
{
    uint8_t master[CLUSTER_SHARD_ID_MAX + 1];
    struct cause *why = &migration->routine.why;

    for (uint16_t shard = 0; shard <= CLUSTER_SHARD_ID_MAX; shard++)
        master[shard] = master_of(migration, shard);
    for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
        uint16_t has = now->shard[slot], shall = migration->goal.shard[slot];
        if (has > CLUSTER_SHARD_ID_MAX || master[has] == NOBODY)
            return cause_set(why, E_NOT_FOUND, "nobody has slot %u", slot);
        if (shall > CLUSTER_SHARD_ID_MAX || master[shall] == NOBODY)
            return cause_set(why, E_NOT_FOUND, "shard %u, which shall have slot %u, has no primary",
                             shall, slot);
        migration->plan[slot] = (struct migration_slot){.from = has == shall ? NOBODY : master[has],
                                                        .to = master[shall]};
    }
    return E_OK;
}

/* Of slots that are where they shall be: somebody may not know yet, and still have keys. */
static void plan_open(struct migration *migration, const struct slot_map *now, uint8_t at,
                      const struct cluster_slots *said)
{
    for (size_t slot = said->first; slot <= said->last; slot++) {
        struct migration_slot *plan = &migration->plan[slot];
        if (now->shard[slot] != migration->goal.shard[slot])
            continue;
        if (plan->to == at) {
            plan->is_open |= said->kind != SLOTS_OWNED;
            continue;
        }
        plan->from = at;
        plan->is_back = true;
    }
}

static void plan_member(struct migration *migration, const struct slot_map *now, uint8_t at)
{
    struct slice lines = cluster_look_lines(&migration->look, at);
    struct cluster_line line;
    struct cluster_slots said;

    while (cluster_line_next(&lines, &line))
        while (line.is_self && !line.is_replica && cluster_slots_next(&line.slots, &said))
            plan_open(migration, now, at, &said);
}

/* Are there any that only have to be closed? */
static bool close_slots(struct migration *migration)
{
    bool is_any = false;

    for (size_t i = 0; i < migration->cluster->count; i++)
        (void)fresh(migration, i);
    for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
        const struct migration_slot *plan = &migration->plan[slot];
        if (plan->from != NOBODY || !plan->is_open)
            continue;
        commands_add(&migration->commands[plan->to], "CLUSTER SETSLOT %u STABLE", slot);
        is_any = true;
    }
    for (size_t i = 0; i < migration->cluster->count; i++)
        send(migration, i);
    return is_any;
}

static enum stage plan(struct migration *migration, enum err err)
{
    struct slot_map now;

    if (err)
        return end(migration, err);
    cluster_look_slots(&migration->look, &now);
    err = plan_owned(migration, &now);
    if (err)
        return end(migration, err);
    for (size_t i = 0; i < migration->cluster->count; i++)
        plan_member(migration, &now, (uint8_t)i);
    migration->left = 0;
    for (size_t slot = 0; slot < CACHE_SLOTS; slot++)
        migration->left += migration->plan[slot].from != NOBODY;
    bool is_closing = close_slots(migration);
    return migration->left == 0 && !is_closing ? end(migration, E_OK)
                                               : routine_go(&migration->routine, NEXT);
}

/* ---- a batch ---- */

static bool is_same_way(const struct migration_slot *a, const struct migration_slot *b)
{
    return a->from == b->from && a->to == b->to && a->is_back == b->is_back;
}

static enum stage next(struct migration *migration, enum err err)
{
    const struct migration_slot *first = NULL;

    if (err)
        return end(migration, err);
    migration->count = migration->tries = 0;
    for (size_t slot = 0; slot < CACHE_SLOTS && migration->count < MIGRATION_SLOTS_MAX; slot++) {
        const struct migration_slot *plan = &migration->plan[slot];
        if (plan->from == NOBODY || (first != NULL && !is_same_way(first, plan)))
            continue;
        first = plan;
        migration->is_empty[migration->count] = false;
        migration->slots[migration->count++] = (uint16_t)slot;
    }
    if (first == NULL)
        return routine_go(&migration->routine, LOOK);
    migration->source = first->from;
    migration->target = first->to;
    return STAGE_GOES_ON;
}

/* One command for each slot of the batch; "%u" is the slot, "%s" the id of a member. */
static enum stage import(struct migration *migration, enum err err)
{
    const char *source = member_at(migration, migration->source)->id;
    struct commands *commands = fresh(migration, migration->target);

    (void)err; /* there is none */
    for (size_t i = 0; i < migration->count; i++) {
        unsigned slot = migration->slots[i];
        if (migration->plan[slot].is_back)
            commands_add(commands, "CLUSTER SETSLOT %u STABLE", slot);
        else
            commands_add(commands, "CLUSTER SETSLOT %u IMPORTING %s", slot, source);
    }
    send(migration, migration->target);
    return STAGE_WAITS;
}

static enum stage export(struct migration *migration, enum err err) {
    const char *target = member_at(migration, migration->target)->id;
    struct commands *commands = fresh(migration, migration->source);

    if (err) return end(migration, err);
    for (size_t i = 0; i < migration->count; i++) if (!migration->plan[migration->slots[i]].is_back)
        commands_add(commands, "CLUSTER SETSLOT %u MIGRATING %s", migration->slots[i], target);
    send(migration, migration->source);
    return STAGE_WAITS;
}

/* ---- its keys ---- */

/* Which keys are there, of as many slots as may fill what is moved at once. */
static enum stage ask(struct migration *migration, enum err err)
{
    struct commands *commands = fresh(migration, migration->source);

    if (err)
        return end(migration, err);
    migration->asked_count = 0;
    for (size_t i = 0; i < migration->count && migration->asked_count < migration->ask_max; i++) {
        if (migration->is_empty[i])
            continue;
        migration->asked[migration->asked_count++] = i;
        commands_add(commands, "CLUSTER GETKEYSINSLOT %u %u", migration->slots[i], migration->room);
    }
    if (migration->asked_count == 0)
        return routine_go(&migration->routine, GIVE);
    commands_send(commands, member_at(migration, migration->source)->member, &migration->found);
    return routine_wait(&migration->routine, &migration->found.op, E_OK);
}

static void add_move(struct migration *migration, const struct resp *keys, uint32_t count)
{
    const struct cluster *cluster = migration->cluster;
    const struct cluster_member *target = member_at(migration, migration->target);
    struct commands *commands = &migration->commands[migration->source];

    commands_add(commands, "MIGRATE %s %u", cluster->address, cluster_port(cluster, target));
    commands_word(commands, SLICE(""));
    commands_word(commands, SLICE("0"));
    commands_word(commands, SLICE(MIGRATE_TIMEOUT_MS));
    commands_word(commands, SLICE("REPLACE"));
    commands_word(commands, SLICE("AUTH2"));
    commands_word(commands, SLICE(MEMBER_ADMIN));
    commands_word(commands, slice_of(cluster->password));
    commands_word(commands, SLICE("KEYS"));
    for (uint32_t i = 0; i < count; i++)
        commands_word(commands, resp_child(keys, i)->text);
    migration->under_way += count;
}

static enum stage move(struct migration *migration, enum err err)
{
    size_t filled = 0;

    if (err)
        return end(migration, err);
    (void)fresh(migration, migration->source);
    migration->under_way = 0;
    for (size_t i = 0; i < migration->asked_count && migration->under_way < migration->room; i++) {
        const struct resp *keys = member_talk_reply(&migration->found, i);
        uint32_t room = migration->room - (uint32_t)migration->under_way;
        migration->is_empty[migration->asked[i]] = keys->count == 0;
        if (keys->count > 0)
            add_move(migration, keys, keys->count < room ? keys->count : room);
        filled++;
    }
    migration->ask_max = filled < migration->asked_count ? filled + 1 : MIGRATION_SLOTS_MAX;
    if (migration->under_way == 0)
        return routine_go(&migration->routine, ASK);
    migration->at_us = clock_now_us();
    send(migration, migration->source);
    return STAGE_WAITS;
}

static enum stage try_again(struct migration *migration, enum err err, uint32_t stage)
{
    if (err != E_REDIS || ++migration->tries > TRIES_MAX)
        return end(migration, err);
    timer_wait(migration->nap, TRY_AGAIN_MS, &migration->op);
    (void)routine_wait(&migration->routine, &migration->op, E_OK);
    return routine_go(&migration->routine, stage);
}

static enum stage moved(struct migration *migration, enum err err)
{
    if (err) {
        migration->room = migration->room > 1 ? migration->room / 2 : 1;
        return try_again(migration, err, ASK);
    }
    migration->room = migration_room(migration->room, clock_now_us() - migration->at_us);
    migration->keys += migration->under_way;
    migration->tries = 0;
    return routine_go(&migration->routine, ASK);
}

/* ---- whose they are ---- */

static void tell(struct migration *migration, size_t at)
{
    const char *target = member_at(migration, migration->target)->id;
    struct commands *commands = fresh(migration, at);

    for (size_t i = 0; i < migration->count; i++)
        commands_add(commands, "CLUSTER SETSLOT %u NODE %s", migration->slots[i], target);
}

static enum stage give(struct migration *migration, enum err err)
{
    (void)err; /* there is none */
    tell(migration, migration->target);
    send(migration, migration->target);
    return STAGE_WAITS;
}

static enum stage take(struct migration *migration, enum err err)
{
    if (err)
        return end(migration, err);
    tell(migration, migration->source);
    for (size_t i = 0; i < migration->count; i++)
        if (migration->plan[migration->slots[i]].is_back)
            commands_add(&migration->commands[migration->source], "CLUSTER SETSLOT %u STABLE",
                         migration->slots[i]);
    send(migration, migration->source);
    return STAGE_WAITS;
}

static enum stage taken(struct migration *migration, enum err err)
{
    if (err == E_OK)
        return STAGE_GOES_ON;
    memset(migration->is_empty, 0, sizeof migration->is_empty);
    return try_again(migration, err, ASK);
}

/* Replicas hear of it from their primaries. */
static enum stage tell_others(struct migration *migration, enum err err)
{
    (void)err; /* there is none */
    for (size_t i = 0; i < migration->cluster->count; i++) {
        if (i == migration->source || i == migration->target || member_at(migration, i)->is_replica)
            continue;
        tell(migration, i);
        send(migration, i);
    }
    for (size_t i = 0; i < migration->count; i++)
        migration->plan[migration->slots[i]].from = NOBODY;
    migration->moved += migration->count;
    migration->left -= migration->count;
    return routine_go(&migration->routine, NEXT);
}

static enum stage (*const stages[])(struct migration *migration, enum err err) = {
    [LOOK] = look,     [PLAN] = plan, [NEXT] = next,   [IMPORT] = import,
    [EXPORT] = export, [ASK] = ask,   [MOVE] = move,   [MOVED] = moved,
    [GIVE] = give,     [TAKE] = take, [TAKEN] = taken, [TELL] = tell_others,
};

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    return stages[stage](container_of(routine, struct migration, routine), err);
}

void migration_start(struct migration *migration, struct cluster *cluster,
                     const struct slot_map *goal)
{
    migration->cluster = cluster;
    migration->goal = *goal;
    migration->moved = migration->keys = 0;
    migration->room = ROOM_FIRST;
    migration->ask_max = MIGRATION_SLOTS_MAX;
    migration->nap = timer_new(cluster->loop, NULL, NULL);
    routine_start(&migration->routine, cluster->loop, run);
}

void migration_done(struct migration *migration)
{
    cluster_look_done(&migration->look);
    member_talk_done(&migration->found);
    for (size_t i = 0; i < CLUSTER_MEMBERS_MAX; i++) {
        commands_done(&migration->commands[i]);
        member_talk_done(&migration->talks[i]);
    }
    memset(migration, 0, sizeof *migration);
}
