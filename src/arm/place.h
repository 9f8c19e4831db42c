/* arm/place.h - where clients reach the control plane. Az and the SDKs send no bearer token over
 * plain HTTP, so whoever asks there is told of HTTPS, if it is served. */
#ifndef ARM_PLACE_H
#define ARM_PLACE_H

#include "base/buf.h"

struct http_request;

struct arm_place {
    uint16_t http_port, https_port; /* 0 = not served, or not known yet */
};

/* arm_place_add appends the URL by which this client reaches it, without a slash at its end. */
void arm_place_add(struct buf *out, const struct arm_place *place,
                   const struct http_request *request);
/* arm_place_is: is `url` one by which it may be reached? A slash at the end does not count. */
bool arm_place_is(const struct arm_place *place, const struct http_request *request,
                  struct slice url);

#endif
