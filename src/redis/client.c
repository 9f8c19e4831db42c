/* NEW --> [RESOLVE -->] CONNECT --> SIGN_IN --> NAME --> SELECT --> LEARN --> VERIFY --> READY
 *            ^            ^  |                                                            |
 *            |            |  +-- next endpoint, until all were tried                      |
 *            |            |  |                                                            |
 *            +------------+--+-- BACKOFF <------ any failure, at any step ----------------+
 *
 * RESOLVE only with Sentinel. A step that has nothing to ask is passed over. Closed anywhere:
 * CLOSED, where calls and waiters end as canceled. */
#include "redis/client.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"
#include "loop/timer.h"
#include "redis/internal.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 10000
#define BACKOFF_JITTER 0.2   /* of the time, either way */
#define READY_STEADY_MS 1000 /* a connection that lasted so long was a good one */
#define MS_PER_S 1000

/* ---- what happens to the connection ---- */

static bool is_handshake(enum redis_state state)
{
    return state >= REDIS_SIGN_IN && state <= REDIS_VERIFY;
}

void redis_break(struct redis *redis, enum err err, const struct cause *why)
{
    if (redis->is_closing || !redis->op.is_busy ||
        (redis->state != REDIS_READY && !is_handshake(redis->state)))
        return;
    redis->op.why = *why;
    op_end(&redis->op, err);
}

static void on_broken(void *ctx, enum err err, const struct cause *why)
{
    redis_break(ctx, err == E_CANCELED ? E_CLOSED : err, why);
}

static void on_handshake_reply(struct redis *redis, const struct resp *reply)
{
    struct cause why = {0};

    if (redis->answered == redis->awaited)
        return; /* the step has ended */
    enum err err = handshake_reply(redis, redis->answered++, reply, &why);
    if (err != E_OK && redis->step_err == E_OK) {
        redis->step_err = err;
        redis->op.why = why;
    }
    if (redis->answered == redis->awaited)
        op_end(&redis->op, redis->step_err);
}

/* Under RESP2 messages come as arrays between the replies; under RESP3 they are pushes, and so is
 * the confirmation of a SUBSCRIBE, which is all the answer that it gets. */
static bool is_message(const struct redis *redis, const struct resp *root)
{
    if (redis->hooks.push == NULL || root->count == 0)
        return root->type == RESP_PUSH;
    return slice_eq(root[1].text, SLICE("message")) || slice_eq(root[1].text, SLICE("pmessage"));
}

static void on_reply(void *ctx, struct reply *reply)
{
    struct redis *redis = ctx;

    redis->has_heard = true;
    if (is_message(redis, reply->root)) {
        if (redis->hooks.push != NULL && redis->state == REDIS_READY)
            redis->hooks.push(redis->hooks.ctx, reply);
    } else if (redis->state == REDIS_READY) {
        calls_answer(redis, reply);
    } else if (is_handshake(redis->state)) {
        on_handshake_reply(redis, reply->root);
    }
}

/* Messages do not count: they come whatever the server does about our calls. Where a message looks
 * like a reply until it is whole, nothing counts until then. */
static void on_arriving(void *ctx, char type)
{
    struct redis *redis = ctx;

    redis->has_heard = true;
    if (type != '>' && redis->hooks.push == NULL)
        redis->heard_at_ms = loop_now_ms(redis->loop);
}

static const struct connection_events connection_events = {on_reply, calls_wrote, on_arriving,
                                                           on_broken};

static void drop_connection(struct redis *redis)
{
    connection_free(redis->connection);
    redis->connection = NULL;
    redis->expiry_at_ms = 0;
    redis->has_looked_again = false;
    if (redis->timer == NULL)
        return; /* closed */
    timer_clear(redis->timer);
    timer_clear(redis->expiry);
    timer_clear(redis->idle);
}

/* ---- timers ---- */

static void on_deadline(void *ctx)
{
    struct redis *redis = ctx;
    struct cause why;
    redis_break(redis,
                cause_set(&why, E_TIMEOUT, "no answer to the handshake within %u ms",
                          redis->server->options->connect_timeout_ms),
                &why);
}

/* ---- steps ---- */

static void later_end(struct op *later, enum err err)
{
    struct redis *redis = container_of(later, struct redis, later);
    op_end(&redis->op, err);
}

/* For the states that await their own connection's events. */
static void abort_step(struct op *op)
{
    struct redis *redis = op->runner;
    op->abort = NULL;
    loop_later(redis->loop, &redis->later, E_CANCELED);
}

static enum redis_state first_state(const struct redis *redis)
{
    return redis->sentinel != NULL ? REDIS_RESOLVE : REDIS_CONNECT;
}

static enum err resolve_start(struct redis *redis)
{
    return sentinel_ask(redis->sentinel, &redis->op);
}

static enum err connect_start(struct redis *redis)
{
    const struct redis_options *options = redis->server->options;
    const struct redis_endpoint *at = &options->endpoints[redis->endpoint];

    redis->target = (struct stream_target){.path = at->path,
                                           .host = at->host,
                                           .port = at->port,
                                           .server_name = options->tls_host,
                                           .timeout_ms = options->connect_timeout_ms,
                                           .keepalive_s = options->keepalive_s};
    if (redis->sentinel != NULL) {
        redis->target.path = NULL;
        redis->target.host = sentinel_host(redis->sentinel);
        redis->target.port = sentinel_port(redis->sentinel);
    }
    enum err err = server_tls(redis->server, &redis->target.tls, &redis->op.why);
    if (err)
        return err;
    redis->connection = connection_new(redis->loop, &connection_events, redis);
    return connection_start(redis->connection, &redis->target, &redis->op);
}

static enum err handshake_step(struct redis *redis)
{
    enum err err = handshake_start(redis);
    if (err)
        return err;
    if (redis->awaited == 0)
        loop_later(redis->loop, &redis->op, E_OK);
    else
        op_begin(&redis->op, abort_step, redis);
    return E_OK;
}

static enum err ready_start(struct redis *redis)
{
    uint32_t keepalive_s = redis->server->options->keepalive_s;

    op_begin(&redis->op, abort_step, redis);
    timer_clear(redis->timer);
    redis->tried = redis->replicas = 0;
    redis->ready_at_ms = loop_now_ms(redis->loop);
    redis->reconnects += redis->epoch > 0;
    redis->epoch++;
    server_restored(redis->server, redis->epoch > 1);
    redis->generation = redis->server->generation;
    redis->has_heard = true;
    if (keepalive_s > 0)
        timer_every(redis->idle, (uint64_t)keepalive_s * MS_PER_S);
    if (!list_is_empty(&redis->waiting))
        loop_at_turn_end(redis->loop, &redis->turn);
    if (redis->hooks.up != NULL)
        redis->hooks.up(redis->hooks.ctx);
    return E_OK;
}

static enum err backoff_start(struct redis *redis)
{
    uint64_t ms = BACKOFF_MAX_MS;
    if (redis->attempt < 16 && (uint64_t)BACKOFF_FIRST_MS << redis->attempt < BACKOFF_MAX_MS)
        ms = (uint64_t)BACKOFF_FIRST_MS << redis->attempt;
    double jittered = (double)ms * (1 - BACKOFF_JITTER + 2 * BACKOFF_JITTER * rand_unit());
    redis->attempt++;
    timer_wait(redis->timer, jittered < BACKOFF_MAX_MS ? (uint64_t)jittered : BACKOFF_MAX_MS,
               &redis->op);
    return E_OK;
}

/* A failure before the connection was ready. Only when nobody answers it counts as an outage. */
static enum redis_state fail(struct redis *redis, enum err err)
{
    size_t endpoints = redis->sentinel != NULL ? 1 : redis->server->options->endpoint_count;
    struct cause why = redis->op.why;

    drop_connection(redis);
    redis->endpoint = (redis->endpoint + 1) % redis->server->options->endpoint_count;
    if (++redis->tried < endpoints)
        return REDIS_CONNECT;
    redis->tried = redis->replicas = 0;
    server_lost(redis->server, redis->server->generation, err, &why);
    if (redis->hooks.down != NULL)
        redis->hooks.down(redis->hooks.ctx, err, &why);
    return REDIS_BACKOFF;
}

static enum redis_state resolve_judge(struct redis *redis, enum err err)
{
    return err ? fail(redis, err) : REDIS_CONNECT;
}

static enum redis_state connect_judge(struct redis *redis, enum err err)
{
    if (err)
        return fail(redis, err);
    timer_set(redis->timer, redis->server->options->connect_timeout_ms);
    connection_begin(redis->connection);
    return REDIS_SIGN_IN;
}

static enum redis_state handshake_judge(struct redis *redis, enum err err)
{
    if (err == E_UNSUPPORTED && redis->state == REDIS_SIGN_IN)
        return REDIS_SIGN_IN; /* once more, without HELLO */
    return err ? fail(redis, err) : redis->state + 1;
}

static enum redis_state ready_judge(struct redis *redis, enum err err)
{
    struct cause why = redis->op.why;

    drop_connection(redis);
    if (loop_now_ms(redis->loop) - redis->ready_at_ms >= READY_STEADY_MS)
        redis->attempt = 0;
    if (err == E_REDIS) /* it answers, but cannot serve: perhaps the next can */
        redis->endpoint = (redis->endpoint + 1) % redis->server->options->endpoint_count;
    if (err != E_DENIED) /* a subscription was refused: the server is well */
        server_lost(redis->server, redis->generation, err, &why);
    calls_fail(redis, err, &why);
    if (redis->hooks.down != NULL)
        redis->hooks.down(redis->hooks.ctx, err, &why);
    return REDIS_BACKOFF;
}

static enum redis_state backoff_judge(struct redis *redis, enum err err)
{
    (void)err;
    return first_state(redis);
}

static void end_list(struct list *list)
{
    struct list_node *node;
    while ((node = list_shift(list)) != NULL)
        op_end(container_of(node, struct op, node), E_CANCELED);
}

static enum err finish(struct redis *redis)
{
    calls_fail(redis, E_CANCELED, NULL);
    end_list(&redis->aborted);
    end_list(&redis->waiting);
    turn_cancel(&redis->turn);
    sentinel_free(redis->sentinel);
    hub_server_unref(redis->hub, redis->server);
    hub_unref(redis->hub);
    free(redis->client_name);
    free(redis);
    return E_OK;
}

#define TO(state) (1u << (state))
#define FAILED (TO(REDIS_BACKOFF) | TO(REDIS_CONNECT) | TO(REDIS_CLOSED))
static const struct {
    const char *name;
    enum err (*start)(struct redis *redis);
    enum redis_state (*judge)(struct redis *redis, enum err err);
    unsigned to; /* all that may follow; a close leads to CLOSED from everywhere */
} steps[] = {
    [REDIS_NEW] = {"new", NULL, backoff_judge, TO(REDIS_RESOLVE) | FAILED},
    [REDIS_RESOLVE] = {"resolve", resolve_start, resolve_judge, FAILED},
    [REDIS_CONNECT] = {"connect", connect_start, connect_judge, TO(REDIS_SIGN_IN) | FAILED},
    [REDIS_SIGN_IN] = {"sign in", handshake_step, handshake_judge,
                       TO(REDIS_SIGN_IN) | TO(REDIS_NAME) | FAILED},
    [REDIS_NAME] = {"name", handshake_step, handshake_judge, TO(REDIS_SELECT) | FAILED},
    [REDIS_SELECT] = {"select", handshake_step, handshake_judge, TO(REDIS_LEARN) | FAILED},
    [REDIS_LEARN] = {"learn", handshake_step, handshake_judge, TO(REDIS_PROBE) | FAILED},
    [REDIS_PROBE] = {"probe", handshake_step, handshake_judge, TO(REDIS_VERIFY) | FAILED},
    [REDIS_VERIFY] = {"verify", handshake_step, handshake_judge, TO(REDIS_READY) | FAILED},
    [REDIS_READY] = {"ready", ready_start, ready_judge, TO(REDIS_BACKOFF) | TO(REDIS_CLOSED)},
    [REDIS_BACKOFF] = {"back-off", backoff_start, backoff_judge, TO(REDIS_RESOLVE) | FAILED},
    [REDIS_CLOSED] = {"closed", finish, NULL, 0},
};

static void go(struct redis *redis, enum redis_state next)
{
    assert(steps[redis->state].to & TO(next));
    log_trace("redis %s: %s -> %s", redis->server->name, steps[redis->state].name,
              steps[next].name);
    redis->state = next;
    redis->op.why.text[0] = '\0';
    enum err err = steps[next].start(redis);
    if (err)
        loop_later(redis->loop, &redis->op, err);
}

static void on_op_done(struct op *op, enum err err)
{
    struct redis *redis = container_of(op, struct redis, op);
    enum redis_state next =
        redis->is_closing ? REDIS_CLOSED : steps[redis->state].judge(redis, err);
    go(redis, redis->is_closing ? REDIS_CLOSED : next); /* a callback of the judge may close */
}

/* ---- the rest of the interface ---- */

static void on_turn_end(struct turn *turn)
{
    struct redis *redis = container_of(turn, struct redis, turn);
    struct list due;
    struct list_node *node;

    end_list(&redis->aborted);
    if (redis->is_closing || !redis_is_ready(redis))
        return;
    list_move(&due, &redis->waiting);
    while ((node = list_shift(&due)) != NULL) {
        if (redis_is_ready(redis))
            op_end(container_of(node, struct op, node), E_OK);
        else
            list_push(&redis->waiting, node);
    }
}

static struct redis *open_client(struct redis_hub *hub, struct redis_options *options,
                                 enum redis_kind kind, const char *name,
                                 const struct redis_hooks *hooks)
{
    struct redis *redis = mem_new(struct redis);

    hub_ref(hub);
    redis->hub = hub;
    redis->loop = hub_loop(hub);
    redis->server = hub_server(hub, options);
    redis->refs = 1;
    redis->kind = kind;
    redis->client_name = name == NULL ? NULL : slice_dup(slice_of(name));
    if (hooks != NULL)
        redis->hooks = *hooks;
    if (options->service_name != NULL)
        redis->sentinel = sentinel_new(redis->loop, redis->server);
    redis->op.done = on_op_done;
    redis->later.done = later_end;
    calls_init(redis);
    redis->turn.run = on_turn_end;
    list_init(&redis->aborted);
    list_init(&redis->waiting);
    redis->timer = timer_new(redis->loop, on_deadline, redis);
    redis->expiry = timer_new(redis->loop, calls_expire, redis);
    redis->idle = timer_new(redis->loop, calls_idle, redis);
    loop_later(redis->loop, &redis->op, E_OK); /* state NEW leads on */
    return redis;
}

struct redis *redis_open_hooked(struct redis_hub *hub, struct redis_options *options,
                                const char *name, const struct redis_hooks *hooks)
{
    return open_client(hub, options, REDIS_DEDICATED, name, hooks);
}

struct redis *redis_open(struct redis_hub *hub, struct redis_options *options, enum redis_kind kind,
                         const char *name)
{
    struct redis *redis = kind == REDIS_SHARED ? hub_shared(hub, options) : NULL;

    if (redis != NULL) {
        redis->refs++;
        return redis;
    }
    redis = open_client(hub, options, kind, name, NULL);
    if (kind == REDIS_SHARED)
        hub_share(hub, redis);
    return redis;
}

/* All that is ours goes at once; the op of the state, if it waits, ends in the next turn, and then
 * calls and waiters do. */
void redis_close(struct redis *redis)
{
    if (redis == NULL || --redis->refs > 0)
        return;
    redis->is_closing = true;
    redis->hooks = (struct redis_hooks){0};
    list_remove(&redis->node);
    op_abort(&redis->op);
    drop_connection(redis);
    timer_free(redis->timer);
    timer_free(redis->expiry);
    timer_free(redis->idle);
    redis->timer = redis->expiry = redis->idle = NULL;
}

bool redis_is_ready(const struct redis *redis)
{
    return redis->state == REDIS_READY && redis->connection != NULL;
}

static void abort_waiting(struct op *op)
{
    struct redis *redis = op->runner;
    op->abort = NULL;
    list_remove(&op->node);
    list_push(&redis->aborted, &op->node);
    loop_at_turn_end(redis->loop, &redis->turn);
}

void redis_ready(struct redis *redis, struct op *op)
{
    op_begin(op, abort_waiting, redis);
    list_push(&redis->waiting, &op->node);
    if (redis_is_ready(redis))
        loop_at_turn_end(redis->loop, &redis->turn);
}

bool redis_can(const struct redis *redis, enum redis_feature feature)
{
    return (redis->features >> feature & 1) != 0;
}

void redis_cannot(struct redis *redis, enum redis_feature feature)
{
    redis->features &= ~(1u << feature);
}

uint32_t redis_version(const struct redis *redis)
{
    return redis->version;
}

const struct redis_options *redis_opts(const struct redis *redis)
{
    return redis->server->options;
}

const char *redis_trouble(const struct redis *redis)
{
    return redis->server->is_down ? redis->server->trouble.text : NULL;
}

const char *redis_name(const struct redis *redis)
{
    return redis->server->name;
}

uint64_t redis_reconnects(const struct redis *redis)
{
    return redis->reconnects;
}

uint64_t redis_epoch(const struct redis *redis)
{
    return redis->epoch;
}
