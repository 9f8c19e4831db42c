#include <stdlib.h>

#include "loop/internal.h"
#include "loop/process.h"

struct signal_watch {
    uv_signal_t uv;
    void (*arrived)(void *ctx);
    void *ctx;
};

static void on_signal(uv_signal_t *uv, int number)
{
    struct signal_watch *watch = container_of(uv, struct signal_watch, uv);
    (void)number;
    watch->arrived(watch->ctx);
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct signal_watch, uv));
}

struct signal_watch *signal_watch_new(struct loop *loop, int signal_number,
                                      void (*arrived)(void *ctx), void *ctx)
{
    struct signal_watch *watch = mem_new(struct signal_watch);
    watch->arrived = arrived;
    watch->ctx = ctx;
    uv_signal_init(loop_uv(loop), &watch->uv);
    uv_signal_start(&watch->uv, on_signal, signal_number); /* fails for SIGKILL and SIGSTOP only */
    return watch;
}

void signal_watch_free(struct signal_watch *watch)
{
    if (watch != NULL)
        uv_close((uv_handle_t *)&watch->uv, on_closed);
}
