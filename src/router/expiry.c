/* idle --time--> ASK the first queue that may have some --looked at a part--> ASK for the next part
 *   ^                |                                                           |
 *   +--none is left--+--all was looked at, or it failed: the next queue----------+ */
#include "router/expiry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/catalog.h"

#define ENTRIES_MAX 32 /* in one call, which has all of them in the store's memory once more */
#define START_ROOM_BYTES 48

struct expiry {
    struct loop *loop;
    struct catalog *catalog;
    struct timer *timer;
    struct active *active; /* counted; NULL = idle */
    struct redis_call call;
    uint64_t now_unix_ms; /* of this round */
    size_t left;          /* queues of this round */
    uint64_t buried;      /* of this queue */
    char start[START_ROOM_BYTES];
    bool is_stopping;
};

static void ask(struct expiry *x)
{
    const struct queue_settings *settings = &x->active->subscription.queue;
    const struct queue_pull pull = {.now_unix_ms = x->now_unix_ms,
                                    .count = ENTRIES_MAX,
                                    .max_locks = settings->max_deliveries,
                                    .ttl_ms = x->active->ttl_ms};
    enum err err = queue_expire(x->active->queue, &pull, slice_of(x->start), &x->call);

    if (err != E_OK)
        loop_later(x->loop, &x->call.op, err);
}

static void next_queue(struct expiry *x)
{
    while (x->left > 0 && !x->is_stopping) {
        struct active *active = catalog_next_pull(x->catalog);
        x->left--;
        if (active == NULL || active->expiry_unix_ms > x->now_unix_ms)
            continue;
        x->active = active_ref(active);
        x->buried = 0;
        snprintf(x->start, sizeof x->start, "-");
        ask(x);
        return;
    }
}

static void leave_queue(struct expiry *x)
{
    struct active *active = x->active;

    if (x->buried > 0) {
        log_warn("DELIVERY-DEAD",
                 "%s: %" PRIu64 " events that nobody received in time are dead letters",
                 active->subscription.name, x->buried);
        active_died(active);
    }
    x->active = NULL;
    active_unref(active);
}

/* What is appended from now on has all of its time before it. */
static void on_expired(struct op *op, enum err err)
{
    struct expiry *x = container_of(op, struct expiry, call.op);
    struct queue_expiry found;

    if (err == E_OK && !queue_expiry_read(x->call.reply, &found))
        err = E_BAD_WIRE;
    if (err == E_OK) {
        uint64_t oldest = found.oldest_unix_ms != 0 ? found.oldest_unix_ms : x->now_unix_ms;
        x->buried += found.burials.locked_out + found.burials.expired;
        tally_buried(x->active->tally, &found.burials);
        x->active->expiry_unix_ms = oldest + x->active->ttl_ms;
        snprintf(x->start, sizeof x->start, "%.*s", SLICE_ARG(found.next));
    }
    if (err == E_OK && x->start[0] != '\0' && !x->is_stopping) {
        ask(x);
        return;
    }
    leave_queue(x);
    next_queue(x);
}

static void on_timer(void *ctx)
{
    struct expiry *x = ctx;

    if (x->active != NULL)
        return;
    x->now_unix_ms = clock_unix_ms();
    x->left = catalog_pulls(x->catalog);
    next_queue(x);
}

struct expiry *expiry_new(struct loop *loop, struct catalog *catalog, uint32_t every_ms)
{
    struct expiry *x = mem_new(struct expiry);

    x->loop = loop;
    x->catalog = catalog;
    x->call.op.done = on_expired;
    x->timer = timer_new(loop, on_timer, x);
    timer_every(x->timer, every_ms);
    return x;
}

void expiry_stop(struct expiry *expiry)
{
    expiry->is_stopping = true;
    timer_clear(expiry->timer);
    op_abort(&expiry->call.op);
}

void expiry_free(struct expiry *expiry)
{
    if (expiry == NULL)
        return;
    assert(expiry->active == NULL);
    timer_free(expiry->timer);
    free(expiry);
}
