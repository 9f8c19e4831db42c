/* base/id.h - random UUIDs (RFC 9562, version 4) as lower-case text. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/str.h"

#define ID_LEN 36

struct id {
    char text[ID_LEN + 1];
};

/* id_next is for names of things (invocations, consumers): fast, not a secret. One thread. */
struct id id_next(void);
/* id_secret is for what must not be guessed (worker ids, tokens). */
struct id id_secret(void);
struct slice id_slice(const struct id *id);

#endif
