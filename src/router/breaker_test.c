#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "router/breaker.h"

static void fail_times(struct breaker *breaker, int times, uint64_t now_ms)
{
    for (int i = 0; i < times; i++)
        assert_false(breaker_failed(breaker, now_ms));
}

static void many_failures_in_a_row_open_it_and_one_success_closes_it(void **state)
{
    struct breaker breaker = {0};

    (void)state;
    fail_times(&breaker, BREAKER_FAILURES - 1, 1000);
    assert_int_equal(breaker_room(&breaker, 64, 3, 1000), 64);
    assert_false(breaker_succeeded(&breaker));
    fail_times(&breaker, BREAKER_FAILURES - 1, 1000);
    assert_true(breaker_failed(&breaker, 1000));
    assert_int_equal(breaker_room(&breaker, 64, 0, 1000), 0);
    assert_int_equal(breaker_room(&breaker, 64, 0, 1000 + BREAKER_REST_MS - 1), 0);
    assert_int_equal(breaker_room(&breaker, 64, 0, 1000 + BREAKER_REST_MS), 1);
    assert_int_equal(breaker_room(&breaker, 64, 1, 1000 + BREAKER_REST_MS), 0);
    assert_int_equal(breaker_room(&breaker, 0, 0, 1000 + BREAKER_REST_MS), 0);
    assert_true(breaker_succeeded(&breaker));
    assert_int_equal(breaker_room(&breaker, 64, 9, 2000), 64);
}

static void each_rest_is_longer_than_the_one_before_up_to_a_limit(void **state)
{
    struct breaker breaker = {0};
    uint64_t now_ms = 1000;

    (void)state;
    fail_times(&breaker, BREAKER_FAILURES - 1, now_ms);
    assert_true(breaker_failed(&breaker, now_ms));
    fail_times(&breaker, 50, now_ms + 1); /* those that were under way */
    assert_int_equal(breaker.rest_until_ms, now_ms + BREAKER_REST_MS);
    for (uint64_t rest_ms = BREAKER_REST_MS; rest_ms < BREAKER_REST_MAX_MS;) {
        now_ms = breaker.rest_until_ms;
        assert_false(breaker_failed(&breaker, now_ms));
        rest_ms = 2 * rest_ms > BREAKER_REST_MAX_MS ? BREAKER_REST_MAX_MS : 2 * rest_ms;
        assert_int_equal(breaker.rest_until_ms - now_ms, rest_ms);
    }
    now_ms = breaker.rest_until_ms;
    assert_false(breaker_failed(&breaker, now_ms));
    assert_int_equal(breaker.rest_until_ms - now_ms, BREAKER_REST_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_failures_in_a_row_open_it_and_one_success_closes_it),
        cmocka_unit_test(each_rest_is_longer_than_the_one_before_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
