/* apps/host_json.h - host.json: what holds for all functions of an app.
 * Rules: inner to the app loader; pure but for the existence of the handler's program. */
#ifndef APPS_HOST_JSON_H
#define APPS_HOST_JSON_H

#include "apps/app.h"
#include "json/json.h"

struct host_json {
    char **only;               /* "functions"; NULL = all */
    struct retry_policy retry; /* for functions without their own */
    struct trigger defaults;   /* of extensions.redis, else the documented ones */
    bool has_payload;          /* defaults.payload was chosen there */
    bool has_handler;
};

/* host_json_read takes the parsed file into `app` (timeout, handler, log levels) and *ret. The
 * first mistake stands in `top`. `*ret` ends with host_json_done, on failure too. */
void host_json_read(struct app *app, struct jx_view *top, struct host_json *ret);
void host_json_done(struct host_json *host);

/* retry_read reads a retry object (member "retry" of `top`); *ret stays when there is none. */
void retry_read(struct jx_view *top, struct retry_policy *ret);

#endif
