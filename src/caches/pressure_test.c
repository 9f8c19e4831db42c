#include "caches/testing.h"

#include "base/mem.h"
#include "caches/pressure.h"

/* A server of 1000 bytes, looked at again and again. */
static void who_is_full_for_a_while_is_told_of_once(void **state)
{
    static const struct {
        uint64_t now_ms, used;
        bool is_told;
    } rows[] = {
        {1000, 899, false},  {2000, 901, false},  {11999, 950, false}, {12000, 899, false},
        {13000, 901, false}, {23000, 901, true},  {24000, 999, false}, {40000, 850, false},
        {41000, 950, false}, {60000, 950, false}, {61000, 799, false}, {62000, 950, false},
        {72000, 950, true},
    };
    struct pressure pressure = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(pressure_note(&pressure, rows[i].used, 1000, rows[i].now_ms),
                         rows[i].is_told);
}

static void without_a_limit_nothing_is_full(void **state)
{
    struct pressure pressure = {0};

    (void)state;
    for (uint64_t now_ms = 1; now_ms < 100000; now_ms += 5000)
        assert_false(pressure_note(&pressure, UINT64_MAX, 0, now_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_full_for_a_while_is_told_of_once),
        cmocka_unit_test(without_a_limit_nothing_is_full),
    };
    return cmocka_run_group_tests_name("pressure", tests, NULL, NULL);
}
