/* caches/caches.h - the managed caches of this server: what there is, what is asked for, and the
 * supervision of those whose servers run here (caches.md).
 *
 *   caches_put() --validate--> one commit: document, state, operation --feed--> the owner works
 *
 * Rules: what is to be is in documents (store/resources.h), by the cache's id in lower case:
 *   CACHE            {"name","id","kind":"cache","location","tags","properties":{as
 *                     cache_spec_write_stored()}}
 *   CACHE/state      as cache_state_write(); the owner's alone once it is made
 *   CACHE/operation  {"id":GUID} while one runs, and `/operations/GUID` (store/operations.h)
 * Any node takes requests. The owner of a cache is the daemon in whose data folder its servers are:
 * the folder's lock keeps it the only one, so a record has one writer. While it is away reads
 * answer, and requests end with E_CLOSED.
 * caches/ knows nothing of event subscriptions: `forget` removes those of a cache that goes. */
#ifndef CACHES_CACHES_H
#define CACHES_CACHES_H

#include "base/buf.h"
#include "base/id.h"
#include "caches/spec.h"
#include "event/sas.h"
#include "loop/op.h"
#include "loop/routine.h"
#include "store/resources.h"

struct caches;
struct loop;
struct http_client;
struct redis_hub;

/* caches.* (caches.md 2); texts and lists are borrowed. */
struct caches_settings {
    const char *const *addresses; /* ended by NULL; one at least */
    const char *host_name;        /* "" = the first address */
    uint16_t port;                /* the first that is tried */
    const char *node_network;     /* "127.77.0.0/16" */
    const char *program;          /* "" = redis-server, then valkey-server */
    uint64_t memory_max_bytes;    /* of one server; 0 = none */
    uint64_t memory_budget_bytes; /* of all; 0 = none */
    bool is_detached, has_tls, patches_in_window;
    uint32_t notice_ms, hang_ms, sync_timeout_ms;
    const char *const *file_dirs; /* ended by NULL */
};

struct caches_options {
    struct loop *loop;
    struct redis_hub *hub;
    struct http_client *http;    /* of imports and exports; borrowed. NULL: of local files alone */
    struct resources *resources; /* borrowed */
    const char *node;            /* of this run */
    const char *data;            /* the data folder, absolute */
    struct caches_settings settings;
    bool (*is_earlier)(void *ctx, struct slice node); /* a run of this data folder before ours? */
    bool (*is_gone)(void *ctx, struct slice node);    /* does that node not live any more? */
    void (*emitted)(void *ctx); /* there is something in the outbox; may be NULL */
    /* A cache goes: its event subscriptions, when their queues are empty or 30 s are over, and its
     * system topic shall go too. The op ends with E_OK, also when there were none; it may be asked
     * for again. NULL: nothing is done. */
    enum err (*forget)(void *ctx, struct slice id, struct op *op);
    void *ctx;
};

/* caches_start: E_OK and *ret; the caches that are this node's are taken up as their documents are
 * told. E_BAD_INPUT with the setting named, E_IO, E_TLS. */
enum err caches_start(const struct caches_options *options, struct caches **ret, struct cause *why);
/* caches_changed: the feed of documents, every one of them; those of others are passed over. */
void caches_changed(struct caches *caches, struct slice id, struct slice document);
/* caches_stop: operations stop where they are, and servers end with what they hold saved (caches.md
 * 4.4), unless they are detached. The op ends with E_OK, after limit_ms at the latest. */
void caches_stop(struct caches *caches, uint32_t limit_ms, struct op *op);
void caches_free(struct caches *caches); /* after it; NULL is fine */

/* ---- asking ----
 * A request under way; the owner embeds it, zeroed, sets op.done. All of these: now E_OK, and the
 * op ends later with E_OK: it is stored; `operation` is the id to poll, "" if there is nothing to
 * wait for; or with E_BAD_INPUT, E_LIMIT (400; the member is named), E_NOT_FOUND, E_EXISTS (409: an
 * operation runs, it is named; or the name is taken), E_CLOSED (503: the owner is away, it is
 * named; or the store is); else as redis_call(). Now: the same errors, text in op.why. Arguments
 * are copied.
 */
struct caches_request {
    struct op op;
    char operation[ID_LEN + 1];
    bool is_new;                    /* there was no such cache: 201 */
    struct caches_inquiry *inquiry; /* private */
};

struct cache_wish {
    struct slice id; /* as it is shown: /subscriptions/S/resourceGroups/G/providers/Microsoft.Cache/
                        Redis/NAME; the case of what is there stays */
    struct slice location;   /* SLICE_NONE = not said */
    struct slice tags;       /* JSON object, likewise */
    struct slice properties; /* JSON object, likewise */
    bool is_patch;           /* changes what there is; else all is said, the rest is default */
};
/* caches_put creates a cache, or makes of it what is wished: an update, a scale, a patch. */
enum err caches_put(struct caches *caches, const struct cache_wish *wish,
                    struct caches_request *request);
/* caches_delete: E_NOT_FOUND if there is none. */
enum err caches_delete(struct caches *caches, struct slice id, struct caches_request *request);
/* caches_act: `kind` is one of "patch", "failover", "import", "export", "flush", "reboot";
 * `arguments` the body of the request, SLICE_NONE = none. */
enum err caches_act(struct caches *caches, struct slice id, const char *kind,
                    struct slice arguments, struct caches_request *request);
/* caches_regenerate makes key 0 (primary) or 1 anew; ends when all servers take it. */
enum err caches_regenerate(struct caches *caches, struct slice id, size_t key, bool disconnects,
                           struct caches_request *request);

/* ---- looking; texts are valid until the next turn ---- */

/* caches_write appends the whole resource (azure-api.md 7.2), with_keys: accessKeys filled in.
 * False, and nothing written: there is none. The id in any case. */
bool caches_write(const struct caches *caches, struct slice id, bool with_keys, struct buf *out);
/* caches_next walks the ids as they are shown, in no order: start with *at = 0. */
bool caches_next(const struct caches *caches, size_t *at, struct slice *ret_id);
/* caches_key gives key 0 or 1; false: no such cache, or it has none yet. */
bool caches_key(const struct caches *caches, struct slice id, size_t key,
                char ret[ACCESS_KEY_TEXT_MAX]);
/* caches_host is the settings that count in a spec, for those who audit one. */
const struct cache_host *caches_host(const struct caches *caches);

#endif
