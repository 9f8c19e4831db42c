#include "loop/watch.h"

#include <stdlib.h>

#include "loop/internal.h"
#include "loop/timer.h"

struct watch {
    uv_fs_event_t uv;
    struct timer *quiet;
    uint32_t quiet_ms;
};

/* A status tells that the kernel lost count: that too is a change. */
static void on_event(uv_fs_event_t *uv, const char *name, int events, int status)
{
    struct watch *watch = container_of(uv, struct watch, uv);
    (void)name, (void)events, (void)status;
    timer_set(watch->quiet, watch->quiet_ms);
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct watch, uv));
}

enum err watch_new(struct loop *loop, const char *path, uint32_t quiet_ms,
                   void (*changed)(void *ctx), void *ctx, struct watch **ret, struct cause *why)
{
    struct watch *watch = mem_new(struct watch);

    watch->quiet_ms = quiet_ms;
    watch->quiet = timer_new(loop, changed, ctx);
    uv_fs_event_init(loop_uv(loop), &watch->uv);
    int status = uv_fs_event_start(&watch->uv, on_event, path, 0);
    if (status < 0) {
        watch_free(watch);
        return status == UV_ENOSPC
                   ? cause_set(why, E_LIMIT, "%s: more watches than fs.inotify.max_user_watches",
                               path)
                   : cause_set(why, err_from_uv(status), "%s: %s", path, uv_text(status));
    }
    *ret = watch;
    return E_OK;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    timer_free(watch->quiet);
    uv_close((uv_handle_t *)&watch->uv, on_closed);
}
