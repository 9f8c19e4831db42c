#include "event/decimal.h"

#include "json/scan.h"

#define EXPONENT_MAX ((int64_t)1 << 60)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What stands behind the `e`; the text is a valid number. */
static int64_t read_exponent(struct slice text)
{
    bool is_negative = text.data[0] == '-';
    int64_t value = 0;

    if (is_negative || text.data[0] == '+')
        text = slice_from(text, 1);
    for (size_t i = 0; i < text.len && value < EXPONENT_MAX / 10; i++)
        value = value * 10 + (text.data[i] - '0');
    return is_negative ? -value : value;
}

static struct slice drop_last_zeros(struct slice digits)
{
    bool has_point = slice_find_byte(digits, '.') < digits.len;

    while (has_point && digits.len > 0 && digits.data[digits.len - 1] == '0')
        digits.len--;
    return digits;
}

bool decimal_parse(struct slice text, struct decimal *ret)
{
    struct decimal d = {.is_negative = text.len > 0 && text.data[0] == '-'};
    size_t end, point;

    if (text.len == 0 || (!is_digit(text.data[0]) && !d.is_negative) ||
        !is_digit(text.data[text.len - 1]) || !jx_scan_is_value(text, 0))
        return false;
    for (end = 0; end < text.len && (text.data[end] | 0x20) != 'e';)
        end++;
    d.digits = slice_from(slice_first(text, end), d.is_negative);
    point = slice_find_byte(d.digits, '.');
    size_t zeros = 0;
    while (zeros < d.digits.len && !(d.digits.data[zeros] > '0'))
        zeros++;
    d.exponent = (int64_t)point - (int64_t)zeros + (zeros > point);
    if (end < text.len)
        d.exponent += read_exponent(slice_from(text, end + 1));
    d.digits = drop_last_zeros(slice_from(d.digits, zeros));
    if (d.digits.len == 0)
        d = (struct decimal){0};
    *ret = d;
    return true;
}

/* The digit at *at, the point stepped over; 0 behind the end. */
static char next_digit(struct slice digits, size_t *at)
{
    if (*at < digits.len && digits.data[*at] == '.')
        (*at)++;
    return *at < digits.len ? digits.data[(*at)++] : '0';
}

static int cmp_digits(struct slice a, struct slice b)
{
    for (size_t i = 0, j = 0; i < a.len || j < b.len;) {
        char left = next_digit(a, &i), right = next_digit(b, &j);
        if (left != right)
            return left < right ? -1 : 1;
    }
    return 0;
}

static int sign_of(const struct decimal *d)
{
    return d->digits.len == 0 ? 0 : d->is_negative ? -1 : 1;
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    int sign = sign_of(a);

    if (sign != sign_of(b))
        return sign < sign_of(b) ? -1 : 1;
    if (sign == 0)
        return 0;
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -sign : sign;
    return sign * cmp_digits(a->digits, b->digits);
}
