#include "caches/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/member.h"

static const struct {
    const char *name;
    const char *fallback; /* JSON that an API shows for what was not said; NULL = nothing */
} kept[CACHE_KEPT] = {
    [KEPT_UPDATE_CHANNEL] = {"updateChannel", "\"Stable\""},
    [KEPT_NETWORK_ACCESS] = {"publicNetworkAccess", "\"Enabled\""},
    [KEPT_TENANT_SETTINGS] = {"tenantSettings", "{}"},
    [KEPT_ZONES] = {"zones", NULL},
    [KEPT_IDENTITY] = {"identity", NULL},
    [KEPT_SUBNET] = {"subnetId", NULL},
    [KEPT_STATIC_IP] = {"staticIP", NULL},
    [KEPT_ZONE_POLICY] = {"zonalAllocationPolicy", NULL},
};

/* In their order behind 0, "not said". */
static const char *const tls_words[] = {"1.0", "1.1", "1.2", NULL};
#define TLS_MINIMUM(index) (10 + (uint32_t)(index))

/* What clients send back: known, and without effect. */
static const char *const read_only[] = {
    "redisVersion", "provisioningState", "hostName",      "port",    "sslPort",
    "accessKeys",   "instances",         "linkedServers", "redgrid", "privateEndpointConnections",
};

/* ---- names ---- */

static bool is_letter_or_digit(char c)
{
    return (lower_of(c) >= 'a' && lower_of(c) <= 'z') || (c >= '0' && c <= '9');
}

enum err cache_name_check(struct slice name, struct cause *why)
{
    struct slice shown = slice_first(name, 2 * CACHE_NAME_MAX);

    if (name.len == 0 || name.len > CACHE_NAME_MAX)
        return cause_set(why, E_BAD_INPUT, "the name '%.*s' must have 1 to %d characters",
                         SLICE_ARG(shown), CACHE_NAME_MAX);
    for (size_t i = 0; i < name.len; i++)
        if (!is_letter_or_digit(name.data[i]) && name.data[i] != '-')
            return cause_set(why, E_BAD_INPUT,
                             "the name '%.*s' may have letters, digits and hyphens only",
                             SLICE_ARG(shown));
    if (name.data[0] == '-' || name.data[name.len - 1] == '-' ||
        slice_find(name, SLICE("--")) < name.len)
        return cause_set(why, E_BAD_INPUT,
                         "the name '%.*s' must not begin or end with a hyphen, nor have two in a "
                         "row",
                         SLICE_ARG(shown));
    return E_OK;
}

/* ---- life ---- */

void cache_spec_init(struct cache_spec *spec, const struct cache_host *host)
{
    *spec = (struct cache_spec){.has_plain_port = cache_host_is_loopback(host)};
}

void cache_spec_done(struct cache_spec *spec)
{
    cache_config_done(&spec->config);
    for (size_t i = 0; i < CACHE_KEPT; i++)
        free(spec->kept[i]);
    *spec = (struct cache_spec){0};
}

void cache_spec_copy(struct cache_spec *to, const struct cache_spec *from)
{
    *to = *from;
    cache_config_copy(&to->config, &from->config);
    for (size_t i = 0; i < CACHE_KEPT; i++)
        to->kept[i] = from->kept[i] != NULL ? slice_dup(slice_of(from->kept[i])) : NULL;
}

void cache_spec_keep(struct cache_spec *spec, const struct cache_spec *old)
{
    static const char *const of_creation[] = {"redgrid-port", "databases"};

    for (size_t i = 0; i < COUNT_OF(of_creation); i++)
        if (cache_config_said(&spec->config, of_creation[i]) == NULL)
            (void)cache_config_set(&spec->config, of_creation[i],
                                   cache_config_said(&old->config, of_creation[i]));
}

/* ---- reading ---- */

static void check_size(struct jx_view *sku, const struct cache_spec *spec, bool has_capacity)
{
    static const char *const families[] = {"C", "P", NULL};
    const struct cache_tier_rules *rules = cache_tier_rules(spec->tier);
    const char *tier = cache_tier_names[spec->tier];
    size_t family;

    if (jx_word(sku, "family", families, &family) && families[family][0] != rules->family)
        jx_view_error(sku, "family", "'%s' is not that of %s, which is '%c'", families[family],
                      tier, rules->family);
    if (!has_capacity)
        jx_view_error(sku, "capacity", "is missing: %u to %u for %s", rules->capacity_first,
                      rules->capacity_last, tier);
    else if (cache_size_of(spec->tier, spec->capacity) == NULL)
        jx_view_error(sku, "capacity", "%u is not between %u and %u, the sizes of %s",
                      spec->capacity, rules->capacity_first, rules->capacity_last, tier);
}

static void read_sku(struct jx_view *view, struct cache_spec *spec)
{
    const bool is_patch = spec->has_sku;
    struct jx_view sku;
    size_t tier;

    if (jx_view_member(view, "sku") == NULL && is_patch)
        return;
    jx_view_down(view, "sku", &sku);
    bool has_name = jx_word(&sku, "name", cache_tier_names, &tier);
    if (has_name)
        spec->tier = (enum cache_tier)tier;
    bool has_capacity = jx_u32(&sku, "capacity", (struct jx_range){0, UINT32_MAX}, &spec->capacity);
    if (!has_name && !is_patch)
        jx_view_error(&sku, "name", "is missing: 'Basic', 'Standard' or 'Premium'");
    else if (!sku.err)
        check_size(&sku, spec, has_capacity || is_patch);
    spec->has_sku = !sku.err;
    jx_view_join(view, &sku);
}

static void read_replicas(struct jx_view *view, struct cache_spec *spec)
{
    struct jx_range range = {1, cache_tier_rules(TIER_PREMIUM)->replicas_max};
    uint32_t older = 0, newer = 0;

    (void)jx_u32(view, "replicasPerMaster", range, &older);
    (void)jx_u32(view, "replicasPerPrimary", range, &newer);
    if (older != 0 && newer != 0 && older != newer)
        jx_view_error(view, "replicasPerPrimary",
                      "%u is not equal to replicasPerMaster, its older name", newer);
    if (older != 0 || newer != 0)
        spec->replicas = newer != 0 ? newer : older;
}

static void read_kept(struct jx_view *view, struct cache_spec *spec)
{
    for (size_t i = 0; i < CACHE_KEPT; i++) {
        const json_t *json = jx_view_member(view, kept[i].name);
        struct buf text;
        if (json == NULL)
            continue;
        buf_init(&text, CACHE_KEPT_MAX_BYTES);
        jx_dump(&text, json);
        if (buf_err(&text)) {
            jx_view_error(view, kept[i].name, "is longer than %d bytes", CACHE_KEPT_MAX_BYTES);
        } else {
            free(spec->kept[i]);
            spec->kept[i] = buf_detach(&text);
        }
        buf_done(&text);
    }
}

static void read_members(struct jx_view *view, struct cache_spec *spec, bool is_stored)
{
    size_t tls;

    read_sku(view, spec);
    cache_config_read(view, &spec->config, is_stored);
    (void)jx_bool(view, "enableNonSslPort", &spec->has_plain_port);
    if (jx_word(view, "minimumTlsVersion", tls_words, &tls))
        spec->tls_minimum = TLS_MINIMUM(tls);
    (void)jx_u32(view, "shardCount", (struct jx_range){1, CACHE_SHARDS_MAX}, &spec->shards);
    read_replicas(view, spec);
    (void)jx_bool(view, "disableAccessKeyAuthentication", &spec->is_key_refused);
    read_kept(view, spec);
    for (size_t i = 0; i < COUNT_OF(read_only); i++)
        (void)jx_view_member(view, read_only[i]);
}

/* ---- what must fit together ---- */

#define CONFIG_PATH(name) "redisConfiguration." name

static void check_tier(struct jx_view *view, const struct cache_spec *spec)
{
    const struct cache_tier_rules *rules = cache_tier_rules(spec->tier);
    const char *tier = cache_tier_names[spec->tier];

    if (spec->shards != 0 && !rules->has_shards)
        jx_view_error(view, "shardCount", "is possible with sku Premium, not with %s", tier);
    if (spec->replicas > rules->replicas_max)
        jx_view_error(view, "replicasPerPrimary", "%u is possible with sku Premium; %s has %u",
                      spec->replicas, tier, rules->replicas_max);
    if (cache_spec_has_rdb(spec) && !rules->has_persistence)
        jx_view_error(view, CONFIG_PATH("rdb-backup-enabled"),
                      "is possible with sku Premium, not with %s", tier);
    if (cache_spec_has_aof(spec) && !rules->has_persistence)
        jx_view_error(view, CONFIG_PATH("aof-backup-enabled"),
                      "is possible with sku Premium, not with %s", tier);
}

static void check_config(struct jx_view *view, const struct cache_spec *spec,
                         const struct cache_host *host)
{
    struct cache_numbers numbers = cache_spec_numbers(spec, host);

    if (cache_spec_has_aof(spec) && cache_spec_has_rdb(spec))
        jx_view_error(view, CONFIG_PATH("aof-backup-enabled"),
                      "is not possible together with rdb-backup-enabled");
    if (cache_spec_has_aof(spec) && numbers.replicas > 1)
        jx_view_error(view, CONFIG_PATH("aof-backup-enabled"),
                      "is not possible with %u replicas, only with 1", numbers.replicas);
    if (numbers.reserved_bytes > numbers.memory_bytes / 10 * 9)
        jx_view_error(view, CONFIG_PATH("maxmemory-reserved"),
                      "%llu MB are reserved, which is more than nine tenths of %llu MB",
                      (unsigned long long)(numbers.reserved_bytes / CACHE_MB),
                      (unsigned long long)(numbers.memory_bytes / CACHE_MB));
    if (cache_config_bool(&spec->config, "authnotrequired") && !cache_host_is_loopback(host))
        jx_view_error(view, CONFIG_PATH("authnotrequired"),
                      "is possible when every address of caches.address is a loopback address");
    if (!spec->has_plain_port && !host->has_tls)
        jx_view_error(view, "enableNonSslPort",
                      "must be true: there is no TLS port (caches.tls is off, or the server "
                      "program is built without it)");
}

/* `host` NULL: it is what the store has. */
static enum err read_properties(struct cache_spec *spec, const struct cache_host *host,
                                struct slice properties, struct jx_audit *audit, struct cause *why)
{
    struct jx_view view;
    json_t *json = NULL;
    enum err err = jx_parse(properties.len > 0 ? properties : SLICE("{}"), NULL, NULL, &json, why);

    if (err)
        return err;
    jx_view_init(&view, json, NULL);
    view.audit = audit;
    if (audit == NULL)
        snprintf(view.path, sizeof view.path, "properties");
    if (!json_is_object(json) && !json_is_null(json))
        jx_view_error(&view, NULL, "is not an object");
    read_members(&view, spec, host == NULL);
    if (!view.err && host != NULL) {
        check_tier(&view, spec);
        check_config(&view, spec, host);
    }
    json_decref(json);
    return view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
}

enum err cache_spec_read(struct cache_spec *spec, const struct cache_host *host,
                         struct slice properties, struct cause *why)
{
    return read_properties(spec, host, properties, NULL, why);
}

enum err cache_spec_read_stored(struct cache_spec *spec, struct slice properties, struct cause *why)
{
    return read_properties(spec, NULL, properties, NULL, why);
}

void cache_spec_audit(const struct cache_host *host, struct slice properties,
                      struct jx_audit *audit)
{
    struct cache_spec spec;
    struct cause why = {0};

    cache_spec_init(&spec, host);
    if (read_properties(&spec, host, properties, audit, &why) != E_OK && audit->count == 0)
        jx_audit_note_cause(audit, "", why.text);
    cache_spec_done(&spec);
}

bool cache_spec_warning(const struct cache_spec *spec, struct cause *ret)
{
    struct slice events = slice_of(cache_config_text(&spec->config, "notify-keyspace-events"));

    if (events.len == 0 || slice_find_byte(events, 'K') < events.len ||
        slice_find_byte(events, 'E') < events.len)
        return false;
    (void)cause_set(ret, E_OK,
                    "notify-keyspace-events '%.*s' has neither K nor E, so nothing is published",
                    SLICE_ARG(events));
    return true;
}

/* ---- writing ---- */

static void write_members(struct buf *out, const struct cache_spec *spec)
{
    char family = cache_tier_rules(spec->tier)->family;

    member_open(out, "sku");
    member_text(out, "name", slice_of(cache_tier_names[spec->tier]));
    member_text(out, "family", (struct slice){&family, 1});
    member_u64(out, "capacity", spec->capacity);
    buf_add_byte(out, '}');
    member_bool(out, "enableNonSslPort", spec->has_plain_port);
    if (spec->tls_minimum != 0)
        member_text(out, "minimumTlsVersion", slice_of(tls_words[spec->tls_minimum - 10]));
    if (spec->shards != 0)
        member_u64(out, "shardCount", spec->shards);
    if (spec->replicas != 0) {
        member_u64(out, "replicasPerMaster", spec->replicas);
        member_u64(out, "replicasPerPrimary", spec->replicas);
    }
    member_bool(out, "disableAccessKeyAuthentication", spec->is_key_refused);
}

void cache_spec_write(struct buf *out, const struct cache_spec *spec, const struct cache_host *host)
{
    char clients[16];

    write_members(out, spec);
    for (size_t i = 0; i < CACHE_KEPT; i++)
        member_json_if(out, kept[i].name,
                       slice_of(spec->kept[i] != NULL ? spec->kept[i] : kept[i].fallback));
    snprintf(clients, sizeof clients, "%u", cache_spec_numbers(spec, host).clients_max);
    member_open(out, "redisConfiguration");
    cache_config_write(out, &spec->config, false);
    member_text(out, "maxclients", slice_of(clients));
    buf_add_byte(out, '}');
}

void cache_spec_write_stored(struct buf *out, const struct cache_spec *spec)
{
    buf_add_byte(out, '{');
    write_members(out, spec);
    for (size_t i = 0; i < CACHE_KEPT; i++)
        member_json_if(out, kept[i].name, slice_of(spec->kept[i]));
    member_open(out, "redisConfiguration");
    cache_config_write(out, &spec->config, true);
    buf_add(out, SLICE("}}"));
}
