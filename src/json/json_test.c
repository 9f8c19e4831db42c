#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static json_t *parsed(const char *text)
{
    json_t *value = NULL;
    struct cause why = {0};

    if (jx_parse(slice_of(text), "t", NULL, &value, &why) != E_OK)
        fail_msg("%s", why.text);
    return value;
}

static void strings_are_written_with_the_fewest_escapes(void **state)
{
    static const struct {
        struct slice in;
        const char *out;
    } rows[] = {
        {SLICE_INIT(""), "\"\""},
        {SLICE_INIT("plain text of more than eight bytes"),
         "\"plain text of more than eight bytes\""},
        {SLICE_INIT("say \"hi\" \\ now"), "\"say \\\"hi\\\" \\\\ now\""},
        {SLICE_INIT("\b\f\n\r\t\x01\x1f\x7f/"), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\""},
        {SLICE_INIT("a\0b"), "\"a\\u0000b\""},
        {SLICE_INIT("h\xc3\xa9llo w\xc3\xb6rld \xf0\x9f\x98\x80"),
         "\"h\xc3\xa9llo w\xc3\xb6rld \xf0\x9f\x98\x80\""},
        {SLICE_INIT("a\xff"
                    "b"),
         "\"a\xef\xbf\xbd"
         "b\""},
        {SLICE_INIT("\xc3\"\xa9"), "\"\xef\xbf\xbd\\\"\xef\xbf\xbd\""},
        {SLICE_INIT("12345678\xe2\x82"), "\"12345678\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 1000);
        jx_write_string(&out, rows[i].in);
        assert_string_equal(buf_text(&out), rows[i].out);
        buf_done(&out);
    }
}

static void every_byte_at_every_place_survives_a_round_trip(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 0x80; c++)
        for (size_t at = 0; at < 19; at++) {
            char text[20] = "abcdefghijklmnopqrs";
            struct buf out;
            text[at] = (char)c;
            buf_init(&out, 1000);
            jx_write_string(&out, slice_of(text));
            json_t *back = parsed(buf_text(&out));
            assert_string_equal(json_string_value(back), text);
            json_decref(back);
            buf_done(&out);
        }
}

static void written_twice_is_a_string_of_a_string(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x100; c++)
        for (size_t at = 0; at < 19; at++) {
            char text[] = "abc\"efg\\ijklm\"o\"qrs";
            struct slice whole = {text, sizeof text - 1};
            struct buf once, twice, at_once;
            text[at] = (char)c;
            buf_init(&once, 1000);
            buf_init(&twice, 1000);
            buf_init(&at_once, 1000);
            jx_write_string(&once, whole);
            jx_write_string(&twice, buf_slice(&once));
            jx_write_string_twice(&at_once, whole);
            assert_string_equal(buf_text(&at_once), buf_text(&twice));
            buf_done(&once);
            buf_done(&twice);
            buf_done(&at_once);
        }
}

/* Longer than what is written in one go, and the limit is met to the byte. */
static void long_texts_dense_with_quotes_fit_exactly(void **state)
{
    char text[2000], expected[2 * sizeof text + 2];
    size_t len = 0;

    (void)state;
    expected[len++] = '"';
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 7 == 3 ? '"' : i % 11 == 5 ? '\\' : (char)('a' + i % 26);
        if (text[i] == '"' || text[i] == '\\')
            expected[len++] = '\\';
        expected[len++] = text[i];
    }
    expected[len++] = '"';
    for (size_t room = len - 1; room <= len + 1; room++) {
        struct buf out;
        buf_init(&out, room);
        jx_write_string(&out, (struct slice){text, sizeof text});
        assert_int_equal(buf_err(&out), room < len ? E_LIMIT : E_OK);
        if (room >= len)
            assert_memory_equal(out.data, expected, len);
        buf_done(&out);
    }
}

static void mistakes_name_line_and_column(void **state)
{
    struct jx_limits small = {.text_max_bytes = 10, .depth_max = 2};
    struct cause why = {0};
    json_t *value = NULL;

    (void)state;
    assert_int_equal(jx_parse(SLICE("{\n  \"a\": nope}"), "x.json", NULL, &value, &why),
                     E_BAD_INPUT);
    assert_non_null(strstr(why.text, "x.json:2:"));
    assert_int_equal(jx_parse(SLICE("[\"0123456789\"]"), "x", &small, &value, &why), E_LIMIT);
    assert_int_equal(jx_parse(SLICE("[[[]]]"), "x", &small, &value, &why), E_LIMIT);
    assert_int_equal(jx_parse(SLICE("[\"[[[\"]"), "x", &small, &value, &why), E_OK);
    json_decref(value);
    assert_int_equal(jx_parse(SLICE("[true\0]"), "x", NULL, &value, &why), E_BAD_INPUT);
    assert_int_equal(jx_parse(SLICE_NONE, NULL, NULL, &value, &why), E_BAD_INPUT);
    value = parsed("\xef\xbb\xbf{\"a\":1,\"a\":2}");
    assert_int_equal(json_integer_value(jx_member(value, "A")), 2);
    json_decref(value);
}

static void views_read_lenient_types_and_keep_the_first_mistake(void **state)
{
    json_t *top = parsed("{\"Count\":\"16\",\"f\":2.0,\"on\":\"YES\",\"off\":false,\"t\":\"x\","
                         "\"n\":null,\"span\":\"00:00:10\",\"big\":70000,\"word\":\"Block\","
                         "\"in\":{\"x\":{}}, \"zero\":0}");
    static const char *const words[] = {"fixed", "block", "0", NULL};
    struct jx_view view, in;
    struct jx_range range = {1, 65535};
    uint32_t number = 7;
    int64_t wide = 0;
    bool flag = false;
    const char *text = NULL;
    size_t word = 9;

    (void)state;
    jx_view_init(&view, top, "a.json");
    assert_true(jx_u32(&view, "count", range, &number));
    assert_int_equal(number, 16);
    assert_true(jx_i64(&view, "f", range, &wide));
    assert_int_equal(wide, 2);
    assert_true(jx_bool(&view, "on", &flag));
    assert_true(flag);
    assert_true(jx_bool(&view, "off", &flag));
    assert_false(flag);
    assert_true(jx_text(&view, "T", &text));
    assert_string_equal(text, "x");
    assert_false(jx_text(&view, "n", &text));
    assert_false(jx_text(&view, "absent", &text));
    assert_true(jx_span(&view, "span", &wide));
    assert_int_equal(wide, 10000);
    assert_true(jx_word(&view, "word", words, &word));
    assert_int_equal(word, 1);
    assert_true(jx_word(&view, "zero", words, &word));
    assert_int_equal(word, 2);
    jx_view_down(&view, "in", &in);
    assert_int_equal(view.err, E_OK);
    assert_false(jx_bool(&in, "x", &flag));
    assert_string_equal(in.why.text, "a.json: in.x: is neither true nor false");
    assert_false(jx_u32(&view, "big", range, &number));
    assert_int_equal(number, 16);
    assert_false(jx_word(&view, "t", words, &word));
    assert_string_equal(view.why.text, "a.json: big: 70000 is not between 1 and 65535");
    jx_view_join(&view, &in);
    assert_non_null(strstr(view.why.text, "big"));
    view.err = E_OK;
    assert_false(jx_word(&view, "t", words, &word));
    assert_string_equal(view.why.text, "a.json: t: 'x' is not 'fixed', 'block' or '0'");
    json_decref(top);
}

static void files_may_hold_comments(void **state)
{
    char path[] = "/tmp/redgrid-json-XXXXXX";
    static const char text[] = "// first\n{\"a\": \"//no\", /* b\n */ \"c\": \"\\\"/*\"}\n// end";
    struct cause why = {0};
    json_t *value = NULL;
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_int_equal(jx_load_file(path, "f", NULL, &value, &why), E_OK);
    assert_string_equal(json_string_value(jx_member(value, "a")), "//no");
    assert_string_equal(json_string_value(jx_member(value, "c")), "\"/*");
    json_decref(value);
    assert_int_equal(
        jx_load_file(path, "f", &(struct jx_limits){.text_max_bytes = 5}, &value, &why), E_LIMIT);
    unlink(path);
    assert_int_equal(jx_load_file(path, "f", NULL, &value, &why), E_NOT_FOUND);
    assert_string_equal(why.text, "f: No such file or directory");
}

static void values_are_dumped_compact_and_in_order(void **state)
{
    json_t *value = parsed("{ \"z\": [1, \"\xc3\xa9\", []], \"a\": true, "
                           "\"r\": [0.1, 5.0, -1.5e-7, 1e300, null, false, {}, -3] }");
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    jx_dump(&out, value);
    assert_string_equal(buf_text(&out), "{\"z\":[1,\"\xc3\xa9\",[]],\"a\":true,"
                                        "\"r\":[0.1,5.0,-1.5e-07,1e+300,null,false,{},-3]}");
    buf_done(&out);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_written_with_the_fewest_escapes),
        cmocka_unit_test(every_byte_at_every_place_survives_a_round_trip),
        cmocka_unit_test(written_twice_is_a_string_of_a_string),
        cmocka_unit_test(long_texts_dense_with_quotes_fit_exactly),
        cmocka_unit_test(mistakes_name_line_and_column),
        cmocka_unit_test(views_read_lenient_types_and_keep_the_first_mistake),
        cmocka_unit_test(files_may_hold_comments),
        cmocka_unit_test(values_are_dumped_compact_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
