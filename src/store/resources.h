/* store/resources.h - the documents that say what there is: topics, subscriptions, caches.
 * Every node has all of them in memory: `changed` tells the owner of each, first what is there,
 * then what comes, goes or becomes different, whoever wrote it. A document is known by its id,
 * which ignores case and is told in lower case.
 * Rules: the last writer wins. After an outage everything is read again, and `changed` tells what
 * differs. Documents are small; all of them together fit into memory several times. */
#ifndef STORE_RESOURCES_H
#define STORE_RESOURCES_H

#include "base/str.h"
#include "redis/client.h"

struct resources;

#define RESOURCE_ID_MAX_BYTES 2048
#define RESOURCE_MAX_BYTES (1024 * 1024)

struct resources_options {
    struct loop *loop;
    struct redis *redis; /* the store's shared connection, for writes; borrowed */
    struct redis *feed;  /* a dedicated one, which waits for changes; taken */
    /* `document` is SLICE_NONE when it is gone. Not from inside of a function of this header. */
    void (*changed)(void *ctx, struct slice id, struct slice document);
    void *ctx;
};

/* resources_start: `loaded` ends with E_OK when all that is there has been told. While the store is
 * down that waits; E_CANCELED by resources_stop(). */
struct resources *resources_start(const struct resources_options *options, struct op *loaded);
/* resources_get: what was told last; SLICE_NONE if there is none. Valid until the next turn. */
struct slice resources_get(const struct resources *resources, struct slice id);
/* resources_next walks all, in no order: start with *at = 0. */
bool resources_next(const struct resources *resources, size_t *at, struct slice *ret_id,
                    struct slice *ret_document);

/* A write under way; the owner embeds it. The op ends with E_OK when the store has it and `changed`
 * has told this node; other nodes know within milliseconds. Else as redis_call(), with E_LIMIT for
 * an id or a document that is too long or empty. `id` and `document` are copied or borrowed as
 * arguments of redis_call() are. */
struct resource_write {
    struct op op;
    struct redis_call call;
    struct resources *resources;
    struct list_node node; /* among those that wait to see their own change */
    uint64_t change[2];    /* the id of that: time and sequence */
};
enum err resource_put(struct resources *resources, struct slice id, struct slice document,
                      struct resource_write *write);
/* resource_delete: E_OK also when there was none. */
enum err resource_delete(struct resources *resources, struct slice id,
                         struct resource_write *write);

/* resources_stop ends what waits with E_CANCELED; `stopped` ends when nothing is under way. */
void resources_stop(struct resources *resources, struct op *stopped);
void resources_free(struct resources *resources); /* after that */

#endif
