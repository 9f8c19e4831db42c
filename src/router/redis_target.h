/* router/redis_target.h - a target that adds events to a Redis stream (XADD) or list (LPUSH), or
 * publishes them on a channel (PUBLISH).
 * Rules: an attempt waits REDIS_TARGET_CONNECT_MS for a server that is away, so that a short outage
 * costs nothing, then REDIS_TARGET_TIMEOUT_MS for its answers. The events of a parcel leave in one
 * write, and are delivered when all of them were answered well. Subscriptions with the same
 * connection share one client (the hub's). A stream entry has the fields event (the JSON), id, type
 * and subject, and the delivery attributes.
 */
#ifndef ROUTER_REDIS_TARGET_H
#define ROUTER_REDIS_TARGET_H

#include "router/targets.h"

#define REDIS_TARGET_CONNECT_MS 5000
#define REDIS_TARGET_TIMEOUT_MS 30000

/* redis_target_check: E_OK; or E_BAD_INPUT, E_UNSUPPORTED with the field in `why`. */
enum err redis_target_check(const struct targets *targets, const struct subscription *subscription,
                            struct cause *why);
/* redis_target_new makes the target of one subscription; both are borrowed. One whose connection
 * means nothing here (any more) fails its attempts. redis_target_free when none is under way. */
struct target *redis_target_new(const struct targets *targets,
                                const struct subscription *subscription);
void redis_target_free(struct target *target);
/* redis_target_patience sets how long its attempts wait; for tests. */
void redis_target_patience(struct target *target, uint32_t connect_ms, uint32_t answer_ms);

#endif
