/* base/base64.h - Base64 with padding (RFC 4648, section 4), and as it stands in URLs and tokens,
 * without (section 5). Pure: callable anywhere. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

void base64_add(struct buf *out, struct slice bytes);
void base64_add_url(struct buf *out, struct slice bytes);

/* base64_decode appends the bytes behind `text`. E_BAD_INPUT if it is not Base64, with `out` as it
 * was; E_LIMIT. */
enum err base64_decode(struct buf *out, struct slice text);
enum err base64_decode_url(struct buf *out, struct slice text);

#endif
