#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static void what_is_valid_and_what_becomes_of_the_rest(void **state)
{
    static const struct {
        struct slice in;
        size_t valid_len;
        struct slice repaired;
    } rows[] = {
#define BAD "\xef\xbf\xbd"
        {SLICE_INIT(""), 0, SLICE_INIT("")},
        {SLICE_INIT("plain"), 5, SLICE_INIT("plain")},
        {SLICE_INIT("nul\0nul"), 7, SLICE_INIT("nul\0nul")},
        {SLICE_INIT("12345678\xc3\xa9"), 10, SLICE_INIT("12345678\xc3\xa9")},
        {SLICE_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 9,
         SLICE_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")},
        {SLICE_INIT("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), 10,
         SLICE_INIT("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf")},
        {SLICE_INIT("a\x80z"), 1, SLICE_INIT("a" BAD "z")},
        {SLICE_INIT("\xff\xfe"), 0, SLICE_INIT(BAD BAD)},
        {SLICE_INIT("\xc0\xaf"), 0, SLICE_INIT(BAD BAD)},                 /* too long a form */
        {SLICE_INIT("\xe0\x80\xaf"), 0, SLICE_INIT(BAD BAD BAD)},         /* the same */
        {SLICE_INIT("\xed\xa0\x80"), 0, SLICE_INIT(BAD BAD BAD)},         /* a surrogate */
        {SLICE_INIT("\xf4\x90\x80\x80"), 0, SLICE_INIT(BAD BAD BAD BAD)}, /* above U+10FFFF */
        {SLICE_INIT("\xe2\x82"), 0, SLICE_INIT(BAD)},                     /* cut */
        {SLICE_INIT("\xe2\x82z"), 0, SLICE_INIT(BAD "z")},
        {SLICE_INIT("\xf0\x9f\x98"), 0, SLICE_INIT(BAD)},
        {SLICE_INIT("12345678\xf0\x9f\x98\xc3\xa9"), 8, SLICE_INIT("12345678" BAD "\xc3\xa9")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        /* On the heap, so that a look beyond the end shows. */
        char *copy = malloc(rows[i].in.len + (rows[i].in.len == 0));
        assert_non_null(copy);
        memcpy(copy, rows[i].in.data, rows[i].in.len);
        struct slice in = {copy, rows[i].in.len};
        struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(utf8_valid_len(in), rows[i].valid_len);
        assert_int_equal(utf8_is_valid(in), rows[i].valid_len == in.len);
        utf8_add_repaired(&out, in);
        assert_true(slice_eq(buf_slice(&out), rows[i].repaired));
        buf_done(&out);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_valid_and_what_becomes_of_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
