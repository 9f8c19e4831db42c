#include "server/front.h"

void front_open(struct front *front, const struct api_options *api, const char *node,
                bool (*is_gone)(void *ctx, struct slice node))
{
    struct api_options options = *api;

    front->arm = arm_new(&(struct arm_options){.loop = api->loop,
                                               .node = node,
                                               .token = api->token,
                                               .is_gone = is_gone,
                                               .ctx = api->program.ctx});
    options.rest = arm_handle;
    options.rest_ctx = front->arm;
    front->api = api_new(&options);
}

void front_host(const struct front *front, struct host *host)
{
    api_host(front->api, host);
}

void front_router(const struct front *front, struct router *router)
{
    api_router(front->api, router);
    arm_router(front->arm, router);
}

void front_token(const struct front *front, const char *token)
{
    api_token(front->api, token);
    arm_token(front->arm, token);
}

void front_close(struct front *front)
{
    api_free(front->api);
    arm_free(front->arm);
    *front = (struct front){0};
}
