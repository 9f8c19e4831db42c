/* arm/cloud_routes.h - what clients ask of a cloud before they use it: where its endpoints are,
 * which subscriptions and tenants there are (azure-api.md 2). There is one of each. */
#ifndef ARM_CLOUD_ROUTES_H
#define ARM_CLOUD_ROUTES_H

struct arm_call;

void arm_metadata_get(const struct arm_call *call);
/* What `redgrid az-env` makes a configuration of. */
void arm_azure_get(const struct arm_call *call);
void arm_subscriptions_get(const struct arm_call *call);
void arm_subscription_get(const struct arm_call *call);
void arm_locations_get(const struct arm_call *call);
void arm_tenants_get(const struct arm_call *call);

#endif
