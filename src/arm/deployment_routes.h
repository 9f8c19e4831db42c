/* arm/deployment_routes.h - Azure's deployment templates, which are accepted for the sake of the
 * scripts that send them, and do nothing: the answer says so (azure-api.md 6, K3). */
#ifndef ARM_DEPLOYMENT_ROUTES_H
#define ARM_DEPLOYMENT_ROUTES_H

struct arm_call;

void arm_deployments_get(const struct arm_call *call);
void arm_deployment_get(const struct arm_call *call);
void arm_deployment_validate(const struct arm_call *call);
void arm_deployment_put(const struct arm_call *call);

#endif
