#include "router/targets.h"

#include "router/redis_target.h"
#include "router/webhook.h"

static enum err no_functions(struct cause *why)
{
    return cause_set(why, E_UNSUPPORTED, "destination: this server runs no functions");
}

enum err targets_check(const struct targets *targets, const struct subscription *subscription,
                       struct cause *why)
{
    switch (subscription->destination.kind) {
    case DESTINATION_NONE:
    case DESTINATION_WEBHOOK:
        break;
    case DESTINATION_FUNCTION:
        return targets->functions != NULL
                   ? targets->functions->check(targets->functions, subscription, why)
                   : no_functions(why);
    case DESTINATION_STREAM:
    case DESTINATION_LIST:
    case DESTINATION_CHANNEL:
        return redis_target_check(targets, subscription, why);
    }
    return E_OK;
}

enum err targets_make(const struct targets *targets, const struct subscription *subscription,
                      struct target **ret, void (**ret_free)(struct target *target),
                      struct cause *why)
{
    *ret = NULL;
    *ret_free = NULL;
    switch (subscription->destination.kind) {
    case DESTINATION_NONE:
        break;
    case DESTINATION_WEBHOOK:
        *ret_free = webhook_free;
        return webhook_new(targets, subscription, ret, why);
    case DESTINATION_FUNCTION:
        *ret = targets->functions;
        return *ret != NULL ? E_OK : no_functions(why);
    case DESTINATION_STREAM:
    case DESTINATION_LIST:
    case DESTINATION_CHANNEL:
        *ret = redis_target_new(targets, subscription);
        *ret_free = redis_target_free;
        break;
    }
    return E_OK;
}
