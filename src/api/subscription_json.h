/* api/subscription_json.h - an event subscription as its document has it. */
#ifndef API_SUBSCRIPTION_JSON_H
#define API_SUBSCRIPTION_JSON_H

#include "router/catalog.h"

/* subscription_json_read: E_OK, or what is no longer valid in `why`; subscription_done() ends it
 * either way. Its scope must have its topic. */
enum err subscription_json_read(const struct member *member, struct subscription *ret,
                                struct cause *why);
/* subscription_json_settings appends the members of `properties` that were set, as
 * subscription_write() does; or one that says what is wrong with them. */
void subscription_json_settings(struct buf *out, const struct member *member);

#endif
