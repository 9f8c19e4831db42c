/* By hand, not by uv_listen(), which answers a lack of descriptors by closing connections. */
#include "loop/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/internal.h"
#include "loop/timer.h"

#define TAKEN_MAX 64 /* in one go, then others have their turn */

struct listener {
    uv_poll_t uv;
    int fd;
    struct timer *timer; /* set while it is starved */
    void (*came)(void *ctx, int fd);
    void *ctx;
    bool is_paused;
    bool is_starved; /* and that was told */
};

static void on_event(uv_poll_t *uv, int status, int events);

static void watch(struct listener *listener)
{
    if (listener->is_paused || timer_is_set(listener->timer))
        uv_poll_stop(&listener->uv);
    else
        (void)uv_poll_start(&listener->uv, UV_READABLE, on_event);
}

static void starve(struct listener *listener, int number)
{
    if (!listener->is_starved)
        log_warn("LISTEN-STARVED", "connections wait until they can be taken: %s",
                 strerror(number));
    listener->is_starved = true;
    timer_set(listener->timer, LISTENER_AGAIN_MS);
    watch(listener);
}

/* What went wrong with one connection only. */
static bool is_gone_already(int number)
{
    return number == ECONNABORTED || number == EINTR || number == EPROTO || number == ENETDOWN ||
           number == EPERM;
}

static void on_event(uv_poll_t *uv, int status, int events)
{
    struct listener *listener = container_of(uv, struct listener, uv);

    (void)status, (void)events;
    for (int i = 0; i < TAKEN_MAX && !listener->is_paused; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->is_starved = false;
            listener->came(listener->ctx, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (!is_gone_already(errno)) {
            starve(listener, errno);
            return;
        }
    }
}

static void on_time(void *ctx)
{
    watch(ctx);
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct listener, uv));
}

struct listener *listener_new(struct loop *loop, int fd, void (*came)(void *ctx, int fd), void *ctx)
{
    struct listener *listener = mem_new(struct listener);

    if (uv_poll_init(loop_uv(loop), &listener->uv, fd) != 0) {
        free(listener);
        return NULL;
    }
    listener->fd = fd;
    listener->came = came;
    listener->ctx = ctx;
    listener->timer = timer_new(loop, on_time, listener);
    watch(listener);
    return listener;
}

void listener_pause(struct listener *listener, bool is_paused)
{
    if (listener->is_paused == is_paused)
        return;
    listener->is_paused = is_paused;
    watch(listener);
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    timer_free(listener->timer);
    uv_close((uv_handle_t *)&listener->uv, on_closed);
    close(listener->fd);
}
