#include "api/looking.h"

#include <stdlib.h>

#include "router/router.h"

struct looking {
    struct op op;
    struct http_request *request;
    void (*answer)(void *ctx, struct http_request *request);
    void *ctx;
};

static void on_known(struct op *op, enum err err)
{
    struct looking *looking = container_of(op, struct looking, op);

    (void)err; /* the router stops: it still is what was known */
    looking->answer(looking->ctx, looking->request);
    free(looking);
}

void looking_start(struct router *router, struct http_request *request,
                   void (*answer)(void *ctx, struct http_request *request), void *ctx)
{
    if (router == NULL) {
        answer(ctx, request);
        return;
    }
    struct looking *looking = mem_new(struct looking);
    *looking = (struct looking){{.done = on_known}, request, answer, ctx};
    survey_ask(router_survey(router), &looking->op);
}
