/* base/str.h - a piece of text or bytes that somebody else owns.
 * Rules: a slice is a value, never freed, may hold NUL bytes, and is not NUL-terminated. {NULL, 0}
 * is "absent" where a function says so, else the same as empty. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of ASCII letters; other bytes stay. */
static inline char lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
static inline char upper_of(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

struct slice {
    const char *data;
    size_t len;
};

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define SLICE_INIT(literal)                                                                        \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    } /* for static tables */
#define SLICE_NONE ((struct slice){NULL, 0})

/* For printf: "%.*s" with SLICE_ARG(s); texts above INT_MAX are cut. */
#define SLICE_ARG(s)                                                                               \
    ((s).len > 0x7fffffff ? 0x7fffffff : (int)(s).len), ((s).data != NULL ? (s).data : "")

/* slice_of wraps a C string; NULL gives SLICE_NONE. */
struct slice slice_of(const char *text);
/* slice_from and slice_first are the tail from `start` and the head of `len` bytes; both clamp to
 * the slice. */
struct slice slice_from(struct slice s, size_t start);
struct slice slice_first(struct slice s, size_t len);
/* slice_dup copies into a NUL-terminated string; free() ends it. */
char *slice_dup(struct slice s);

bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII letters only */
/* slice_eq_secret compares in a time that depends on the lengths only. */
bool slice_eq_secret(struct slice a, struct slice b);
int slice_cmp(struct slice a, struct slice b); /* byte order, shorter first */
bool slice_has_prefix(struct slice s, struct slice prefix);
bool slice_has_prefix_nocase(struct slice s, struct slice prefix);
bool slice_has_suffix_nocase(struct slice s, struct slice suffix);
/* slice_is_blank: empty, or white space only. */
bool slice_is_blank(struct slice s);

/* slice_find_byte and slice_find give the position of the first hit, or s.len. */
size_t slice_find_byte(struct slice s, char byte);
size_t slice_find(struct slice s, struct slice what);
/* slice_lower writes `s` in lower case (ASCII letters) to `room`, which holds s.len bytes. */
struct slice slice_lower(struct slice s, char *room);
/* slice_trim drops ASCII white space at both ends. */
struct slice slice_trim(struct slice s);
/* slice_cut takes the part before the next `separator` off `*rest`; the last part is what remains.
 * False when `*rest` is used up: SLICE_NONE, which is what it becomes after the last part. */
bool slice_cut(struct slice *rest, char separator, struct slice *ret);

/* Conversions: true and *ret set if the whole of `s` is one value of that type, else false and *ret
 * untouched. slice_to_bool knows true false yes no on off 1 0, any case. slice_to_f64 takes a
 * decimal number. */
bool slice_to_u64(struct slice s, uint64_t *ret);
bool slice_to_i64(struct slice s, int64_t *ret);
bool slice_to_f64(struct slice s, double *ret);
bool slice_to_bool(struct slice s, bool *ret);

/* slice_hash is a fast hash for tables; seeded per process, so that input cannot aim at collisions.
 */
uint64_t slice_hash(struct slice s);

#endif
