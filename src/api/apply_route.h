/* api/apply_route.h - POST /api/apply: topics and subscriptions as a declaration says. */
#ifndef API_APPLY_ROUTE_H
#define API_APPLY_ROUTE_H

#include "http/server.h"
#include "router/router.h"

/* The body is that of router/declaration.h; ?dryRun=yes only tells what would be done, ?prune=yes
 * removes too. 200 {"resources":[..]}, with an error in each that failed; or 400, and details[] of
 * the error names each mistake by its path (`target`): then nothing was changed. */
void declaration_post(struct router *router, struct http_request *request);

#endif
