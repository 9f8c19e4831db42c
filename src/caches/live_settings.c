#include "caches/live_settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "caches/cache_internal.h"
#include "caches/change.h"
#include "caches/saving.h"

/* ---- for each server ---- */

enum who { REPLICAS = 1, PRIMARIES = 2, ALL = REPLICAS | PRIMARIES };

static struct live_scratch *scratch_of(struct routine *routine)
{
    return operation_of(routine)->scratch;
}

static void take(struct cache *cache, struct live_scratch *s, const struct cache_shard *shard,
                 enum who who)
{
    for (size_t i = 0; i < shard->member_count && s->count < COUNT_OF(s->slots); i++) {
        const struct cache_member *member = &shard->members[i];
        enum who is = member == cache_shard_primary(shard) ? PRIMARIES : REPLICAS;
        if ((is & who) != 0 && !member->is_side && cache_is_up(cache, member->name)) {
            commands_clear(&s->slots[s->count].commands);
            s->slots[s->count++].name = member->name;
        }
    }
}

/* A slot for each of them that lives. */
static struct live_scratch *gather(struct routine *routine, enum who who)
{
    struct cache *cache = operation_of(routine)->cache;
    struct live_scratch *s = scratch_of(routine);

    s->count = 0;
    for (size_t i = 0; i < cache->state.shard_count; i++)
        take(cache, s, &cache->state.shards[i], who);
    return s;
}

static const struct cache_member *record_of(const struct cache *cache, const struct live_slot *slot)
{
    return cache_state_find(&cache->state, slice_of(slot->name));
}

typedef void order(const struct cache *cache, const struct cache_member *member,
                   struct live_slot *slot);

/* What `write` writes is said to each of them, at once. */
static enum stage tell(struct routine *routine, enum who who, order *write)
{
    struct cache *cache = operation_of(routine)->cache;
    struct live_scratch *s = gather(routine, who);

    for (size_t i = 0; i < s->count; i++) {
        struct live_slot *slot = &s->slots[i];
        write(cache, record_of(cache, slot), slot);
        commands_send(&slot->commands, cache_server(cache, slot->name), &slot->talk);
        (void)routine_wait(routine, &slot->talk.op, E_OK);
    }
    return STAGE_GOES_ON;
}

static enum stage measure(struct routine *routine, enum who who)
{
    struct cache *cache = operation_of(routine)->cache;
    struct live_scratch *s = gather(routine, who);

    for (size_t i = 0; i < s->count; i++) {
        struct live_slot *slot = &s->slots[i];
        slot->op = (struct op){0};
        member_info(cache_server(cache, slot->name), &slot->info, &slot->op);
        (void)routine_wait(routine, &slot->op, E_OK);
    }
    return STAGE_GOES_ON;
}

/* ---- values ---- */

/* As server_config.c has them. Turning the append-only file on takes its time, and comes later. */
static void order_values(const struct cache *cache, const struct cache_member *member,
                         struct live_slot *slot)
{
    const struct cache_config *said = &cache->spec.config;
    struct cache_numbers numbers = cache_spec_numbers(&cache->spec, &cache->host);
    struct commands *commands = &slot->commands;
    bool has_rdb = cache_spec_has_rdb(&cache->spec);

    (void)member;
    snprintf(slot->schedule, sizeof slot->schedule, "%" PRIu64 " 1",
             cache_config_u64(said, "rdb-backup-frequency") * 60);
    commands_add(commands,
                 "CONFIG SET maxmemory %" PRIu64 " maxclients %" PRIu32
                 " repl-backlog-size %" PRIu64 " maxmemory-policy",
                 numbers.maxmemory_bytes, numbers.clients_max, numbers.backlog_bytes);
    commands_word(commands, slice_of(cache_config_text(said, "maxmemory-policy")));
    commands_word(commands, SLICE("notify-keyspace-events"));
    commands_word(commands, slice_of(cache_config_text(said, "notify-keyspace-events")));
    commands_word(commands, SLICE("shutdown-on-sigterm"));
    commands_word(commands, has_rdb ? SLICE("save now") : SLICE("nosave now"));
    commands_word(commands, SLICE("save"));
    commands_word(commands, has_rdb ? slice_of(slot->schedule) : SLICE(""));
    if (!cache_spec_has_aof(&cache->spec)) {
        commands_word(commands, SLICE("appendonly"));
        commands_word(commands, SLICE("no"));
    }
}

/* Those that have not, and those of which nobody waits for what they have begun. */
static enum stage turn_logs_on(struct routine *routine)
{
    struct cache *cache = operation_of(routine)->cache;
    struct live_scratch *s = scratch_of(routine);

    for (size_t i = 0; i < s->count; i++) {
        struct live_slot *slot = &s->slots[i];
        if (slot->info.has_aof && !slot->info.is_rewriting)
            continue;
        slot->op = (struct op){0};
        saving_log(cache->options->loop, cache_server(cache, slot->name), &slot->op);
        (void)routine_wait(routine, &slot->op, E_OK);
    }
    return STAGE_GOES_ON;
}

enum { VALUES_REPLICAS, VALUES_PRIMARIES, VALUES_LOOK, VALUES_LOG, VALUES_END };

enum stage live_values(struct routine *routine, uint32_t stage, enum err err)
{
    bool has_log = cache_spec_has_aof(&operation_of(routine)->cache->spec);

    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case VALUES_REPLICAS:
        return tell(routine, REPLICAS, order_values);
    case VALUES_PRIMARIES:
        return tell(routine, PRIMARIES, order_values);
    case VALUES_LOOK:
        return has_log ? measure(routine, ALL) : routine_end(routine, E_OK);
    case VALUES_LOG:
        return turn_logs_on(routine);
    default:
        return routine_end(routine, E_OK);
    }
}

/* ---- link ----
 * There is no moment without a port that replicas can reach: on comes before, off behind them. */

static void order_link(const struct cache *cache, const struct cache_member *member,
                       struct live_slot *slot)
{
    bool has_port = cache->spec.has_plain_port;

    if (has_port)
        commands_add(&slot->commands, "CONFIG SET port %u", (unsigned)member->port);
    if (cache->host.has_tls)
        commands_add(&slot->commands, "CONFIG SET tls-replication %s", has_port ? "no" : "yes");
    if (slot->commands.count == 0)
        commands_add(&slot->commands, "PING");
}

/* The port closes, and what came in by it goes. */
static void order_close(const struct cache *cache, const struct cache_member *member,
                        struct live_slot *slot)
{
    commands_add(&slot->commands, "CONFIG SET port 0");
    for (size_t i = 0; i < cache->host.address_count; i++) {
        const char *address = cache->host.addresses[i];
        bool is_v6 = strchr(address, ':') != NULL;
        commands_add(&slot->commands, "CLIENT KILL LADDR %s%s%s:%u", is_v6 ? "[" : "", address,
                     is_v6 ? "]" : "", (unsigned)member->port);
    }
}

static enum stage follow_anew(struct routine *routine)
{
    struct cache *cache = operation_of(routine)->cache;
    struct live_scratch *s = scratch_of(routine);

    for (size_t i = 0; i < s->count; i++) {
        struct live_slot *slot = &s->slots[i];
        const struct cache_member *leader =
            cache_shard_primary(cache_shard_with(cache, slot->name));
        if (leader != NULL && slot->info.primary_port != cache_link_port(cache, leader))
            (void)routine_wait(routine, &slot->task.routine.op,
                               cache_follow_member(cache, slot->name, &slot->task));
    }
    return STAGE_GOES_ON;
}

enum { LINK_OPEN, LINK_LOOK, LINK_FOLLOW, LINK_CLOSE, LINK_END };

enum stage live_link(struct routine *routine, uint32_t stage, enum err err)
{
    const struct cache_spec *spec = &operation_of(routine)->cache->spec;

    if (err || spec->shards != 0) /* of a cluster it stays what it was (live_check) */
        return routine_end(routine, err);
    switch (stage) {
    case LINK_OPEN:
        return tell(routine, ALL, order_link);
    case LINK_LOOK:
        return measure(routine, REPLICAS);
    case LINK_FOLLOW:
        return follow_anew(routine);
    case LINK_CLOSE:
        return spec->has_plain_port ? routine_end(routine, E_OK) : tell(routine, ALL, order_close);
    default:
        return routine_end(routine, E_OK);
    }
}

/* ---- users ---- */

static void order_user(const struct cache *cache, const struct cache_member *member,
                       struct live_slot *slot)
{
    const struct access_keys *keys = &cache->state.secrets.keys;
    bool is_refused = cache->spec.is_key_refused;
    bool is_on = !is_refused && (cache->spec.shards != 0 || member->state == MEMBER_OPEN);
    const char *on = is_on ? "on" : "off";
    char first[SERVER_HASH_TEXT_BYTES], second[SERVER_HASH_TEXT_BYTES];

    server_secret_hash(slice_of(keys->text[0]), first);
    server_secret_hash(slice_of(keys->text[1]), second);
    /* one command: at no moment are both refused that are to stay */
    if (cache_config_bool(&cache->spec.config, "authnotrequired"))
        commands_add(&slot->commands, "ACL SETUSER default %s resetpass nopass", on);
    else
        commands_add(&slot->commands, "ACL SETUSER default %s resetpass %s %s", on, first, second);
    if (is_refused)
        commands_add(&slot->commands, "CLIENT KILL USER default");
}

enum { USERS_REPLICAS, USERS_PRIMARIES, USERS_END };

enum stage live_users(struct routine *routine, uint32_t stage, enum err err)
{
    if (err || stage == USERS_END)
        return routine_end(routine, err);
    return tell(routine, stage == USERS_REPLICAS ? REPLICAS : PRIMARIES, order_user);
}

/* ---- may it be? ---- */

static struct cache_usage usage_of(const struct live_scratch *s)
{
    struct cache_usage usage = {0};

    for (size_t i = 0; i < s->count; i++) {
        uint64_t used = s->slots[i].info.used_bytes;
        usage.total_bytes += used;
        usage.fullest_bytes = used > usage.fullest_bytes ? used : usage.fullest_bytes;
    }
    return usage;
}

/* What the cache has by cache->spec is taken already: all of it, once it has been accepted. */
static enum err check_budget(const struct operation *operation, struct cause *why)
{
    const struct cache *cache = operation->cache;
    struct cache_numbers was = cache_spec_numbers(&operation->before, &cache->host);
    struct cache_numbers is = cache_spec_numbers(operation->spec, &cache->host);
    struct cache_numbers now = cache_spec_numbers(&cache->spec, &cache->host);
    uint64_t wanted = is.maxmemory_bytes * is.servers, taken = 0;

    for (size_t i = 0; i < cache->state.shard_count; i++)
        taken += now.maxmemory_bytes * cache->state.shards[i].member_count;
    if (wanted <= was.maxmemory_bytes * was.servers)
        return E_OK;
    return caches_budget_check(cache->caches, wanted > taken ? wanted - taken : 0, why);
}

static enum err judge(const struct operation *operation, struct cause *why)
{
    const struct cache_spec *spec = operation->spec;
    struct cache_usage usage = usage_of(operation->scratch);
    enum cache_change change;

    if (spec->shards != 0 && spec->has_plain_port != operation->before.has_plain_port)
        return cause_set(
            why, E_BAD_INPUT,
            "properties.enableNonSslPort: stays what it was at the creation of a cache "
            "with shards");
    enum err err =
        cache_spec_change(&operation->before, spec, &operation->cache->host, &usage, &change, why);
    return err ? err : check_budget(operation, why);
}

enum stage live_check(struct routine *routine, uint32_t stage, enum err err)
{
    const struct operation *operation = operation_of(routine);

    if (err || !operation->has_before)
        return routine_end(routine, err);
    return stage == 0 ? measure(routine, PRIMARIES)
                      : routine_end(routine, judge(operation, &routine->why));
}

void live_scratch_done(struct live_scratch *scratch)
{
    for (size_t i = 0; i < COUNT_OF(scratch->slots); i++) {
        commands_done(&scratch->slots[i].commands);
        member_talk_done(&scratch->slots[i].talk);
        member_task_done(&scratch->slots[i].task);
    }
}
