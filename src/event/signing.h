/* event/signing.h - proof that a request to a webhook comes from us and was not changed, as
 * Standard Webhooks (standardwebhooks.com) describes it: headers webhook-id, webhook-timestamp and
 * webhook-signature, "v1," and the Base64 of HMAC-SHA256 of ID.TIMESTAMP.BODY.
 * Rules: there are two secrets, the one in force and the one before it, and each request is signed
 * with both, so that a receiver changes over when it likes. A secret is "whsec_" and the Base64 of
 * 24 to 64 bytes. Secrets are never logged, and shown only to who asks for them. Pure but for
 * signing_make(), which takes chance from the system. */
#ifndef EVENT_SIGNING_H
#define EVENT_SIGNING_H

#include "base/buf.h"
#include "json/json.h"

#define SIGNING_SECRETS 2

struct signing {
    bool is_enabled;
    char *secrets[SIGNING_SECRETS]; /* in force, and before it; NULL or "" = none */
};

void signing_done(struct signing *signing); /* leaves zeroes */

/* signing_read reads the member `signing`, if there is one:
 * {"isEnabled":true,"secret":"whsec_..","previousSecret":"whsec_.."}. What reads `Hidden` stays; a
 * secret without isEnabled enables; an empty previousSecret ends its time. Mistakes go to `view`.
 */
void signing_read(struct jx_view *view, struct signing *signing);
/* signing_write appends that member, if it is enabled; is_open: with the secrets. */
void signing_write(struct buf *out, const struct signing *signing, bool is_open);
/* signing_write_secrets appends its members alone, with the secrets. */
void signing_write_secrets(struct buf *out, const struct signing *signing);

/* signing_keep takes over the secrets of `old`, if it is enabled and names none of its own.
 * signing_make makes one, if it is enabled and still has none. */
void signing_keep(struct signing *signing, const struct signing *old);
void signing_make(struct signing *signing);
/* signing_secret_new writes a fresh secret. */
void signing_secret_new(struct buf *out);

/* A request that is to be signed. */
struct signed_message {
    struct slice id; /* without '.': the same at each attempt */
    uint64_t unix_s;
    struct slice body;
};
/* signing_sign appends the value of webhook-signature: one signature for each secret. */
void signing_sign(struct buf *out, const struct signing *signing,
                  const struct signed_message *message);

#endif
