/* event/member.h - writing and reading members of JSON objects, as topic.c, subscription.c and
 * destination.c do. */
#ifndef EVENT_MEMBER_H
#define EVENT_MEMBER_H

#include "json/json.h"

/* member_name writes a comma unless the object has just been opened, the name, and a colon. */
void member_name(struct buf *out, const char *name);
/* member_text writes the whole member; nothing if the text is NULL. */
void member_text(struct buf *out, const char *name, const char *text);
void member_u64(struct buf *out, const char *name, uint64_t number);

/* member_take replaces the text *at (malloc'ed, or NULL) by that of a member, if there is one. */
void member_take(struct jx_view *view, const char *field, char **at);

#endif
