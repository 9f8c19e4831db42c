#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static void numbers_are_whole_or_nothing(void **state)
{
    static const struct {
        const char *text;
        bool is_u64, is_i64;
        uint64_t u64;
        int64_t i64;
    } rows[] = {
        {"0", true, true, 0, 0},
        {"007", true, true, 7, 7},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0},
        {"18446744073709551615", true, false, UINT64_MAX, 0},
        {"18446744073709551616", false, false, 0, 0},
        {"-9223372036854775808", false, true, 0, INT64_MIN},
        {"-9223372036854775809", false, false, 0, 0},
        {"-1", false, true, 0, -1},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"+1", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"1x", false, false, 0, 0},
        {"0x1", false, false, 0, 0},
        {"--1", false, false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t u64 = 77;
        int64_t i64 = 77;
        assert_int_equal(slice_to_u64(slice_of(rows[i].text), &u64), rows[i].is_u64);
        assert_int_equal(slice_to_i64(slice_of(rows[i].text), &i64), rows[i].is_i64);
        assert_true(u64 == (rows[i].is_u64 ? rows[i].u64 : 77));
        assert_true(i64 == (rows[i].is_i64 ? rows[i].i64 : 77));
    }
}

static void decimal_numbers(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
        double value;
    } rows[] = {
        {"0", true, 0},     {"1.5", true, 1.5},  {"-2e3", true, -2000}, {".5", true, 0.5},
        {"+1", true, 1},    {"5.", true, 5},     {"", false, 0},        {".", false, 0},
        {"1e", false, 0},   {"1.2.3", false, 0}, {"nan", false, 0},     {"inf", false, 0},
        {"0x10", false, 0}, {" 1", false, 0},    {"1 ", false, 0},      {"1e999", false, 0},
        {"1-1", false, 0},  {"e5", false, 0},    {"-", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        /* On the heap without a NUL, so that a look beyond the end shows. */
        size_t len = strlen(rows[i].text);
        char *copy = malloc(len + (len == 0));
        double value = 77;
        assert_non_null(copy);
        memcpy(copy, rows[i].text, len);
        assert_int_equal(slice_to_f64((struct slice){copy, len}, &value), rows[i].is_good);
        assert_true(value == (rows[i].is_good ? rows[i].value : 77));
        free(copy);
    }
}

static void truths(void **state)
{
    static const char *const yes[] = {"true", "TRUE", "yes", "On", "1"};
    static const char *const no[] = {"false", "No", "OFF", "0"};
    static const char *const neither[] = {"", "2", "tru", "truee", "01"};
    (void)state;
    bool value = false;
    for (size_t i = 0; i < COUNT_OF(yes); i++)
        assert_true(slice_to_bool(slice_of(yes[i]), &value) && value);
    for (size_t i = 0; i < COUNT_OF(no); i++)
        assert_true(slice_to_bool(slice_of(no[i]), &value) && !value);
    for (size_t i = 0; i < COUNT_OF(neither); i++)
        assert_false(slice_to_bool(slice_of(neither[i]), &value));
}

static void comparisons(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
        bool is_equal_nocase;
    } rows[] = {
        {"", "", 0, true},       {"a", "a", 0, true},   {"a", "A", 1, true},
        {"a", "b", -1, false},   {"ab", "a", 1, false}, {"", "a", -1, false},
        {"\xff", "a", 1, false}, {"[", "{", -1, false}, {"z{", "Z{", 1, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice a = slice_of(rows[i].a), b = slice_of(rows[i].b);
        int order = slice_cmp(a, b);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        assert_int_equal(slice_eq(a, b), rows[i].order == 0);
        assert_int_equal(slice_eq_secret(a, b), rows[i].order == 0);
        assert_int_equal(slice_eq_nocase(a, b), rows[i].is_equal_nocase);
        if (rows[i].order == 0)
            assert_true(slice_hash(a) == slice_hash(b));
    }
    assert_true(slice_eq(SLICE_NONE, SLICE("")));
    assert_true(slice_eq_secret(SLICE_NONE, SLICE("")));
    assert_false(slice_eq_secret(SLICE("aa"), SLICE("a")));
    assert_false(slice_eq_secret(SLICE("a"), SLICE("")));
}

static void heads_and_tails(void **state)
{
    (void)state;
    struct slice s = SLICE("Content-Type");
    assert_true(slice_eq(slice_from(s, 8), SLICE("Type")));
    assert_int_equal(slice_from(s, 99).len, 0);
    assert_null(slice_from(SLICE_NONE, 3).data);
    assert_true(slice_eq(slice_first(s, 7), SLICE("Content")));
    assert_int_equal(slice_first(s, 99).len, s.len);
    assert_true(slice_has_prefix(s, SLICE("Con")) && slice_has_prefix(s, SLICE("")));
    assert_false(slice_has_prefix(s, SLICE("con")) || slice_has_prefix(SLICE("C"), s));
    assert_true(slice_has_prefix_nocase(s, SLICE("con")));
    assert_true(slice_has_suffix_nocase(s, SLICE("-TYPE")));
    assert_false(slice_has_suffix_nocase(SLICE("pe"), SLICE("type")));
}

static void searches(void **state)
{
    static const struct {
        struct slice in, what;
        size_t at;
    } rows[] = {
        {SLICE_INIT("hello"), SLICE_INIT("l"), 2},  {SLICE_INIT("hello"), SLICE_INIT("lo"), 3},
        {SLICE_INIT("hello"), SLICE_INIT("x"), 5},  {SLICE_INIT("hello"), SLICE_INIT(""), 0},
        {SLICE_INIT(""), SLICE_INIT("x"), 0},       {SLICE_INIT("a"), SLICE_INIT("ab"), 1},
        {SLICE_INIT("a\0b"), SLICE_INIT("\0b"), 1}, {{NULL, 0}, SLICE_INIT("x"), 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(slice_find(rows[i].in, rows[i].what), rows[i].at);
        if (rows[i].what.len == 1)
            assert_int_equal(slice_find_byte(rows[i].in, rows[i].what.data[0]), rows[i].at);
    }
}

static void parts_are_cut_to_the_last(void **state)
{
    static const struct {
        struct slice text;
        const char *parts; /* each with '|' behind it */
    } rows[] = {
        {SLICE_INIT("a,b,c"), "a|b|c|"}, {SLICE_INIT("a,"), "a||"}, {SLICE_INIT(","), "||"},
        {SLICE_INIT(""), "|"},           {{NULL, 0}, ""},           {SLICE_INIT("abc"), "abc|"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice rest = rows[i].text, part;
        char seen[32] = "";
        int len = 0;
        while (slice_cut(&rest, ',', &part))
            len += snprintf(seen + len, sizeof seen - (size_t)len, "%.*s|", SLICE_ARG(part));
        assert_string_equal(seen, rows[i].parts);
    }
}

static void space_is_trimmed(void **state)
{
    (void)state;
    assert_true(slice_eq(slice_trim(SLICE(" \t\r\n\v\fa b ")), SLICE("a b")));
    assert_int_equal(slice_trim(SLICE("  ")).len, 0);
    assert_true(slice_is_blank(SLICE(" \n")) && slice_is_blank(SLICE_NONE));
    assert_false(slice_is_blank(SLICE(" \xc2\xa0"))); /* ASCII space only */
    char *copy = slice_dup(SLICE("a\0b"));
    assert_memory_equal(copy, "a\0b", 4);
    free(copy);
    copy = slice_dup(SLICE_NONE);
    assert_string_equal(copy, "");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_or_nothing),
        cmocka_unit_test(decimal_numbers),
        cmocka_unit_test(truths),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(heads_and_tails),
        cmocka_unit_test(searches),
        cmocka_unit_test(parts_are_cut_to_the_last),
        cmocka_unit_test(space_is_trimmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
