/* arm/subscription_routes.h - event subscriptions of any resource, in both forms of their ids
 * (path.h), and lists of them by resource, group, subscription, location and topic type. */
#ifndef ARM_SUBSCRIPTION_ROUTES_H
#define ARM_SUBSCRIPTION_ROUTES_H

struct arm_call;

void arm_event_subscription_get(const struct arm_call *call);
void arm_event_subscription_put(const struct arm_call *call);
void arm_event_subscription_patch(const struct arm_call *call);
void arm_event_subscription_delete(const struct arm_call *call);
void arm_event_subscription_url(const struct arm_call *call);
void arm_event_subscription_attributes(const struct arm_call *call);

/* Its dead letters, which the body names as router/dead_query.h says. */
void arm_dead_letters_list(const struct arm_call *call);
void arm_dead_letters_redrive(const struct arm_call *call);
void arm_dead_letters_purge(const struct arm_call *call);

/* arm_event_subscriptions_get: those of {scope}, a resource, a group or a subscription; narrowed by
 * {location} and {type}, if the path has them. */
void arm_event_subscriptions_get(const struct arm_call *call);

#endif
