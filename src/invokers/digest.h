/* invokers/digest.h - names for cached things, made from what they were built from: 128 bits,
 * stable across runs and machines. Not for secrets, and not against somebody who aims (FNV-1a). */
#ifndef INVOKERS_DIGEST_H
#define INVOKERS_DIGEST_H

#include "base/err.h"
#include "base/str.h"

#define DIGEST_TEXT_BYTES 33

struct digest {
    uint64_t high, low;
};

void digest_init(struct digest *digest);
/* digest_add takes the length in too, so that "a", "bc" and "ab", "c" differ. */
void digest_add(struct digest *digest, struct slice bytes);
/* digest_add_file: a file that does not exist counts as absent, which is E_OK. Blocks. */
enum err digest_add_file(struct digest *digest, const char *path, struct cause *why);
/* digest_add_directory adds names and contents of the plain files in it, in order of their names.
 * E_NOT_FOUND, E_IO, E_LIMIT. Blocks. */
enum err digest_add_directory(struct digest *digest, const char *path, struct cause *why);
void digest_text(const struct digest *digest, char ret[DIGEST_TEXT_BYTES]);

#endif
