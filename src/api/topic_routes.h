/* api/topic_routes.h - what the API answers about topics; bodies as azure-api.md 7.3. */
#ifndef API_TOPIC_ROUTES_H
#define API_TOPIC_ROUTES_H

struct http_request;
struct router;

void topics_get(struct router *router, struct http_request *request);
void topic_get(struct router *router, struct http_request *request);
void topic_put(struct router *router, struct http_request *request);
void topic_patch(struct router *router, struct http_request *request);
void topic_delete(struct router *router, struct http_request *request);
void topic_get_keys(struct router *router, struct http_request *request);
void topic_renew_key(struct router *router, struct http_request *request);

#endif
