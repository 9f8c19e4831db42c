/* base/clock.h - the two clocks. Monotonic time (`_at_ms`, `_now_ms`) measures, wall time
 * (`_unix_ms`) names a moment. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/buf.h"

uint64_t clock_now_ms(void); /* monotonic */
uint64_t clock_now_us(void); /* monotonic */
uint64_t clock_unix_ms(void);
uint64_t clock_unix_us(void);

/* clock_add_rfc3339 writes a wall time in UTC with `digits` (0..9) of the second's fraction:
 * 2023-05-24T12:00:00.000Z. It keeps the last second's text and is made for one thread. */
void clock_add_rfc3339(struct buf *out, uint64_t unix_us, int digits);

/* clock_parse_span reads "hh:mm:ss", "hh:mm:ss.fff" or "d.hh:mm:ss", as Azure Functions writes time
 * spans, a leading
 * '-' allowed. True and *ret_ms set on success. */
bool clock_parse_span(struct slice text, int64_t *ret_ms);
/* clock_add_span writes a span as "hh:mm:ss" (with .fff when it has milliseconds, with "d." above a
 * day). */
void clock_add_span(struct buf *out, int64_t ms);

#endif
