/* arm/provider_routes.h - the resource providers, all of which are registered, and all resources
 * there are, of whatever provider. */
#ifndef ARM_PROVIDER_ROUTES_H
#define ARM_PROVIDER_ROUTES_H

struct arm_call;

void arm_providers_get(const struct arm_call *call);
void arm_provider_get(const struct arm_call *call);
void arm_provider_register(const struct arm_call *call);
void arm_provider_operations_get(const struct arm_call *call);

/* arm_resources_get: all that is in {scope}, a group or a subscription. */
void arm_resources_get(const struct arm_call *call);

#endif
