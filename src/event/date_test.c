#include "event/date.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

#define Y2030 1893456000000u

static void iso_dates_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t unix_ms;
        bool has_zone;
    } rows[] = {
        {"2030-01-01T00:00:00Z", Y2030, true},
        {"2030-01-01 00:00:00", Y2030, false},
        {"2030-01-01t00:00:00z", Y2030, true},
        {"2030-01-01T00:00:00.5", Y2030 + 500, false},
        {"2030-01-01T01:30:00+01:30", Y2030, true},
        {"2029-12-31 22:00:00.0019999-0200", Y2030 + 1, true},
        {"2020-12-09T21:50:19.9995668+00:00", 1607550619999, true},
        {"1970-01-01T00:00:00Z", 0, true},
        {"2000-02-29T12:00:00Z", 951825600000, true},
        {"9999-12-31T23:59:60Z", 253402300799000, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t ms = 1;
        bool has_zone = !rows[i].has_zone;
        if (!date_parse_iso(slice_of(rows[i].text), &ms, &has_zone) || ms != rows[i].unix_ms ||
            has_zone != rows[i].has_zone)
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)ms);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "2030",
        "2030-01-01",
        "2030-1-01T00:00:00Z",
        "2030-13-01T00:00:00Z",
        "2030-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2030-01-00T00:00:00Z",
        "2030-01-01T24:00:00Z",
        "2030-01-01T00:60:00Z",
        "2030-01-01T00:00:61Z",
        "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00+1:00",
        "2030-01-01T00:00:00+24:00",
        "2030-01-01T00:00:00ZZ",
        "2030-01-01T00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "0/1/2030 12:00:00 AM",
        "13/1/2030 12:00:00 AM",
        "1/1/2030 0:00:00 AM",
        "1/1/2030 13:00:00 PM",
        "1/1/2030 12:00:00",
        "1/1/2030 12:00:00AM",
        "1/1/2030 12:00:00 AMX",
        "1/1/30 12:00:00 AM",
        "Tue, 01 Jan 2030 00:00:00",
        "Tue, 01 Jan 2030 00:00:00 UTC",
        "Tue, 01 Foo 2030 00:00:00 GMT",
        "Tue 01 Jan 2030 00:00:00 GMT",
        "Tue,",
        "120",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t ms;
        struct slice text = slice_of(rows[i]);
        if (date_parse_iso(text, &ms, NULL) || date_parse_us(text, &ms) ||
            date_parse_http(text, &ms))
            fail_msg("%s", rows[i]);
    }
}

static void dates_of_tokens_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        uint64_t unix_ms;
        const char *written;
    } rows[] = {
        {"1/1/2030 12:00:00 AM", Y2030, "1/1/2030 12:00:00 AM"},
        {"01/01/2030 12:00:00\xe2\x80\xaf"
         "am",
         Y2030, "1/1/2030 12:00:00 AM"},
        {"1/1/2030 12:34:56 PM", Y2030 + 45296000, "1/1/2030 12:34:56 PM"},
        {"1/1/2030 11:59:59 PM", Y2030 + 86399000, "1/1/2030 11:59:59 PM"},
        {"12/31/2032 1:02:03 PM", 1988110923000, "12/31/2032 1:02:03 PM"},
        {"2/29/2028 1:00:00 AM", 1835398800000, "2/29/2028 1:00:00 AM"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t ms = 1;
        if (!date_parse_us(slice_of(rows[i].text), &ms) || ms != rows[i].unix_ms)
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)ms);
        buf_clear(&out);
        date_add_us(&out, ms);
        assert_string_equal(buf_text(&out), rows[i].written);
    }
    buf_done(&out);
}

static void dates_are_written_as_web_servers_do(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    date_add_http(&out, Y2030);
    assert_string_equal(buf_text(&out), "Tue, 01 Jan 2030 00:00:00 GMT");
    buf_clear(&out);
    date_add_http(&out, 1709251199999);
    assert_string_equal(buf_text(&out), "Thu, 29 Feb 2024 23:59:59 GMT");
    buf_done(&out);
}

static void dates_of_web_servers_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t unix_ms;
    } rows[] = {
        {"Tue, 01 Jan 2030 00:00:00 GMT", Y2030},
        {"Tuesday, 01-Jan-30 00:00:00 GMT", Y2030},
        {"Tue Jan  1 00:00:00 2030", Y2030},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777000},
        {"Sun Nov  6 08:49:37 1994", 784111777000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t ms = 1;
        if (!date_parse_http(slice_of(rows[i].text), &ms) || ms != rows[i].unix_ms)
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)ms);
    }
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"P7D", 604800000},
        {"PT1M", 60000},
        {"P1DT12H", 129600000},
        {"P1W", 604800000},
        {"PT1H30M15S", 5415000},
        {"PT86400S", 86400000},
        {"PT0S", 0},
        {"P1000D", DURATION_MAX_MS},
    };
    static const char *const bad[] = {"",      "P",    "PT",   "7D",     "P7",          "PT7D",
                                      "P1M",   "P1Y",  "P1DT", "PT1M1M", "PT1S1M",      "P1D1W",
                                      "P1.5D", "P-1D", "P1D ", "P1001D", "PT999999999S"};
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (!duration_parse_iso(slice_of(rows[i].text), &ms) || ms != rows[i].ms)
            fail_msg("%s", rows[i].text);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (duration_parse_iso(slice_of(bad[i]), &ms))
            fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_dates_are_read),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(dates_of_tokens_are_read_and_written),
        cmocka_unit_test(dates_are_written_as_web_servers_do),
        cmocka_unit_test(dates_of_web_servers_are_read),
        cmocka_unit_test(durations_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
