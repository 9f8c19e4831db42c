#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void words_are_near_or_far(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {{"up", "up", 0}, {"pu", "up", 1},          {"statsu", "status", 1},
                {"", "abc", 3},  {"kitten", "sitting", 3}, {"docter", "doctor", 1}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(nearest_distance(slice_of(rows[i].a), slice_of(rows[i].b)),
                         rows[i].distance);
}

static void the_nearest_is_suggested_if_it_is_near(void **state)
{
    static const char *const names[] = {"topic", "topics", "subscriptions"};
    static const struct {
        const char *word, *found;
    } rows[] = {{"topcs", "topics"},
                {"topic", "topic"},
                {"subscription", "subscriptions"},
                {"xyzzy", NULL}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct nearest nearest = nearest_to(slice_of(rows[i].word));
        for (size_t k = 0; k < COUNT_OF(names); k++)
            nearest_try(&nearest, names[k]);
        const char *found = nearest_found(&nearest);
        if (rows[i].found == NULL)
            assert_null(found);
        else
            assert_string_equal(found, rows[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_near_or_far),
        cmocka_unit_test(the_nearest_is_suggested_if_it_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
