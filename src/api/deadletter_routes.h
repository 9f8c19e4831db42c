/* api/deadletter_routes.h - what the API answers about the dead letters of an event subscription.
 * What a request may say: router/dead_query.h; of a listing also as query parameters. */
#ifndef API_DEADLETTER_ROUTES_H
#define API_DEADLETTER_ROUTES_H

#include "router/sweep.h"

struct http_request;
struct member;
struct router;

void deadletters_get(struct router *router, struct http_request *request);
void deadletter_get(struct router *router, struct http_request *request);
void deadletters_list(struct router *router, struct http_request *request);
void deadletters_redrive(struct router *router, struct http_request *request);
void deadletters_purge(struct router *router, struct http_request *request);

/* deadletters_ask does what the last three do, for a subscription that is known; the body says
 * which dead letters. */
void deadletters_ask(struct router *router, const struct member *member,
                     struct http_request *request, enum sweep_kind kind);

#endif
