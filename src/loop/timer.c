#include "loop/timer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/internal.h"

struct timer {
    uv_timer_t uv;
    struct loop *loop;
    void (*fired)(void *ctx);
    void *ctx;
    struct op *op; /* who is in timer_wait(), or NULL */
};

static void on_fired(uv_timer_t *uv)
{
    struct timer *timer = container_of(uv, struct timer, uv);
    timer->fired(timer->ctx);
}

static void on_waited(uv_timer_t *uv)
{
    struct timer *timer = container_of(uv, struct timer, uv);
    struct op *op = timer->op;
    timer->op = NULL;
    op_end(op, E_OK);
}

/* libuv counts from the time at which the turn began, which may be long ago when a program sets
 * itself up before its first turn. */
static void start(struct timer *timer, uv_timer_cb callback, uint64_t ms, uint64_t again_ms)
{
    uint64_t now_ms = clock_now_ms(), turn_ms = loop_now_ms(timer->loop);
    uint64_t late_ms = now_ms > turn_ms ? now_ms - turn_ms : 0;

    assert(timer->op == NULL);
    if (ms > UINT64_MAX / 4)
        ms = UINT64_MAX / 4;
    uv_timer_start(&timer->uv, callback, ms + late_ms, again_ms);
}

struct timer *timer_new(struct loop *loop, void (*fired)(void *ctx), void *ctx)
{
    struct timer *timer = mem_new(struct timer);
    timer->loop = loop;
    timer->fired = fired;
    timer->ctx = ctx;
    uv_timer_init(loop_uv(loop), &timer->uv);
    return timer;
}

void timer_set(struct timer *timer, uint64_t ms)
{
    start(timer, on_fired, ms, 0);
}

void timer_every(struct timer *timer, uint64_t ms)
{
    start(timer, on_fired, ms, ms > 0 ? ms : 1);
}

void timer_clear(struct timer *timer)
{
    assert(timer->op == NULL);
    uv_timer_stop(&timer->uv);
}

bool timer_is_set(const struct timer *timer)
{
    return uv_is_active((const uv_handle_t *)&timer->uv);
}

static void wait_abort(struct op *op)
{
    struct timer *timer = op->runner;
    uv_timer_stop(&timer->uv);
    timer->op = NULL;
    loop_end_later(timer->loop, op, E_CANCELED);
}

void timer_wait(struct timer *timer, uint64_t ms, struct op *op)
{
    start(timer, on_waited, ms, 0);
    op_begin(op, wait_abort, timer);
    timer->op = op;
}

static void timer_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct timer, uv));
}

void timer_free(struct timer *timer)
{
    if (timer == NULL)
        return;
    assert(timer->op == NULL);
    uv_close((uv_handle_t *)&timer->uv, timer_closed);
}
