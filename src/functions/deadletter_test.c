#include "functions/deadletter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void own_keys_share_the_slot_of_the_users_key(void **state)
{
    static const struct {
        const char *key, *tag;
        bool fits;
        const char *consumers, *dead;
    } rows[] = {
        {"q", "q", true, "redgrid:{q}:consumers:f", "redgrid:{q}:dead:f"},
        {"{u}:q", "u", true, "redgrid:{u}:consumers:f:{u}:q", "redgrid:{u}:dead:f"},
        {"a{u}{v}", "u", true, "redgrid:{u}:consumers:f:a{u}{v}", "redgrid:{u}:dead:f"},
        {"a{{b}c", "{b", true, "redgrid:{{b}:consumers:f:a{{b}c", "redgrid:{{b}:dead:f"},
        {"a{b", "a{b", true, "redgrid:{a{b}:consumers:f", "redgrid:{a{b}:dead:f"},
        {"a{}b", "a{}b", false, "redgrid:{a{}b}:consumers:f", "redgrid:{a{}b}:dead:f"},
        {"a}b", "a}b", false, "redgrid:{a}b}:consumers:f", "redgrid:{a}b}:dead:f"},
        {"", "", false, "redgrid:{}:consumers:f", "redgrid:{}:dead:f"},
    };
    char name[] = "f";
    struct function function = {.name = name};
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice tag;
        assert_int_equal(key_tag(slice_of(rows[i].key), &tag), rows[i].fits);
        assert_true(slice_eq(tag, slice_of(rows[i].tag)));
        buf_clear(&out);
        own_key(&out, slice_of(rows[i].key), "consumers", SLICE("f"), SLICE_NONE);
        assert_string_equal(buf_text(&out), rows[i].consumers);
        buf_clear(&out);
        dead_letter_key(&out, &function, slice_of(rows[i].key));
        assert_string_equal(buf_text(&out), rows[i].dead);
    }
    buf_clear(&out);
    own_key(&out, SLICE("q"), "list", SLICE("f"), SLICE("node-1"));
    assert_string_equal(buf_text(&out), "redgrid:{q}:list:f:node-1");
    char chosen[] = "my-dead";
    function.trigger.dead_letter_key = chosen;
    buf_clear(&out);
    dead_letter_key(&out, &function, SLICE("q"));
    assert_string_equal(buf_text(&out), "my-dead");
    buf_done(&out);
}

static void assert_slice(struct slice slice, const char *expected)
{
    if (!slice_eq(slice, slice_of(expected)))
        fail_msg("'%.*s' is not '%s'", SLICE_ARG(slice), expected);
}

static void the_letter_says_whose_what_and_why(void **state)
{
    static const char *const stream[] = {
        "function",   "f", "key",   "s",    "id",   "1-0",
        "deliveries", "3", "error", "boom", "time", "2023-05-24T12:00:00.000Z"};
    char name[] = "f";
    struct function function = {.name = name};
    struct dead_letter letter = {.function = &function,
                                 .key = SLICE_INIT("s"),
                                 .id = SLICE_INIT("1-0"),
                                 .deliveries = 3,
                                 .error = SLICE_INIT("boom"),
                                 .unix_us = 1684929600000000};
    struct slice fields[DEAD_LETTER_FIELDS_MAX];
    struct buf text;

    (void)state;
    buf_init(&text, 10000);
    assert_int_equal(dead_letter_fields(&letter, &text, fields), 12);
    for (size_t i = 0; i < 12; i++)
        assert_slice(fields[i], stream[i]);
    letter.id = SLICE_NONE;
    assert_int_equal(dead_letter_fields(&letter, &text, fields), 10);
    assert_slice(fields[4], "deliveries");
    assert_slice(fields[5], "3");
    buf_done(&text);
    buf_init(&text, 5);
    assert_int_equal(dead_letter_fields(&letter, &text, fields), 0);
    buf_done(&text);
}

static void long_errors_are_cut_between_characters(void **state)
{
    char name[] = "f", error[2000], bad[2000];
    struct function function = {.name = name};
    struct dead_letter letter = {.function = &function, .error = {error, sizeof error}};
    struct slice fields[DEAD_LETTER_FIELDS_MAX];
    struct buf text;

    (void)state;
    buf_init(&text, 100000);
    memset(error, 'x', sizeof error);
    memcpy(error + 1022, "\xe2\x82\xac", 3);
    assert_int_equal(dead_letter_fields(&letter, &text, fields), 10);
    assert_int_equal(fields[7].len, 1022);
    memset(bad, 0xff, sizeof bad);
    letter.error = (struct slice){bad, sizeof bad};
    assert_int_equal(dead_letter_fields(&letter, &text, fields), 10);
    assert_int_equal(fields[7].len, 1023);
    letter.error = SLICE_NONE;
    assert_int_equal(dead_letter_fields(&letter, &text, fields), 10);
    assert_slice(fields[7], "");
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_keys_share_the_slot_of_the_users_key),
        cmocka_unit_test(the_letter_says_whose_what_and_why),
        cmocka_unit_test(long_errors_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
