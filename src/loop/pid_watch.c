/* A descriptor of the process, which the kernel makes readable when it ends; where the kernel (or a
 * sandbox) has none, a look every now and then. */
#include "loop/pid_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "loop/internal.h"
#include "loop/timer.h"

#define LOOK_EVERY_MS 20
#define STAT_BYTES 1024
#define STAT_STATE 0  /* behind the name, which may hold anything but ends with the last ')' */
#define STAT_START 19 /* counted from the state */

struct pid_watch {
    uv_poll_t uv;
    int fd; /* -1 = none: then */
    struct timer *look;
    pid_t pid;
    uint64_t start_time;
    void (*ended)(void *ctx);
    void *ctx;
};

uint64_t pid_start_time(pid_t pid)
{
    char path[32], text[STAT_BYTES];
    uint64_t start_time = 0;
    struct slice rest, field = SLICE_NONE;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    const char *end = strrchr(text, ')');
    rest = slice_trim(slice_of(end != NULL ? end + 1 : ""));
    for (int i = STAT_STATE; i <= STAT_START && slice_cut(&rest, ' ', &field); i++)
        if (i == STAT_STATE && (slice_eq(field, SLICE("Z")) || slice_eq(field, SLICE("X"))))
            return 0;
    return slice_to_u64(field, &start_time) ? start_time : 0;
}

static void end(struct pid_watch *watch)
{
    timer_clear(watch->look);
    if (watch->fd >= 0)
        uv_poll_stop(&watch->uv);
    watch->ended(watch->ctx);
}

static void on_readable(uv_poll_t *uv, int status, int events)
{
    (void)status, (void)events;
    end(container_of(uv, struct pid_watch, uv));
}

static void on_look(void *ctx)
{
    struct pid_watch *watch = ctx;

    if (pid_start_time(watch->pid) != watch->start_time)
        end(watch);
}

static void on_closed(uv_handle_t *handle)
{
    struct pid_watch *watch = container_of(handle, struct pid_watch, uv);

    close(watch->fd);
    free(watch);
}

enum err pid_watch_new(struct loop *loop, pid_t pid, void (*ended)(void *ctx), void *ctx,
                       struct pid_watch **ret, struct cause *why)
{
    struct pid_watch *watch = mem_new(struct pid_watch);

    *watch = (struct pid_watch){.pid = pid, .ended = ended, .ctx = ctx};
    watch->fd = (int)syscall(SYS_pidfd_open, pid, 0);
    watch->start_time = pid_start_time(pid);
    watch->look = timer_new(loop, on_look, watch);
    if (watch->start_time == 0) {
        if (watch->fd >= 0)
            close(watch->fd);
        timer_free(watch->look);
        free(watch);
        return cause_set(why, E_NOT_FOUND, "no process %d", (int)pid);
    }
    if (watch->fd >= 0 && uv_poll_init(loop_uv(loop), &watch->uv, watch->fd) < 0) {
        close(watch->fd);
        watch->fd = -1;
    }
    if (watch->fd >= 0)
        uv_poll_start(&watch->uv, UV_READABLE, on_readable);
    else
        timer_every(watch->look, LOOK_EVERY_MS);
    *ret = watch;
    return E_OK;
}

void pid_watch_free(struct pid_watch *watch)
{
    if (watch == NULL)
        return;
    timer_free(watch->look);
    if (watch->fd >= 0)
        uv_close((uv_handle_t *)&watch->uv, on_closed);
    else
        free(watch);
}
