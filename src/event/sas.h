/* event/sas.h - access keys, and tokens that are signed with them.
 * Rules: compared in constant time, never logged. A token is r=RESOURCE&e=EXPIRY&s=SIGNATURE, each
 * percent-encoded; what is signed are its bytes up to `&s=` as they came, since clients encode
 * differently. Behaviour: eventgrid.md 2.2, 2.3. Pure: callable anywhere. */
#ifndef EVENT_SAS_H
#define EVENT_SAS_H

#include "base/err.h"
#include "base/str.h"

#define SAS_TOKEN_MAX_BYTES 8192
#define ACCESS_KEY_BYTES 32 /* as made here; others may be of any length */
#define ACCESS_KEYS_COUNT 2
#define ACCESS_KEY_TEXT_MAX 256

/* The keys of a topic, in Base64; an empty one fits nothing. */
struct access_keys {
    char text[ACCESS_KEYS_COUNT][ACCESS_KEY_TEXT_MAX];
};

/* access_keys_fit: is `given` one of the keys? E_OK; or E_DENIED with a text for the client in
 * `why`. */
enum err access_keys_fit(const struct access_keys *keys, struct slice given, struct cause *why);
/* access_keys_renew puts fresh chance in the place of key 0 or 1. */
void access_keys_renew(struct access_keys *keys, size_t which);

/* sas_verify: is the token signed with one of the keys, not expired, and for `url`, that of the
 * request as the client sees it (http://host:port/path), or for a path above it? Scheme, query and
 * case do not count. E_OK; or E_DENIED with a text for the client in `why`. */
enum err sas_verify(const struct access_keys *keys, struct slice token, struct slice url,
                    uint64_t now_unix_ms, struct cause *why);

/* sas_sign gives the signature of `message` in Base64 (45 bytes with its NUL). E_BAD_INPUT if the
 * key is no Base64. */
#define SAS_SIGNATURE_TEXT_BYTES 45
enum err sas_sign(struct slice key, struct slice message, char ret[SAS_SIGNATURE_TEXT_BYTES]);

#endif
