/* arm/scope.h - what requests name by an id: resource groups, topics, and what event subscriptions
 * hang on. */
#ifndef ARM_SCOPE_H
#define ARM_SCOPE_H

#include "arm/call.h"
#include "event/source.h"
#include "router/router.h"

#define ARM_LOCATION "local" /* of what was made without saying where */

/* arm_topic is the topic or system topic of that id; NULL. */
const struct scope *arm_topic(struct router *router, struct slice id);

/* A resource that may have event subscriptions. */
struct arm_scope {
    const struct scope *scope;         /* with its topic; NULL: it has none yet */
    const struct event_source *source; /* the kind of resource it is; NULL: a topic */
    struct slice document;             /* of one without a topic */
};
/* arm_scope_find: false: there is no such resource. */
bool arm_scope_find(struct router *router, struct slice id, struct arm_scope *ret);

/* arm_group_is: is there such a resource group? `id` is that of a group. That of resources made
 * without naming one is always there. */
bool arm_group_is(struct router *router, struct slice id);
/* arm_group_removal is the GUID of the operation that removes it; SLICE_NONE: none does. */
struct slice arm_group_removal(struct router *router, struct slice id);
/* arm_group_operation appends the id of the document that tells so. */
void arm_group_operation(struct buf *out, struct slice id);

/* arm_new_id tells whether something may be made at the path, and appends its id, with the group as
 * it is spelt; false, and answered: there is no such group, or it is being removed. */
bool arm_new_id(const struct arm_call *call, struct buf *ret);

/* arm_location is where a topic is, a JSON text without its quotes. */
struct slice arm_location(struct router *router, const struct topic *topic);
/* arm_location_eq ignores case and spaces: "West US" is westus. */
bool arm_location_eq(struct slice a, struct slice b);

#endif
