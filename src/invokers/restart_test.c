#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "invokers/restart.h"

#define SECOND 1000u
#define MINUTE 60000u

static void exits_are_classified(void **state)
{
    static const struct {
        int exit_code, signal_number;
        bool was_ready;
        enum ending ending;
    } rows[] = {
        {0, 0, true, ENDING_CLEAN},    {0, 0, false, ENDING_ERROR},
        {200, 0, false, ENDING_AGAIN}, {200, SIGKILL, true, ENDING_ERROR},
        {1, 0, true, ENDING_ERROR},    {0, SIGSEGV, true, ENDING_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(
            restart_ending(rows[i].exit_code, rows[i].signal_number, rows[i].was_ready),
            rows[i].ending);
}

static void delays_double_up_to_a_minute(void **state)
{
    static const uint64_t delays[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct restart restart = {0};
    uint64_t now_ms = 5;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        assert_int_equal(restart_judge(&restart, ENDING_ERROR, 60, now_ms, now_ms + 1), delays[i]);
        now_ms += delays[i];
    }
    /* one that lived long starts anew */
    assert_int_equal(restart_judge(&restart, ENDING_ERROR, 60, now_ms, now_ms + MINUTE), 1000);
}

static void some_ends_are_not_counted(void **state)
{
    struct restart restart = {0};
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(restart_judge(&restart, ENDING_AGAIN, 3, 0, 5 * SECOND), 0);
        assert_int_equal(restart_judge(&restart, ENDING_CLEAN, 3, 0, 5 * SECOND), 0);
        assert_int_equal(restart_judge(&restart, ENDING_ASKED, 3, 0, 1), 0);
    }
    assert_int_equal(restart_judge(&restart, ENDING_AGAIN, 3, 0, 100), 900); /* no busy loop */
    assert_false(restart_is_unhealthy(&restart, 3, 5 * SECOND));
}

static void the_same_crash_once_more_is_not_counted(void **state)
{
    struct restart restart = {0};
    (void)state;
    assert_int_equal(restart_judge(&restart, ENDING_ERROR, 2, 0, 1), 1000);
    assert_int_equal(restart_judge(&restart, ENDING_REPEAT, 2, 2, 3), 2000); /* but it waits */
    assert_false(restart_is_unhealthy(&restart, 2, 4));
    (void)restart_judge(&restart, ENDING_ERROR, 2, 4, 5);
    assert_true(restart_is_unhealthy(&restart, 2, 6));
}

static void of_a_crash_with_others_one_repetition_is_known(void **state)
{
    struct blame blame = {0};
    (void)state;
    assert_false(blame_alone(&blame, 0)); /* it was in none */
    uint64_t first = blame_group(&blame);
    assert_true(blame_alone(&blame, first));
    assert_false(blame_alone(&blame, first)); /* a second culprit, or a second attempt */
    uint64_t second = blame_group(&blame);
    assert_int_not_equal(first, second);
    assert_false(blame_alone(&blame, first));
    assert_true(blame_alone(&blame, second));
}

static void too_many_errors_within_half_an_hour_are_unhealthy(void **state)
{
    struct restart restart = {0};
    uint64_t now_ms = MINUTE;
    (void)state;
    assert_int_equal(restart_judge(&restart, ENDING_ERROR, 3, now_ms, now_ms), 1000);
    assert_int_equal(restart_judge(&restart, ENDING_ERROR, 3, now_ms, now_ms), 2000);
    assert_false(restart_is_unhealthy(&restart, 3, now_ms));
    assert_int_equal(restart_judge(&restart, ENDING_ERROR, 3, now_ms, now_ms), MINUTE);
    assert_true(restart_is_unhealthy(&restart, 3, now_ms));
    assert_false(restart_is_unhealthy(&restart, 6, now_ms));
    assert_true(restart_is_unhealthy(&restart, 3, now_ms + 30 * MINUTE));
    assert_false(restart_is_unhealthy(&restart, 3, now_ms + 30 * MINUTE + 1));
    restart = (struct restart){0};
    for (unsigned i = 0; i < 9; i++) /* never three of them within half an hour */
        assert_int_equal(restart_judge(&restart, ENDING_ERROR, 3,
                                       i * 16 * MINUTE - MINUTE * (i > 0), i * 16 * MINUTE),
                         1000);
    for (int i = 0; i < 200; i++) /* the ring wraps */
        (void)restart_judge(&restart, ENDING_ERROR, RESTART_ERRORS_MAX, now_ms, now_ms);
    assert_true(restart_is_unhealthy(&restart, RESTART_ERRORS_MAX, now_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_are_classified),
        cmocka_unit_test(delays_double_up_to_a_minute),
        cmocka_unit_test(some_ends_are_not_counted),
        cmocka_unit_test(the_same_crash_once_more_is_not_counted),
        cmocka_unit_test(of_a_crash_with_others_one_repetition_is_known),
        cmocka_unit_test(too_many_errors_within_half_an_hour_are_unhealthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
