#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "event/connection.h"

static void passwords_are_hidden_and_nothing_else(void **state)
{
    static const struct {
        const char *connection, *shown;
    } rows[] = {
        {"", ""},
        {"cache", "cache"},
        {"127.0.0.1:6379", "127.0.0.1:6379"},
        {"h:6380,password=a=b,ssl=True", "h:6380,password=Hidden,ssl=True"},
        {"h,PassWord = x", "h,PassWord =Hidden"},
        {"h,password=", "h,password=Hidden"},
        {"h,password=a://b:c@d,ssl=True", "h,password=Hidden,ssl=True"},
        {"h,sentinelPassword=x,user=me", "h,sentinelPassword=Hidden,user=me"},
        {"!/run/s,defaultDatabase=2", "!/run/s,defaultDatabase=2"},
        {"redis://h:1/0", "redis://h:1/0"},
        {"redis://me@h:1/0", "redis://me@h:1/0"},
        {"redis://me:x@h:1/0", "redis://me:Hidden@h:1/0"},
        {"redis://:x@h", "redis://:Hidden@h"},
        {"redis://:x@y@h", "redis://:Hidden@h"},
        {"redis://h:1/0?db=1&sentinelPassword=x&name=n",
         "redis://h:1/0?db=1&sentinelPassword=Hidden&name=n"},
        {"unix://me:x@/run/s?db=2", "unix://me:Hidden@/run/s?db=2"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&out);
        connection_write_hidden(&out, slice_of(rows[i].connection));
        assert_string_equal(buf_text(&out), rows[i].shown);
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_hidden_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
