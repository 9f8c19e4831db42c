#include "caches/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "caches/tier.h"
#include "json/member.h"

#define FIELD "redisConfiguration"
#define OWN_PREFIX SLICE("redgrid-")
#define SECRET_PART SLICE("storage-connection-string")
#define RESERVED_MAX_MB 131072
#define MEMORY_MAX_BYTES ((uint64_t)1 << 50) /* nobody has more; products stay below 2^64 */

/* ---- values ---- */

static bool is_among(struct slice value, const char *const *words)
{
    for (; *words != NULL; words++)
        if (slice_eq(value, slice_of(*words)))
            return true;
    return false;
}

static bool is_number(struct slice value, uint64_t min, uint64_t max)
{
    uint64_t number;

    return slice_to_u64(value, &number) && number >= min && number <= max;
}

static bool is_policy(struct slice value)
{
    static const char *const words[] = {"noeviction",   "allkeys-lru",     "allkeys-lfu",
                                        "volatile-lru", "volatile-lfu",    "allkeys-random",
                                        "volatile-ttl", "volatile-random", NULL};
    return is_among(value, words);
}

static bool is_megabytes(struct slice value)
{
    return is_number(value, 0, RESERVED_MAX_MB);
}

/* Those of redis 7.0; later servers know them all. */
static bool is_event_flags(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (strchr("KEg$lshzxetdmnA", value.data[i]) == NULL)
            return false;
    return true;
}

static bool is_databases(struct slice value)
{
    return is_number(value, 1, 64);
}

static bool is_true_or_false(struct slice value)
{
    bool ignored;

    return slice_to_bool(value, &ignored);
}

static bool is_frequency(struct slice value)
{
    static const char *const words[] = {"15", "30", "60", "360", "720", "1440", NULL};
    return is_among(value, words);
}

static bool is_port(struct slice value)
{
    return is_number(value, 1, UINT16_MAX - 1); /* the one behind it is for TLS */
}

/* It becomes an argument of execve(), and stands in log lines. */
static bool is_path(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.data[i] < 0x20)
            return false;
    return true;
}

static bool is_labels(struct slice value)
{
    static const char *const words[] = {"off", "expired", "all", NULL};
    return is_among(value, words);
}

/* As redis-server writes sizes: 100mb, 1gb, or bytes. 0 if it is none. */
static uint64_t memory_of(struct slice value)
{
    static const struct {
        struct slice unit;
        uint64_t bytes;
    } units[] = {{SLICE_INIT("kb"), 1 << 10}, {SLICE_INIT("mb"), 1 << 20},
                 {SLICE_INIT("gb"), 1 << 30}, {SLICE_INIT("k"), 1000},
                 {SLICE_INIT("m"), 1000000},  {SLICE_INIT("g"), 1000000000},
                 {SLICE_INIT("b"), 1},        {SLICE_INIT(""), 1}};
    uint64_t number;

    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (slice_has_suffix_nocase(value, units[i].unit)) {
            bool is_one =
                slice_to_u64(slice_first(value, value.len - units[i].unit.len), &number) &&
                number <= MEMORY_MAX_BYTES / units[i].bytes;
            return is_one ? number * units[i].bytes : 0;
        }
    return 0;
}

static bool is_memory(struct slice value)
{
    return memory_of(value) >= CACHE_MB;
}

static const struct known {
    const char *name;
    const char *fallback; /* NULL = none */
    bool (*check)(struct slice value);
    const char *wanted; /* "is not <wanted>" */
    bool is_read_only;
} known[] = {
    {"maxmemory-policy", "volatile-lru", is_policy,
     "'noeviction' or one of lru, lfu and random behind 'allkeys-' or 'volatile-', or "
     "'volatile-ttl'",
     false},
    {"maxmemory-reserved", NULL, is_megabytes, "a number of megabytes, 0 to 131072", false},
    {"maxfragmentationmemory-reserved", NULL, is_megabytes, "a number of megabytes, 0 to 131072",
     false},
    {"maxmemory-delta", NULL, is_megabytes, "a number of megabytes, 0 to 131072", false},
    {"notify-keyspace-events", "", is_event_flags, "made of the letters KEg$lshzxetdmnA", false},
    {"maxclients", NULL, NULL, NULL, true},
    {"databases", "16", is_databases, "a number from 1 to 64", false},
    {"rdb-backup-enabled", "false", is_true_or_false, "'true' or 'false'", false},
    {"rdb-backup-frequency", "60", is_frequency, "15, 30, 60, 360, 720 or 1440 (minutes)", false},
    {"rdb-backup-max-snapshot-count", NULL, NULL, NULL, false},
    {"aof-backup-enabled", "false", is_true_or_false, "'true' or 'false'", false},
    {"authnotrequired", "false", is_true_or_false, "'true' or 'false'", false},
    {"redgrid-port", NULL, is_port, "a port from 1 to 65534", false},
    {"redgrid-server-path", NULL, is_path, "a path: it has control characters", false},
    {"redgrid-max-memory", NULL, is_memory, "a size of 1mb or more, as 512mb or 2gb", false},
    {"redgrid-key-labels", "off", is_labels, "'off', 'expired' or 'all'", false},
};

static const struct known *find_known(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_eq_nocase(name, slice_of(known[i].name)))
            return &known[i];
    return NULL;
}

/* ---- the dictionary ---- */

void cache_config_done(struct cache_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        free(config->rows[i].name);
        free(config->rows[i].value);
    }
    *config = (struct cache_config){0};
}

void cache_config_copy(struct cache_config *to, const struct cache_config *from)
{
    *to = (struct cache_config){.count = from->count};
    for (size_t i = 0; i < from->count; i++) {
        to->rows[i].name = slice_dup(slice_of(from->rows[i].name));
        to->rows[i].value = slice_dup(slice_of(from->rows[i].value));
    }
}

static size_t place_of(const struct cache_config *config, const char *name)
{
    size_t i = 0;

    while (i < config->count && !slice_eq_nocase(slice_of(config->rows[i].name), slice_of(name)))
        i++;
    return i;
}

static void drop(struct cache_config *config, size_t at)
{
    free(config->rows[at].name);
    free(config->rows[at].value);
    config->count--;
    memmove(&config->rows[at], &config->rows[at + 1],
            (config->count - at) * sizeof config->rows[0]);
}

bool cache_config_set(struct cache_config *config, const char *name, const char *value)
{
    size_t at = place_of(config, name);

    if (value == NULL) {
        if (at < config->count)
            drop(config, at);
        return true;
    }
    if (at == CACHE_CONFIG_MAX)
        return false;
    char *copy = slice_dup(slice_of(value)); /* it may be the one that goes */
    if (at == config->count)
        config->rows[config->count++] = (struct cache_config_row){slice_dup(slice_of(name)), NULL};
    free(config->rows[at].value);
    config->rows[at].value = copy;
    return true;
}

const char *cache_config_said(const struct cache_config *config, const char *name)
{
    size_t at = place_of(config, name);
    return at < config->count ? config->rows[at].value : NULL;
}

const char *cache_config_text(const struct cache_config *config, const char *name)
{
    const char *said = cache_config_said(config, name);
    const struct known *row = find_known(slice_of(name));

    return said != NULL || row == NULL ? said : row->fallback;
}

uint64_t cache_config_u64(const struct cache_config *config, const char *name)
{
    uint64_t number = 0;

    (void)slice_to_u64(slice_of(cache_config_text(config, name)), &number);
    return number;
}

bool cache_config_bool(const struct cache_config *config, const char *name)
{
    bool is_true = false;

    (void)slice_to_bool(slice_of(cache_config_text(config, name)), &is_true);
    return is_true;
}

uint64_t cache_config_memory(const struct cache_config *config)
{
    const char *said = cache_config_said(config, "redgrid-max-memory");
    return said != NULL ? memory_of(slice_of(said)) : 0;
}

/* ---- reading ---- */

/* The value as a text; false if it cannot be one. */
static bool text_of(const json_t *json, struct buf *ret)
{
    if (json_is_string(json))
        buf_add(ret, slice_trim(jx_slice(json)));
    else if (json_is_integer(json))
        buf_add_i64(ret, json_integer_value(json));
    else if (json_is_real(json)) /* some clients write every number with a point */
        buf_addf(ret, "%.15g", json_real_value(json));
    else if (json_is_boolean(json))
        buf_add(ret, json_is_true(json) ? SLICE("true") : SLICE("false"));
    else
        return json_is_null(json);
    return true;
}

static void unknown_own(struct jx_view *view, const char *name)
{
    struct nearest nearest = nearest_to(slice_of(name));

    for (size_t i = 0; i < COUNT_OF(known); i++)
        nearest_try(&nearest, known[i].name);
    if (nearest_found(&nearest) != NULL)
        jx_view_error(view, name, "is not known; did you mean '%s'?", nearest_found(&nearest));
    else
        jx_view_error(view, name, "is not known");
}

/* Is it fine? Else the mistake is noted. */
static bool check(struct jx_view *view, const char *name, const struct known *row,
                  struct slice value)
{
    if (row == NULL && slice_has_prefix_nocase(slice_of(name), OWN_PREFIX))
        unknown_own(view, name);
    else if (row != NULL && row->check != NULL && value.len > 0 && !row->check(value))
        jx_view_error(view, name, "'%.*s' is not %s", SLICE_ARG(slice_first(value, 64)),
                      row->wanted);
    else
        return true;
    return false;
}

/* Booleans are written in one way, whoever said them. */
static const char *canonical(const struct known *row, const char *value)
{
    bool is_true = false;

    if (row == NULL || row->check != is_true_or_false || !slice_to_bool(slice_of(value), &is_true))
        return value;
    return is_true ? "true" : "false";
}

static void read_row(struct jx_view *view, const char *name, const json_t *json, bool is_stored,
                     struct cache_config *config)
{
    const struct known *row = find_known(slice_of(name));
    struct buf value;

    jx_audit_ask(view->audit, view->path, name);
    if (row != NULL && row->is_read_only)
        return;
    if (slice_of(name).len == 0 || slice_of(name).len > CACHE_CONFIG_NAME_MAX_BYTES) {
        jx_view_error(view, NULL, "has a name that is empty or longer than %d bytes",
                      CACHE_CONFIG_NAME_MAX_BYTES);
        return;
    }
    buf_init(&value, CACHE_CONFIG_VALUE_MAX_BYTES);
    if (!text_of(json, &value))
        jx_view_error(view, name, "is not a text");
    else if (buf_err(&value))
        jx_view_error(view, name, "is longer than %d bytes", CACHE_CONFIG_VALUE_MAX_BYTES);
    else if ((is_stored || check(view, name, row, buf_slice(&value))) &&
             !cache_config_set(config, row != NULL ? row->name : name,
                               value.len > 0 ? canonical(row, buf_text(&value)) : NULL))
        jx_view_error(view, NULL, "has more than %d settings", CACHE_CONFIG_MAX);
    buf_done(&value);
}

void cache_config_read(struct jx_view *view, struct cache_config *config, bool is_stored)
{
    json_t *object = jx_view_member(view, FIELD), *value;
    struct jx_view rows;
    const char *name;

    jx_view_down(view, FIELD, &rows);
    json_object_foreach(object, name, value)
    {
        read_row(&rows, name, value, is_stored, config);
    }
    jx_view_join(view, &rows);
}

static bool is_secret(struct slice name)
{
    struct buf lower;

    buf_init(&lower, CACHE_CONFIG_NAME_MAX_BYTES);
    buf_add_lower(&lower, name);
    bool is_one = slice_find(buf_slice(&lower), SECRET_PART) < lower.len;
    buf_done(&lower);
    return is_one;
}

void cache_config_write(struct buf *out, const struct cache_config *config, bool is_stored)
{
    struct buf name;

    buf_add_byte(out, '{');
    buf_init(&name, 8 * CACHE_CONFIG_NAME_MAX_BYTES);
    for (size_t i = 0; i < config->count; i++) {
        struct slice said = slice_of(config->rows[i].name);
        if (!is_stored && is_secret(said))
            continue;
        buf_clear(&name);
        jx_write_inside(&name, said);
        member_text(out, buf_text(&name), slice_of(config->rows[i].value));
    }
    buf_done(&name);
}
