/* event/destination.h - the part of a subscription that says where its events go; for
 * subscription.c. */
#ifndef EVENT_DESTINATION_H
#define EVENT_DESTINATION_H

#include "event/subscription.h"
#include "json/json.h"

void destination_init(struct destination *destination);
void destination_done(struct destination *destination); /* leaves zeroes */

/* destination_read reads the object `destination`; mistakes go to `view`. Another endpointType
 * begins anew. */
void destination_read(struct jx_view *view, struct destination *destination,
                      const struct subscription_rules *rules);
void destination_keep_secrets(struct destination *destination, const struct destination *old);
/* destination_write appends the whole object; is_open: with what is secret. */
void destination_write(struct buf *out, const struct destination *destination, bool is_open);
void destination_write_attributes(struct buf *out, const struct destination *destination,
                                  bool is_open);

#endif
