/* arm/principal.h - who may manage what there is: the service principal, by its secret, and whoever
 * has the token of this server (the setting listen.token).
 * Rules: with neither a secret nor a token nobody is asked for anything, which the settings allow
 * on loopback only. The token serves as a secret too, with any client id. Secrets are compared in
 * a time that tells nothing, and never logged. */
#ifndef ARM_PRINCIPAL_H
#define ARM_PRINCIPAL_H

#include "base/err.h"
#include "base/str.h"

struct identity;

struct principal {
    char *client; /* id */
    char *secret; /* NULL = none */
    char *token;  /* of this server; NULL = none */
};

/* What the settings say; copied by principal_set(). "" = none. */
struct principal_settings {
    const char *client, *secret, *token;
};
void principal_set(struct principal *principal, const struct principal_settings *settings);
void principal_done(struct principal *principal);

/* principal_is_demanded: must callers show anything? */
bool principal_is_demanded(const struct principal *principal);
/* principal_fits: may this client, with this secret, have bearer tokens? */
bool principal_fits(const struct principal *principal, struct slice client, struct slice secret);
/* principal_admits: may manage who shows this bearer token? It is the server's own, or one that
 * `identity` signed for managing. E_OK; or E_DENIED with a text for the client. */
enum err principal_admits(const struct principal *principal, const struct identity *identity,
                          struct slice bearer, struct cause *why);
/* principal_secret is what a client logs in with: the secret, else the token; SLICE_NONE when
 * nothing is demanded. */
struct slice principal_secret(const struct principal *principal);

#endif
