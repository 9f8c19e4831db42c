/* api/deadletter_routes.h - what the API answers about the dead letters of an event subscription.
 * What a request may say: router/dead_query.h; of a listing also as query parameters. */
#ifndef API_DEADLETTER_ROUTES_H
#define API_DEADLETTER_ROUTES_H

struct http_request;
struct router;

void deadletters_get(struct router *router, struct http_request *request);
void deadletter_get(struct router *router, struct http_request *request);
void deadletters_list(struct router *router, struct http_request *request);
void deadletters_redrive(struct router *router, struct http_request *request);
void deadletters_purge(struct router *router, struct http_request *request);

#endif
