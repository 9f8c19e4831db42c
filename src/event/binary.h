/* event/binary.h - CloudEvents in binary mode: attributes in `ce-*` headers, the body is the data.
 * They are put into structured form as soon as they arrive. Source: CloudEvents 1.0, HTTP protocol
 * binding 3.1 and JSON format 3.1. Pure: callable anywhere. */
#ifndef EVENT_BINARY_H
#define EVENT_BINARY_H

#include "event/publish.h"

/* binary_is: is there any `ce-*` header? */
bool binary_is(const struct publish_request *request);

/* binary_to_structured writes one JSON object: JSON data as it is, other text as a string, other
 * bytes as data_base64. A header that is missing, empty or unfit is refused, as is invalid JSON. */
enum err binary_to_structured(const struct publish_request *request, struct buf *out,
                              struct refusal *why);

#endif
