/* blob/listing.h - the answer to "what is in this container?": one page of it, in XML.
 * Source: Azure Storage, "List Blobs". Only names are looked at. Pure. */
#ifndef BLOB_LISTING_H
#define BLOB_LISTING_H

#include "base/arena.h"
#include "base/err.h"

#define BLOB_ITEMS_MAX 100 /* of a page: as many as are asked for at most */

struct blob_listing {
    struct slice *names; /* with their folders */
    size_t count;
    struct slice next;  /* marker of the next page; empty = this was the last */
    struct arena arena; /* all of the above */
};

/* blob_listing_read: E_OK and *ret, which blob_listing_done() ends; or E_BAD_WIRE (no such XML, or
 * one that defines entities), E_LIMIT, and *ret is untouched. */
enum err blob_listing_read(struct slice xml, struct blob_listing *ret, struct cause *why);
void blob_listing_done(struct blob_listing *listing);

#endif
