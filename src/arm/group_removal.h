/* arm/group_removal.h - DELETE of a resource group with all that it contains, one after the other.
 * Rules: while it goes on nothing is made in the group; the group itself goes last, together with
 * the end of the operation. Kinds of resources are the rows of removers[]. */
#ifndef ARM_GROUP_REMOVAL_H
#define ARM_GROUP_REMOVAL_H

#include "arm/errand.h"

extern const struct errand_kind group_errand;

/* group_removal_start answers the request; `id` is that of a group that is there. */
void group_removal_start(const struct arm_call *call, struct slice id);

#endif
