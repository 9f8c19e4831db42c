/* One PUBLISH is under way at a time; what is to be told meanwhile gathers for the next. */
#include "store/wakes.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/pubsub.h"

#define CHANNEL "rg:{meta}:wakes"
#define ALL "*"
#define ALONE_MS 100 /* between two messages that nobody hears */
#define AGAIN_MS 200 /* after one that could not be sent */
#define CHANNEL_MAX_BYTES (64 * 1024)
#define MESSAGE_MAX_BYTES (1024 * 1024)

struct wakes {
    struct wakes_options options;
    struct redis_pubsub *pubsub;
    struct buf channel; /* with the store's prefix */
    struct map queues;  /* to be told of; the value says nothing */
    bool is_all;        /* of all of them */
    struct redis_call call;
    struct buf message; /* of the call, which borrows it */
    struct turn turn;
    struct timer *timer;
    bool is_alone;   /* nobody else heard the last one */
    bool is_refused; /* and that was logged */
    bool is_closed;
};

/* ---- telling ---- */

static bool has_news(const struct wakes *wakes)
{
    return wakes->is_all || wakes->queues.count > 0;
}

static void write_message(struct wakes *wakes)
{
    struct slice queue;
    void *value;
    size_t at = 0;

    buf_clear(&wakes->message);
    buf_add(&wakes->message, slice_of(wakes->options.node));
    if (wakes->is_all)
        buf_add(&wakes->message, SLICE(" " ALL));
    while (!wakes->is_all && map_next(&wakes->queues, &at, &queue, &value)) {
        buf_add_byte(&wakes->message, ' ');
        buf_add(&wakes->message, queue);
    }
    map_done(&wakes->queues);
    wakes->is_all = false;
}

static void on_failed(struct wakes *wakes, enum err err)
{
    if (err == E_REDIS && !wakes->is_refused)
        log_warn("STORE-WAKES", "the store refuses to tell other nodes of new events: %s",
                 cause_text(&wakes->call.op.why, err));
    wakes->is_refused = wakes->is_refused || err == E_REDIS;
    wakes->is_all = true;
    timer_set(wakes->timer, AGAIN_MS);
}

static enum err publish(struct wakes *wakes)
{
    write_message(wakes);
    const struct slice args[] = {SLICE("PUBLISH"), buf_slice(&wakes->channel),
                                 buf_slice(&wakes->message)};
    return redis_call(wakes->options.redis, args, COUNT_OF(args), &wakes->call);
}

static void send(struct wakes *wakes)
{
    if (wakes->call.op.is_busy || !has_news(wakes))
        return;
    enum err err = publish(wakes);
    if (err != E_OK)
        on_failed(wakes, err);
}

/* Alone: one waits a little, since it is only for somebody whom the last one missed. */
static void send_soon(struct wakes *wakes)
{
    if (wakes->call.op.is_busy || timer_is_set(wakes->timer) || !has_news(wakes))
        return;
    if (wakes->is_alone)
        timer_set(wakes->timer, ALONE_MS);
    else
        loop_at_turn_end(wakes->options.loop, &wakes->turn);
}

static void wakes_free(struct wakes *wakes)
{
    map_done(&wakes->queues);
    buf_done(&wakes->channel);
    buf_done(&wakes->message);
    free(wakes);
}

/* In a cluster the answer counts only those who listen at the same server. */
static void on_sent(struct op *op, enum err err)
{
    struct wakes *wakes = container_of(op, struct wakes, call.op);
    int64_t heard;

    if (wakes->is_closed) {
        if (err != E_OK || !has_news(wakes) || publish(wakes) != E_OK)
            wakes_free(wakes);
        return;
    }
    if (err != E_OK) {
        on_failed(wakes, err);
        return;
    }
    wakes->is_refused = false;
    wakes->is_alone = resp_int(wakes->call.reply->root, &heard) && heard <= 1 &&
                      !redis_can(wakes->options.redis, REDIS_CLUSTER);
    send_soon(wakes);
}

static void on_turn(struct turn *turn)
{
    send(container_of(turn, struct wakes, turn));
}

static void on_timer(void *ctx)
{
    send(ctx);
}

/* ---- hearing ---- */

static void on_message(void *ctx, struct slice channel, struct slice payload, struct reply *reply)
{
    struct wakes *wakes = ctx;
    struct slice word;

    (void)channel, (void)reply;
    if (!slice_cut(&payload, ' ', &word) || slice_eq(word, slice_of(wakes->options.node)))
        return;
    wakes->is_alone = false;
    while (slice_cut(&payload, ' ', &word)) {
        if (slice_eq(word, SLICE(ALL)))
            wakes->options.missed(wakes->options.ctx);
        else
            wakes->options.woken(wakes->options.ctx, word);
    }
}

static void on_up(void *ctx, uint64_t gap_ms)
{
    struct wakes *wakes = ctx;

    (void)gap_ms;
    wakes->options.missed(wakes->options.ctx);
}

static void on_down(void *ctx, enum err err, const struct cause *why)
{
    (void)ctx;
    if (err == E_REDIS)
        log_warn("STORE-WAKES",
                 "the store refuses to tell of new events at other nodes, which may wait: %s",
                 cause_text(why, err));
}

/* ---- exported ---- */

struct wakes *wakes_open(const struct wakes_options *options)
{
    struct wakes *wakes = mem_new(struct wakes);

    wakes->options = *options;
    buf_init(&wakes->channel, CHANNEL_MAX_BYTES);
    buf_add(&wakes->channel, slice_of(redis_opts(options->redis)->channel_prefix));
    buf_add(&wakes->channel, SLICE(CHANNEL));
    buf_init(&wakes->message, MESSAGE_MAX_BYTES);
    wakes->call.op.done = on_sent;
    wakes->turn.run = on_turn;
    wakes->timer = timer_new(options->loop, on_timer, wakes);
    wakes->pubsub = redis_pubsub_beside(
        options->redis, &(struct redis_pubsub_options){.client_name = "redgrid-wakes",
                                                       .channel = SLICE(CHANNEL),
                                                       .message = on_message,
                                                       .up = on_up,
                                                       .down = on_down,
                                                       .ctx = wakes});
    return wakes;
}

void wakes_tell(struct wakes *wakes, struct slice queue)
{
    static char there;

    if (wakes == NULL || wakes->is_all)
        return;
    if (wakes->queues.count >= WAKES_QUEUES_MAX)
        wakes->is_all = true;
    else
        (void)map_set(&wakes->queues, queue, &there);
    send_soon(wakes);
}

void wakes_tell_all(struct wakes *wakes)
{
    if (wakes == NULL)
        return;
    wakes->is_all = true;
    send_soon(wakes);
}

void wakes_close(struct wakes *wakes)
{
    if (wakes == NULL)
        return;
    turn_cancel(&wakes->turn);
    send(wakes);
    wakes->is_closed = true;
    redis_pubsub_close(wakes->pubsub);
    timer_free(wakes->timer);
    if (!wakes->call.op.is_busy)
        wakes_free(wakes);
}
