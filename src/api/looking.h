/* api/looking.h - requests that show how much stands in the queues, which the store is asked first
 * (router/survey.h). */
#ifndef API_LOOKING_H
#define API_LOOKING_H

#include "http/server.h"

struct router;

/* looking_start has `answer` answer the request as soon as that is known; at once if `router` is
 * NULL. A store that does not tell delays it by a second at most: then with what was known. */
void looking_start(struct router *router, struct http_request *request,
                   void (*answer)(void *ctx, struct http_request *request), void *ctx);

#endif
