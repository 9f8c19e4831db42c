/* api/identity_routes.h - bearer tokens: for publishers, as a managed identity's endpoint gives
 * them, and what receivers need to check those that webhooks are sent (azure-api.md 2). */
#ifndef API_IDENTITY_ROUTES_H
#define API_IDENTITY_ROUTES_H

struct http_request;
struct router;

void identity_token(struct router *router, struct http_request *request);
void identity_keys(struct router *router, struct http_request *request);
void identity_configuration(struct router *router, struct http_request *request);

#endif
