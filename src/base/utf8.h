/* base/utf8.h - is it UTF-8 (RFC 3629), and if not, make it so. Pure: callable anywhere. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* utf8_valid_len is how many bytes at the start of `text` are whole, valid sequences; text.len when
 * all are. */
size_t utf8_valid_len(struct slice text);
bool utf8_is_valid(struct slice text);

/* utf8_add_repaired appends `text` with each maximal bad part replaced by U+FFFD. */
void utf8_add_repaired(struct buf *out, struct slice text);

#endif
