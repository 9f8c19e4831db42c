#include "json/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static void take(void *ctx, const struct jx_difference *d)
{
    buf_addf(ctx, "%s: %.*s -> %.*s; ", d->path, SLICE_ARG(d->before), SLICE_ARG(d->after));
}

static void what_differs_is_told_by_its_path(void **state)
{
    static const struct {
        const char *before, *after, *said;
    } rows[] = {
        {"{}", "{}", ""},
        {"{\"a\":1}", "{\"a\":1}", ""},
        {"{\"a\":1}", "{\"a\":2}", "a: 1 -> 2; "},
        {"{\"a\":{\"b\":\"x\"}}", "{\"a\":{\"b\":\"y\",\"c\":true}}",
         "a.b: \"x\" -> \"y\"; a.c:  -> true; "},
        {"{\"a\":{\"b\":1}}", "{}", "a: {\"b\":1} -> ; "},
        {"{\"a\":\"\\u0041\"}", "{\"a\":\"A\"}", ""},
        {"{\"A\":1}", "{\"a\":1}", ""},
        {"{\"a\":null,\"b\":false,\"c\":\"\",\"d\":{},\"e\":[]}", "{}", ""},
        {"{\"a\":false}", "{\"a\":true}", "a: false -> true; "},
        {"{\"a\":0}", "{}", "a: 0 -> ; "},
        {"{\"a\":[\"x\"]}", "{\"a\":[\"x\", \"y\"]}", "a: [\"x\"] -> [\"x\", \"y\"]; "},
        {"{\"a\":[\"x\",[1,2]]}", "{\"a\":[ \"x\", [1, 2] ]}", ""},
        {"{\"a\":[1]}", "{\"a\":[2]}", "a: [1] -> [2]; "},
        {"{\"a\":[null]}", "{\"a\":[false]}", "a: [null] -> [false]; "},
        {"{\"a\":[{\"k\":1},{\"k\":2}]}", "{\"a\":[{\"k\":1},{\"k\":3},{\"k\":4}]}",
         "a[1].k: 2 -> 3; a[2]:  -> {\"k\":4}; "},
        {"{\"a\":[{\"k\":1}]}", "{\"a\":[]}", "a[0]: {\"k\":1} -> ; "},
        {"{\"a\":12345678901234567}", "{\"a\":12345678901234568}",
         "a: 12345678901234567 -> 12345678901234568; "},
        {"{\"a\":{}}", "{\"a\":[1]}", "a: {} -> [1]; "},
    };
    struct buf said;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_init(&said, 4096);
        size_t count = jx_diff(slice_of(rows[i].before), slice_of(rows[i].after), take, &said);
        assert_string_equal(buf_text(&said), rows[i].said);
        assert_int_equal(count == 0, rows[i].said[0] == '\0');
        buf_done(&said);
    }
}

static void a_path_leads_to_its_value(void **state)
{
    static const char json[] = "{\"a\":{\"b\":[{\"c\":1},[2,3]]},\"d\":\"x\"}";
    static const struct {
        const char *path, *value;
    } rows[] = {
        {"d", "\"x\""}, {"a.b[0].c", "1"}, {"a.b[1][1]", "3"}, {"a.b[2]", ""},          {"a.c", ""},
        {"d.e", ""},    {"a[0]", ""},      {"a.b[x]", ""},     {"A.B[0]", "{\"c\":1}"}, {"", json}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice found = jx_at(slice_of(json), rows[i].path);
        if (!slice_eq(found, slice_of(rows[i].value)))
            fail_msg("%s: '%.*s'", rows[i].path, SLICE_ARG(found));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_differs_is_told_by_its_path),
        cmocka_unit_test(a_path_leads_to_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
