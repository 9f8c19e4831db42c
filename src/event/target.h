/* event/target.h - where events are delivered to, as the router sees it: a struct of functions that
 * the owner of the destination fills. The router makes one per webhook and Redis destination,
 * functions/ one for all functions; server/ puts them together, so that neither includes the other.
 * To add a kind: embed a struct target in your own and fill in deliver. */
#ifndef EVENT_TARGET_H
#define EVENT_TARGET_H

#include "event/schedule.h"
#include "event/subscription.h"

struct op; /* loop/op.h; only passed on here */

/* What one attempt delivers: all of it or nothing. Borrowed until the op is done. */
struct parcel {
    const struct subscription *subscription;
    struct event *const *events; /* in the order of their queue */
    struct slice id;             /* of these events together: the same at each attempt; for who
                                    signs, else none */
    size_t count;                /* 1, unless the subscription wants batches */
    uint32_t attempt;            /* from 1 */
};

/* What came of it. */
struct parcel_result {
    enum outcome outcome;
    unsigned http_status;    /* 0 = no answer, or none of HTTP */
    uint64_t retry_after_ms; /* 0 = not asked for */
};

struct target {
    /* deliver begins one attempt. Now: E_OK; or an error, and op->done never runs. Later, by
     * op->done, once: E_OK, and *ret tells the outcome, bad ones too; or E_CANCELED after
     * op_abort(), and *ret is untouched: the attempt does not count. May be called again before an
     * earlier one is done. */
    enum err (*deliver)(struct target *target, const struct parcel *parcel,
                        struct parcel_result *ret, struct op *op);
    /* check tells a new subscription whether its destination is there: E_OK; or E_BAD_INPUT with
     * what would be right in `why`. NULL = always. What is not there when an attempt is made fails
     * that attempt. */
    enum err (*check)(struct target *target, const struct subscription *subscription,
                      struct cause *why);
};

#endif
