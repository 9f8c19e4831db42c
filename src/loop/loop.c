/* One turn, in the order in which libuv does it:
 *
 *   sleep --> sockets, children, signals --> timers --> idle: the ops of loop_later()
 *     ^                                                                   |
 *     +---- prepare: the turn hooks, then log_flush() <-------------------+
 *
 * The idle handle is active while an op or a hook is queued: it keeps the loop from sleeping, and
 * from ending when there is nothing else to wait for. */
#include "loop/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "loop/internal.h"

struct loop {
    uv_loop_t uv;
    uv_idle_t idle;
    uv_prepare_t prepare;
    struct list later; /* ops that end next */
    struct list turns; /* hooks that run before the next sleep */
};

struct wake {
    uv_async_t uv;
    void (*woken)(void *ctx);
    void *ctx;
};

static void must(int status)
{
    if (status == 0)
        return;
    log_error("LOOP-BROKEN", "%s", uv_text(status));
    log_flush();
    abort();
}

/* The ops that are queued now, not those that they queue: these wait for the next turn, else two
 * ops that restart each other would starve the sockets. */
static void end_ops(struct loop *loop)
{
    struct list due;
    struct list_node *node;

    list_move(&due, &loop->later);
    while ((node = list_shift(&due)) != NULL) {
        struct op *op = container_of(node, struct op, node);
        op_end(op, (enum err)(intptr_t)op->runner);
    }
}

static void on_idle(uv_idle_t *idle)
{
    end_ops(container_of(idle, struct loop, idle));
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *loop = container_of(prepare, struct loop, prepare);
    struct list due;
    struct list_node *node;

    list_move(&due, &loop->turns);
    while ((node = list_shift(&due)) != NULL) {
        struct turn *turn = container_of(node, struct turn, node);
        turn->run(turn);
    }
    log_flush();
    if (list_is_empty(&loop->turns) && list_is_empty(&loop->later))
        uv_idle_stop(&loop->idle);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(struct loop);

    signal(SIGPIPE, SIG_IGN); /* a peer that went away is a failed write, not our end */
    list_init(&loop->later);
    list_init(&loop->turns);
    must(uv_loop_init(&loop->uv));
    must(uv_idle_init(&loop->uv, &loop->idle));
    must(uv_prepare_init(&loop->uv, &loop->prepare));
    must(uv_prepare_start(&loop->prepare, on_prepare));
    uv_unref((uv_handle_t *)&loop->prepare);
    return loop;
}

static void close_left(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (uv_is_closing(handle))
        return;
    if (uv_handle_get_type(handle) == UV_PROCESS)
        process_left((uv_process_t *)handle);
    else
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    /* Canceled ops still end, and their owners may free more: until no handle and no op is left. */
    do {
        end_ops(loop);
        uv_walk(&loop->uv, close_left, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    } while (!list_is_empty(&loop->later));
    must(uv_loop_close(&loop->uv));
    log_flush();
    free(loop);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    log_flush();
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

static void keep_awake(struct loop *loop)
{
    if (!uv_is_closing((uv_handle_t *)&loop->idle))
        uv_idle_start(&loop->idle, on_idle);
}

void loop_end_later(struct loop *loop, struct op *op, enum err err)
{
    assert(op->is_busy && !list_holds(&op->node));
    op->abort = NULL; /* it ends soon anyway */
    op->runner = (void *)(intptr_t)err;
    list_push(&loop->later, &op->node);
    keep_awake(loop);
}

void loop_forget(struct op *op)
{
    list_remove(&op->node);
    op->is_busy = false;
}

void loop_later(struct loop *loop, struct op *op, enum err err)
{
    assert(!op->is_busy);
    op->is_busy = true; /* not by op_begin, which would clear the cause */
    loop_end_later(loop, op, err);
}

void loop_at_turn_end(struct loop *loop, struct turn *turn)
{
    if (list_holds(&turn->node))
        return;
    list_push(&loop->turns, &turn->node);
    keep_awake(loop);
}

void turn_cancel(struct turn *turn)
{
    list_remove(&turn->node);
}

static void on_woken(uv_async_t *uv)
{
    struct wake *wake = container_of(uv, struct wake, uv);
    wake->woken(wake->ctx);
}

static void wake_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct wake, uv));
}

struct wake *wake_new(struct loop *loop, void (*woken)(void *ctx), void *ctx)
{
    struct wake *wake = mem_new(struct wake);
    wake->woken = woken;
    wake->ctx = ctx;
    must(uv_async_init(&loop->uv, &wake->uv, on_woken));
    return wake;
}

void wake_send(struct wake *wake)
{
    uv_async_send(&wake->uv);
}

void wake_free(struct wake *wake)
{
    if (wake != NULL)
        uv_close((uv_handle_t *)&wake->uv, wake_closed);
}

const char *uv_text(int status)
{
    static char text[128];
    return uv_strerror_r(status, text, sizeof text);
}

enum err err_from_uv(int status)
{
    if (status >= 0)
        return E_OK;
    return status == UV_EOF ? E_CLOSED : err_from_errno(-status);
}
