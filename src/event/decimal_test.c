#include "event/decimal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static struct decimal of(const char *text)
{
    struct decimal d;

    if (!decimal_parse(slice_of(text), &d))
        fail_msg("%s", text);
    return d;
}

static void equal_numbers_may_be_written_in_many_ways(void **state)
{
    static const char *const rows[][2] = {
        {"5", "5.0"},      {"1000", "1e3"},      {"1000", "1E+3"},    {"0", "-0"},
        {"0", "0.000e99"}, {"0.001", "1e-3"},    {"10.50", "1.05e1"}, {"-0.10", "-1e-1"},
        {"100", "100"},    {"0.0012", "12e-4"},  {"120", "1.2e2"},    {"100e-2", "1"},
        {"10", "1.0e1"},   {"0.1", "0.1000000"}, {"1e0", "1e-0"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct decimal a = of(rows[i][0]), b = of(rows[i][1]);
        if (decimal_cmp(&a, &b) != 0 || decimal_cmp(&b, &a) != 0)
            fail_msg("%s %s", rows[i][0], rows[i][1]);
    }
}

/* Each is smaller than all that follow. */
static void numbers_have_an_order(void **state)
{
    static const char *const rows[] = {
        "-1e99999999999999999999",
        "-1e400",
        "-12345678901234568",
        "-12345678901234567",
        "-100.1",
        "-100",
        "-99.99",
        "-1e-9",
        "0",
        "1e-99999999999999999999",
        "1e-400",
        "0.09",
        "0.1",
        "0.10000000000000000000000000000000000000000000000001",
        "0.2",
        "1",
        "1.10",
        "9",
        "10",
        "99.99",
        "100",
        "100.1",
        "12345678901234567",
        "12345678901234568",
        "123456789012345678901234567890123456789",
        "1e400",
        "2e400",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t j = i + 1; j < COUNT_OF(rows); j++) {
            struct decimal a = of(rows[i]), b = of(rows[j]);
            if (decimal_cmp(&a, &b) >= 0 || decimal_cmp(&b, &a) <= 0)
                fail_msg("%s %s", rows[i], rows[j]);
        }
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const rows[] = {"",    "-",    "+1", ".5", "1.",   "1e", "01",
                                       "1 2", "true", "x",  " 1", "0x10", "1 "};
    struct decimal d;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (decimal_parse(slice_of(rows[i]), &d))
            fail_msg("%s", rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_numbers_may_be_written_in_many_ways),
        cmocka_unit_test(numbers_have_an_order),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
