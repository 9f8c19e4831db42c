#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "router/labels.h"

static void what_is_not_asked_for_stays(void **state)
{
    static const struct {
        const char *old, *asked, *expected;
    } rows[] = {
        {"{}", "{}", ""},
        {"{\"location\":\"a\"}", "{}", "{\"location\":\"a\""},
        {"{\"location\":\"a\",\"tags\":{\"x\":\"y\"}}", "{\"location\":\"b\"}",
         "{\"location\":\"b\",\"tags\":{\"x\":\"y\"}"},
        {"{\"tags\":{\"x\":\"y\"},\"identity\":{}}", "{\"tags\":null}",
         "{\"tags\":null,\"identity\":{}"},
        {"", "{\"identity\":{\"type\":\"None\"}}", "{\"identity\":{\"type\":\"None\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct labels old = labels_read(slice_of(rows[i].old)),
                            asked = labels_read(slice_of(rows[i].asked)),
                            labels = labels_merge(&old, &asked);
        struct buf out;
        buf_init(&out, 1024);
        labels_write(&out, &labels);
        assert_true(slice_eq(buf_slice(&out), slice_of(rows[i].expected)));
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_asked_for_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
