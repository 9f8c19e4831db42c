/* Fail over (caches.md 7.3): a replica in sync becomes the primary, as in a patch.
 *
 *   announce --> handover --> done                                                        */
#include "base/mem.h"
#include "caches/cache_handover.h"

struct scratch {
    struct cache_handover handover;
    struct op op;
};

static struct scratch *scratch_of(struct routine *routine)
{
    return operation_of(routine)->scratch;
}

/* One without shards may be told 0. */
static enum err read_shard(struct slice arguments, struct cause *why)
{
    struct jx_view view;
    json_t *json = NULL;
    uint32_t shard = 0;
    enum err err = jx_parse(arguments.len > 0 ? arguments : SLICE("{}"), NULL, NULL, &json, why);

    if (err)
        return err;
    jx_view_init(&view, json, NULL);
    (void)jx_u32(&view, "shardId", (struct jx_range){0, 0}, &shard);
    json_decref(json);
    return view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
}

static enum err accept(const struct operation_wish *wish, struct buf *ret, struct cause *why)
{
    (void)ret;
    if (wish->spec->shards != 0)
        return cause_set(why, E_BAD_INPUT, "a cache with shards cannot fail over yet");
    enum err err = read_shard(wish->arguments, why);
    if (err == E_OK && cache_spec_numbers(wish->spec, wish->host).replicas == 0)
        err = cause_set(why, E_BAD_INPUT, "%s has no replica that could take over; Standard has",
                        cache_tier_names[wish->spec->tier]);
    return err;
}

static enum stage check(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);

    (void)stage;
    if (err == E_OK && operation->cache != NULL && cache_best_replica(operation->cache, 0) == NULL)
        err = cause_set(&routine->why, E_BAD_INPUT, "no replica is in sync now; try again");
    return routine_end(routine, err);
}

static enum stage announce(struct routine *routine, uint32_t stage, enum err err)
{
    struct scratch *s = scratch_of(routine);

    if (err || stage > 0)
        return routine_end(routine, err);
    announcer_begin(operation_of(routine)->cache->announcer, false, &s->op);
    return routine_wait(routine, &s->op, E_OK);
}

/* Who it shall be stays, once it is chosen: run again, it may be it already. */
static const char *heir_of(struct operation *operation)
{
    const char *chosen = json_string_value(json_object_get(operation->work, "to"));
    const struct cache_member *primary = cache_primary(operation->cache, 0);

    if (chosen != NULL && (slice_eq(slice_of(primary->name), slice_of(chosen)) ||
                           json_object_get(operation->work, "handover") != NULL))
        return chosen;
    const struct cache_member *best = cache_best_replica(operation->cache, 0);
    if (best == NULL)
        return NULL;
    json_object_set_new(operation->work, "to", json_string(best->name));
    return best->name;
}

static enum stage hand_over(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = scratch_of(routine);

    if (err || stage > 0)
        return routine_end(routine, err);
    const char *heir = heir_of(operation);
    if (heir == NULL)
        return routine_end(routine, cause_set(&routine->why, E_NOT_FOUND,
                                              "no replica is in sync, so none can take over"));
    return routine_wait(routine, &s->handover.routine.op,
                        cache_hand_over(operation->cache, heir, "request", &s->handover));
}

/* The old primary is in sync again, or is being brought there: that comes in front of a step. */
static enum stage done(struct routine *routine, uint32_t stage, enum err err)
{
    (void)stage;
    announcer_tell(operation_of(routine)->cache->announcer, NOTICE_ENDED, true);
    return routine_end(routine, err);
}

static const struct operation_step steps[] = {
    {"announce", announce, NULL},
    {"handover", hand_over, NULL},
    {"done", done, NULL},
};

const struct operation_kind operation_failover = {
    .name = "failover",
    .phase = PHASE_SUCCEEDED,
    .undoing = PHASE_SUCCEEDED,
    .event = LIFECYCLE_KINDS, /* it is stored with the handover */
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = 2,
    .scratch_bytes = sizeof(struct scratch),
    .accept = accept,
    .check = check,
};
