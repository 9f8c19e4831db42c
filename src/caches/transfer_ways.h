/* caches/transfer_ways.h - what the operations that transfer files share: import and export. */
#ifndef CACHES_TRANSFER_WAYS_H
#define CACHES_TRANSFER_WAYS_H

#include "caches/cache.h"
#include "caches/transfer.h"
#include "json/json.h"

/* transfer_ways_of: those of this server. */
struct transfer_ways transfer_ways_of(const struct cache *cache);

/* transfer_accept reads the body of a request by `read`, which writes what is kept of it. E_OK; or
 * E_BAD_INPUT, E_LIMIT with the member in `why`. Pure. */
enum err transfer_accept(struct slice body,
                         enum err (*read)(struct jx_view *view, struct buf *ret, struct cause *why),
                         struct buf *ret, struct cause *why);

/* transfer_write_shown appends JSON with all texts that are URLs of http and https cut before their
 * '?', where signatures are: what may be told of a request. Nothing, if it is no JSON. Pure. */
void transfer_write_shown(struct buf *out, struct slice json);

#endif
