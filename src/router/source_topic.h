/* router/source_topic.h - the system topic of a resource that emits events, made when the first
 * event subscription on it is. */
#ifndef ROUTER_SOURCE_TOPIC_H
#define ROUTER_SOURCE_TOPIC_H

#include "router/change.h"

struct router;

/* source_topic_document is the document of a resource that emits events; SLICE_NONE if there is no
 * such resource. The id in any case. */
struct slice source_topic_document(struct router *router, struct slice id);
/* source_topic_make makes the topic of the resource of that document, as change_topic(): named like
 * the resource, in lower case, with a suffix where that is taken or too short. E_EXISTS: somebody
 * else does. */
enum err source_topic_make(struct router *router, struct slice document, struct change *change);

#endif
