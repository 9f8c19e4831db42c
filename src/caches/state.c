#include "caches/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/rand.h"

#define SECRET_BYTES 32

void cache_state_init(struct cache_state *state)
{
    *state = (struct cache_state){.phase = PHASE_CREATING};
}

static void member_done(struct cache_member *member)
{
    free(member->name);
    free(member->address);
    free(member->dir);
    free(member->program);
    free(member->version);
    *member = (struct cache_member){0};
}

static void shard_done(struct cache_shard *shard)
{
    for (size_t i = 0; i < shard->member_count; i++)
        member_done(&shard->members[i]);
    free(shard->members);
    free(shard->slots);
    free(shard->primary);
    free(shard->failed);
}

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void cache_state_done(struct cache_state *state)
{
    for (size_t i = 0; i < state->shard_count; i++)
        shard_done(&state->shards[i]);
    free(state->shards);
    free(state->host_name);
    free(state->owner);
    free(state->error_code);
    free(state->error_text);
    wipe(state->secrets.admin);
    wipe(state->secrets.replication);
    explicit_bzero(state, sizeof *state);
}

static char *secret_new(void)
{
    unsigned char bytes[SECRET_BYTES];
    struct buf text;

    rand_secret(bytes, sizeof bytes);
    buf_init(&text, 4 * SECRET_BYTES);
    base64_add(&text, (struct slice){(const char *)bytes, sizeof bytes});
    return buf_detach(&text);
}

void cache_secrets_make(struct cache_secrets *secrets)
{
    for (size_t i = 0; i < ACCESS_KEYS_COUNT; i++)
        access_keys_renew(&secrets->keys, i);
    wipe(secrets->admin);
    wipe(secrets->replication);
    secrets->admin = secret_new();
    secrets->replication = secret_new();
}

struct cache_shard *cache_state_shard(struct cache_state *state, uint32_t id)
{
    if (state->shard_count == CACHE_STATE_SHARDS_MAX)
        return NULL;
    state->shards = mem_resize(state->shards, state->shard_count + 1, sizeof *state->shards);
    struct cache_shard *shard = &state->shards[state->shard_count++];
    *shard = (struct cache_shard){.id = id};
    return shard;
}

struct cache_member *cache_shard_add(struct cache_shard *shard, struct slice name)
{
    if (shard->member_count == CACHE_SHARD_MEMBERS_MAX)
        return NULL;
    shard->members = mem_resize(shard->members, shard->member_count + 1, sizeof *shard->members);
    struct cache_member *member = &shard->members[shard->member_count++];
    *member = (struct cache_member){.name = name.data != NULL ? slice_dup(name) : NULL};
    return member;
}

void cache_shard_remove(struct cache_shard *shard, const struct cache_member *member)
{
    size_t at = (size_t)(member - shard->members);

    member_done(&shard->members[at]);
    shard->member_count--;
    memmove(&shard->members[at], &shard->members[at + 1],
            (shard->member_count - at) * sizeof *shard->members);
}

static struct cache_member *find(const struct cache_shard *shard, struct slice name)
{
    for (size_t i = 0; i < shard->member_count; i++)
        if (slice_eq(slice_of(shard->members[i].name), name))
            return &shard->members[i];
    return NULL;
}

struct cache_member *cache_state_find(const struct cache_state *state, struct slice name)
{
    struct cache_member *found = NULL;

    for (size_t i = 0; i < state->shard_count && found == NULL; i++)
        found = find(&state->shards[i], name);
    return found;
}

struct cache_member *cache_shard_primary(const struct cache_shard *shard)
{
    return shard->primary != NULL ? find(shard, slice_of(shard->primary)) : NULL;
}
