#include "functions/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

static void attempts_are_one_more_than_retries(void **state)
{
    struct retry_policy none = {.strategy = RETRY_NONE};
    struct retry_policy two = {.strategy = RETRY_FIXED, .max_retries = 2, .delay_ms = 1000};
    struct retry_policy endless = {.strategy = RETRY_FIXED, .max_retries = -1, .delay_ms = 7};

    (void)state;
    assert_false(retry_allows(&none, 1));
    assert_true(retry_allows(&two, 1));
    assert_true(retry_allows(&two, 2));
    assert_false(retry_allows(&two, 3));
    assert_true(retry_allows(&endless, 2000000000));
    assert_int_equal(retry_delay_ms(&two, 1, 0.5), 1000);
    assert_int_equal(retry_delay_ms(&two, 2, 0.9), 1000);
    assert_int_equal(retry_delay_ms(&none, 1, 0.9), 0);
}

static void exponential_delays_grow_with_jitter_up_to_the_maximum(void **state)
{
    static const struct {
        int32_t attempts;
        int64_t low, high;
    } rows[] = {
        {1, 1000, 1000}, {2, 1800, 2200}, {3, 2600, 3400},
        {4, 4200, 5000}, {5, 5000, 5000}, {2000000000, 5000, 5000},
    };
    struct retry_policy policy = {
        .strategy = RETRY_EXPONENTIAL, .max_retries = -1, .minimum_ms = 1000, .maximum_ms = 5000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_in_range(retry_delay_ms(&policy, rows[i].attempts, 0.0), rows[i].low, rows[i].low);
        assert_in_range(retry_delay_ms(&policy, rows[i].attempts, 0.9999999), rows[i].high - 1,
                        rows[i].high);
    }
    policy.maximum_ms = policy.minimum_ms = 0;
    assert_int_equal(retry_delay_ms(&policy, 50, 0.5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_one_more_than_retries),
        cmocka_unit_test(exponential_delays_grow_with_jitter_up_to_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
