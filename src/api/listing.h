/* api/listing.h - things that a route lists, in the order of their ids. */
#ifndef API_LISTING_H
#define API_LISTING_H

#include "base/buf.h"

struct listed {
    const char *id;   /* borrowed */
    const void *what; /* borrowed */
};

/* A zeroed one is empty. */
struct listing {
    struct listed *rows;
    size_t count, room;
};

void listing_add(struct listing *listing, const char *id, const void *what);
/* listing_write_array appends [..], each row as `write` writes it, and empties the listing;
 * listing_write the same as {"value":[..]} and a line end. */
void listing_write_array(struct buf *out, struct listing *listing,
                         void (*write)(struct buf *out, const void *what, const void *ctx),
                         const void *ctx);
void listing_write(struct buf *out, struct listing *listing,
                   void (*write)(struct buf *out, const void *what, const void *ctx),
                   const void *ctx);

#endif
