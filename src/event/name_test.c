#include "event/name.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static void names_follow_the_rules(void **state)
{
    static const struct {
        const char *name;
        bool is_topic, is_subscription;
    } rows[] = {
        {"abc", true, true},
        {"Orders-1", true, true},
        {"ab", false, false},
        {"", false, false},
        {"a_b", false, false},
        {"a b", false, false},
        {"caf\xc3\xa9", false, false},
        {"a/b", false, false},
        {"microsoftX", false, true},
        {"EventGrid-1", false, true},
        {"SYSTEM", false, true},
        {"my-system", true, true},
        {"12345678901234567890123456789012345678901234567890", true, true},
        {"123456789012345678901234567890123456789012345678901", false, true},
        {"1234567890123456789012345678901234567890123456789012345678901234", false, true},
        {"12345678901234567890123456789012345678901234567890123456789012345", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice name = slice_of(rows[i].name);
        if ((topic_name_check(name, NULL) == E_OK) != rows[i].is_topic ||
            (subscription_name_check(name, NULL) == E_OK) != rows[i].is_subscription)
            fail_msg("%s", rows[i].name);
    }
}

static void a_bad_name_tells_its_rule(void **state)
{
    struct cause why;

    (void)state;
    assert_int_equal(topic_name_check(SLICE("System-x"), &why), E_BAD_INPUT);
    assert_string_equal(why.text, "the name 'System-x' must not begin with 'System'");
    assert_int_equal(topic_name_check(SLICE("ab"), &why), E_BAD_INPUT);
    assert_string_equal(why.text, "the name 'ab' must have 3 to 50 characters");
    assert_int_equal(subscription_name_check(SLICE("a_b"), &why), E_BAD_INPUT);
    assert_string_equal(why.text, "the name 'a_b' may have letters, digits and hyphens only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_rules),
        cmocka_unit_test(a_bad_name_tells_its_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
