#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

static const struct {
    struct slice plain, coded;
} pairs[] = {
    {SLICE_INIT(""), SLICE_INIT("")},
    {SLICE_INIT("f"), SLICE_INIT("Zg==")},
    {SLICE_INIT("fo"), SLICE_INIT("Zm8=")},
    {SLICE_INIT("foo"), SLICE_INIT("Zm9v")},
    {SLICE_INIT("foob"), SLICE_INIT("Zm9vYg==")},
    {SLICE_INIT("fooba"), SLICE_INIT("Zm9vYmE=")},
    {SLICE_INIT("foobar"), SLICE_INIT("Zm9vYmFy")},
    {SLICE_INIT("\xff\xef\0\xfe"), SLICE_INIT("/+8A/g==")},
};

static void both_ways_within_the_exact_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct buf coded, plain;
        buf_init(&coded, pairs[i].coded.len);
        buf_init(&plain, pairs[i].plain.len);
        base64_add(&coded, pairs[i].plain);
        assert_int_equal(buf_err(&coded), E_OK);
        assert_true(slice_eq(buf_slice(&coded), pairs[i].coded));
        assert_int_equal(base64_decode(&plain, pairs[i].coded), E_OK);
        assert_true(slice_eq(buf_slice(&plain), pairs[i].plain));
        buf_done(&coded);
        buf_done(&plain);
    }
}

static void too_little_room_is_a_limit(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNT_OF(pairs); i++) {
        struct buf coded, plain;
        buf_init(&coded, pairs[i].coded.len - 1);
        buf_init(&plain, pairs[i].plain.len - 1);
        base64_add(&coded, pairs[i].plain);
        assert_int_equal(buf_err(&coded), E_LIMIT);
        assert_int_equal(base64_decode(&plain, pairs[i].coded), E_LIMIT);
        assert_int_equal(coded.len + plain.len, 0);
        buf_done(&coded);
        buf_done(&plain);
    }
}

static void what_is_not_base64_adds_nothing(void **state)
{
    static const struct slice rows[] = {
        SLICE_INIT("Z"),    SLICE_INIT("Zg"),       SLICE_INIT("Zg="),     SLICE_INIT("Z==="),
        SLICE_INIT("===="), SLICE_INIT("Zg==Zg=="), SLICE_INIT("Zm9 "),    SLICE_INIT("Zm9-"),
        SLICE_INIT("Z=9v"), SLICE_INIT("Zm9\0"),    SLICE_INIT("Zm9\xff"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        buf_add(&out, SLICE("as it was"));
        assert_int_equal(base64_decode(&out, rows[i]), E_BAD_INPUT);
        assert_string_equal(buf_text(&out), "as it was");
        buf_done(&out);
    }
}

static void in_urls_it_has_other_digits_and_no_padding(void **state)
{
    static const struct slice bad[] = {SLICE_INIT("Z"), SLICE_INIT("Zg=="), SLICE_INIT("Zm9+"),
                                       SLICE_INIT("Zm9/"), SLICE_INIT("Zm9vZ")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct slice want = pairs[i].coded;
        struct buf coded, plain;
        while (want.len > 0 && want.data[want.len - 1] == '=')
            want.len--;
        buf_init(&coded, want.len);
        buf_init(&plain, pairs[i].plain.len);
        base64_add_url(&coded, pairs[i].plain);
        assert_int_equal(coded.len, want.len);
        for (size_t k = 0; k < want.len; k++) {
            char digit = want.data[k] == '+' ? '-' : want.data[k];
            assert_int_equal(coded.data[k], digit == '/' ? '_' : digit);
        }
        assert_int_equal(base64_decode_url(&plain, buf_slice(&coded)), E_OK);
        assert_true(slice_eq(buf_slice(&plain), pairs[i].plain));
        buf_done(&coded);
        buf_done(&plain);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf out;
        buf_init(&out, 100);
        assert_int_equal(base64_decode_url(&out, bad[i]), E_BAD_INPUT);
        assert_int_equal(out.len, 0);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_within_the_exact_limit),
        cmocka_unit_test(too_little_room_is_a_limit),
        cmocka_unit_test(what_is_not_base64_adds_nothing),
        cmocka_unit_test(in_urls_it_has_other_digits_and_no_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
