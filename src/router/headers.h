/* router/headers.h - the header fields of a delivery (eventgrid.md 3.2, 3.6). Pure. */
#ifndef ROUTER_HEADERS_H
#define ROUTER_HEADERS_H

#include "event/target.h"
#include "wire/http1.h"

#define HEADERS_MAX (ATTRIBUTES_MAX + 12)

struct headers {
    struct http_header fields[HEADERS_MAX];
    size_t count;
    struct buf texts; /* what the values point into */
};

/* headers_init writes those of one attempt. An attribute that has no value, or one that must not
 * stand in a header, is left out. */
void headers_init(struct headers *headers, const struct parcel *parcel);
/* headers_add adds one more; the value is copied. */
void headers_add(struct headers *headers, struct slice name, struct slice value);
void headers_done(struct headers *headers);

#endif
