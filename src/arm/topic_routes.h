/* arm/topic_routes.h - topics and system topics; bodies as azure-api.md 7.3. */
#ifndef ARM_TOPIC_ROUTES_H
#define ARM_TOPIC_ROUTES_H

#include "api/listing.h"
#include "base/str.h"

struct arm_call;
struct scope;

/* Of {scope}, a group or a subscription. */
void arm_topics_get(const struct arm_call *call);
void arm_system_topics_get(const struct arm_call *call);

/* Of both kinds. */
void arm_topic_get(const struct arm_call *call);
void arm_topic_put(const struct arm_call *call);
void arm_topic_patch(const struct arm_call *call);
void arm_topic_delete(const struct arm_call *call);

void arm_topic_keys(const struct arm_call *call);
void arm_topic_renew_key(const struct arm_call *call);

/* topic_body_write appends one as it is shown; `call` tells the address of this server. */
void topic_body_write(struct buf *out, const struct scope *scope, const struct arm_call *call);

#endif
