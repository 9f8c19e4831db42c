/* api/changing.h - requests that change topics and subscriptions, until they are answered, and what
 * several routes of them share. */
#ifndef API_CHANGING_H
#define API_CHANGING_H

#include "http/server.h"
#include "router/router.h"

/* One request under way. */
struct changing {
    struct change change;
    struct router *router;
    struct http_request *request;
    char *scope; /* resource id of what was changed, or of what the subscription belongs to */
    char *name;  /* of the subscription; NULL = a topic */
    void (*answer)(struct changing *changing); /* when it went well; 204 if NULL */
};

/* changing_new makes one; `name` may be SLICE_NONE. */
struct changing *changing_new(struct router *router, struct http_request *request,
                              struct slice scope, struct slice name);
/* changing_begun ends it with an answer if its change could not begin. */
void changing_begun(struct changing *changing, enum err err);
/* For `answer`: the scope as it is now, with its topic; or NULL, then call changing_gone(), also if
 * the scope has the subscription no more. */
const struct scope *changing_scope(const struct changing *changing);
void changing_gone(struct changing *changing);

/* changing_subscription puts or patches a subscription of the scope, and answers with `answer`. */
struct subscription_change {
    const struct scope *scope;
    struct slice name, properties;
    bool is_patch;
    void (*answer)(struct changing *changing);
};
void changing_subscription(struct router *router, struct http_request *request,
                           const struct subscription_change *change);

/* changing_failed answers for a change that did not come about; changing_code is the code of such
 * an answer. */
void changing_failed(struct http_request *request, enum err err, const struct cause *why);
const char *changing_code(enum err err);

/* What the request asks for: `properties` of its body, or the whole of it if it has none; false,
 * and answered, if the body is no JSON object. */
bool changing_properties(struct http_request *request, struct slice *ret);

#endif
