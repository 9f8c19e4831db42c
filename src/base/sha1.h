/* base/sha1.h - SHA-1 (FIPS 180-4), for names that must equal what Redis' Lua gives: it is no guard
 * against anybody. Pure: callable anywhere. */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include "base/str.h"

#define SHA1_HEX_BYTES 40

/* sha1_hex writes the digest in lower-case hexadecimal, without a NUL. */
void sha1_hex(struct slice text, char ret[SHA1_HEX_BYTES]);

#endif
