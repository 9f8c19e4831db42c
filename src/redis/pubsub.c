/* A client of its own whose connection, each time it is ready, asks for the channel first. */
#include "redis/pubsub.h"

#include <stdlib.h>

#include "base/clock.h"
#include "redis/internal.h"

#define CHANNEL_MAX_BYTES (1024 * 1024)

struct redis_pubsub {
    struct redis_pubsub_options options;
    struct redis *redis;
    struct buf channel; /* with the prefix */
    size_t prefix_len;  /* to take off again; 0 = none was put */
    struct redis_call subscribe;
    uint64_t down_at_ms; /* monotonic */
    bool was_up;         /* ever */
    bool is_up;
    bool is_refused; /* why the connection is being left */
    bool is_closed;  /* waits for `subscribe` to end */
    enum err told;   /* of this outage; E_OK = nothing */
};

static void go_down(struct redis_pubsub *pubsub, enum err err, const struct cause *why)
{
    if (pubsub->is_up)
        pubsub->down_at_ms = clock_now_ms();
    pubsub->is_up = false;
    if (pubsub->told == E_REDIS || (pubsub->told != E_OK && err != E_REDIS))
        return;
    pubsub->told = err;
    if (pubsub->options.down != NULL)
        pubsub->options.down(pubsub->options.ctx, err, why);
}

static void on_subscribed(struct op *op, enum err err)
{
    struct redis_pubsub *pubsub = container_of(op, struct redis_pubsub, subscribe.op);

    if (pubsub->is_closed) {
        free(pubsub);
        return;
    }
    if (err) {
        struct cause why = op->why;
        /* on_down() tells; with E_CLOSED it has told. A refusal is ours alone, no outage. */
        pubsub->is_refused = err == E_REDIS;
        redis_break(pubsub->redis, err == E_REDIS ? E_DENIED : err, &why);
        return;
    }
    uint64_t gap_ms = pubsub->was_up ? clock_now_ms() - pubsub->down_at_ms : 0;
    pubsub->was_up = pubsub->is_up = true;
    pubsub->told = E_OK;
    if (pubsub->options.up != NULL)
        pubsub->options.up(pubsub->options.ctx, gap_ms);
}

static void on_up(void *ctx)
{
    struct redis_pubsub *pubsub = ctx;
    struct slice command = pubsub->options.is_pattern ? SLICE("PSUBSCRIBE") : SLICE("SUBSCRIBE");

    enum err err = redis_call(pubsub->redis, (struct slice[]){command, buf_slice(&pubsub->channel)},
                              2, &pubsub->subscribe);
    if (err)
        redis_break(pubsub->redis, err, &pubsub->subscribe.op.why);
}

static void on_down(void *ctx, enum err err, const struct cause *why)
{
    struct redis_pubsub *pubsub = ctx;

    if (pubsub->is_refused)
        err = E_REDIS;
    pubsub->is_refused = false;
    go_down(pubsub, err, why);
}

/* ["message", channel, payload] or ["pmessage", pattern, channel, payload] */
static void on_push(void *ctx, struct reply *reply)
{
    struct redis_pubsub *pubsub = ctx;
    const struct resp *root = reply->root;
    uint32_t expected = slice_eq(root[1].text, SLICE("pmessage")) ? 4 : 3;

    if (root->count != expected || root->span != expected + 1)
        return;
    struct slice channel = root[expected - 1].text;
    struct slice prefix = slice_first(buf_slice(&pubsub->channel), pubsub->prefix_len);
    if (slice_has_prefix(channel, prefix))
        channel = slice_from(channel, prefix.len);
    pubsub->options.message(pubsub->options.ctx, channel, root[expected].text, reply);
}

static void make_channel(struct redis_pubsub *pubsub)
{
    struct slice channel = pubsub->options.channel;
    struct slice prefix = slice_of(pubsub->options.options->channel_prefix);

    buf_init(&pubsub->channel, CHANNEL_MAX_BYTES);
    if (!slice_has_prefix(channel, SLICE("__keyspace@")) &&
        !slice_has_prefix(channel, SLICE("__keyevent@"))) {
        pubsub->prefix_len = prefix.len;
        buf_add(&pubsub->channel, prefix);
    }
    buf_add(&pubsub->channel, channel);
}

struct redis_pubsub *redis_pubsub_open(struct redis_hub *hub,
                                       const struct redis_pubsub_options *options)
{
    struct redis_pubsub *pubsub = mem_new(struct redis_pubsub);
    struct redis_hooks hooks = {.up = on_up, .down = on_down, .push = on_push, .ctx = pubsub};

    pubsub->options = *options;
    pubsub->subscribe.op.done = on_subscribed;
    make_channel(pubsub);
    pubsub->redis = redis_open_hooked(hub, options->options, options->client_name, &hooks);
    return pubsub;
}

struct redis_pubsub *redis_pubsub_beside(struct redis *redis,
                                         const struct redis_pubsub_options *options)
{
    struct redis_pubsub_options its = *options;

    its.options = redis->server->options;
    return redis_pubsub_open(redis->hub, &its);
}

void redis_pubsub_close(struct redis_pubsub *pubsub)
{
    if (pubsub == NULL)
        return;
    redis_close(pubsub->redis);
    buf_done(&pubsub->channel);
    pubsub->is_closed = true;
    if (!pubsub->subscribe.op.is_busy)
        free(pubsub); /* else on_subscribed() does */
}
