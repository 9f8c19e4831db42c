#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static void letters_are_written_in_one_case_and_other_bytes_stay(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    buf_add_lower(&buf, SLICE("aZ@[`{\xc3\x84"));
    buf_add_upper(&buf, SLICE("Az@[`{\xc3\xa4"));
    assert_string_equal(buf_text(&buf), "az@[`{\xc3\x84"
                                        "AZ@[`{\xc3\xa4");
    buf_done(&buf);
}

static void what_fits_is_kept_and_a_miss_remembered(void **state)
{
    (void)state;
    struct buf buf;

    buf_init(&buf, 4);
    buf_add(&buf, SLICE("abc"));
    assert_int_equal(buf_err(&buf), E_OK);
    buf_add(&buf, SLICE("de"));
    buf_add(&buf, SLICE("f")); /* would fit, but not after a miss */
    assert_int_equal(buf_err(&buf), E_LIMIT);
    assert_string_equal(buf_text(&buf), "abc");
    assert_null(buf_reserve(&buf, 0));
    buf_clear(&buf);
    assert_int_equal(buf_err(&buf), E_OK);
    buf_add(&buf, SLICE("wxyz"));
    assert_string_equal(buf_text(&buf), "wxyz"); /* full to the brim, NUL not counted */
    assert_int_equal(buf_err(&buf), E_OK);
    buf_done(&buf);
    buf_add_byte(&buf, 'x'); /* zeroed: takes nothing */
    assert_int_equal(buf_err(&buf), E_LIMIT);
    buf_done(&buf);
}

static void formats_may_fill_it_exactly(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        struct buf buf;
        buf_init(&buf, max);
        buf_addf(&buf, "%s%0100d", "x", 7);
        assert_int_equal(buf_err(&buf), max >= 101 ? E_OK : E_LIMIT);
        assert_int_equal(buf.len, max >= 101 ? 101 : 0);
        buf_done(&buf);
    }
}

static void numbers(void **state)
{
    (void)state;
    static const double reals[] = {0.1, 5, -2.5, 1e300, 0.1 + 0.2, 123456789012.0};
    struct buf buf;

    buf_init(&buf, 1000);
    buf_add_u64(&buf, 0);
    buf_add_byte(&buf, ' ');
    buf_add_u64(&buf, UINT64_MAX);
    buf_add_byte(&buf, ' ');
    buf_add_i64(&buf, INT64_MIN);
    buf_add_byte(&buf, ' ');
    buf_add_i64(&buf, INT64_MAX);
    assert_string_equal(buf_text(&buf),
                        "0 18446744073709551615 -9223372036854775808 9223372036854775807");
    buf_clear(&buf);
    for (size_t i = 0; i < COUNT_OF(reals); i++) {
        buf_add_f64(&buf, reals[i]);
        buf_add_byte(&buf, ' ');
    }
    assert_string_equal(buf_text(&buf), "0.1 5 -2.5 1e+300 0.30000000000000004 123456789012 ");
    buf_done(&buf);
}

static void it_grows_to_its_limit_and_not_beyond(void **state)
{
    (void)state;
    struct buf buf;
    char *to;

    buf_init(&buf, 100000);
    for (int i = 0; i < 99999; i++)
        buf_add_byte(&buf, (char)i);
    to = buf_reserve(&buf, 1);
    assert_non_null(to);
    *to = 'x';
    buf_grow(&buf, 1);
    assert_int_equal(buf_err(&buf), E_OK);
    assert_true(buf.cap <= 2 * 100000);
    assert_null(buf_reserve(&buf, 1));
    buf_done(&buf);
}

static void the_front_can_be_dropped(void **state)
{
    static const struct {
        size_t n;
        const char *left;
    } rows[] = {{0, "abc"}, {1, "bc"}, {3, ""}, {9, ""}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf buf;
        buf_init(&buf, 10);
        buf_add(&buf, SLICE("abc"));
        buf_consume(&buf, rows[i].n);
        assert_string_equal(buf_text(&buf), rows[i].left);
        buf_done(&buf);
    }
}

static void detach_hands_over_a_string_or_nothing(void **state)
{
    (void)state;
    struct buf buf;

    buf_init(&buf, 3);
    char *empty = buf_detach(&buf);
    assert_string_equal(empty, "");
    buf_add(&buf, SLICE("abc"));
    char *full = buf_detach(&buf);
    assert_string_equal(full, "abc");
    assert_int_equal(buf.len, 0);
    buf_add(&buf, SLICE("abcd"));
    assert_null(buf_detach(&buf));
    buf_add(&buf, SLICE("ok")); /* the miss went with the bytes */
    assert_int_equal(buf_err(&buf), E_OK);
    buf_done(&buf);
    free(empty);
    free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_written_in_one_case_and_other_bytes_stay),
        cmocka_unit_test(what_fits_is_kept_and_a_miss_remembered),
        cmocka_unit_test(formats_may_fill_it_exactly),
        cmocka_unit_test(numbers),
        cmocka_unit_test(it_grows_to_its_limit_and_not_beyond),
        cmocka_unit_test(the_front_can_be_dropped),
        cmocka_unit_test(detach_hands_over_a_string_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
