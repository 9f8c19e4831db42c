/* api/subscription_routes.h - what the API answers about event subscriptions; bodies as
 * azure-api.md 7.1. What a subscription belongs to is ?topic=NAME or ?scope=RESOURCE-ID. */
#ifndef API_SUBSCRIPTION_ROUTES_H
#define API_SUBSCRIPTION_ROUTES_H

struct http_request;
struct member;
struct router;

/* subscription_of is the subscription that the request's path (/api/subscriptions/NAME..) and query
 * name; NULL: there is none, and the request is answered. */
const struct member *subscription_of(struct router *router, struct http_request *request);

void subscriptions_get(struct router *router, struct http_request *request);
void subscription_get(struct router *router, struct http_request *request);
void subscription_put(struct router *router, struct http_request *request);
void subscription_patch(struct router *router, struct http_request *request);
void subscription_delete(struct router *router, struct http_request *request);
/* subscription_confirm is what the owner of an endpoint opens to confirm it by hand. */
void subscription_confirm(struct router *router, struct http_request *request);

#endif
