#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static void wall_times_are_written_in_utc(void **state)
{
    static const struct {
        uint64_t unix_us;
        int digits;
        const char *text;
    } rows[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {1684929600123456, 3, "2023-05-24T12:00:00.123Z"},
        {1684929600000001, 6, "2023-05-24T12:00:00.000001Z"},
        {1684929600999999, 7, "2023-05-24T12:00:00.9999990Z"},
        {1684929600999999, 12, "2023-05-24T12:00:00.999999000Z"},
        {1709164800000000, 0, "2024-02-29T00:00:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 64);
        clock_add_rfc3339(&out, rows[i].unix_us, rows[i].digits);
        assert_string_equal(buf_text(&out), rows[i].text);
        buf_done(&out);
    }
}

static void spans_are_read_and_written(void **state)
{
    static const struct {
        const char *in;
        int64_t ms;
        const char *out;
    } rows[] = {
        {"00:00:00", 0, "00:00:00"},
        {"0:0:1", 1000, "00:00:01"},
        {"00:05:00", 300000, "00:05:00"},
        {"23:59:59.999", 86399999, "23:59:59.999"},
        {"00:00:00.5", 500, "00:00:00.500"},
        {"00:00:00.0009999", 0, "00:00:00"},
        {"1.02:03:04", 93784000, "1.02:03:04"},
        {"-00:00:01", -1000, "-00:00:01"},
        {"100000.00:00:00", 8640000000000, "100000.00:00:00"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        int64_t ms = -7;
        assert_true(clock_parse_span(slice_of(rows[i].in), &ms));
        assert_true(ms == rows[i].ms);
        buf_init(&out, 64);
        clock_add_span(&out, ms);
        assert_string_equal(buf_text(&out), rows[i].out);
        buf_done(&out);
    }
}

static void what_is_no_span_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "-",
        "5",
        "00:05",
        "00:00:00:00",
        "24:00:00",
        "00:60:00",
        "00:00:60",
        "000:00:00",
        "00:00:00.",
        "00:00:1x",
        "00:00:00.12345678",
        "::",
        " 00:00:00",
        ".00:00:00",
        "x.00:00:00",
        "--00:00:01",
        "1..00:00:00",
        "00:-1:00",
        "+00:00:01",
        "00:00:00.x",
        "99999999999999999999.00:00:00",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ms = -7;
        if (clock_parse_span(slice_of(rows[i]), &ms))
            fail_msg("'%s' was taken", rows[i]);
        assert_true(ms == -7);
    }
}

static void the_longest_span_can_be_written(void **state)
{
    (void)state;
    struct buf out;

    buf_init(&out, 64);
    clock_add_span(&out, INT64_MIN);
    assert_string_equal(buf_text(&out), "-106751991167.07:12:55.808");
    buf_done(&out);
}

static void the_clocks_agree_with_themselves(void **state)
{
    (void)state;
    uint64_t us = clock_now_us(), ms = clock_now_ms(), unix_us = clock_unix_us();
    assert_true(ms >= us / 1000);
    assert_true(clock_unix_ms() >= unix_us / 1000);
    assert_true(unix_us > 1600000000000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_times_are_written_in_utc),
        cmocka_unit_test(spans_are_read_and_written),
        cmocka_unit_test(what_is_no_span_is_refused),
        cmocka_unit_test(the_longest_span_can_be_written),
        cmocka_unit_test(the_clocks_agree_with_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
