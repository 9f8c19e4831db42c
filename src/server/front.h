/* server/front.h - what is answered over HTTP and HTTPS: the API, and behind it the control plane.
 */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include "api/api.h"
#include "arm/arm.h"
#include "server/listeners.h"

struct settings;

struct front {
    struct api *api;
    struct arm *arm;
};

/* front_open fills it in. `api` needs neither `rest` nor `token`; is_gone gets the ctx of the
 * program in `api`. */
struct front_options {
    struct api_options api;
    const struct settings *settings;
    const char *node; /* of this run */
    const char *data; /* the folder */
    bool (*is_gone)(void *ctx, struct slice node);
};
void front_open(struct front *front, const struct front_options *options);
/* front_listen opens the listeners, with its own handler; as listeners_open(). */
enum err front_listen(const struct front *front, const struct listeners_options *options,
                      struct listeners **ret, struct cause *why);
/* front_reload takes what changed of the settings, and of the certificate of HTTPS. */
void front_reload(const struct front *front, const struct settings *settings,
                  struct listeners *listeners);
/* As the functions of the same names, for all that wants to know. */
void front_host(const struct front *front, struct host *host);
void front_router(const struct front *front, struct router *router, struct caches *caches);
void front_close(struct front *front); /* frees; one that was never opened is fine */

#endif
