#include "json/member.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

static void what_stands_before_a_member_depends_on_the_last_byte(void **state)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {"", "{\"n\":1"},
        {"{", "{\"n\":1"},
        {"[", "[{\"n\":1"},
        {"[{},", "[{},{\"n\":1"},
        {"{\"a\":", "{\"a\":{\"n\":1"},
        {"{\"a\":{", "{\"a\":{\"n\":1"},
        /* behind every kind of value */
        {"{\"a\":{}", "{\"a\":{},\"n\":1"},
        {"{\"a\":[]", "{\"a\":[],\"n\":1"},
        {"{\"a\":[ ] ", "{\"a\":[ ] ,\"n\":1"},
        {"{\"a\":1", "{\"a\":1,\"n\":1"},
        {"{\"a\":1.5e3", "{\"a\":1.5e3,\"n\":1"},
        {"{\"a\":true", "{\"a\":true,\"n\":1"},
        {"{\"a\":null", "{\"a\":null,\"n\":1"},
        {"{\"a\":\"\"", "{\"a\":\"\",\"n\":1"},
        /* and texts that end with the bytes themselves */
        {"{\"a\":\"{\"", "{\"a\":\"{\",\"n\":1"},
        {"{\"a\":\"[\"", "{\"a\":\"[\",\"n\":1"},
        {"{\"a\":\":\"", "{\"a\":\":\",\"n\":1"},
        {"{\"a\":\",\"", "{\"a\":\",\",\"n\":1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 256);
        buf_add(&out, slice_of(rows[i].before));
        member_u64(&out, "n", 1);
        assert_string_equal(buf_text(&out), rows[i].after);
        buf_done(&out);
    }
}

static void every_kind_of_value_is_written(void **state)
{
    struct slice rest = SLICE("{\"f\\u0041\" : [1, 2]}");
    struct jx_field field;
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    member_text(&out, "text", SLICE("a\"{"));
    member_text(&out, "empty", SLICE(""));
    member_text(&out, "null", SLICE_NONE);
    member_text_if(&out, "text?", SLICE(""));
    member_text_if(&out, "none", SLICE_NONE);
    member_json(&out, "json", SLICE("[{}]"));
    member_json(&out, "null", SLICE_NONE);
    member_json_if(&out, "json?", SLICE("{}"));
    member_json_if(&out, "none", SLICE_NONE);
    member_u64(&out, "u64", UINT64_MAX);
    member_i64(&out, "i64", INT64_MIN);
    member_f64(&out, "f64", 1.25);
    member_f64(&out, "infinite", INFINITY);
    member_bool(&out, "yes", true);
    member_bool(&out, "no", false);
    member_time(&out, "time", 1684929600000000, 3);
    assert_true(jx_scan_next(&rest, &field));
    member_copy(&out, &field);
    member_open(&out, "inner");
    member_bool(&out, "a", true);
    buf_add(&out, SLICE("}}"));
    assert_string_equal(buf_text(&out),
                        "{\"text\":\"a\\\"{\",\"empty\":\"\",\"null\":null,\"text?\":\"\","
                        "\"json\":[{}],\"null\":null,\"json?\":{},"
                        "\"u64\":18446744073709551615,\"i64\":-9223372036854775808,"
                        "\"f64\":1.25,\"infinite\":0,\"yes\":true,\"no\":false,"
                        "\"time\":\"2023-05-24T12:00:00.000Z\",\"f\\u0041\":[1, 2],"
                        "\"inner\":{\"a\":true}}");
    assert_true(jx_scan_is_object(buf_slice(&out)));
    buf_done(&out);
}

static void what_does_not_fit_is_remembered(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 10);
    member_text(&out, "name", SLICE("a text"));
    member_u64(&out, "n", 1);
    assert_int_equal(buf_err(&out), E_LIMIT);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_before_a_member_depends_on_the_last_byte),
        cmocka_unit_test(every_kind_of_value_is_written),
        cmocka_unit_test(what_does_not_fit_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
