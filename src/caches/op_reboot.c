/* Reboot (caches.md 7.6): servers are stopped and started, and the cache keeps its data.
 *
 *   replicas: STOP and START each --> successor: without replicas, START one for the primary
 *   --> move: HANDOVER --> old: STOP and START the old primary, or STOP it if there is a successor
 *
 * In `work`: {"todo":[replicas],"primary","replacement","handover"}. */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "caches/cache_handover.h"
#include "caches/cache_internal.h"
#include "caches/replacement.h"

enum reboot { REBOOT_PRIMARY, REBOOT_SECONDARY, REBOOT_ALL };
static const char *const types[] = {"PrimaryNode", "SecondaryNode", "AllNodes", NULL};

struct scratch {
    struct replacement replacement;
    struct cache_handover handover;
    char name[MEMBER_NAME_MAX_BYTES]; /* who is worked on */
};

static enum err accept(const struct operation_wish *wish, struct buf *ret, struct cause *why)
{
    struct jx_view view;
    json_t *json = NULL;
    size_t type = COUNT_OF(types);
    uint32_t shard = 0;
    enum err err =
        jx_parse(wish->arguments.len > 0 ? wish->arguments : SLICE("{}"), NULL, NULL, &json, why);

    if (err)
        return err;
    jx_view_init(&view, json, NULL);
    if (!jx_word(&view, "rebootType", types, &type))
        jx_view_error(&view, "rebootType", "is missing: PrimaryNode, SecondaryNode or AllNodes");
    (void)jx_u32(&view, "shardId", (struct jx_range){0, 0}, &shard);
    if (view.err == E_OK && wish->spec->shards != 0)
        jx_view_error(&view, NULL, "a cache with shards cannot be rebooted yet");
    if (view.err == E_OK)
        buf_addf(ret, "{\"rebootType\":\"%s\"}", types[type]);
    json_decref(json);
    return view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
}

static const char *type_of(const struct operation *operation)
{
    return json_string_value(json_object_get(operation->arguments, "rebootType"));
}

static bool is_type(const struct operation *operation, enum reboot type)
{
    return slice_eq(slice_of(type_of(operation)), slice_of(types[type]));
}

static bool has_replicas(const struct operation *operation)
{
    const struct cache *cache = operation->cache;
    return cache_spec_numbers(&cache->spec, &cache->host).replicas > 0;
}

/* Does the primary get its turn? */
static bool has_primary_turn(const struct operation *operation)
{
    return !is_type(operation, REBOOT_SECONDARY) || !has_replicas(operation);
}

static const char *primary_then(const struct operation *operation)
{
    return json_string_value(json_object_get(operation->work, "primary"));
}

/* Once, in front of everything. */
static void plan(struct operation *operation)
{
    const struct cache_shard *shard = cache_shard_of(operation->cache, 0);
    json_t *todo;

    if (primary_then(operation) != NULL)
        return;
    json_object_set_new(operation->work, "primary", json_string(shard->primary));
    todo = json_array();
    for (size_t i = 0; i < shard->member_count; i++)
        if (!is_type(operation, REBOOT_PRIMARY) &&
            !slice_eq(slice_of(shard->members[i].name), slice_of(shard->primary)))
            json_array_append_new(todo, json_string(shard->members[i].name));
    json_object_set_new(operation->work, "todo", todo);
}

static enum stage wait_replacement(struct operation *operation, enum err started)
{
    struct scratch *s = operation->scratch;
    return routine_wait(&operation->routine, &s->replacement.routine.op, started);
}

enum { PICK, BEGUN, ENDED };

/* Stops `name` and starts it where it is, in the stages from PICK to ENDED. */
static enum stage restart(struct operation *operation, uint32_t stage, const char *name)
{
    struct scratch *s = operation->scratch;

    if (stage == PICK)
        return wait_replacement(operation,
                                replacement_restart(operation->cache, name, &s->replacement));
    return wait_replacement(operation, replacement_end(operation->cache, &s->replacement));
}

static enum stage replicas(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);

    if (err)
        return routine_end(routine, err);
    plan(operation);
    json_t *todo = json_object_get(operation->work, "todo");
    if (stage == ENDED) {
        json_array_remove(todo, 0);
        return routine_go(routine, PICK);
    }
    const char *name = json_string_value(json_array_get(todo, 0));
    const struct cache_member *member = cache_state_find(&operation->cache->state, slice_of(name));
    if (name == NULL)
        return routine_end(routine, E_OK);
    if (member == NULL || member == cache_primary(operation->cache, 0))
        return routine_go(routine, ENDED);
    return restart(operation, stage, name);
}

static enum stage successor(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const struct cache_member *primary = cache_primary(operation->cache, 0);

    if (err || stage > 0 || has_replicas(operation) ||
        !slice_eq(slice_of(primary->name), slice_of(primary_then(operation))))
        return routine_end(routine, err);
    return wait_replacement(operation, replacement_begin(operation->cache, primary->name,
                                                         primary->program, &s->replacement));
}

static enum stage undo_successor(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;

    if (err || stage > 0)
        return routine_end(routine, err);
    return wait_replacement(operation, replacement_undo(operation->cache, &s->replacement));
}

static enum stage move(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const struct cache_member *primary = cache_primary(operation->cache, 0);
    bool is_under_way = json_object_get(operation->work, "handover") != NULL;

    if (err || stage > 0 || !has_primary_turn(operation) ||
        (!is_under_way && !slice_eq(slice_of(primary->name), slice_of(primary_then(operation)))))
        return routine_end(routine, err);
    const struct cache_member *heir = cache_best_replica(operation->cache, 0);
    bool stays = !has_replicas(operation) && replacement_new(operation->cache) == NULL;
    if (!is_under_way && stays)
        return routine_end(routine, E_OK);
    if (!is_under_way && heir == NULL)
        return routine_end(routine, cause_set(&routine->why, E_NOT_FOUND, "no replica is in sync"));
    return routine_wait(routine, &s->handover.routine.op,
                        cache_hand_over(operation->cache, heir != NULL ? heir->name : primary->name,
                                        "reboot", &s->handover));
}

static enum stage old(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const char *name = primary_then(operation);
    const struct cache_member *primary = cache_primary(operation->cache, 0);

    if (err || stage == ENDED || !has_primary_turn(operation))
        return routine_end(routine, err);
    if (stage == BEGUN || replacement_old(operation->cache) != NULL) {
        (void)routine_go(routine, ENDED);
        return wait_replacement(operation, replacement_end(operation->cache, &s->replacement));
    }
    if (slice_eq(slice_of(primary->name), slice_of(name)) ||
        cache_state_find(&operation->cache->state, slice_of(name)) == NULL)
        return routine_end(routine, E_OK); /* it was started again by the crash rules, or is gone */
    return restart(operation, PICK, name);
}

static void end(struct operation *operation, struct lifecycle *event)
{
    event->about.ended.duration_ms = clock_unix_ms() - operation->record.started_unix_ms;
    event->about.ended.reboot_type = type_of(operation);
}

static void done(void *scratch)
{
    struct scratch *s = scratch;
    replacement_done(&s->replacement);
}

static const struct operation_step steps[] = {
    {"replicas", replicas, NULL},
    {"successor", successor, undo_successor},
    {"move", move, NULL},
    {"old", old, NULL},
};

const struct operation_kind operation_reboot = {
    .name = "reboot",
    .phase = PHASE_SUCCEEDED,
    .undoing = PHASE_SUCCEEDED,
    .event = LIFECYCLE_REBOOT_COMPLETED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = 3,
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
    .accept = accept,
    .end = end,
};
