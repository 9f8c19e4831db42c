#include "loop/hangup.h"

#include <stdlib.h>

#include "loop/internal.h"

struct hangup {
    uv_poll_t uv;
    void (*hung_up)(void *ctx);
    void *ctx;
};

/* A status tells of an error of the socket: nobody is there either. */
static void on_event(uv_poll_t *uv, int status, int events)
{
    struct hangup *hangup = container_of(uv, struct hangup, uv);

    (void)status, (void)events;
    uv_poll_stop(uv);
    hangup->hung_up(hangup->ctx);
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct hangup, uv));
}

struct hangup *hangup_new(struct loop *loop, int fd, void (*hung_up)(void *ctx), void *ctx)
{
    struct hangup *hangup = mem_new(struct hangup);

    hangup->hung_up = hung_up;
    hangup->ctx = ctx;
    if (uv_poll_init(loop_uv(loop), &hangup->uv, fd) != 0) {
        free(hangup);
        return NULL;
    }
    if (uv_poll_start(&hangup->uv, UV_DISCONNECT, on_event) != 0) {
        hangup_free(hangup);
        return NULL;
    }
    return hangup;
}

void hangup_free(struct hangup *hangup)
{
    if (hangup != NULL)
        uv_close((uv_handle_t *)&hangup->uv, on_closed);
}
