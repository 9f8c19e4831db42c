#include "event/date.h"

#include "base/mem.h"

#define DAY_MS 86400000

struct parts {
    unsigned year, month, day, hour, minute, second, ms;
    int offset_minutes;
};

/* What is left of the text; `failed` once something else stood there than was asked for. */
struct reader {
    struct slice rest;
    bool failed;
};

static bool read_byte(struct reader *r, char byte)
{
    if (r->rest.len == 0 || r->rest.data[0] != byte)
        return false;
    r->rest = slice_from(r->rest, 1);
    return true;
}

static void want(struct reader *r, struct slice text)
{
    if (!slice_has_prefix_nocase(r->rest, text))
        r->failed = true;
    else
        r->rest = slice_from(r->rest, text.len);
}

/* A number of `min` to `max` digits. */
static unsigned read_number(struct reader *r, size_t min, size_t max)
{
    unsigned value = 0;
    size_t len = 0;

    for (; len < max && len < r->rest.len; len++) {
        unsigned digit = (unsigned char)r->rest.data[len] - (unsigned)'0';
        if (digit > 9)
            break;
        value = value * 10 + digit;
    }
    if (len < min)
        r->failed = true;
    r->rest = slice_from(r->rest, len);
    return value;
}

static void read_time(struct reader *r, size_t hour_digits_min, struct parts *p)
{
    p->hour = read_number(r, hour_digits_min, 2);
    want(r, SLICE(":"));
    p->minute = read_number(r, 2, 2);
    want(r, SLICE(":"));
    p->second = read_number(r, 2, 2);
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_of(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

static bool is_real(const struct parts *p)
{
    /* a leap second counts as the one before it */
    return p->year >= 1970 && p->year <= 9999 && p->month >= 1 && p->month <= 12 && p->day >= 1 &&
           p->day <= days_of(p->year, p->month) && p->hour < 24 && p->minute < 60 &&
           p->second <= 60;
}

static bool finish(const struct reader *r, struct parts *p, uint64_t *ret)
{
    if (r->failed || r->rest.len > 0 || !is_real(p))
        return false;
    unsigned before = p->year - 1;
    int64_t days = (int64_t)before * 365 + before / 4 - before / 100 + before / 400 - 719162;
    for (unsigned month = 1; month < p->month; month++)
        days += days_of(p->year, month);
    days += p->day - 1;
    if (p->second == 60)
        p->second = 59;
    int64_t minutes = (int64_t)p->hour * 60 + p->minute - p->offset_minutes;
    int64_t ms = days * DAY_MS + minutes * 60000 + p->second * 1000 + p->ms;
    if (ms < 0)
        return false;
    *ret = (uint64_t)ms;
    return true;
}

/* Any number of digits; what is below a millisecond is dropped. */
static void read_fraction(struct reader *r, struct parts *p)
{
    size_t len = 0;

    for (unsigned unit = 100; len < r->rest.len; len++, unit /= 10) {
        unsigned digit = (unsigned char)r->rest.data[len] - (unsigned)'0';
        if (digit > 9)
            break;
        p->ms += digit * unit;
    }
    if (len == 0)
        r->failed = true;
    r->rest = slice_from(r->rest, len);
}

static bool read_zone(struct reader *r, struct parts *p)
{
    if (read_byte(r, 'Z') || read_byte(r, 'z'))
        return true;
    bool is_minus = read_byte(r, '-');
    if (!is_minus && !read_byte(r, '+'))
        return false;
    unsigned hours = read_number(r, 2, 2);
    (void)read_byte(r, ':');
    unsigned minutes = read_number(r, 2, 2);
    if (hours > 23 || minutes > 59)
        r->failed = true;
    p->offset_minutes = (int)(hours * 60 + minutes) * (is_minus ? -1 : 1);
    return true;
}

bool date_parse_iso(struct slice text, uint64_t *ret_unix_ms, bool *ret_has_zone)
{
    struct reader r = {text, false};
    struct parts p = {.year = read_number(&r, 4, 4)};

    want(&r, SLICE("-"));
    p.month = read_number(&r, 2, 2);
    want(&r, SLICE("-"));
    p.day = read_number(&r, 2, 2);
    if (!read_byte(&r, ' '))
        want(&r, SLICE("T"));
    read_time(&r, 2, &p);
    if (read_byte(&r, '.'))
        read_fraction(&r, &p);
    bool has_zone = read_zone(&r, &p);
    if (!finish(&r, &p, ret_unix_ms))
        return false;
    if (ret_has_zone != NULL)
        *ret_has_zone = has_zone;
    return true;
}

bool date_parse_us(struct slice text, uint64_t *ret_unix_ms)
{
    struct reader r = {text, false};
    struct parts p = {.month = read_number(&r, 1, 2)};

    want(&r, SLICE("/"));
    p.day = read_number(&r, 1, 2);
    want(&r, SLICE("/"));
    p.year = read_number(&r, 4, 4);
    want(&r, SLICE(" "));
    read_time(&r, 1, &p);
    if (!read_byte(&r, ' '))
        want(&r, SLICE("\xe2\x80\xaf"));
    bool is_pm = slice_eq_nocase(r.rest, SLICE("PM"));
    want(&r, is_pm ? SLICE("PM") : SLICE("AM"));
    if (p.hour < 1 || p.hour > 12)
        return false;
    p.hour = p.hour % 12 + (is_pm ? 12 : 0);
    return finish(&r, &p, ret_unix_ms);
}

static unsigned read_month(struct reader *r)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (unsigned i = 0; i < 12; i++)
        if (slice_has_prefix_nocase(r->rest, (struct slice){names + 3 * (size_t)i, 3})) {
            r->rest = slice_from(r->rest, 3);
            return i + 1;
        }
    r->failed = true;
    return 0;
}

/* Tue, 01 Jan 2030 00:00:00 GMT and Tuesday, 01-Jan-30 00:00:00 GMT; from the day of the month. */
static void read_http(struct reader *r, struct parts *p)
{
    p->day = read_number(r, 2, 2);
    bool is_old = read_byte(r, '-');
    if (!is_old)
        want(r, SLICE(" "));
    p->month = read_month(r);
    want(r, is_old ? SLICE("-") : SLICE(" "));
    p->year = is_old ? read_number(r, 2, 2) : read_number(r, 4, 4);
    if (is_old)
        p->year += p->year < 70 ? 2000 : 1900;
    want(r, SLICE(" "));
    read_time(r, 2, p);
    want(r, SLICE(" GMT"));
}

/* Tue Jan  1 00:00:00 2030; from the month. */
static void read_asctime(struct reader *r, struct parts *p)
{
    p->month = read_month(r);
    want(r, SLICE(" "));
    (void)read_byte(r, ' ');
    p->day = read_number(r, 1, 2);
    want(r, SLICE(" "));
    read_time(r, 2, p);
    want(r, SLICE(" "));
    p->year = read_number(r, 4, 4);
}

bool date_parse_http(struct slice text, uint64_t *ret_unix_ms)
{
    struct slice weekday;
    struct reader r = {slice_trim(text), false};
    struct parts p = {0};

    if (!slice_cut(&r.rest, ' ', &weekday) || weekday.len < 3 || r.rest.data == NULL)
        return false;
    if (weekday.data[weekday.len - 1] == ',')
        read_http(&r, &p);
    else
        read_asctime(&r, &p);
    return finish(&r, &p, ret_unix_ms);
}

/* Numbers with one of `units` behind each, in that order, each once at most. */
static bool read_amounts(struct reader *r, const char *units, const uint64_t *unit_ms,
                         uint64_t *total_ms)
{
    size_t read = 0;

    for (; *units != '\0' && r->rest.len > 0 && r->rest.data[0] != 'T'; units++, unit_ms++) {
        struct reader ahead = *r;
        uint64_t amount = read_number(&ahead, 1, 8);
        if (!read_byte(&ahead, *units))
            continue;
        *total_ms += amount * *unit_ms;
        *r = ahead;
        read++;
    }
    return read > 0;
}

bool duration_parse_iso(struct slice text, uint64_t *ret_ms)
{
    static const uint64_t days_ms[] = {(uint64_t)7 * DAY_MS, DAY_MS};
    static const uint64_t times_ms[] = {3600000, 60000, 1000};
    struct reader r = {text, false};
    uint64_t total_ms = 0;

    want(&r, SLICE("P"));
    bool has_days = read_amounts(&r, "WD", days_ms, &total_ms);
    if (read_byte(&r, 'T') ? !read_amounts(&r, "HMS", times_ms, &total_ms) : !has_days)
        return false;
    if (r.failed || r.rest.len > 0 || total_ms > DURATION_MAX_MS)
        return false;
    *ret_ms = total_ms;
    return true;
}

struct date date_of(uint64_t unix_ms)
{
    uint64_t days = unix_ms / DAY_MS, second = unix_ms % DAY_MS / 1000;
    struct date date = {.year = 1970,
                        .month = 1,
                        .hour = (unsigned)(second / 3600),
                        .minute = (unsigned)(second / 60 % 60),
                        .second = (unsigned)(second % 60),
                        .weekday = (unsigned)((days + 4) % 7)};

    for (; days >= 365u + (is_leap(date.year) ? 1u : 0u); date.year++)
        days -= 365u + (is_leap(date.year) ? 1u : 0u);
    for (; days >= days_of(date.year, date.month); date.month++)
        days -= days_of(date.year, date.month);
    date.day = (unsigned)days + 1;
    return date;
}

void date_add_us(struct buf *out, uint64_t unix_ms)
{
    struct date date = date_of(unix_ms);

    buf_addf(out, "%u/%u/%u %u:%02u:%02u %s", date.month, date.day, date.year,
             date.hour % 12 == 0 ? 12 : date.hour % 12, date.minute, date.second,
             date.hour < 12 ? "AM" : "PM");
}

void date_add_http(struct buf *out, uint64_t unix_ms)
{
    static const char weekdays[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct date date = date_of(unix_ms);

    buf_addf(out, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", weekdays + (size_t)3 * date.weekday,
             date.day, months + (size_t)3 * (date.month - 1), date.year, date.hour, date.minute,
             date.second);
}
