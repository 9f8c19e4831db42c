/* ASK --something came, or the time is up--> done
 *  | ^--no queue yet--> OPEN --> ASK
 *  +--nothing--> WAIT --woken, or a parked entry is due--> ASK */
#include "router/reception.h"

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/timer.h"

static struct loop *loop_of(const struct reception *r)
{
    return active_loop(r->active);
}

static void end(struct reception *r, enum err err)
{
    struct active *active = r->active;

    list_remove(&r->node);
    timer_free(r->timer);
    r->timer = NULL;
    op_end(&r->op, err); /* r may be gone */
    active_unref(active);
}

static void ask(struct reception *r)
{
    const struct queue_settings *settings = &r->active->subscription.queue;
    const struct queue_pull pull = {.now_unix_ms = clock_unix_ms(),
                                    .count = r->count,
                                    .lock_ms = (uint64_t)settings->lock_seconds * 1000,
                                    .max_locks = settings->max_deliveries,
                                    .ttl_ms = settings->ttl_ms};

    r->step = RECEPTION_ASK;
    r->is_woken = false;
    enum err err = queue_receive(r->active->queue, &pull, &r->call);
    if (err != E_OK)
        loop_later(loop_of(r), &r->call.op, err);
}

static void open_queue(struct reception *r)
{
    r->step = RECEPTION_OPEN;
    enum err err = queue_open(r->active->queue, &r->call);
    if (err != E_OK)
        loop_later(loop_of(r), &r->call.op, err);
}

/* Until the time is up, or until a parked entry is due, whichever comes first. */
static void wait_for_more(struct reception *r, uint64_t due_unix_ms)
{
    uint64_t now_unix_ms = clock_unix_ms();
    uint64_t wait_ms = r->until_ms - loop_now_ms(loop_of(r));
    uint64_t due_ms = due_unix_ms > now_unix_ms ? due_unix_ms - now_unix_ms : 1;

    r->step = RECEPTION_WAIT;
    timer_set(r->timer, due_ms < wait_ms ? due_ms : wait_ms);
}

static void judge(struct reception *r)
{
    struct queue_cursor cursor;

    queue_cursor_init(&cursor, r->call.reply);
    if (cursor.left > 0 || r->is_canceled || r->until_ms <= loop_now_ms(loop_of(r)))
        end(r, r->is_canceled && cursor.left == 0 ? E_CANCELED : E_OK);
    else if (r->is_woken)
        ask(r);
    else
        wait_for_more(r, cursor.due_unix_ms);
}

static bool has_no_queue(const struct reception *r, enum err err)
{
    return err == E_REDIS &&
           slice_find(r->call.reply->root->text, SLICE("NOGROUP")) < r->call.reply->root->text.len;
}

static void on_called(struct op *op, enum err err)
{
    struct reception *r = container_of(op, struct reception, call.op);

    if (r->step == RECEPTION_OPEN && queue_is_open(&r->call, err)) {
        ask(r);
    } else if (r->step == RECEPTION_ASK && has_no_queue(r, err)) {
        open_queue(r);
    } else if (err != E_OK) {
        r->op.why = op->why;
        end(r, err);
    } else {
        judge(r);
    }
}

static void on_timer(void *ctx)
{
    struct reception *r = ctx;

    if (r->is_canceled)
        end(r, E_CANCELED);
    else
        ask(r); /* once more when the time is up, so that the reply is of now */
}

static void on_abort(struct op *op)
{
    reception_cancel(container_of(op, struct reception, op));
}

void reception_start(struct reception *reception, struct active *active, size_t count,
                     uint64_t wait_ms)
{
    struct reception *r = reception;

    *r = (struct reception){
        .op = r->op, .active = active_ref(active), .count = count, .call.op.done = on_called};
    r->until_ms = loop_now_ms(loop_of(r)) + wait_ms;
    r->timer = timer_new(loop_of(r), on_timer, r);
    list_push(&active->receptions, &r->node);
    op_begin(&r->op, on_abort, r);
    ask(r);
}

void reception_wake(struct reception *reception)
{
    reception->is_woken = true;
    if (reception->step == RECEPTION_WAIT)
        timer_set(reception->timer, 0);
}

void reception_cancel(struct reception *reception)
{
    reception->is_canceled = true;
    reception_wake(reception);
}
