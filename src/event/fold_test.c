#include "event/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/utf8.h"

static void letters_of_both_cases_become_the_same_bytes(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"aZ09@[`{", "az09@[`{"},
        {"ÀÖØÞ×", "àöøþ×"},
        {"àß÷ÿ", "àß÷ÿ"},
        {"ŸĀāŁłŽž", "ÿāāłłžž"},
        {"ΆΈΊΌΎΏΑΡΣΫς", "άέίόύώαρσϋσ"},
        {"ЀЏАЯѠҊӀӁӐ", "ѐџаяѡҋӏӂӑ"},
        {"ԱՖ", "աֆ"},
        {"ḀẔẠỸ", "ḁẕạỹ"},
        {"ＡＺ", "ａｚ"},
        {"漢字 \xf0\x9f\x98\x80", "漢字 \xf0\x9f\x98\x80"},
        {"\xc3", "\xc3"},
        {"\xc3 A", "\xc3 a"},
        {"\xe1\xb8", "\xe1\xb8"},
        {"\xff\xc0\xc1\x80Z", "\xff\xc0\xc1\x80z"},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice folded = fold_copy(&arena, slice_of(rows[i].in));
        if (!slice_eq(folded, slice_of(rows[i].out)))
            fail_msg("%s became %.*s", rows[i].in, SLICE_ARG(folded));
    }
    assert_null(fold_copy(&arena, (struct slice){"", 4096}).data);
    arena_done(&arena);
}

/* All letters of the rows: twice folded is once folded, and UTF-8 stays UTF-8. */
static void folding_ends_at_once(void **state)
{
    (void)state;
    for (unsigned c = 0x80; c < 0x10000; c++) {
        char text[3], once[3];
        size_t len = c < 0x800 ? 2 : 3;
        if (len == 2)
            memcpy(text, (char[]){(char)(0xc0 | c >> 6), (char)(0x80 | (c & 63))}, 2);
        else
            memcpy(text,
                   (char[]){(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)),
                            (char)(0x80 | (c & 63))},
                   3);
        if (!utf8_is_valid((struct slice){text, len}))
            continue;
        fold_text(text, len);
        memcpy(once, text, len);
        fold_text(text, len);
        assert_memory_equal(once, text, len);
        assert_true(utf8_is_valid((struct slice){text, len}));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_of_both_cases_become_the_same_bytes),
        cmocka_unit_test(folding_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
