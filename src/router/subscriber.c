/* One thing is asked of the queue at a time, the first of these that is to be done and has room:
 *
 *   OPEN      until the queue is there
 *   HOLDERS   whose entries are pending; ADOPT those of each that is gone, batch by batch
 *   FRESH     and, by turns with it, DUE when something is due
 *
 * What comes is held (shipment.h) and delivered at once. A call that fails is made again when the
 * store answers. */
#include "router/subscriber.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/timer.h"
#include "router/shipment.h"
#include "store/wakes.h"

#define AGAIN_MS 200
#define GATHER_MS 1
#define LARGE_BYTES (64 * 1024) /* what entries are thought to be before the first came */

/* ---- what came ---- */

static bool is_me(const struct subscriber *s, struct slice name)
{
    return slice_eq(name, slice_of(s->options.node));
}

static size_t batch_bytes(const struct subscriber *s)
{
    return (size_t)s->options.subscription->destination.batch_kilobytes * 1024;
}

/* A batch: events that failed equally often, as many as fit; a larger one goes alone. */
static void deliver(struct subscriber *s, struct held *const *held, size_t count)
{
    size_t most = s->options.subscription->destination.batch_events;

    while (count > 0) {
        size_t n = 1, bytes = held[0]->event->body.len;
        while (n < count && n < most && held[n]->failed == held[0]->failed &&
               bytes + held[n]->event->body.len <= batch_bytes(s))
            bytes += held[n++]->event->body.len;
        rate_spend(&s->rate, n);
        shipment_start(s, held, n);
        held += n;
        count -= n;
    }
}

static void note_size(struct subscriber *s, size_t bytes)
{
    if (bytes > s->largest_bytes)
        s->largest_bytes = bytes;
    else
        s->largest_bytes -= s->largest_bytes / 256; /* what was large once is forgotten */
    if (s->largest_bytes == 0)
        s->largest_bytes = 1;
}

static bool is_known(const struct subscriber *s, struct slice id)
{
    struct held *held;

    list_each (&s->held, struct held, node, held)
        if (slice_eq(id, ending_id(&held->ending)))
            return true;
    return false;
}

/* Ready for an attempt? Else it has been dealt with. */
static bool is_ready(struct held *held)
{
    const struct retry_limits *limits = &held->subscriber->options.subscription->retry;
    const char *reason =
        held->event == NULL
            ? "Unreadable"
            : schedule_expired(limits, held->accepted_unix_ms, held->subscriber->options.unix_ms());

    if (reason != NULL)
        held_bury(held, reason);
    return reason == NULL;
}

/* How many came; *ret_last is the id of the last. */
static size_t take_in(struct subscriber *s, struct slice *ret_last)
{
    struct held *ready[QUEUE_BATCH_MAX];
    bool is_own = s->taking == TAKE_ADOPT && is_me(s, slice_of(s->gone));
    size_t came = 0, count = 0;
    struct queue_cursor cursor;
    struct queue_entry entry;

    queue_cursor_init(&cursor, s->call.reply);
    s->has_more = cursor.has_more;
    if (s->taking == TAKE_DUE)
        s->due_unix_ms = cursor.due_unix_ms;
    while (count < COUNT_OF(ready) && queue_cursor_next(&cursor, &entry)) {
        came++;
        *ret_last = entry.id;
        note_size(s, entry.head.len + entry.body.len);
        struct held *held = is_own && is_known(s, entry.id) ? NULL : held_new(s, &entry);
        if (held != NULL && is_ready(held))
            ready[count++] = held;
    }
    deliver(s, ready, count);
    return came;
}

/* ---- who is gone ---- */

/* The next of the names that is gone; none: all has been adopted. */
static void next_gone(struct subscriber *s)
{
    struct slice name;

    s->gone[0] = '\0';
    snprintf(s->start, sizeof s->start, "-");
    while (queue_holder_next(s->holders, &s->holder_at, &name)) {
        bool is_gone = is_me(s, name) ? s->adopts_own : s->options.is_dead(s->options.ctx, name);
        if (!is_gone || name.len >= sizeof s->gone)
            continue;
        snprintf(s->gone, sizeof s->gone, "%.*s", SLICE_ARG(name));
        return;
    }
    s->holders = reply_unref(s->holders);
}

/* Of our own entries the next page follows the last id; those of others are ours now, and the next
 * page is the first again. */
static void on_adopted(struct subscriber *s)
{
    struct slice last = SLICE_NONE;
    size_t came = take_in(s, &last);
    size_t dash = slice_find_byte(last, '-');
    uint64_t sequence;

    if (came == 0) {
        next_gone(s);
    } else if (!is_me(s, slice_of(s->gone))) {
        log_info("DELIVERIES-ADOPTED", "%s: took over %zu deliveries of node %s, which is gone",
                 s->options.subscription->name, came, s->gone);
    } else if (slice_to_u64(slice_from(last, dash + 1), &sequence)) {
        snprintf(s->start, sizeof s->start, "%.*s-%" PRIu64, SLICE_ARG(slice_first(last, dash)),
                 sequence + 1);
    }
}

/* ---- asking ---- */

static void on_failed(struct subscriber *s, enum err err)
{
    const char *name = s->options.subscription->name;

    if (err == E_REDIS) {
        s->is_open = false; /* most likely the store has lost the stream, or its group */
        if (!resp_is_error(s->call.reply->root, SLICE("NOGROUP")) &&
            !slice_has_prefix(s->call.reply->root->text, SLICE("ERR no such key")))
            log_warn("STORE-REFUSES", "%s: its queue cannot be read: %s", name,
                     cause_text(&s->call.op.why, err));
    } else {
        s->has_lost = s->has_holders = true; /* it may have been done */
    }
    s->is_waiting = true;
    timer_set(s->timer, AGAIN_MS);
}

static void on_asked(struct subscriber *s)
{
    struct slice last;

    switch (s->taking) {
    case TAKE_NOTHING:
    case TAKE_OPEN:
        s->is_open = true;
        break;
    case TAKE_HOLDERS:
        s->has_holders = false;
        s->adopts_own = s->has_lost && !s->options.has_predecessor;
        s->has_lost = false;
        s->holder_at = 0;
        s->holders = reply_unref(s->holders);
        s->holders = reply_ref(s->call.reply);
        next_gone(s);
        break;
    case TAKE_ADOPT:
        on_adopted(s);
        break;
    case TAKE_FRESH:
        if (take_in(s, &last) < s->asked && !s->has_more && s->wakes == s->taken_wakes)
            s->has_fresh = false;
        s->was_due = false;
        break;
    case TAKE_DUE:
        (void)take_in(s, &last);
        s->was_due = true;
        break;
    }
}

static void on_called(struct op *op, enum err err)
{
    struct subscriber *s = container_of(op, struct subscriber, call.op);

    if (s->is_stopping)
        ; /* what came stays pending, for whoever takes over, here or elsewhere */
    else if (err == E_OK || (s->taking == TAKE_OPEN && queue_is_open(&s->call, err)))
        on_asked(s);
    else
        on_failed(s, err);
    s->taking = TAKE_NOTHING;
    subscriber_pump(s);
}

static enum taking choose(const struct subscriber *s)
{
    bool is_due = s->due_unix_ms <= s->options.unix_ms();

    if (!s->is_open)
        return TAKE_OPEN;
    if (s->gone[0] != '\0')
        return TAKE_ADOPT;
    if (s->has_holders)
        return TAKE_HOLDERS;
    if (is_due && (!s->was_due || !s->has_fresh))
        return TAKE_DUE;
    return s->has_fresh ? TAKE_FRESH : TAKE_NOTHING;
}

static enum err ask(struct subscriber *s, enum taking taking)
{
    struct slice node = slice_of(s->options.node);

    switch (taking) {
    case TAKE_NOTHING:
        break;
    case TAKE_OPEN:
        return queue_open(s->queue, &s->call);
    case TAKE_HOLDERS:
        return queue_holders(s->queue, &s->call);
    case TAKE_ADOPT:
        return queue_adopt(
            s->queue,
            &(struct queue_adoption){node, slice_of(s->gone), slice_of(s->start),
                                     is_me(s, slice_of(s->gone)) ? QUEUE_BATCH_MAX : s->asked},
            &s->call);
    case TAKE_FRESH:
        return s->options.subscription->order_by != NULL
                   ? queue_take_in_order(s->queue, node, s->asked, &s->call)
                   : queue_take(s->queue, node, s->asked, &s->call);
    case TAKE_DUE:
        return queue_take_due(s->queue, node, s->options.unix_ms(), s->asked, &s->call);
    }
    return E_OK;
}

/* What has ended takes no place in the window while the queue is being told, so that the next are
 * asked for in the same turn; but not without end when the queue cannot be told. */
static size_t room(struct subscriber *s)
{
    size_t owed = s->endings.owed, busy = s->in_flight - owed;
    size_t free = busy < s->window && owed < SUBSCRIBER_OWED_MAX ? s->window - busy : 0;
    size_t few = SUBSCRIBER_MAX_BYTES / s->largest_bytes;

    few = few > s->in_flight ? few - s->in_flight : s->in_flight == 0;
    free = free < few ? free : few;
    free = free < QUEUE_BATCH_MAX ? free : QUEUE_BATCH_MAX;
    free = breaker_room(&s->breaker, free, s->in_flight, loop_now_ms(s->options.loop));
    return rate_room(&s->rate, free, loop_now_ms(s->options.loop));
}

/* When nothing can be taken now, but will be without anybody's word. */
static void wait_for_time(struct subscriber *s, enum taking taking)
{
    uint64_t now_ms = loop_now_ms(s->options.loop), now_unix_ms = s->options.unix_ms();
    uint64_t wait_ms = UINT64_MAX;

    if (s->in_flight == 0 && s->breaker.rest_until_ms > now_ms)
        wait_ms = s->breaker.rest_until_ms - now_ms;
    if (s->due_unix_ms != UINT64_MAX && s->due_unix_ms > now_unix_ms &&
        s->due_unix_ms - now_unix_ms < wait_ms)
        wait_ms = s->due_unix_ms - now_unix_ms;
    if (taking != TAKE_NOTHING && rate_room(&s->rate, 1, now_ms) == 0 &&
        rate_wait_ms(&s->rate) < wait_ms)
        wait_ms = rate_wait_ms(&s->rate);
    s->is_idle = wait_ms > s->options.look_ms;
    timer_set(s->timer, s->is_idle ? s->options.look_ms : wait_ms);
}

/* There is something, and no room for it here: other nodes may have some. Once for what is new, and
 * never for what they told us of, or two full nodes would tell each other for ever. An endpoint
 * that wants no more events a second does not want them of another node either. */
static void tell_others(struct subscriber *s, enum taking taking)
{
    bool is_fresh = s->has_fresh && s->told_wakes != s->wakes;
    bool is_due = s->due_unix_ms <= clock_unix_ms() && s->told_unix_ms != s->due_unix_ms;

    if (taking < TAKE_FRESH || !(is_fresh || is_due) ||
        rate_room(&s->rate, 1, loop_now_ms(s->options.loop)) == 0)
        return;
    s->told_wakes = s->wakes;
    s->told_unix_ms = s->due_unix_ms;
    wakes_tell(s->options.wakes, queue_id(s->queue));
}

/* Each call is a write to the store's disk, so few entries at a time cost as much as many: while
 * more than half of the window is busy, a moment is waited for more room. */
static bool gathers(struct subscriber *s, enum taking taking)
{
    bool is_busy = s->in_flight - s->endings.owed > s->window / 2;

    if (!is_busy || taking < TAKE_ADOPT || s->gathering == GATHER_DONE)
        return false;
    if (s->gathering == GATHER_NOT)
        timer_set(s->timer, GATHER_MS);
    s->gathering = GATHER_ON;
    return true;
}

static void end_stop(struct subscriber *s)
{
    struct op *stopped = s->stopped;

    if (stopped == NULL || s->call.op.is_busy || s->in_flight > 0)
        return;
    s->stopped = NULL;
    op_end(stopped, E_OK);
}

static void on_turn(struct turn *turn)
{
    struct subscriber *s = container_of(turn, struct subscriber, turn);

    if (s->is_stopping) {
        end_stop(s);
        return;
    }
    if (s->call.op.is_busy || s->is_waiting)
        return;
    enum taking taking = choose(s);
    s->asked = room(s);
    if (taking == TAKE_NOTHING || (taking > TAKE_HOLDERS && s->asked == 0)) {
        tell_others(s, taking);
        s->gathering = GATHER_NOT;
        wait_for_time(s, taking);
        return;
    }
    s->is_idle = false;
    if (gathers(s, taking))
        return;
    s->gathering = GATHER_NOT;
    s->taking = taking;
    s->taken_wakes = s->wakes;
    enum err err = ask(s, taking);
    if (err != E_OK)
        loop_later(s->options.loop, &s->call.op, err);
}

static void on_timer(void *ctx)
{
    struct subscriber *s = ctx;

    s->is_waiting = false;
    if (s->gathering == GATHER_ON)
        s->gathering = GATHER_DONE;
    if (s->is_idle) {
        s->is_idle = false;
        s->has_fresh = true;
        s->due_unix_ms = 0; /* ask */
    }
    subscriber_pump(s);
}

void subscriber_pump(struct subscriber *subscriber)
{
    loop_at_turn_end(subscriber->options.loop, &subscriber->turn);
}

static void note_due(struct subscriber *s, uint64_t due_unix_ms)
{
    if (due_unix_ms < s->due_unix_ms)
        s->due_unix_ms = due_unix_ms;
}

static void on_told(struct endings *endings, struct ending *ending)
{
    struct subscriber *s = container_of(endings, struct subscriber, endings);

    if (ending->kind == ENDING_PARK)
        note_due(s, ending->due_unix_ms);
    else if (endings->has_freed)
        s->due_unix_ms = 0; /* ask */
    if (ending->kind == ENDING_BURY && s->options.died != NULL)
        s->options.died(s->options.died_ctx);
    held_free(container_of(ending, struct held, ending));
    subscriber_pump(s);
}

/* ---- exported ---- */

struct subscriber *subscriber_start(const struct subscriber_options *options)
{
    struct subscriber *s = mem_new(struct subscriber);
    size_t batch = options->subscription->destination.batch_events;

    s->options = *options;
    s->queue = queue_new(options->redis, options->id);
    s->options.id = SLICE_NONE;
    endings_init(&s->endings, options->loop, s->queue, on_told);
    rate_init(&s->rate, options->subscription->events_per_second, loop_now_ms(options->loop));
    s->largest_bytes = LARGE_BYTES;
    list_init(&s->held);
    list_init(&s->shipments);
    s->window = options->window > 0 ? options->window : SUBSCRIBER_WINDOW;
    s->options.look_ms = options->look_ms > 0 ? options->look_ms : SUBSCRIBER_LOOK_MS;
    if (batch > 1 && s->window < 2 * batch)
        s->window = 2 * batch;
    if (s->options.unix_ms == NULL)
        s->options.unix_ms = clock_unix_ms;
    s->timer = timer_new(options->loop, on_timer, s);
    s->turn.run = on_turn;
    s->call.op.done = on_called;
    s->has_lost = true; /* one before us may have stopped while an answer was on its way */
    subscriber_recheck(s);
    return s;
}

void subscriber_inherit(struct subscriber *subscriber)
{
    subscriber->options.has_predecessor = false;
    subscriber->has_lost = true;
    subscriber_recheck(subscriber);
}

void subscriber_wake(struct subscriber *subscriber)
{
    subscriber->wakes++;
    subscriber->has_fresh = true;
    subscriber_pump(subscriber);
}

void subscriber_recheck(struct subscriber *subscriber)
{
    subscriber->has_holders = true;
    subscriber->due_unix_ms = 0; /* ask */
    subscriber_wake(subscriber);
}

void subscriber_look_again(struct subscriber *subscriber)
{
    subscriber->due_unix_ms = 0; /* ask */
    subscriber_wake(subscriber);
    subscriber->told_wakes = subscriber->wakes;
    subscriber->told_unix_ms = 0;
}

struct queue *subscriber_queue(struct subscriber *subscriber)
{
    return subscriber->queue;
}

size_t subscriber_in_flight(const struct subscriber *subscriber)
{
    return subscriber->in_flight;
}

uint64_t subscriber_rests_until_ms(const struct subscriber *subscriber)
{
    return subscriber->breaker.rest_until_ms;
}

void subscriber_stop(struct subscriber *subscriber, struct op *op)
{
    op_begin(op, NULL, subscriber);
    subscriber->stopped = op;
    subscriber->is_stopping = true;
    timer_clear(subscriber->timer);
    subscriber_pump(subscriber);
}

void subscriber_hurry(struct subscriber *subscriber)
{
    shipment_abort_all(subscriber);
    endings_drop(&subscriber->endings);
}

void subscriber_free(struct subscriber *subscriber)
{
    if (subscriber == NULL)
        return;
    endings_done(&subscriber->endings);
    turn_cancel(&subscriber->turn);
    timer_free(subscriber->timer);
    reply_unref(subscriber->holders);
    queue_free(subscriber->queue);
    free(subscriber);
}
