/* arm/group_routes.h - resource groups: where they are, and what their owner notes on them. */
#ifndef ARM_GROUP_ROUTES_H
#define ARM_GROUP_ROUTES_H

struct arm_call;

void arm_groups_get(const struct arm_call *call);
void arm_group_get(const struct arm_call *call);
void arm_group_head(const struct arm_call *call);
void arm_group_put(const struct arm_call *call);
void arm_group_patch(const struct arm_call *call);
void arm_group_delete(const struct arm_call *call);

#endif
