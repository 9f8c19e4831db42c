#include "api/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void listing_add(struct listing *listing, const char *id, const void *what)
{
    if (listing->count == listing->room) {
        listing->room = listing->room == 0 ? 64 : 2 * listing->room;
        listing->rows = mem_resize(listing->rows, listing->room, sizeof(struct listed));
    }
    listing->rows[listing->count++] = (struct listed){id, what};
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->id, ((const struct listed *)b)->id);
}

void listing_write_array(struct buf *out, struct listing *listing,
                         void (*write)(struct buf *out, const void *what, const void *ctx),
                         const void *ctx)
{
    if (listing->count > 0)
        qsort(listing->rows, listing->count, sizeof(struct listed), by_id);
    buf_add_byte(out, '[');
    for (size_t i = 0; i < listing->count; i++) {
        buf_add(out, i > 0 ? SLICE(",") : SLICE(""));
        write(out, listing->rows[i].what, ctx);
    }
    buf_add_byte(out, ']');
    free(listing->rows);
    *listing = (struct listing){0};
}

void listing_write(struct buf *out, struct listing *listing,
                   void (*write)(struct buf *out, const void *what, const void *ctx),
                   const void *ctx)
{
    buf_add(out, SLICE("{\"value\":"));
    listing_write_array(out, listing, write, ctx);
    buf_add(out, SLICE("}\n"));
}
