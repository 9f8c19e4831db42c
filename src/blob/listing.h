/* blob/listing.h - the answer to "what is in this container?": one page of it, in XML.
 * Source: Azure Storage, "List Blobs". Only names and metadata are looked at. Pure. */
#ifndef BLOB_LISTING_H
#define BLOB_LISTING_H

#include "base/arena.h"
#include "base/err.h"

#define BLOB_ITEMS_MAX 100 /* of a page: as many as are asked for at most */
#define BLOB_METADATA_MAX 8

struct blob_metadata {
    struct slice name, value;
};

struct blob_item {
    struct slice name; /* with its folders */
    struct blob_metadata metadata[BLOB_METADATA_MAX];
    size_t metadata_count; /* further ones are passed over */
};

struct blob_listing {
    struct blob_item *items;
    size_t count;
    struct slice next;  /* marker of the next page; empty = this was the last */
    struct arena arena; /* all of the above */
};

/* blob_listing_read: E_OK and *ret, which blob_listing_done() ends; or E_BAD_WIRE (no such XML, or
 * one that defines entities), E_LIMIT, and *ret is untouched. */
enum err blob_listing_read(struct slice xml, struct blob_listing *ret, struct cause *why);
void blob_listing_done(struct blob_listing *listing);
/* blob_item_metadata gives a value by its name, in any case; SLICE_NONE. */
struct slice blob_item_metadata(const struct blob_item *item, struct slice name);

#endif
