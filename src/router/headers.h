/* router/headers.h - the header fields of a delivery (eventgrid.md 3.2, 3.6). Pure. */
#ifndef ROUTER_HEADERS_H
#define ROUTER_HEADERS_H

#include "event/target.h"
#include "wire/http1.h"

#define HEADERS_MAX (ATTRIBUTES_MAX + 12)

struct headers {
    struct http_header fields[HEADERS_MAX]; /* values that are in `texts`: by headers_end() */
    size_t starts[HEADERS_MAX];             /* of those in there; SIZE_MAX: elsewhere */
    size_t count;
    struct buf texts;
};

/* headers_init writes those of one attempt. An attribute that has no value, or one that must not
 * stand in a header, is left out. */
void headers_init(struct headers *headers, const struct parcel *parcel);
/* headers_add adds one more; the value is copied. */
void headers_add(struct headers *headers, struct slice name, struct slice value);
/* headers_end: all are added; now their values may be read. */
void headers_end(struct headers *headers);
void headers_done(struct headers *headers);

#endif
