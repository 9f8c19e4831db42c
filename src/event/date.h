/* event/date.h - moments as publishers, tokens and web servers write them.
 * Unix time in milliseconds, years 1970 to 9999; what lies before is refused. Pure: callable
 * anywhere. */
#ifndef EVENT_DATE_H
#define EVENT_DATE_H

#include "base/buf.h"

/* Each: true and *ret set if all of `text` is a moment in that form, else false and *ret untouched.
 *
 * date_parse_iso   2030-01-01T00:00:00Z, with T or space, with or without a fraction, with Z, an
 *                  offset (+01:00) or nothing, which means UTC and clears *ret_has_zone (may be
 *                  NULL)
 * date_parse_us    1/31/2030 12:00:00 AM, UTC; the space before AM or PM may be U+202F
 * date_parse_http  Tue, 01 Jan 2030 00:00:00 GMT and the two older forms (RFC 9110, 5.6.7) */
bool date_parse_iso(struct slice text, uint64_t *ret_unix_ms, bool *ret_has_zone);
bool date_parse_us(struct slice text, uint64_t *ret_unix_ms);
bool date_parse_http(struct slice text, uint64_t *ret_unix_ms);

/* duration_parse_iso reads an ISO 8601 duration of whole weeks, days, hours, minutes and seconds:
 * P7D, PT1M, P1DT12H. True and *ret_ms, at most DURATION_MAX_MS; else false. */
#define DURATION_MAX_MS ((uint64_t)1000 * 86400000)
bool duration_parse_iso(struct slice text, uint64_t *ret_ms);

/* A moment's parts, in UTC. */
struct date {
    unsigned year, month, day; /* month and day from 1 */
    unsigned hour, minute, second;
    unsigned weekday; /* 0 = Sunday */
};
struct date date_of(uint64_t unix_ms);

/* date_add_us writes a moment as date_parse_us reads it, date_add_http in the first of the forms
 * that date_parse_http reads. */
void date_add_us(struct buf *out, uint64_t unix_ms);
void date_add_http(struct buf *out, uint64_t unix_ms);

#endif
