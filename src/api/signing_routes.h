/* api/signing_routes.h - the secrets that deliveries of a subscription are signed with. No other
 * answer shows them, and only POST does, so that none stands in a log of addresses or in a cache.
 */
#ifndef API_SIGNING_ROUTES_H
#define API_SIGNING_ROUTES_H

struct http_request;
struct router;

/* Answers {"secret":"whsec_..","previousSecret":"whsec_.."}. */
void signing_get(struct router *router, struct http_request *request);
/* signing_rotate puts another secret in force, that of the body ({"secret":..}) or a fresh one, and
 * answers as above. The one before stays beside it, unless the body says "keepPrevious":false. */
void signing_rotate(struct router *router, struct http_request *request);

#endif
