/* caches/transfer_retry.h - when the tries of a transfer are over. */
#ifndef CACHES_TRANSFER_RETRY_H
#define CACHES_TRANSFER_RETRY_H

#include "caches/transfer.h"
#include "loop/timer.h"

struct transfer_retry {
    struct timer *timer;
    struct op op;
    uint32_t failures;
};

/* transfer_retry_begin: is `err` worth another try? Then the op of `retry` ends when it is time for
 * that. */
bool transfer_retry_begin(struct transfer_retry *retry, const struct transfer_ways *ways,
                          enum err err);

#endif
