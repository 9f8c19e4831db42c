/* router/resource_id.h - what topics and subscriptions are called in full, as Azure Resource
 * Manager has it. What is made without saying where it belongs belongs to RESOURCE_GROUP. */
#ifndef ROUTER_RESOURCE_ID_H
#define ROUTER_RESOURCE_ID_H

#include "base/buf.h"

#define RESOURCE_SUBSCRIPTION "00000000-0000-0000-0000-000000000001"
#define RESOURCE_GROUP "/subscriptions/" RESOURCE_SUBSCRIPTION "/resourceGroups/redgrid"

/* resource_id_topic appends the id of a topic in RESOURCE_GROUP. */
void resource_id_topic(struct buf *out, struct slice name);
/* resource_id_system_topic appends the id of the system topic of a source, whose resource group it
 * shares; of a source that belongs to none in RESOURCE_GROUP. */
void resource_id_system_topic(struct buf *out, struct slice source, struct slice name);
/* resource_id_subscription appends the id of a subscription of the resource `scope`. */
void resource_id_subscription(struct buf *out, struct slice scope, struct slice name);
/* resource_id_scope is the id of what a subscription belongs to; of anything else the whole id. */
struct slice resource_id_scope(struct slice id);
/* resource_id_topic_name is the name in the id of a topic, of a system topic too; SLICE_NONE if it
 * is no topic's. */
struct slice resource_id_topic_name(struct slice id);
/* resource_id_is_system: is it that of a system topic? */
bool resource_id_is_system(struct slice id);
/* resource_id_is_within: is `id` that of `outer`, or of something that belongs to it? Both in lower
 * case. */
bool resource_id_is_within(struct slice id, struct slice outer);

#endif
