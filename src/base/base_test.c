#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/utf8.h"

static void a_buf_remembers_a_miss(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 4);
    buf_add(&buf, SLICE("abc"));
    assert_int_equal(buf_err(&buf), E_OK);
    buf_add(&buf, SLICE("de"));
    buf_add(&buf, SLICE("f"));
    assert_int_equal(buf_err(&buf), E_LIMIT);
    assert_int_equal(buf.len, 3);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buf_remembers_a_miss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
