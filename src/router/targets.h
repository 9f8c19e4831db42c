/* router/targets.h - what delivers to a subscription's destination, by its kind. To add a kind: a
 * row in each of the two switches. */
#ifndef ROUTER_TARGETS_H
#define ROUTER_TARGETS_H

#include "event/target.h"

struct loop;
struct http_client;
struct identity;
struct redis_hub;

/* What there is to deliver with; all borrowed. */
struct targets {
    struct loop *loop;
    struct http_client *http; /* webhooks */
    const struct identity *identity;
    uint32_t timeout_ms;      /* of an attempt of a webhook; 0 = WEBHOOK_TIMEOUT_MS */
    struct target *functions; /* NULL = there are none */
    struct redis_hub *hub;    /* Redis destinations */
    /* connection finds the connection string behind a name, which may be one itself: E_OK and
     * *ret, free() ends it; or E_BAD_INPUT. */
    enum err (*connection)(void *ctx, const char *name, char **ret, struct cause *why);
    void *ctx;
};

/* targets_check tells a new subscription whether its destination can be delivered to: E_OK; or
 * E_BAD_INPUT, E_UNSUPPORTED with the field in `why`. */
enum err targets_check(const struct targets *targets, const struct subscription *subscription,
                       struct cause *why);

/* targets_make makes that of a subscription, which it borrows; *ret_free ends it once no attempt is
 * under way, NULL = it is somebody else's. NULL in *ret: queue mode. A destination that is not
 * there any more makes attempts fail, which are tried again; E_BAD_INPUT, E_UNSUPPORTED: it can
 * never be. */
enum err targets_make(const struct targets *targets, const struct subscription *subscription,
                      struct target **ret, void (**ret_free)(struct target *target),
                      struct cause *why);

#endif
