/* cmd/fields.h - an answer's members, one a line, for commands that show one thing. */
#ifndef CMD_FIELDS_H
#define CMD_FIELDS_H

#include "base/buf.h"
#include "json/json.h"

/* fields_write writes `retryPolicy.maxDeliveryAttempts   30` for every member, those of objects
 * inside by their path without "properties", lists as JSON, and leaves out what is null. */
void fields_write(struct buf *out, const json_t *object);

#endif
