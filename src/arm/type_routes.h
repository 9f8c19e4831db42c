/* arm/type_routes.h - the kinds of resources that emit events, and their events (event/source.h);
 * bodies as azure-api.md 7.4. */
#ifndef ARM_TYPE_ROUTES_H
#define ARM_TYPE_ROUTES_H

#include <stdbool.h>

#include "base/str.h"

struct arm_call;
struct topic;

void arm_topic_types_get(const struct arm_call *call);
void arm_topic_type_get(const struct arm_call *call);
void arm_event_types_get(const struct arm_call *call);
/* arm_scope_types_get: those of the resource {scope}. */
void arm_scope_types_get(const struct arm_call *call);

/* arm_topic_type_is: is that the type of the topic? In any case. */
bool arm_topic_type_is(struct slice type, const struct topic *topic);

#endif
