#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/glob.h"
#include "apps/keyspace.h"
#include "functions/lease.h"
#include "functions/listener.h"
#include "functions/slots.h"
#include "loop/loop.h"
#include "redis/pubsub.h"

/* With a lease (the default) only its holder subscribes, so N nodes run a message once; without
 * (everyNode) each does. There is no back-pressure in pub/sub: what the bounded queue cannot take
 * is dropped, counted and logged. */
#define KEEP_BYTES (64 * 1024)
#define LEASE_TTL_MS 10000

struct pubsub_entry {
    struct job job;
    struct pubsub_listener *listener;
};

struct pubsub_listener {
    struct listener base;
    char name[256]; /* of the connection */
    struct redis_pubsub *pubsub;
    struct lease *lease; /* NULL with everyNode */
    struct slots slots;
    struct list spare;
    struct turn turn;
    struct redis_call config; /* CONFIG GET notify-keyspace-events */
    struct op release;
    bool has_checked;    /* of notify-keyspace-events */
    bool is_overflowing; /* logged once per overflow */
    bool has_released;
    bool is_lease_refused; /* the last time that the server was asked */
};

static struct pubsub_listener *of(struct listener *listener)
{
    return container_of(listener, struct pubsub_listener, base);
}

static void maybe_stopped(struct pubsub_listener *l);
static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why);

static void turn(struct pubsub_listener *l)
{
    loop_at_turn_end(l->base.options.loop, &l->turn);
}

static struct pubsub_entry *entry_new(struct pubsub_listener *l)
{
    struct list_node *node = list_shift(&l->spare);
    if (node != NULL)
        return container_of(node, struct pubsub_entry, job.node);
    struct pubsub_entry *e = mem_new(struct pubsub_entry);
    e->listener = l;
    e->job.delivery.dispatcher = l->base.options.dispatcher;
    e->job.delivery.done = on_delivery_done;
    message_init(&e->job.delivery.message, l->base.message_max_bytes);
    return e;
}

static void entry_free(struct pubsub_entry *e)
{
    delivery_release(&e->job.delivery);
    message_done(&e->job.delivery.message);
    free(e);
}

static void entry_release(struct pubsub_entry *e)
{
    list_remove(&e->job.node);
    if (e->job.delivery.message.text.cap > KEEP_BYTES || e->job.delivery.binding_call != NULL)
        entry_free(e);
    else
        list_unshift(&e->listener->spare, &e->job.node);
}

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    struct pubsub_entry *e = container_of(delivery, struct pubsub_entry, job.delivery);
    struct pubsub_listener *l = e->listener;

    (void)why;
    slots_ended(&l->slots, &e->job);
    if (err == E_OK)
        listener_count(l->base.acknowledged_series, &l->base.stats.acknowledged);
    else
        listener_count(l->base.dropped_series, &l->base.stats.dropped);
    entry_release(e);
    turn(l);
    maybe_stopped(l);
}

/* What came while this process stood still for longer than its lease lasts: another node may run
 * it, or did. */
static bool is_anothers(const struct pubsub_listener *l)
{
    return l->lease != NULL && !lease_is_held(l->lease);
}

static bool is_full(struct pubsub_listener *l)
{
    if (l->slots.waiting_count < l->base.trigger->queue_limit) {
        l->is_overflowing =
            l->is_overflowing && l->slots.waiting_count > l->base.trigger->queue_limit / 2;
        return false;
    }
    if (!l->is_overflowing)
        log_error("QUEUE-FULL",
                  "%s %zu messages wait for the function; new ones are dropped until there is room "
                  "(queueLimit and maxConcurrency of the binding set how many)",
                  l->base.prefix, l->slots.waiting_count);
    l->is_overflowing = true;
    return true;
}

static void drop_too_large(struct pubsub_listener *l, struct slice channel, size_t bytes)
{
    struct cause why;
    char what[64];

    snprintf(what, sizeof what, "a message of %zu bytes", bytes);
    (void)listener_too_large(&l->base, what, channel, &why);
    listener_count(l->base.dropped_series, &l->base.stats.dropped);
}

static void on_message(void *ctx, struct slice channel, struct slice payload, struct reply *reply)
{
    struct pubsub_listener *l = ctx;

    (void)reply;
    if (keyspace_is_own(channel, payload))
        return;
    if (is_anothers(l) || is_full(l)) {
        listener_count(l->base.dropped_series, &l->base.stats.dropped);
        return;
    }
    struct pubsub_entry *e = entry_new(l);
    if (message_set_pubsub(&e->job.delivery.message, l->base.trigger, channel, payload) != E_OK) {
        drop_too_large(l, channel, payload.len);
        entry_free(e);
        return;
    }
    slots_run(&l->slots, &e->job);
}

/* --- notify-keyspace-events --- */

static bool has_any(struct slice flags, const char *of_these)
{
    for (size_t i = 0; i < flags.len; i++)
        for (const char *at = of_these; *at != '\0'; at++)
            if (flags.data[i] == *at)
                return true;
    return false;
}

/* The classes that can fire the trigger. */
static const char *wanted_classes(const struct pubsub_listener *l)
{
    struct keyspace_event event = {0};

    (void)keyspace_parse(slice_of(l->base.trigger->channel), SLICE_NONE, &event);
    return keyspace_classes(event.event);
}

static void on_config(struct op *op, enum err err)
{
    struct pubsub_listener *l = container_of(op, struct pubsub_listener, config.op);
    unsigned kinds = channel_kinds(slice_of(l->base.trigger->channel), l->base.trigger->is_pattern);
    const struct resp *value = err == E_OK ? resp_child(l->config.reply->root, 1) : NULL;

    maybe_stopped(l);
    if (value == NULL) {
        log_debug("NOTIFY-UNKNOWN", "%s the server does not tell notify-keyspace-events",
                  l->base.prefix);
        return;
    }
    const char *classes = wanted_classes(l);
    bool has_class = has_any(value->text, classes);
    bool can_fire = ((kinds & CHANNEL_KEYSPACE) && has_any(value->text, "K")) ||
                    ((kinds & CHANNEL_KEYEVENT) && has_any(value->text, "E"));
    if (has_class && can_fire)
        return;
    const struct redis_options *options = l->base.options.redis;
    const struct redis_endpoint *at = &options->endpoints[0];
    char where[512];
    if (at->path != NULL)
        snprintf(where, sizeof where, "-s %s", at->path);
    else
        snprintf(where, sizeof where, "-h %s -p %u", at->host, at->port);
    log_warn("NOTIFY-OFF",
             "%s cannot fire: notify-keyspace-events of %s is \"%.*s\". Turn it on with: "
             "redis-cli %s CONFIG SET notify-keyspace-events KEA%s",
             l->base.prefix, redis_name(l->base.commands), SLICE_ARG(value->text), where,
             classes[0] == 'A' ? "" : classes);
}

static void check_notifications(struct pubsub_listener *l)
{
    const struct slice args[] = {SLICE("CONFIG"), SLICE("GET"), SLICE("notify-keyspace-events")};
    struct slice channel = slice_of(l->base.trigger->channel);

    /* A pattern such as `*` also takes ordinary messages: silence about notifications is no mistake
     * there. */
    if (l->has_checked || (channel_kinds(channel, l->base.trigger->is_pattern) & CHANNEL_ORDINARY))
        return;
    l->config.op.done = on_config;
    l->has_checked = redis_call(l->base.commands, args, COUNT_OF(args), &l->config) == E_OK;
}

/* --- subscribing --- */

static void on_up(void *ctx, uint64_t gap_ms)
{
    struct pubsub_listener *l = ctx;

    listener_recovered(&l->base);
    if (gap_ms > 0)
        log_warn("PUBSUB-GAP", "%s subscribed again; messages of the last %" PRIu64 " ms are lost",
                 l->base.prefix, gap_ms);
    check_notifications(l);
    listener_answered(&l->base);
}

static void on_down(void *ctx, enum err err, const struct cause *why)
{
    struct pubsub_listener *l = ctx;

    if (err == E_REDIS)
        listener_complain(&l->base, err, why);
    listener_answered(&l->base);
}

static void subscribe(struct pubsub_listener *l)
{
    const struct redis_pubsub_options options = {
        .options = l->base.options.redis,
        .client_name = l->name,
        .channel = slice_of(l->base.trigger->channel),
        .is_pattern = l->base.trigger->is_pattern,
        .message = on_message,
        .up = on_up,
        .down = on_down,
        .ctx = l,
    };
    if (l->pubsub == NULL && !l->base.is_stopping)
        l->pubsub = redis_pubsub_open(l->base.options.hub, &options);
}

static void unsubscribe(struct pubsub_listener *l)
{
    if (l->pubsub != NULL)
        redis_pubsub_close(l->pubsub);
    l->pubsub = NULL;
}

static void on_lease(void *ctx, bool is_held)
{
    struct pubsub_listener *l = ctx;

    if (is_held) {
        log_info("LEASE-WON", "%s this node subscribes", l->base.prefix);
        subscribe(l);
        return;
    }
    if (l->pubsub != NULL)
        log_warn("LEASE-LOST", "%s this node subscribes no longer; another may", l->base.prefix);
    unsubscribe(l);
    listener_answered(&l->base);
}

static void on_lease_answered(void *ctx, enum err err, const struct cause *why)
{
    struct pubsub_listener *l = ctx;

    if (err != E_OK) {
        listener_complain(&l->base, err, why);
        listener_answered(&l->base);
    } else if (l->is_lease_refused) { /* else it may be the subscription that has a complaint */
        listener_recovered(&l->base);
    }
    l->is_lease_refused = err != E_OK;
}

static void on_turn(struct turn *turn)
{
    slots_fill(&container_of(turn, struct pubsub_listener, turn)->slots);
}

static enum err pubsub_start(const struct listener_options *options, struct listener **ret,
                             struct cause *why)
{
    const struct function *function = options->dispatcher->function;
    struct pubsub_listener *l = mem_new(struct pubsub_listener);

    (void)why;
    listener_init(&l->base, &listener_pubsub_kind, options);
    snprintf(l->name, sizeof l->name, "AzureFunctionsRedisExtension.%s", function->name);
    slots_init(&l->slots, function->trigger.max_concurrency);
    list_init(&l->spare);
    l->turn.run = on_turn;
    *ret = &l->base;
    if (function->trigger.every_node) {
        subscribe(l);
        return E_OK;
    }
    struct buf key;
    buf_init(&key, 1024);
    buf_addf(&key, "redgrid:lease:%s:%s", function->app->name, function->name);
    l->lease = lease_new(&(struct lease_options){
        .loop = options->loop,
        .redis = l->base.commands,
        .key = buf_slice(&key),
        .holder = slice_of(options->node_id),
        .ttl_ms = LEASE_TTL_MS,
        .peers = options->peers,
        .changed = on_lease,
        .answered = on_lease_answered,
        .ctx = l,
    });
    buf_done(&key);
    return E_OK;
}

static void pubsub_pause(struct listener *listener, bool is_paused)
{
    listener->is_paused = of(listener)->slots.is_shut = is_paused;
    turn(of(listener));
}

static void on_released(struct op *op, enum err err)
{
    struct pubsub_listener *l = container_of(op, struct pubsub_listener, release);

    (void)err;
    l->has_released = true;
    maybe_stopped(l);
}

/* What has come in runs to its end: nobody else has these messages. */
static void maybe_stopped(struct pubsub_listener *l)
{
    struct op *op = l->base.stop_op;

    if (op == NULL || !slots_are_idle(&l->slots) || l->config.op.is_busy || !l->has_released)
        return;
    l->base.stop_op = NULL;
    loop_later(l->base.options.loop, op, E_OK);
}

static void pubsub_stop(struct listener *listener, struct op *op)
{
    struct pubsub_listener *l = of(listener);

    listener->stop_op = op;
    listener->is_stopping = true;
    slots_end_retries(&l->slots);
    unsubscribe(l);
    op_abort(&l->config.op);
    l->release.done = on_released;
    if (l->lease != NULL)
        lease_release(l->lease, &l->release);
    else
        loop_later(listener->options.loop, &l->release, E_OK);
    turn(l);
}

static void pubsub_hurry(struct listener *listener)
{
    struct pubsub_listener *l = of(listener);

    for (struct job *job; (job = slots_take_waiting(&l->slots)) != NULL;) {
        listener_count(l->base.dropped_series, &l->base.stats.dropped);
        entry_release(container_of(job, struct pubsub_entry, job));
    }
    slots_abort(&l->slots);
}

static void pubsub_free(struct listener *listener)
{
    struct pubsub_listener *l = of(listener);

    turn_cancel(&l->turn);
    for (struct list_node *node; (node = list_shift(&l->spare)) != NULL;)
        entry_free(container_of(node, struct pubsub_entry, job.node));
    if (l->lease != NULL)
        lease_free(l->lease);
    unsubscribe(l);
    listener_done(&l->base);
    free(l);
}

static void pubsub_node_died(struct listener *listener)
{
    if (of(listener)->lease != NULL)
        lease_hurry(of(listener)->lease);
}

const struct listener_kind listener_pubsub_kind = {
    .type = TRIGGER_PUBSUB,
    .name = "RedisPubSubTrigger",
    .start = pubsub_start,
    .pause = pubsub_pause,
    .stop = pubsub_stop,
    .hurry = pubsub_hurry,
    .free = pubsub_free,
    .node_died = pubsub_node_died,
};
