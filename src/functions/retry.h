/* functions/retry.h - may a failed attempt be followed by another, and when. Pure: callable
 * anywhere. Behaviour: functions.md 11 of the specification. */
#ifndef FUNCTIONS_RETRY_H
#define FUNCTIONS_RETRY_H

#include "apps/app.h"

/* retry_allows: after `attempts` attempts (from 1), may there be one more? */
bool retry_allows(const struct retry_policy *policy, int32_t attempts);

/* retry_delay_ms is the wait after attempt number `attempts`; `chance` (0 <= x < 1) makes the
 * jitter. */
int64_t retry_delay_ms(const struct retry_policy *policy, int32_t attempts, double chance);

#endif
