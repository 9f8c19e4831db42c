/* arm/cache_routes.h - Microsoft.Cache/Redis: requests about caches (caches/caches.h), which they
 * validate and store; bodies as azure-api.md 7.2, operations as its section 4. */
#ifndef ARM_CACHE_ROUTES_H
#define ARM_CACHE_ROUTES_H

struct arm_call;

void arm_caches_get(const struct arm_call *call); /* of a group, or of the subscription */
void arm_cache_get(const struct arm_call *call);
/* arm_cache_none: an empty list, of what caches do not have here. */
void arm_cache_none(const struct arm_call *call);
void arm_cache_put(const struct arm_call *call);
void arm_cache_patch(const struct arm_call *call);
void arm_cache_delete(const struct arm_call *call);
/* arm_cache_act: the path ends with export, import, flush, patch, failover or forceReboot. */
void arm_cache_act(const struct arm_call *call);
void arm_cache_keys(const struct arm_call *call);
void arm_cache_regenerate(const struct arm_call *call);

#endif
