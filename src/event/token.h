/* event/token.h - bearer tokens: JSON Web Tokens (RFC 7519) with ES256 (RFC 7518 3.4), the key they
 * are signed with, and the key set by which anybody can check them (RFC 7517).
 * Rules: other algorithms are refused, `none` first. Never logged. Pure but for token_key_new(),
 * which takes chance from the system. */
#ifndef EVENT_TOKEN_H
#define EVENT_TOKEN_H

#include "base/buf.h"

#define TOKEN_MAX_BYTES 4096
#define TOKEN_AUDIENCE_PUBLISH "https://eventgrid.azure.net" /* of tokens that may publish */
#define TOKEN_AUDIENCE_MANAGE "https://management.azure.com" /* ..that may manage resources */

struct token_key;

struct token_key *token_key_new(void);
/* token_key_read makes the key that token_key_write() wrote; NULL if it is none. */
struct token_key *token_key_read(struct slice text);
/* token_key_write appends it as text, secret included: Base64 of PKCS #8. */
void token_key_write(struct buf *out, const struct token_key *key);
/* token_key_write_set appends the public half: {"keys":[{"kty":"EC",..}]}. */
void token_key_write_set(struct buf *out, const struct token_key *key);
void token_key_free(struct token_key *key);

/* What a token says. Times are in seconds. */
struct token_claims {
    struct slice issuer, audience, subject;
    struct slice tenant; /* SLICE_NONE = none */
    uint64_t issued_unix_s, expires_unix_s;
};
void token_write(struct buf *out, const struct token_key *key, const struct token_claims *claims);

/* token_verify: was it signed with the key, for this audience (a slash at the end does not count),
 * and is it in force? E_OK; or E_DENIED with a text for the client in `why`. */
enum err token_verify(const struct token_key *key, struct slice token, struct slice audience,
                      uint64_t now_unix_s, struct cause *why);

#endif
