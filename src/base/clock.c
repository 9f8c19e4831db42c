#include "base/clock.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define DAY_MS (24 * 3600 * (uint64_t)1000)

static uint64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

uint64_t clock_unix_us(void)
{
    return read_us(CLOCK_REALTIME);
}

uint64_t clock_unix_ms(void)
{
    return clock_unix_us() / 1000;
}

void clock_add_rfc3339(struct buf *out, uint64_t unix_us, int digits)
{
    static uint64_t last_second = UINT64_MAX; /* gmtime_r would be most of the cost of a log line */
    static char text[32];
    static size_t text_len;
    char fraction[16] = "000000000";

    if (last_second != unix_us / 1000000) {
        time_t second = (time_t)(unix_us / 1000000);
        struct tm parts;
        gmtime_r(&second, &parts);
        text_len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        last_second = unix_us / 1000000;
    }
    buf_add(out, (struct slice){text, text_len});
    if (digits > 0) {
        uint64_t micros = unix_us % 1000000;
        for (int i = 5; i >= 0; i--, micros /= 10)
            fraction[i] = (char)('0' + micros % 10);
        buf_add_byte(out, '.');
        buf_add(out, (struct slice){fraction, digits > 9 ? 9 : (size_t)digits});
    }
    buf_add_byte(out, 'Z');
}

static bool two_digits(struct slice part, uint64_t below, uint64_t *ret)
{
    return part.len >= 1 && part.len <= 2 && slice_to_u64(part, ret) && *ret < below;
}

static bool parse_fraction(struct slice text, uint64_t *ret_ms)
{
    uint64_t value;
    if (text.len == 0 || text.len > 7 || !slice_to_u64(text, &value))
        return false;
    for (size_t i = text.len; i < 7; i++)
        value *= 10;
    *ret_ms = value / 10000;
    return true;
}

bool clock_parse_span(struct slice text, int64_t *ret_ms)
{
    bool is_negative = text.len > 0 && text.data[0] == '-';
    struct slice rest = is_negative ? slice_from(text, 1) : text;
    struct slice head, minutes, seconds;
    uint64_t d = 0, h, m, s, ms = 0;

    if (!slice_cut(&rest, ':', &head) || !slice_cut(&rest, ':', &minutes) || rest.data == NULL)
        return false;
    seconds = rest;
    size_t dot = slice_find_byte(head, '.');
    if (dot < head.len && (!slice_to_u64(slice_first(head, dot), &d) || d > 100000))
        return false;
    if (dot < head.len)
        head = slice_from(head, dot + 1);
    dot = slice_find_byte(seconds, '.');
    if (dot < seconds.len && !parse_fraction(slice_from(seconds, dot + 1), &ms))
        return false;
    if (!two_digits(head, 24, &h) || !two_digits(minutes, 60, &m) ||
        !two_digits(slice_first(seconds, dot), 60, &s))
        return false;
    int64_t total = (int64_t)(((d * 24 + h) * 60 + m) * 60 + s) * 1000 + (int64_t)ms;
    *ret_ms = is_negative ? -total : total;
    return true;
}

void clock_add_span(struct buf *out, int64_t ms)
{
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;

    if (ms < 0)
        buf_add_byte(out, '-');
    if (size >= DAY_MS)
        buf_addf(out, "%" PRIu64 ".", size / DAY_MS);
    buf_addf(out, "%02u:%02u:%02u", (unsigned)(size / 3600000 % 24), (unsigned)(size / 60000 % 60),
             (unsigned)(size / 1000 % 60));
    if (size % 1000 != 0)
        buf_addf(out, ".%03u", (unsigned)(size % 1000));
}
