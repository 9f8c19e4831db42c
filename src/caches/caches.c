/* Which caches are at work here, and their documents. What the feed tells is looked at when the
 * turn ends: what was stored in one step comes one after the other. */
#include "caches/caches.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache.h"
#include "caches/caches_internal.h"
#include "loop/authority.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "store/datadir.h"

#define PROVIDER "/providers/microsoft.cache/redis/"
#define PATH_MAX_BYTES 4096

/* ---- ids ---- */

/* Where in a document's id the name of a cache begins; 0 = it is no cache's. */
static size_t name_at(struct slice id)
{
    char room[CACHE_ID_MAX_BYTES];

    if (id.len >= sizeof room)
        return 0;
    struct slice lower = slice_lower(id, room);
    size_t at = slice_find(lower, SLICE(PROVIDER));
    return at < lower.len ? at + sizeof PROVIDER - 1 : 0;
}

/* The cache that a document is of, if it is one of the three; SLICE_NONE. */
static struct slice cache_part(struct slice id)
{
    size_t at = name_at(id), slash = slice_find_byte(slice_from(id, at), '/');
    struct slice rest = slice_from(id, at + slash);

    if (at == 0 || slash == 0)
        return SLICE_NONE;
    if (rest.len == 0 || slice_eq(rest, SLICE(STATE_SUFFIX)) ||
        slice_eq(rest, SLICE(OPERATION_SUFFIX)))
        return slice_first(id, at + slash);
    return SLICE_NONE;
}

struct slice caches_name_of(struct slice id)
{
    return slice_from(id, name_at(id));
}

bool caches_is_cache(struct slice id)
{
    struct slice part = cache_part(id);
    return part.data != NULL && part.len == id.len;
}

bool caches_is_state(struct slice id)
{
    struct slice part = cache_part(id);
    return part.data != NULL && slice_eq(slice_from(id, part.len), SLICE(STATE_SUFFIX));
}

struct slice caches_document(const struct caches *caches, struct slice id, const char *suffix)
{
    char room[CACHE_ID_MAX_BYTES + 16];

    if (id.len >= CACHE_ID_MAX_BYTES)
        return SLICE_NONE;
    int len = snprintf(room, sizeof room, "%.*s%s", SLICE_ARG(id), suffix);
    return resources_get(caches->options.resources, (struct slice){room, (size_t)len});
}

/* ---- looking ---- */

const struct caches_options *caches_options(const struct caches *caches)
{
    return &caches->options;
}

const struct cache_host *caches_host(const struct caches *caches)
{
    return &caches->host;
}

const struct server_tls *caches_tls(const struct caches *caches)
{
    return &caches->tls;
}

struct cache *caches_find(const struct caches *caches, struct slice id)
{
    char room[CACHE_ID_MAX_BYTES];

    return id.len < sizeof room ? map_get(&caches->map, slice_lower(id, room)) : NULL;
}

uint64_t caches_used_bytes(const struct caches *caches)
{
    struct slice key;
    uint64_t used = 0;
    size_t at = 0;
    void *value;

    while (map_next(&caches->map, &at, &key, &value)) {
        const struct cache *cache = value;
        struct cache_numbers numbers = cache_spec_numbers(&cache->spec, &cache->host);
        for (size_t i = 0; i < cache->state.shard_count; i++)
            used += numbers.maxmemory_bytes * cache->state.shards[i].member_count;
    }
    return used;
}

bool caches_next(const struct caches *caches, size_t *at, struct slice *ret_id)
{
    struct slice id, document;

    while (resources_next(caches->options.resources, at, &id, &document)) {
        struct slice shown = jx_scan_member(document, SLICE("id"));
        if (!caches_is_cache(id) || shown.len < 2)
            continue;
        *ret_id = (struct slice){shown.data + 1, shown.len - 2};
        return true;
    }
    return false;
}

/* ---- the feed ---- */

static bool is_ours(const struct caches *caches, struct slice owner)
{
    const struct caches_options *o = &caches->options;

    return slice_eq(owner, slice_of(o->node)) ||
           (o->is_earlier != NULL && o->is_earlier(o->ctx, owner));
}

/* A cache that is here, if its servers are ours; NULL. */
static struct cache *take_up(struct caches *caches, struct slice key, struct slice document)
{
    struct slice state = caches_document(caches, key, STATE_SUFFIX);
    struct slice owner = jx_scan_member(state, SLICE("owner"));
    struct slice shown = jx_scan_member(document, SLICE("id"));
    struct cause why = {0};

    if (owner.len < 2 || shown.len < 2 ||
        !is_ours(caches, (struct slice){owner.data + 1, owner.len - 2}))
        return NULL;
    struct cache *cache =
        cache_new(caches, (struct slice){shown.data + 1, shown.len - 2}, document, state, &why);
    if (cache != NULL)
        map_set(&caches->map, key, cache);
    else
        log_error("CACHE-DOCUMENT", "%.*s cannot be read: %s", SLICE_ARG(key), why.text);
    return cache;
}

static void look_for_operation(struct caches *caches, struct cache *cache, struct slice document)
{
    struct slice running = caches_document(caches, slice_of(cache->key), OPERATION_SUFFIX);
    struct slice id = jx_scan_member(running, SLICE("id"));
    char operation[OPERATION_ID_MAX_BYTES];
    struct cause why = {0};
    enum err err = E_OK;

    if (cache->operation != NULL)
        return;
    if (document.data != NULL) /* it may have changed, for this or without an operation */
        err = cache_read_spec(cache, document, &why);
    if (err)
        log_error("CACHE-DOCUMENT", "%s: %s", cache->name, cause_text(&why, err));
    if (id.len >= 2 && operation_document_id((struct slice){id.data + 1, id.len - 2}, operation))
        operation_take_up(cache, resources_get(caches->options.resources, slice_of(operation)));
}

static void review(struct caches *caches, struct slice key)
{
    struct slice document = resources_get(caches->options.resources, key);
    struct cache *cache = map_get(&caches->map, key);

    if (cache == NULL && document.data != NULL && !caches->is_stopping)
        cache = take_up(caches, key, document);
    if (cache == NULL)
        return;
    look_for_operation(caches, cache, document);
    cache_look(cache);
}

struct doubt { /* a cache whose documents have changed */
    struct list_node node;
    char *key;
};

static void drop_gone(struct caches *caches)
{
    while (caches->gone_count > 0)
        cache_free(caches->gone[--caches->gone_count]);
}

static void on_turn(struct turn *turn)
{
    struct caches *caches = container_of(turn, struct caches, turn);
    struct list_node *node;

    drop_gone(caches);
    while ((node = list_shift(&caches->doubts)) != NULL) {
        struct doubt *doubt = container_of(node, struct doubt, node);
        review(caches, slice_of(doubt->key));
        free(doubt->key);
        free(doubt);
    }
    caches_review_inquiries(caches);
}

void caches_changed(struct caches *caches, struct slice id, struct slice document)
{
    struct slice part = cache_part(id);

    (void)document;
    if (part.data != NULL) {
        struct doubt *doubt = mem_new(struct doubt);
        doubt->key = slice_dup(part);
        list_push(&caches->doubts, &doubt->node);
    }
    if (part.data != NULL || slice_has_prefix(id, SLICE("/operations/")))
        loop_at_turn_end(caches->options.loop, &caches->turn);
}

void caches_gone(struct caches *caches, struct cache *cache)
{
    (void)map_remove(&caches->map, slice_of(cache->key));
    caches->gone = mem_resize(caches->gone, caches->gone_count + 1, sizeof(struct cache *));
    caches->gone[caches->gone_count++] = cache;
    loop_at_turn_end(caches->options.loop, &caches->turn);
}

/* ---- start ---- */

static bool is_wildcard(const char *address)
{
    return slice_eq(slice_of(address), SLICE("0.0.0.0")) ||
           slice_eq(slice_of(address), SLICE("::"));
}

static enum err check_addresses(const char *const *addresses, size_t *ret_count, struct cause *why)
{
    unsigned char room[sizeof(struct in6_addr)];
    size_t count = 0;

    for (; addresses[count] != NULL; count++)
        if (is_wildcard(addresses[count]) || (inet_pton(AF_INET, addresses[count], room) != 1 &&
                                              inet_pton(AF_INET6, addresses[count], room) != 1))
            return cause_set(why, E_BAD_INPUT,
                             "caches.address: '%s' is no address of this machine that clients "
                             "reach; name each, not all",
                             addresses[count]);
    if (count == 0)
        return cause_set(why, E_BAD_INPUT, "caches.address: at least one is needed");
    *ret_count = count;
    return E_OK;
}

static char *path_of(const char *data, const char *name)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/%s", data, name);
    return slice_dup(slice_of(path));
}

static void take_host(struct caches *caches, size_t address_count)
{
    const struct caches_settings *s = &caches->options.settings;
    const char *data = caches->options.data;

    caches->host = (struct cache_host){.addresses = s->addresses,
                                       .address_count = address_count,
                                       .memory_max_bytes = s->memory_max_bytes,
                                       .files_max = caches_files_max(),
                                       .has_tls = s->has_tls};
    if (!s->has_tls)
        return;
    caches->tls = (struct server_tls){.certificate = path_of(data, "tls/" AUTHORITY_CERTIFICATE),
                                      .key = path_of(data, "tls/" AUTHORITY_KEY),
                                      .authority = path_of(data, "tls/" AUTHORITY_CA)};
}

enum err caches_start(const struct caches_options *options, struct caches **ret, struct cause *why)
{
    size_t at = 0, address_count = 0;
    struct slice id, document;
    char *folder = path_of(options->data, "caches");
    enum err err = check_addresses(options->settings.addresses, &address_count, why);

    if (err == E_OK)
        err = folder_make(folder, why);
    free(folder);
    if (err)
        return err;
    struct caches *caches = mem_new(struct caches);
    caches->options = *options;
    list_init(&caches->doubts);
    list_init(&caches->inquiries);
    caches->turn.run = on_turn;
    take_host(caches, address_count);
    while (resources_next(options->resources, &at, &id, &document))
        caches_changed(caches, id, document);
    *ret = caches;
    return E_OK;
}

/* ---- stop ---- */

struct closing { /* of one cache */
    struct op op;
    struct caches *caches;
};

static void end_stop(struct caches *caches)
{
    struct op *stopped = caches->stopped;

    if (stopped == NULL || caches->closing_count > 0 || !list_is_empty(&caches->inquiries))
        return;
    caches->stopped = NULL;
    timer_free(caches->timer);
    caches->timer = NULL;
    op_end(stopped, E_OK);
}

void caches_inquiry_ended(struct caches *caches)
{
    end_stop(caches);
}

static void on_closed(struct op *op, enum err err)
{
    struct closing *closing = container_of(op, struct closing, op);
    struct caches *caches = closing->caches;

    (void)err;
    free(closing);
    caches->closing_count--;
    end_stop(caches);
}

static void on_limit(void *ctx)
{
    const struct caches *caches = ctx;
    struct slice key;
    size_t at = 0;
    void *value;

    while (map_next(&caches->map, &at, &key, &value))
        cache_cut(value);
}

static void on_nothing(struct op *op, enum err err)
{
    struct closing *closing = container_of(op, struct closing, op);
    (void)err;
    on_closed(&closing->op, E_OK);
}

static struct closing *closing_new(struct caches *caches)
{
    struct closing *closing = mem_new(struct closing);

    closing->caches = caches;
    closing->op.done = on_closed;
    caches->closing_count++;
    return closing;
}

void caches_stop(struct caches *caches, uint32_t limit_ms, struct op *op)
{
    struct slice key;
    size_t at = 0;
    void *value;

    op_begin(op, NULL, caches);
    caches->stopped = op;
    caches->is_stopping = true;
    drop_gone(caches);
    caches->timer = timer_new(caches->options.loop, on_limit, caches);
    timer_set(caches->timer, limit_ms);
    while (map_next(&caches->map, &at, &key, &value))
        cache_close(value, &closing_new(caches)->op);
    caches_cancel_inquiries(caches);
    struct closing *none = closing_new(caches); /* so that it does not end before it returns */
    none->op.done = on_nothing;
    loop_later(caches->options.loop, &none->op, E_OK);
}

void caches_free(struct caches *caches)
{
    struct list_node *node;
    struct slice key;
    size_t at = 0;
    void *value;

    if (caches == NULL)
        return;
    turn_cancel(&caches->turn);
    drop_gone(caches);
    free(caches->gone);
    while ((node = list_shift(&caches->doubts)) != NULL) {
        struct doubt *doubt = container_of(node, struct doubt, node);
        free(doubt->key);
        free(doubt);
    }
    while (map_next(&caches->map, &at, &key, &value))
        cache_free(value);
    map_done(&caches->map);
    timer_free(caches->timer);
    free((char *)(uintptr_t)caches->tls.certificate);
    free((char *)(uintptr_t)caches->tls.key);
    free((char *)(uintptr_t)caches->tls.authority);
    free(caches);
}
