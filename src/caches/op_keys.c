/* A key is made anew (caches.md 3.4).
 *
 *   make: both keys, as they will be, are recorded --> tell: every server takes the new key instead
 *   of the old one --> the end records the new ones alone
 *
 * There is no way back: whoever asked may have been told nothing, but a server may know it. */
#include "base/mem.h"
#include "caches/cache.h"

struct scratch {
    struct op op;
    struct member_talk talks[CACHE_STATE_SHARDS_MAX * CACHE_SHARD_MEMBERS_MAX];
};

static size_t key_of(const struct operation *operation)
{
    return json_integer_value(json_object_get(operation->arguments, "key")) == 1 ? 1 : 0;
}

static bool is_made(const struct cache_secrets *secrets)
{
    return secrets->next.text[0][0] != '\0';
}

static enum stage make(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    struct cache_secrets *secrets = &operation->cache->state.secrets;

    if (err || stage > 0 || is_made(secrets))
        return routine_end(routine, err);
    secrets->next = secrets->keys;
    access_keys_renew(&secrets->next, key_of(operation));
    return routine_wait(routine, &s->op, cache_record(operation->cache, &s->op));
}

static void tell_one(struct operation *operation, struct member *member, struct member_talk *talk)
{
    const struct cache_secrets *secrets = &operation->cache->state.secrets;
    bool disconnects = json_is_true(json_object_get(operation->arguments, "disconnect"));
    char old[SERVER_HASH_TEXT_BYTES], new[SERVER_HASH_TEXT_BYTES];

    server_secret_hash(slice_of(secrets->keys.text[key_of(operation)]), old);
    server_secret_hash(slice_of(secrets->next.text[key_of(operation)]), new);
    old[0] = '!';
    const struct member_command commands[] = {
        COMMAND(SLICE("ACL"), SLICE("SETUSER"), SLICE("default"), slice_of(new)),
        {.args = (const struct slice[]){SLICE("ACL"), SLICE("SETUSER"), SLICE("default"),
                                        slice_of(old)},
         .count = 4,
         .may_fail = true}, /* it has been dropped before */
        COMMAND(SLICE("CLIENT"), SLICE("KILL"), SLICE("USER"), SLICE("default")),
    };
    member_talk(member, commands, disconnects ? 3 : 2, talk);
    (void)routine_wait(&operation->routine, &talk->op, E_OK);
}

/* One that does not live is started with the new ones. */
static enum stage tell(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct cache *cache = operation->cache;
    struct scratch *s = operation->scratch;
    size_t at = 0;

    if (err || stage > 0)
        return routine_end(routine, err);
    for (size_t i = 0; i < cache->state.shard_count; i++)
        for (size_t j = 0; j < cache->state.shards[i].member_count; j++) {
            const char *name = cache->state.shards[i].members[j].name;
            if (cache_is_up(cache, name))
                tell_one(operation, cache_server(cache, name), &s->talks[at++]);
        }
    return STAGE_GOES_ON;
}

static void end(struct operation *operation, struct lifecycle *event)
{
    struct cache_secrets *secrets = &operation->cache->state.secrets;

    if (is_made(secrets))
        secrets->keys = secrets->next;
    secrets->next = (struct access_keys){0};
    event->about.keys.key_type = key_of(operation) == 0 ? "Primary" : "Secondary";
}

static void done(void *scratch)
{
    struct scratch *s = scratch;

    for (size_t i = 0; i < COUNT_OF(s->talks); i++)
        member_talk_done(&s->talks[i]);
}

static const struct operation_step steps[] = {
    {"make", make, NULL},
    {"tell", tell, NULL},
};

const struct operation_kind operation_keys = {
    .name = "regenerateKey",
    .phase = PHASE_SUCCEEDED,
    .undoing = PHASE_SUCCEEDED,
    .event = LIFECYCLE_KEYS_REGENERATED,
    .is_quiet = true,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = 0,
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
    .end = end,
};
