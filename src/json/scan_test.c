#include "json/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void only_whole_valid_objects_are_objects(void **state)
{
    static const struct {
        const char *text;
        bool is_object;
    } rows[] = {
        {"{}", true},
        {" {\"a\" : 1 , \"b\":[ ] } ", true},
        {"{\"a\":[1,-0,0.5,1e5,1E+5,2e-3,true,false,null,\"x\",{}]}", true},
        {"{\"\\u00e9\\ud83d\\ude00\\n\\/\":\"\\\"\"}", true},
        {"", false},
        {"[]", false},
        {"{", false},
        {"{}x", false},
        {"{\"a\"}", false},
        {"{\"a\":}", false},
        {"{\"a\":1,}", false},
        {"{a:1}", false},
        {"{\"a\":01}", false},
        {"{\"a\":+1}", false},
        {"{\"a\":1.}", false},
        {"{\"a\":.5}", false},
        {"{\"a\":1e}", false},
        {"{\"a\":-}", false},
        {"{\"a\":tru}", false},
        {"{\"a\":\"\\x\"}", false},
        {"{\"a\":\"\\ud800\"}", false},
        {"{\"a\":\"\\udc00\"}", false},
        {"{\"a\":\"\\ud800\\u0041\"}", false},
        {"{\"a\":\"\\u12g4\"}", false},
        {"{\"a\":\"\n\"}", false},
        {"{\"a\":\"open}", false},
        {"{\"a\":[1 2]}", false},
        {"{\"a\":[1,]}", false},
        {"{\"a\":1 \"b\":2}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (jx_scan_is_object(slice_of(rows[i].text)) != rows[i].is_object)
            fail_msg("%s", rows[i].text);
}

static void every_beginning_of_an_object_is_none(void **state)
{
    static const char text[] = "{\"a\":[1.5e1,{\"b\":\"\\u00e9\\ud83d\\ude00\"}],\"c\":null}";

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *exact = len > 0 ? malloc(len) : NULL; /* so that reading past it is noticed */
        if (len > 0)
            memcpy(exact, text, len);
        assert_false(jx_scan_is_object((struct slice){exact, len}));
        free(exact);
    }
    assert_true(jx_scan_is_object(slice_of(text)));
}

static void depth_is_limited(void **state)
{
    char text[400];

    (void)state;
    for (int depth = 1; depth < 100; depth++) {
        size_t len = (size_t)snprintf(text, sizeof text, "{\"a\":");
        for (int i = 1; i < depth; i++)
            text[len++] = '[';
        text[len++] = '1';
        for (int i = 1; i < depth; i++)
            text[len++] = ']';
        text[len++] = '}';
        assert_int_equal(jx_scan_is_object((struct slice){text, len}), depth <= JX_SCAN_DEPTH_MAX);
    }
}

static void members_are_given_in_order(void **state)
{
    struct slice rest = SLICE(" { \"a\" : \"x\" ,\"b\":[1, 2],\"c\":{\"d\":1}, \"e\" : -5 } ");
    static const char *const expected[] = {"\"a\"", "\"x\"",     "\"b\"", "[1, 2]",
                                           "\"c\"", "{\"d\":1}", "\"e\"", "-5"};
    struct jx_field field;
    size_t count = 0;

    (void)state;
    for (; jx_scan_next(&rest, &field); count += 2) {
        assert_true(slice_eq(field.name, slice_of(expected[count])));
        assert_true(slice_eq(field.value, slice_of(expected[count + 1])));
    }
    assert_int_equal(count, COUNT_OF(expected));
    rest = SLICE("{}");
    assert_false(jx_scan_next(&rest, &field));
}

static void strings_are_unescaped(void **state)
{
    static const char expected[] = "a\"\\/\b\f\n\r\t\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    jx_scan_add_string(
        &out, SLICE("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\u20AC\\ud83d\\ude00z\""));
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, sizeof expected - 1);
    char copy[80];
    assert_int_equal(jx_scan_copy_string(copy, SLICE("\"\\u20ACuro\\\\\"")), 7);
    assert_memory_equal(copy, "\xe2\x82\xacuro\\", 7);
    buf_done(&out);
}

static void items_are_given_in_order(void **state)
{
    struct slice rest = SLICE(" [ 1.10 ,\"a,b\",[2, 3],{} ,null] "), item;
    static const char *const expected[] = {"1.10", "\"a,b\"", "[2, 3]", "{}", "null"};
    size_t count = 0;

    (void)state;
    for (; jx_scan_item(&rest, &item); count++)
        assert_true(slice_eq(item, slice_of(expected[count])));
    assert_int_equal(count, COUNT_OF(expected));
    for (rest = SLICE("[ ]"); jx_scan_item(&rest, &item);)
        fail();
    for (rest = SLICE("5"); jx_scan_item(&rest, &item);)
        fail();
}

static void a_member_is_found_by_its_exact_name_first(void **state)
{
    static const struct {
        const char *object, *name, *value;
    } rows[] = {
        {"{\"a\":1,\"A\":2}", "a", "1"},
        {"{\"a\":1,\"A\":2}", "A", "2"},
        {"{\"ab\":1,\"aB\":2}", "AB", "2"},
        {"{\"a\":1,\"a\":2}", "a", "2"},
        {"{\"\\u0061b\":1}", "ab", "1"},
        {"{\"\\u0061b\":1}", "a", NULL},
        {"{\"a\":1}", "ab", NULL},
        {"{}", "", NULL},
        {"[1]", "a", NULL},
        {"7", "a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice value = jx_scan_member(slice_of(rows[i].object), slice_of(rows[i].name));
        assert_true(slice_eq(value, slice_of(rows[i].value)));
    }
}

static void values_of_any_type_are_valid_alone(void **state)
{
    (void)state;
    assert_true(jx_scan_is_value(SLICE(" [1] "), 1));
    assert_true(jx_scan_is_value(SLICE("null"), 0));
    assert_false(jx_scan_is_value(SLICE("[1]"), 0));
    assert_true(jx_scan_is_value(SLICE("[[1],{}]"), 2));
    assert_false(jx_scan_is_value(SLICE("[[1],{\"a\":[]}]"), 2));
    assert_false(jx_scan_is_value(SLICE("1 2"), 5));
    assert_false(jx_scan_is_value(SLICE(""), 5));
    assert_true(slice_eq(jx_scan_trim(SLICE("\t [1] \r\n")), SLICE("[1]")));
    assert_int_equal(jx_scan_trim(SLICE("  ")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_whole_valid_objects_are_objects),
        cmocka_unit_test(every_beginning_of_an_object_is_none),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(members_are_given_in_order),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(items_are_given_in_order),
        cmocka_unit_test(a_member_is_found_by_its_exact_name_first),
        cmocka_unit_test(values_of_any_type_are_valid_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
