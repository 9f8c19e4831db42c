/* event/member.h - writing and reading members of JSON objects, as topic.c, subscription.c and
 * destination.c do. */
#ifndef EVENT_MEMBER_H
#define EVENT_MEMBER_H

#include "json/json.h"

/* put_name writes a comma unless the object has just been opened, the name, and a colon. */
void put_name(struct buf *out, const char *name);
/* put_text writes the whole member; nothing if the text is NULL. */
void put_text(struct buf *out, const char *name, const char *text);
void put_u64(struct buf *out, const char *name, uint64_t number);

/* take_text replaces the text *at (malloc'ed, or NULL) by that of a member, if there is one. */
void take_text(struct jx_view *view, const char *field, char **at);

#endif
