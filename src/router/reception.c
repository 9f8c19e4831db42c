/* ASK --something came, or the time is up--> done
 *  | ^--no queue yet--> OPEN --> ASK
 *  +--nothing--> WAIT --woken, or a parked entry is due--> ASK
 *  +--something came, but for nobody--> RETURN --> done */
#include "router/reception.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define TOKEN_ROOM_BYTES 128
#define LOOK_MS 30000 /* should a wake-up be lost: a connection may be dead unnoticed */
/* After a failure of the store. */
#define AGAIN_MS 2000
/* While a stop is under way: a client that asks again and again does not ask without end. */
#define LAST_WAIT_MS 500

static struct loop *loop_of(const struct reception *r)
{
    return active_loop(r->active);
}

static struct reception *first_of(const struct active *active)
{
    return list_is_empty(&active->receptions)
               ? NULL
               : container_of(active->receptions.head.next, struct reception, node);
}

/* Until the time is up, or, for the first of them, until a parked entry is due. */
static void wait_for_more(struct reception *r, uint64_t due_unix_ms)
{
    uint64_t now_unix_ms = clock_unix_ms(), now_ms = loop_now_ms(loop_of(r));
    uint64_t wait_ms = r->until_ms > now_ms ? r->until_ms - now_ms : 0;
    uint64_t due_ms = due_unix_ms > now_unix_ms ? due_unix_ms - now_unix_ms : 1;

    if (due_ms > LOOK_MS)
        due_ms = LOOK_MS;
    r->step = RECEPTION_WAIT;
    timer_set(r->timer, first_of(r->active) == r && due_ms < wait_ms ? due_ms : wait_ms);
}

/* Whoever waits behind it may get what it left, and has to look at what is parked; in a moment, if
 * the store failed. */
static void end(struct reception *r, enum err err)
{
    struct active *active = r->active;

    list_remove(&r->node);
    active_waits(active)->count--;
    timer_free(r->timer);
    r->timer = NULL;
    struct reception *next = first_of(active);
    if (next != NULL && (err == E_OK || err == E_CANCELED))
        reception_wake(next);
    else if (next != NULL && next->step == RECEPTION_WAIT && !next->is_woken)
        wait_for_more(next, clock_unix_ms() + AGAIN_MS);
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
                                    .ttl_ms = r->active->ttl_ms};

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

/* What came for somebody who is gone. If that fails they come back when their locks end. */
static void give_back(struct reception *r)
{
    const struct queue_times times = {.now_unix_ms = clock_unix_ms()};
    char room[QUEUE_BATCH_MAX][TOKEN_ROOM_BYTES];
    struct slice tokens[QUEUE_BATCH_MAX], token;
    struct queue_cursor cursor;
    struct queue_entry entry;
    size_t count = 0;
    uint32_t locks;

    queue_cursor_init(&cursor, r->call.reply);
    while (count < COUNT_OF(tokens) && queue_cursor_next(&cursor, &entry)) {
        if (!queue_lock_read(entry.state, &locks, &token))
            continue;
        int len = snprintf(room[count], sizeof room[0], "%.*s:%.*s", SLICE_ARG(entry.id),
                           SLICE_ARG(token));
        tokens[count] = (struct slice){room[count], (size_t)len};
        count += (size_t)len < sizeof room[0];
    }
    r->step = RECEPTION_RETURN;
    enum err err = E_OK;
    if (count > 0)
        err = queue_unlock(r->active->queue, QUEUE_RETURN, tokens, count, &times, &r->call);
    if (err != E_OK || count == 0)
        loop_later(loop_of(r), &r->call.op, err);
}

/* tell_buried: were there some? */
static bool tell_buried(const struct reception *r)
{
    struct queue_burials burials = queue_burials_read(r->call.reply);
    uint64_t buried = burials.locked_out + burials.expired;

    if (buried == 0)
        return false;
    tally_buried(r->active->tally, &burials);
    active_died(r->active);
    log_warn("DELIVERY-DEAD",
             "%s: %" PRIu64 " events that nobody acknowledged in time are dead letters",
             r->active->subscription.name, buried);
    return true;
}

static void judge(struct reception *r)
{
    struct queue_cursor cursor;

    queue_cursor_init(&cursor, r->call.reply);
    bool has_buried = tell_buried(r); /* and may have stopped at that, before what is good */
    if (cursor.left > 0 && r->is_canceled)
        give_back(r);
    else if (cursor.left > 0 || r->is_canceled || r->until_ms <= loop_now_ms(loop_of(r)))
        end(r, r->is_canceled ? E_CANCELED : E_OK);
    else if (r->is_woken || has_buried)
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

    if (r->step == RECEPTION_RETURN) {
        active_wake(r->active);
        end(r, E_CANCELED);
    } else if (r->step == RECEPTION_OPEN && queue_is_open(&r->call, err)) {
        ask(r);
    } else if (r->is_canceled && has_no_queue(r, err)) {
        end(r, E_CANCELED); /* the queue was removed, and is not to be made anew */
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

enum err reception_start(struct reception *reception, struct active *active, size_t count,
                         uint64_t wait_ms)
{
    struct reception *r = reception;
    struct waits *waits = active_waits(active);

    if (waits->count >= RECEPTIONS_MAX)
        return E_LIMIT;
    waits->count++;
    *r = (struct reception){
        .op = r->op, .active = active_ref(active), .count = count, .call.op.done = on_called};
    if (waits->is_over && wait_ms > LAST_WAIT_MS)
        wait_ms = LAST_WAIT_MS;
    r->until_ms = loop_now_ms(loop_of(r)) + wait_ms;
    r->timer = timer_new(loop_of(r), on_timer, r);
    list_push(&active->receptions, &r->node);
    op_begin(&r->op, on_abort, r);
    ask(r);
    return E_OK;
}

void reception_wake(struct reception *reception)
{
    reception->is_woken = true;
    if (reception->step == RECEPTION_WAIT)
        timer_set(reception->timer, 0);
}

void reception_hurry(struct reception *reception)
{
    reception->until_ms = loop_now_ms(loop_of(reception));
    reception_wake(reception);
}

void reception_cancel(struct reception *reception)
{
    reception->is_canceled = true;
    reception_wake(reception);
}

void reception_abort(struct reception *reception)
{
    reception_cancel(reception);
    op_abort(&reception->call.op);
}
