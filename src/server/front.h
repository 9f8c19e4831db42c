/* server/front.h - what is answered over HTTP and HTTPS: the API, and behind it the control plane.
 */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include "api/api.h"
#include "arm/arm.h"

struct front {
    struct api *api;
    struct arm *arm;
};

/* front_open fills it in. `api` needs no `rest`; `node` is that of this run; is_gone gets the ctx
 * of the program in `api`. */
void front_open(struct front *front, const struct api_options *api, const char *node,
                bool (*is_gone)(void *ctx, struct slice node));
/* As the functions of the same names, for all that wants to know. */
void front_host(const struct front *front, struct host *host);
void front_router(const struct front *front, struct router *router);
void front_token(const struct front *front, const char *token);
void front_close(struct front *front); /* frees; one that was never opened is fine */

#endif
