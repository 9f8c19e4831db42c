/* arm/subscription_body.h - an event subscription as the control plane shows it (azure-api.md 7.1).
 */
#ifndef ARM_SUBSCRIPTION_BODY_H
#define ARM_SUBSCRIPTION_BODY_H

#include "router/catalog.h"

/* arm_subscription_write appends one that there is. */
void arm_subscription_write(struct buf *out, const struct member *member);

/* arm_subscription_open appends all but the settings, `state` as its provisioningState;
 * arm_subscription_close ends it. */
void arm_subscription_open(struct buf *out, const struct scope *scope, struct slice name,
                           const char *state);
void arm_subscription_close(struct buf *out);

#endif
