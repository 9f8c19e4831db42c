/* event/decimal.h - numbers as JSON writes them, compared as decimals of any length.
 * Binary floats would call 12345678901234567 and ...568 equal. Pure, no allocation: a decimal
 * points into its text. */
#ifndef EVENT_DECIMAL_H
#define EVENT_DECIMAL_H

#include "base/str.h"

struct decimal {
    struct slice digits; /* from the first that is not 0; may hold the point; empty: zero */
    int64_t exponent;    /* value = 0.DIGITS * 10^exponent, clamped far beyond what has a use */
    bool is_negative;    /* never of zero */
};

/* decimal_parse: false, and *ret untouched, if `text` is no JSON number. */
bool decimal_parse(struct slice text, struct decimal *ret);
/* decimal_cmp: below 0, 0 or above 0, as memcmp. */
int decimal_cmp(const struct decimal *a, const struct decimal *b);

#endif
