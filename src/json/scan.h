/* json/scan.h - looking into JSON text without building values.
 * For messages on the hot path, of which only some members are wanted, and for those whose bytes
 * must stay as they are: a number keeps all its digits. Rules: pure, no allocation; what it gives
 * points into the text and is still JSON, strings with their quotes. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "base/buf.h"

#define JX_SCAN_DEPTH_MAX 64

struct jx_field {
    struct slice name;  /* a string, with quotes and escapes */
    struct slice value; /* any value; its first byte tells the type */
};

/* jx_scan_is_object: is all of the text one valid JSON object, nested JX_SCAN_DEPTH_MAX at most?
 * The encoding is not looked at. */
bool jx_scan_is_object(struct slice text);
/* jx_scan_is_value: the same for a value of any type, nested depth_max at most, which is no more
 * than JX_SCAN_DEPTH_MAX; 0 = neither array nor object. */
bool jx_scan_is_value(struct slice text, unsigned depth_max);
/* jx_scan_trim drops JSON's white space at both ends. */
struct slice jx_scan_trim(struct slice text);

/* jx_scan_next gives the next member of a valid object; start with *rest = the text. False at the
 * end. */
bool jx_scan_next(struct slice *rest, struct jx_field *ret);
/* jx_scan_item gives the next item of a valid array in the same way. */
bool jx_scan_item(struct slice *rest, struct slice *ret);
/* jx_scan_member finds a member of a valid object: its exact name before any other case, the last
 * of equal names. SLICE_NONE if there is none, or if `object` is another valid value. */
struct slice jx_scan_member(struct slice object, struct slice name);

/* jx_scan_is_text: does a valid string (with its quotes) stand for `text`? The second ignores the
 * case of ASCII letters. */
bool jx_scan_is_text(struct slice string, struct slice text);
bool jx_scan_is_text_nocase(struct slice string, struct slice text);

/* jx_scan_add_string appends what a valid string (with its quotes) stands for, as UTF-8. */
void jx_scan_add_string(struct buf *out, struct slice string);
/* jx_scan_copy_string writes the same to `to`, which holds string.len bytes: it never gets longer.
 * Returns the length. */
size_t jx_scan_copy_string(char *to, struct slice string);

#endif
