/* store/resources.h - the documents that say what there is: topics, subscriptions, caches.
 * Every node has all of them in memory: `changed` tells the owner of each, first what is there,
 * then what comes, goes or becomes different, whoever wrote it. A document is known by its id,
 * which ignores case and is told in lower case.
 * Rules: the last writer wins, unless it says what it replaces. After an outage everything is read
 * again, and `changed` tells what differs. Documents are small; all of them together fit into
 * memory several times. */
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
 * an id or a document that is too long or empty. Ids and documents are copied or borrowed as
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

/* Several documents, and events that belong to the change, in one step: all of it is stored, or
 * nothing. The events go to the outbox (outbox.h). */
#define COMMIT_CHANGES_MAX 8
#define COMMIT_EVENTS_MAX 8
struct resource_change {
    struct slice id, document; /* SLICE_NONE: it goes */
};
struct resource_event {
    struct slice scope; /* id of the resource that emits it */
    struct slice event; /* one JSON object, in the Event Grid schema */
};
struct resource_commit {
    const struct resource_change *changes; /* 1..COMMIT_CHANGES_MAX */
    size_t change_count;
    const struct resource_event *events;
    size_t event_count;  /* 0..COMMIT_EVENTS_MAX */
    struct slice absent; /* an id that must have no document, else E_EXISTS and nothing is written;
                            SLICE_NONE = none */
    struct slice replaced; /* what the document of changes[0] must be now, likewise */
};
enum err resources_commit(struct resources *resources, const struct resource_commit *commit,
                          struct resource_write *write);

/* resources_stop ends what waits with E_CANCELED; `stopped` ends when nothing is under way. */
void resources_stop(struct resources *resources, struct op *stopped);
void resources_free(struct resources *resources); /* after that */

#endif
