/* router/labels.h - what Azure has of a resource beside its properties: where it is, and what its
 * owner notes on it. Kept in its document as it was said. Pure. */
#ifndef ROUTER_LABELS_H
#define ROUTER_LABELS_H

#include "base/buf.h"

/* Each a JSON value; SLICE_NONE = nothing. */
struct labels {
    struct slice location, tags, identity;
};

/* labels_read reads them of a document or the body of a request, into which the slices point. */
struct labels labels_read(struct slice json);
/* labels_merge is the old ones, but for those that are asked for. */
struct labels labels_merge(const struct labels *old, const struct labels *asked);
/* labels_write appends those that there are as members. */
void labels_write(struct buf *out, const struct labels *labels);

#endif
