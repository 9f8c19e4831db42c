#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

struct slice slice_of(const char *text)
{
    return text == NULL ? SLICE_NONE : (struct slice){text, strlen(text)};
}

struct slice slice_from(struct slice s, size_t start)
{
    if (start > s.len)
        start = s.len;
    return (struct slice){s.data == NULL ? NULL : s.data + start, s.len - start};
}

struct slice slice_first(struct slice s, size_t len)
{
    return (struct slice){s.data, len < s.len ? len : s.len};
}

char *slice_dup(struct slice s)
{
    return mem_dup(s.data, s.len);
}

struct slice slice_lower(struct slice s, char *room)
{
    for (size_t i = 0; i < s.len; i++)
        room[i] = lower_of(s.data[i]);
    return (struct slice){room, s.len};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower_of(a.data[i]) != lower_of(b.data[i]))
            return false;
    return true;
}

bool slice_eq_secret(struct slice a, struct slice b)
{
    unsigned char differs = a.len != b.len;
    for (size_t i = 0; i < a.len; i++)
        differs |= (unsigned char)(a.data[i] ^ (b.len > 0 ? b.data[i % b.len] : '\0'));
    return differs == 0;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool slice_has_prefix(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_first(s, prefix.len), prefix);
}

bool slice_has_prefix_nocase(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq_nocase(slice_first(s, prefix.len), prefix);
}

bool slice_has_suffix_nocase(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq_nocase(slice_from(s, s.len - suffix.len), suffix);
}

bool slice_is_blank(struct slice s)
{
    return slice_trim(s).len == 0;
}

size_t slice_find_byte(struct slice s, char byte)
{
    const char *hit = s.len == 0 ? NULL : memchr(s.data, byte, s.len);
    return hit == NULL ? s.len : (size_t)(hit - s.data);
}

size_t slice_find(struct slice s, struct slice what)
{
    const char *hit =
        s.len == 0 || what.len == 0 ? s.data : memmem(s.data, s.len, what.data, what.len);
    return hit == NULL || what.len > s.len ? s.len : (size_t)(hit - s.data);
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool slice_cut(struct slice *rest, char separator, struct slice *ret)
{
    if (rest->data == NULL)
        return false;
    size_t end = slice_find_byte(*rest, separator);
    *ret = slice_first(*rest, end);
    *rest = end == rest->len ? SLICE_NONE : slice_from(*rest, end + 1);
    return true;
}

bool slice_to_u64(struct slice s, uint64_t *ret)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.data[i] - '0'), &value))
            return false;
    }
    *ret = value;
    return true;
}

bool slice_to_i64(struct slice s, int64_t *ret)
{
    bool is_negative = s.len > 0 && s.data[0] == '-';
    uint64_t size;

    if (is_negative)
        s = slice_from(s, 1);
    if (!slice_to_u64(s, &size) || size > (uint64_t)INT64_MAX + is_negative)
        return false;
    *ret = is_negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

bool slice_to_f64(struct slice s, double *ret)
{
    char text[64];
    char *end;

    if (s.len == 0 || s.len >= sizeof text)
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    if (strspn(text, "+-.0123456789eE") < s.len)
        return false;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

bool slice_to_bool(struct slice s, bool *ret)
{
    static const struct {
        struct slice text;
        bool value;
    } words[] = {
        {SLICE_INIT("true"), true}, {SLICE_INIT("yes"), true},    {SLICE_INIT("on"), true},
        {SLICE_INIT("1"), true},    {SLICE_INIT("false"), false}, {SLICE_INIT("no"), false},
        {SLICE_INIT("off"), false}, {SLICE_INIT("0"), false},
    };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_eq_nocase(s, words[i].text)) {
            *ret = words[i].value;
            return true;
        }
    return false;
}

uint64_t slice_hash(struct slice s)
{
    static uint64_t seed;
    if (seed == 0)
        seed = rand_u64() | 1;
    uint64_t hash = seed ^ (s.len * 0x9e3779b97f4a7c15u);
    for (size_t i = 0; i < s.len;) {
        uint64_t word = 0;
        size_t step = s.len - i < 8 ? s.len - i : 8;
        memcpy(&word, s.data + i, step);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        i += step;
    }
    return hash;
}
