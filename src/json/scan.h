/* json/scan.h - looking into the text of a JSON object without building values.
 * For messages on the hot path, of which only the top-level members are wanted. Rules: pure, no
 * allocation; what it gives points into the text and is still JSON, strings with their quotes. */
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

/* jx_scan_next gives the next member of a valid object; start with *rest = the text. False at the
 * end. */
bool jx_scan_next(struct slice *rest, struct jx_field *ret);

/* jx_scan_add_string appends what a valid string (with its quotes) stands for, as UTF-8. */
void jx_scan_add_string(struct buf *out, struct slice string);

#endif
