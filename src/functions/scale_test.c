#include "functions/scale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

/* Samples go from first to last in equal steps. */
static const struct {
    int count, first, step;
    uint32_t instances, divisor;
    int vote;
} votes[] = {
    {9, 50, 0, 1, 10, 1},     {9, 50, 0, 5, 5, 1},     {9, 50, 0, 1, 100, 0},
    {9, 50, 0, 5, 10, 0},     {9, 50, 0, 3, 30, -1},   {9, 50, 0, 5, 20, -1},
    {9, 90, -10, 1, 10, 1},   {9, 90, -10, 3, 10, 0},  {9, 90, -10, 1, 100, 0},
    {9, 90, -10, 10, 10, -1}, {9, 10, 10, 1, 10, 1},   {9, 10, 10, 7, 10, 0},
    {9, 10, 10, 1, 100, 0},   {9, 10, 10, 10, 10, -1}, {4, 50, 0, 1, 10, 0},
    {4, 50, 0, 5, 5, 0},      {4, 50, 0, 3, 30, 0},    {200, 50, 0, 1, 10, 1},
    {9, 0, 0, 0, 10, 0},
};

static void votes_follow_the_five_newest_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(votes); i++) {
        struct scale_samples samples = {0};
        for (int n = 0; n < votes[i].count; n++)
            scale_add(&samples, (uint64_t)(votes[i].first + n * votes[i].step));
        if (scale_vote(&samples, votes[i].instances, votes[i].divisor) != votes[i].vote)
            fail_msg("row %zu", i);
    }
}

static void the_target_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(scale_target(0, 10), 0);
    assert_int_equal(scale_target(1, 10), 1);
    assert_int_equal(scale_target(10, 10), 1);
    assert_int_equal(scale_target(11, 10), 2);
    assert_int_equal(scale_target(100, 10), 10);
    assert_int_equal(scale_target(UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(scale_target(5, 0), 5);
}

static void ids_are_parsed_and_compared(void **state)
{
    struct stream_id a, b;

    (void)state;
    assert_true(stream_id_parse(SLICE("12-3"), &a));
    assert_int_equal(a.ms, 12);
    assert_int_equal(a.sequence, 3);
    assert_true(stream_id_parse(SLICE("12"), &b));
    assert_int_equal(b.sequence, 0);
    assert_int_equal(stream_id_cmp(a, b), 1);
    assert_int_equal(stream_id_cmp(b, a), -1);
    assert_int_equal(stream_id_cmp(a, a), 0);
    assert_false(stream_id_parse(SLICE("-3"), &a));
    assert_false(stream_id_parse(SLICE("1-"), &a));
    assert_false(stream_id_parse(SLICE("x"), &a));
}

static void remaining_entries_are_told_or_guessed(void **state)
{
    static const struct {
        struct stream_facts facts;
        uint64_t remaining;
    } rows[] = {
        {{.length = 7}, 7},
        {{.length = 100, .has_group = true, .has_lag = true, .lag = 50}, 50},
        /* same millisecond: by sequence */
        {{100, true, false, 0, {1, 1}, {1, 100}, {1, 75}}, 25},
        {{10, true, false, 0, {1, 1}, {1, 100}, {1, 50}}, 10},
        {{100, true, false, 0, {1, 1}, {1, 100}, {1, 200}}, 0},
        /* by time */
        {{100, true, false, 0, {1000, 0}, {2000, 0}, {1500, 0}}, 50},
        {{100, true, false, 0, {1000, 0}, {1300, 0}, {1200, 0}}, 33},
        {{100, true, false, 0, {1000, 0}, {2000, 0}, {0, 0}}, 100},
        {{100, true, false, 0, {1000, 0}, {2000, 0}, {3000, 0}}, 0},
        {{0, true, false, 0, {0, 0}, {5, 0}, {1, 0}}, 0},
        {{UINT64_MAX, true, false, 0, {0, 0}, {UINT64_MAX, 0}, {1ull << 63, 0}}, 1ull << 63},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (scale_stream_remaining(&rows[i].facts) != rows[i].remaining)
            fail_msg("row %zu: %llu", i,
                     (unsigned long long)scale_stream_remaining(&rows[i].facts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(votes_follow_the_five_newest_samples),
        cmocka_unit_test(the_target_rounds_up),
        cmocka_unit_test(ids_are_parsed_and_compared),
        cmocka_unit_test(remaining_entries_are_told_or_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
