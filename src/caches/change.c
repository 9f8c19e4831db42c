#include "caches/change.h"

#include <string.h>

#include "base/mem.h"
#include "json/diff.h"

#define SPEC_MAX_BYTES (1u << 20)

/* ---- what differs ---- */

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static uint32_t replicas_of(const struct cache_spec *spec)
{
    return spec->replicas != 0 ? spec->replicas : cache_tier_rules(spec->tier)->replicas;
}

/* Settings that a server knows from its start on, and those that no server knows; any other may
 * reach one while it runs. */
static unsigned difference_of(const char *name)
{
    static const char *const of_start[] = {"redgrid-server-path", "redgrid-key-labels"};
    static const char *const of_server[] = {
        "maxmemory-policy",       "maxmemory-reserved", "maxfragmentationmemory-reserved",
        "notify-keyspace-events", "databases",          "rdb-backup-enabled",
        "rdb-backup-frequency",   "aof-backup-enabled", "authnotrequired",
        "redgrid-port",           "redgrid-max-memory"};

    for (size_t i = 0; i < COUNT_OF(of_start); i++)
        if (slice_eq_nocase(slice_of(name), slice_of(of_start[i])))
            return DIFFERS_PROGRAM;
    for (size_t i = 0; i < COUNT_OF(of_server); i++)
        if (slice_eq_nocase(slice_of(name), slice_of(of_server[i])))
            return DIFFERS_SETTINGS;
    return DIFFERS_RECORD;
}

/* What is said in `a` and has another effect in `b`. */
static unsigned config_differences(const struct cache_config *a, const struct cache_config *b)
{
    unsigned ret = 0;

    for (size_t i = 0; i < a->count; i++) {
        const char *name = a->rows[i].name;
        if (!is_same(cache_config_text(a, name), cache_config_text(b, name)))
            ret |= difference_of(name);
        else if (!is_same(cache_config_said(a, name), cache_config_said(b, name)))
            ret |= DIFFERS_RECORD;
    }
    return ret;
}

unsigned cache_spec_differences(const struct cache_spec *old, const struct cache_spec *new)
{
    unsigned ret = config_differences(&old->config, &new->config) |
                   config_differences(&new->config, &old->config);

    ret |= old->tier != new->tier ? DIFFERS_TIER : 0;
    ret |= old->capacity != new->capacity ? DIFFERS_SIZE : 0;
    ret |= old->shards != new->shards ? DIFFERS_SHARDS : 0;
    ret |= replicas_of(old) != replicas_of(new) ? DIFFERS_REPLICAS : 0;
    ret |= old->has_plain_port != new->has_plain_port ? DIFFERS_SETTINGS : 0;
    ret |= old->is_key_refused != new->is_key_refused ? DIFFERS_SETTINGS : 0;
    ret |= old->tls_minimum != new->tls_minimum ? DIFFERS_RECORD : 0;
    ret |= old->replicas != new->replicas ? DIFFERS_RECORD : 0;
    for (size_t i = 0; i < CACHE_KEPT; i++)
        ret |= is_same(old->kept[i], new->kept[i]) ? 0 : DIFFERS_RECORD;
    return ret;
}

/* ---- what is refused ---- */

#define PATH(name) "properties." name ": "
#define CONFIG_PATH(name) PATH("redisConfiguration." name)

static enum err check_databases(const struct cache_spec *new, struct cause *why)
{
    const struct cache_size *size = cache_size_of(new->tier, new->capacity);
    uint64_t databases = cache_config_u64(&new->config, "databases");

    if (databases > size->databases_max)
        return cause_set(why, E_BAD_INPUT,
                         CONFIG_PATH("databases") "%u is more than %u, the most of %s %c%u",
                         (unsigned)databases, size->databases_max, cache_tier_names[new->tier],
                         size->family, size->capacity);
    return E_OK;
}

static enum err check_fixed(const struct cache_spec *old, const struct cache_spec *new,
                            struct cause *why)
{
    static const char *const of_creation[] = {"databases", "redgrid-port"};

    for (size_t i = 0; i < COUNT_OF(of_creation); i++) {
        const char *was = cache_config_text(&old->config, of_creation[i]);
        if (!is_same(was, cache_config_text(&new->config, of_creation[i])))
            return cause_set(why, E_BAD_INPUT,
                             "properties.redisConfiguration.%s: is decided when a cache is "
                             "created%s%s",
                             of_creation[i], was != NULL ? ", and is " : "",
                             was != NULL ? was : "");
    }
    return E_OK;
}

/* From row to column. */
static const bool tier_allowed[CACHE_TIERS][CACHE_TIERS] = {
    [TIER_BASIC] = {[TIER_BASIC] = true, [TIER_STANDARD] = true},
    [TIER_STANDARD] = {[TIER_STANDARD] = true, [TIER_PREMIUM] = true},
    [TIER_PREMIUM] = {[TIER_PREMIUM] = true},
};

static enum err check_tiers(const struct cache_spec *old, const struct cache_spec *new,
                            struct cause *why)
{
    if (!tier_allowed[old->tier][new->tier])
        return cause_set(why, E_BAD_INPUT, PATH("sku.name") "a cache cannot become %s from %s%s",
                         cache_tier_names[new->tier], cache_tier_names[old->tier],
                         old->tier == TIER_BASIC ? " at once; Standard is between them" : "");
    if (old->tier == TIER_BASIC && new->tier == TIER_STANDARD && old->capacity != new->capacity)
        return cause_set(why, E_BAD_INPUT,
                         PATH("sku.capacity") "Basic becomes Standard of the same size, C%u; scale "
                                              "to another size before or after",
                         old->capacity);
    if (new->capacity == 0 && old->capacity != 0)
        return cause_set(why, E_BAD_INPUT, PATH("sku.capacity") "nothing can be scaled to C0");
    return E_OK;
}

static enum err check_shards(const struct cache_spec *new, unsigned differences, struct cause *why)
{
    if ((differences & DIFFERS_SHARDS) == 0)
        return E_OK;
    if (new->shards == 0)
        return cause_set(why, E_BAD_INPUT,
                         PATH("shardCount") "a cache with shards stays one; %u to %d are possible",
                         1u, CACHE_SHARDS_MAX);
    if ((differences & (DIFFERS_TIER | DIFFERS_SIZE)) != 0)
        return cause_set(why, E_BAD_INPUT,
                         PATH("shardCount") "cannot change together with sku; do one after the "
                                            "other");
    if ((differences & DIFFERS_REPLICAS) != 0)
        return cause_set(why, E_BAD_INPUT,
                         PATH("shardCount") "cannot change together with replicasPerPrimary; do "
                                            "one after the other");
    return E_OK;
}

static unsigned long long mb_of(uint64_t bytes)
{
    return (unsigned long long)((bytes + CACHE_MB - 1) / CACHE_MB);
}

static enum err check_usage(const struct cache_spec *old, const struct cache_spec *new,
                            const struct cache_host *host, const struct cache_usage *usage,
                            struct cause *why)
{
    struct cache_numbers was = cache_spec_numbers(old, host), is = cache_spec_numbers(new, host);
    struct slice policy = slice_of(cache_config_text(&new->config, "maxmemory-policy"));

    if (usage == NULL)
        return E_OK;
    if (is.maxmemory_bytes < was.maxmemory_bytes && usage->fullest_bytes > is.maxmemory_bytes &&
        slice_eq(policy, SLICE("noeviction")))
        return cause_set(why, E_BAD_INPUT,
                         PATH("sku.capacity") "%llu MB are in use, the new limit is %llu MB, and "
                                              "maxmemory-policy noeviction lets nothing go",
                         mb_of(usage->fullest_bytes), mb_of(is.maxmemory_bytes));
    if (is.shards < was.shards && usage->total_bytes > is.shards * is.maxmemory_bytes)
        return cause_set(
            why, E_BAD_INPUT, PATH("shardCount") "%llu MB are in use, %u shards hold %llu MB",
            mb_of(usage->total_bytes), is.shards, mb_of(is.shards * is.maxmemory_bytes));
    return E_OK;
}

#define SCALES (DIFFERS_TIER | DIFFERS_SIZE | DIFFERS_SHARDS | DIFFERS_REPLICAS)

static enum cache_change kind_of(unsigned differences)
{
    if ((differences & SCALES) != 0)
        return CHANGE_SCALE;
    if ((differences & DIFFERS_PROGRAM) != 0)
        return CHANGE_PATCH;
    return differences != 0 ? CHANGE_UPDATE : CHANGE_NONE;
}

enum err cache_spec_change(const struct cache_spec *old, const struct cache_spec *new,
                           const struct cache_host *host, const struct cache_usage *usage,
                           enum cache_change *ret, struct cause *why)
{
    if (old == NULL) {
        enum err err = check_databases(new, why);
        if (err == E_OK)
            *ret = CHANGE_CREATE;
        return err;
    }
    unsigned differences = cache_spec_differences(old, new);
    enum err err = check_fixed(old, new, why);
    if (err == E_OK)
        err = check_tiers(old, new, why);
    if (err == E_OK)
        err = check_shards(new, differences, why);
    if (err == E_OK && (differences & SCALES) != 0 && (differences & DIFFERS_PROGRAM) != 0)
        err = cause_set(why, E_BAD_INPUT,
                        PATH("redisConfiguration") "redgrid-server-path and redgrid-key-labels "
                                                   "cannot change together with the size; do one "
                                                   "after the other");
    if (err == E_OK)
        err = check_usage(old, new, host, usage, why);
    if (err == E_OK)
        *ret = kind_of(differences);
    return err;
}

/* ---- in words ---- */

static void take_path(void *ctx, const struct jx_difference *difference)
{
    struct buf *out = ctx;

    if (out->data[out->len - 1] != '[')
        buf_add_byte(out, ',');
    jx_write_string(out, slice_of(difference->path));
}

void cache_spec_write_changed(struct buf *out, const struct cache_spec *old,
                              const struct cache_spec *new)
{
    struct buf before, after;

    buf_init(&before, SPEC_MAX_BYTES);
    buf_init(&after, SPEC_MAX_BYTES);
    cache_spec_write_stored(&before, old);
    cache_spec_write_stored(&after, new);
    buf_add_byte(out, '[');
    (void)jx_diff(buf_slice(&before), buf_slice(&after), take_path, out);
    buf_add_byte(out, ']');
    buf_done(&before);
    buf_done(&after);
}
