#include "arm/principal.h"

#include <stdlib.h>

#include "router/identity.h"

static void replace(char **at, const char *text)
{
    free(*at);
    *at = text != NULL && text[0] != '\0' ? slice_dup(slice_of(text)) : NULL;
}

void principal_set(struct principal *principal, const struct principal_settings *settings)
{
    replace(&principal->client, settings->client);
    replace(&principal->secret, settings->secret);
    replace(&principal->token, settings->token);
}

void principal_done(struct principal *principal)
{
    principal_set(principal, &(struct principal_settings){0});
}

bool principal_is_demanded(const struct principal *principal)
{
    return principal->secret != NULL || principal->token != NULL;
}

static bool is_secret(const char *secret, struct slice given)
{
    return secret != NULL && slice_eq_secret(slice_of(secret), given);
}

bool principal_fits(const struct principal *principal, struct slice client, struct slice secret)
{
    if (!principal_is_demanded(principal) || is_secret(principal->token, secret))
        return true;
    return is_secret(principal->secret, secret) &&
           slice_eq_nocase(client, slice_of(principal->client));
}

enum err principal_admits(const struct principal *principal, const struct identity *identity,
                          struct slice bearer, struct cause *why)
{
    if (!principal_is_demanded(principal) || is_secret(principal->token, bearer))
        return E_OK;
    if (bearer.len == 0)
        return cause_set(why, E_DENIED,
                         "The request shows no token: log in, or send 'Authorization: Bearer "
                         "TOKEN' with the setting listen.token.");
    return identity_verify(identity, bearer, SLICE(TOKEN_AUDIENCE_MANAGE), why);
}

struct slice principal_secret(const struct principal *principal)
{
    return slice_of(principal->secret != NULL ? principal->secret : principal->token);
}
