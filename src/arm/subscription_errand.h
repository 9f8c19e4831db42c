/* arm/subscription_errand.h - PUT and PATCH of an event subscription: an operation, since its
 * endpoint is asked first. One on a resource that has no topic yet makes its system topic.
 *
 *   run --no topic--> TOPIC --> run
 *       --> change_subscription() --> recorded, answered --> ended */
#ifndef ARM_SUBSCRIPTION_ERRAND_H
#define ARM_SUBSCRIPTION_ERRAND_H

#include "arm/errand.h"
#include "arm/scope.h"

extern const struct errand_kind subscription_errand;

/* subscription_errand_start answers the request, 201 if it goes on. */
struct subscription_asked {
    struct slice scope; /* id of the resource, as it is shown */
    struct slice name;
    struct slice properties; /* a JSON object */
    bool is_patch;
};
void subscription_errand_start(const struct arm_call *call, const struct subscription_asked *asked);

#endif
