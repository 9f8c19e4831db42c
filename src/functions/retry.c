#include "functions/retry.h"

#define JITTER_LOW 0.8
#define JITTER_WIDTH 0.4

bool retry_allows(const struct retry_policy *policy, int32_t attempts)
{
    if (policy->strategy == RETRY_NONE)
        return false;
    return policy->max_retries < 0 || attempts <= policy->max_retries;
}

/* The first wait is the minimum; the n-th further one minimum + jitter * 2^(n-1) * minimum. Once
 * that passes the maximum it stays there, since the least of the next step is above the most of
 * this one. */
static int64_t exponential_ms(const struct retry_policy *policy, int32_t attempts, double chance)
{
    double wait = (double)policy->minimum_ms;

    if (attempts > 1) {
        double jitter = JITTER_LOW + JITTER_WIDTH * chance;
        double step = wait;
        for (int32_t n = 2; n < attempts && step < (double)policy->maximum_ms; n++)
            step *= 2;
        if (step < (double)policy->maximum_ms * 2) /* else rounding matters no more */
            step *= jitter;
        wait += step;
    }
    return wait > (double)policy->maximum_ms ? policy->maximum_ms : (int64_t)wait;
}

int64_t retry_delay_ms(const struct retry_policy *policy, int32_t attempts, double chance)
{
    switch (policy->strategy) {
    case RETRY_NONE:
        break;
    case RETRY_FIXED:
        return policy->delay_ms;
    case RETRY_EXPONENTIAL:
        return exponential_ms(policy, attempts, chance);
    }
    return 0;
}
