/* caches/config.h - what a user set in `redisConfiguration`: an open dictionary of texts, some of
 * which we know (caches.md 3.2).
 * Rules: the names that we know are stored in lower case and their values are checked; others are
 * kept and returned. Our own begin with `redgrid-`, and there an unknown one is a mistake. A
 * connection string is stored, and never shown. To add a setting: a row in known[]. Pure. */
#ifndef CACHES_CONFIG_H
#define CACHES_CONFIG_H

#include "json/json.h"

#define CACHE_CONFIG_MAX 64 /* settings */
#define CACHE_CONFIG_NAME_MAX_BYTES 64
#define CACHE_CONFIG_VALUE_MAX_BYTES 4096

struct cache_config {
    struct cache_config_row {
        char *name, *value;
    } rows[CACHE_CONFIG_MAX];
    size_t count;
};

void cache_config_done(struct cache_config *config); /* leaves zeroes */
void cache_config_copy(struct cache_config *to, const struct cache_config *from); /* `to` is new */

/* cache_config_read merges the member `redisConfiguration` of `view`, key by key; null and ""
 * remove. What is stored is taken as it is. Mistakes go to `view`. */
void cache_config_read(struct jx_view *view, struct cache_config *config, bool is_stored);

/* cache_config_said is what the user set, NULL if nothing. cache_config_text is that, or the
 * default, NULL if the setting has none. Borrowed. */
const char *cache_config_said(const struct cache_config *config, const char *name);
const char *cache_config_text(const struct cache_config *config, const char *name);
/* The same as a number or a boolean; 0 or false if that is not what it is. */
uint64_t cache_config_u64(const struct cache_config *config, const char *name);
bool cache_config_bool(const struct cache_config *config, const char *name);
/* cache_config_memory is `redgrid-max-memory` in bytes, 0 if not set. */
uint64_t cache_config_memory(const struct cache_config *config);

/* cache_config_set sets one, NULL removes; false if there are too many. */
bool cache_config_set(struct cache_config *config, const char *name, const char *value);

/* cache_config_write appends them as an object, open: without its closing brace. is_stored: with
 * the secrets. */
void cache_config_write(struct buf *out, const struct cache_config *config, bool is_stored);

#endif
