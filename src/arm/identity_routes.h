/* arm/identity_routes.h - bearer tokens: for who manages or publishes, as a login and a managed
 * identity's endpoint give them, and what receivers need to check those that webhooks are sent
 * (azure-api.md 2).
 * Rules: a token is for whom the client names: publishing, managing, or any application else. It is
 * for managing when this server is named, by any of its URLs, or Azure Resource Manager. */
#ifndef ARM_IDENTITY_ROUTES_H
#define ARM_IDENTITY_ROUTES_H

struct arm_call;

/* Of a managed identity, for whoever may manage. */
void arm_identity_token(const struct arm_call *call);
/* For a client with its secret, which stand in a form (RFC 6749 4.4). */
void arm_identity_login(const struct arm_call *call);
void arm_identity_keys(const struct arm_call *call);
void arm_identity_configuration(const struct arm_call *call);

#endif
