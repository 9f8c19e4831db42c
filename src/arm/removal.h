/* arm/removal.h - DELETE of a topic, a system topic or an event subscription: an operation, since
 * endpoints are told and queues emptied. */
#ifndef ARM_REMOVAL_H
#define ARM_REMOVAL_H

#include "arm/errand.h"

extern const struct errand_kind removal_errand;

/* removal_start answers the request, 202 if it goes on; `id` is there. */
void removal_start(const struct arm_call *call, struct slice id);

#endif
