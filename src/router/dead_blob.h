/* router/dead_blob.h - a dead letter as a blob: where it lies, and what stands in it.
 * Path: SUBSCRIPTION/YYYY/M/D/H/GUID.json, the hour in which it died, UTC (eventgrid.md 4.1). The
 * GUID is made of queue and entry: whoever writes the same dead letter again, after a crash or on
 * another node, writes the same blob. Beside it stand queue and entry, since two subscriptions of
 * one name may share a container. Pure. */
#ifndef ROUTER_DEAD_BLOB_H
#define ROUTER_DEAD_BLOB_H

#include "event/subscription.h"
#include "event/write.h"
#include "store/queue.h"

#define DEAD_BLOB_NAME_MAX_BYTES 160
#define DEAD_BLOB_MAX_BYTES (4 * EVENT_MAX_BYTES)

/* The names of what stands beside it. */
#define DEAD_BLOB_ENTRY SLICE("redgridentry")
#define DEAD_BLOB_QUEUE SLICE("redgridqueue")

/* dead_blob_add_folder appends "ES1/". */
void dead_blob_add_folder(struct buf *out, struct slice subscription);
void dead_blob_add_name(struct buf *out, struct slice subscription, struct slice queue,
                        struct slice entry);
/* dead_blob_is_name: may it be the name of one? */
bool dead_blob_is_name(struct slice text);
/* dead_blob_write appends the dead letter as the subscription has them. */
void dead_blob_write(struct buf *out, const struct subscription *subscription,
                     const struct event *event, const struct dead_letter *dead);

#endif
