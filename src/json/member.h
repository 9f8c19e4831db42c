/* json/member.h - writing JSON objects, member by member.
 * Rules: each writes in front of its name what belongs there: nothing right behind a '{', a '{' at
 * the beginning of the buf or of a value (behind ':', '[' or ','), else a comma. So an object opens
 * with its first member, and ends with a plain '}' of the caller's; who may write no member at all,
 * or has anything but JSON in front, writes the '{' too. No value ends with one of those bytes: a
 * text ends with its quote. Between the items of an array the comma is the caller's. */
#ifndef JSON_MEMBER_H
#define JSON_MEMBER_H

#include "base/buf.h"
#include "json/scan.h"

/* SLICE_NONE is written as null. */
void member_text(struct buf *out, const char *name, struct slice text);
void member_json(struct buf *out, const char *name, struct slice json); /* one valid value */
/* SLICE_NONE: no member. */
void member_text_if(struct buf *out, const char *name, struct slice text);
void member_json_if(struct buf *out, const char *name, struct slice json);

void member_u64(struct buf *out, const char *name, uint64_t number);
void member_i64(struct buf *out, const char *name, int64_t number);
void member_f64(struct buf *out, const char *name, double number); /* 6 digits; 0 if infinite */
void member_bool(struct buf *out, const char *name, bool value);
/* member_time writes a text as clock_add_rfc3339() does. */
void member_time(struct buf *out, const char *name, uint64_t unix_us, int digits);
/* member_copy writes a member of another object. */
void member_copy(struct buf *out, const struct jx_field *field);

/* member_open writes the name; the value is the caller's, and must be more than nothing. */
void member_open(struct buf *out, const char *name);

#endif
