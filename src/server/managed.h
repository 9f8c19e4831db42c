/* server/managed.h - the managed caches of this server, made out of its settings. */
#ifndef SERVER_MANAGED_H
#define SERVER_MANAGED_H

#include "caches/caches.h"

struct nodes;
struct operations_sweeper;
struct router;
struct settings;

#define MANAGED_STOP_MS 60000 /* their servers save what they hold */

struct managed {
    struct caches *caches; /* NULL = not started, or ended */
    struct operations_sweeper *sweeper;
    struct nodes *nodes;
    struct router *router;
};

struct managed_options {
    struct loop *loop;
    struct redis_hub *hub;
    struct http_client *http; /* of what is imported and exported; borrowed */
    struct router *router;    /* loaded */
    struct nodes *nodes;
    const struct settings *settings;
    const char *node, *data;
};

/* managed_start: E_OK; or an error with the setting named. Blocks on the disk. */
enum err managed_start(struct managed *managed, const struct managed_options *options,
                       struct cause *why);
/* managed_changed: a document, as it is told by the feed. Before the start: nothing. */
void managed_changed(struct managed *managed, struct slice id, struct slice document);
/* managed_stop: E_OK, and the op ends as caches_stop(); E_EMPTY: there was nothing. managed_free
 * comes after it; before the resources stop. */
enum err managed_stop(struct managed *managed, uint32_t limit_ms, struct op *op);
void managed_free(struct managed *managed);

#endif
