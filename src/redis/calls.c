/* The calls of a client: a ring of places, what may happen to a call, and the two timers that watch
 * over them. */
#include <stdlib.h>

#include "loop/timer.h"
#include "redis/internal.h"
#include "redis/slot.h"

#define CALLS_FIRST 64
#define LOOK_AGAIN_MS 100

/* ---- the ring ---- */

static struct redis_call **place(const struct calls *calls, uint64_t number)
{
    return &calls->ring[number & (calls->cap - 1)];
}

static void grow(struct calls *calls)
{
    struct calls bigger = *calls;
    bigger.cap = calls->cap == 0 ? CALLS_FIRST : calls->cap * 2;
    bigger.ring = mem_new_array(bigger.cap, struct redis_call *);
    for (uint64_t i = calls->head; i < calls->tail; i++)
        *place(&bigger, i) = *place(calls, i);
    free(calls->ring);
    *calls = bigger;
}

static void push(struct calls *calls, struct redis_call *call)
{
    if (calls->tail - calls->head == calls->cap)
        grow(calls);
    call->place = calls->tail++;
    *place(calls, call->place) = call;
}

static bool is_empty(const struct calls *calls)
{
    return calls->head == calls->tail;
}

static bool shift(struct calls *calls, struct redis_call **ret)
{
    if (is_empty(calls))
        return false;
    *ret = *place(calls, calls->head++);
    return true;
}

static void drop(struct calls *calls, struct redis_call *call)
{
    *place(calls, call->place) = NULL;
}

static void done(struct calls *calls)
{
    free(calls->ring);
    *calls = (struct calls){0};
}

/* ---- patience ---- */

/* Replies come in the order of the calls: whatever of them comes is on the way to every call here,
 * and when the first hangs nothing comes. */
static uint64_t expires_at_ms(const struct redis *redis, const struct redis_call *call)
{
    bool has_heard = redis->heard_at_ms > call->called_at_ms;
    return (has_heard ? redis->heard_at_ms : call->called_at_ms) + call->limit_ms;
}

static uint64_t next_expiry(const struct redis *redis)
{
    const struct calls *calls = &redis->calls;
    uint64_t next_ms = 0;

    for (uint64_t i = calls->head; i < calls->tail; i++) {
        const struct redis_call *call = *place(calls, i);
        if (call != NULL && (next_ms == 0 || expires_at_ms(redis, call) < next_ms))
            next_ms = expires_at_ms(redis, call);
    }
    return next_ms;
}

/* ---- the life of a call ---- */

static void set_expiry(struct redis *redis, uint64_t at_ms)
{
    uint64_t now_ms = loop_now_ms(redis->loop);
    redis->expiry_at_ms = at_ms;
    timer_set(redis->expiry, at_ms > now_ms ? at_ms - now_ms : 0);
}

static void end_call(struct redis_call *call, enum err err, const struct cause *why)
{
    call->reply = NULL;
    if (why != NULL)
        call->op.why = *why;
    op_end(&call->op, err);
}

/* All calls under way end. With E_TIMEOUT only those that are late, with E_LIMIT only the first,
 * whose reply was too large: the others were cut off. */
void calls_fail(struct redis *redis, enum err err, const struct cause *why)
{
    struct calls calls = redis->calls;
    struct redis_call *call;
    uint64_t now_ms = loop_now_ms(redis->loop);

    redis->calls = (struct calls){0}; /* what a callback starts comes after */
    for (bool is_first = true; shift(&calls, &call); is_first = false) {
        if (call == NULL)
            continue;
        bool is_cause =
            err == E_TIMEOUT ? expires_at_ms(redis, call) <= now_ms : err == E_LIMIT && is_first;
        if (call->is_abandoned || err == E_CANCELED)
            end_call(call, E_CANCELED, NULL);
        else
            end_call(call, is_cause ? err : E_CLOSED, why);
    }
    done(&calls);
}

static void abort_call(struct op *op)
{
    struct redis *redis = op->runner;
    struct redis_call *call = container_of(op, struct redis_call, op);

    if (redis->connection != NULL && call->borrowed_until > connection_sent(redis->connection)) {
        redis->abandoned += !call->is_abandoned;
        call->is_abandoned = true; /* on_wrote() ends it */
        return;
    }
    op->abort = NULL;
    drop(&redis->calls, call);
    list_push(&redis->aborted, &op->node);
    loop_at_turn_end(redis->loop, &redis->turn);
}

void calls_wrote(void *ctx)
{
    struct redis *redis = ctx;
    uint64_t sent = connection_sent(redis->connection);

    if (redis->abandoned == 0)
        return;
    redis->abandoned = 0;
    for (uint64_t i = redis->calls.head; i < redis->calls.tail; i++) {
        struct redis_call *call = redis->calls.ring[i & (redis->calls.cap - 1)];
        if (call == NULL || !call->is_abandoned)
            continue;
        if (call->borrowed_until <= sent)
            abort_call(&call->op);
        else
            redis->abandoned++;
    }
}

enum err redis_call(struct redis *redis, const struct slice *args, size_t count,
                    struct redis_call *call)
{
    struct slice name;

    if (!redis_is_ready(redis))
        return cause_set(&call->op.why, E_CLOSED, "%s: not connected", redis->server->name);
    if (!redis_alias(redis, args[0], &name))
        return cause_set(&call->op.why, E_UNSUPPORTED, "%s: %.*s is disabled", redis->server->name,
                         SLICE_ARG(args[0]));
    enum err err =
        connection_add(redis->connection, name, args + 1, count - 1, &call->borrowed_until);
    if (err)
        return cause_set(&call->op.why, err, "%s: too much waits to be sent", redis->server->name);
    op_begin(&call->op, abort_call, redis);
    call->reply = NULL;
    call->is_abandoned = false;
    call->called_at_ms = loop_now_ms(redis->loop);
    call->limit_ms =
        call->timeout_ms > 0 ? call->timeout_ms : redis->server->options->command_timeout_ms;
    push(&redis->calls, call);
    uint64_t at_ms = call->called_at_ms + call->limit_ms;
    if (redis->expiry_at_ms == 0 || at_ms < redis->expiry_at_ms)
        set_expiry(redis, at_ms);
    return E_OK;
}

static void explain_error(const struct resp *error, struct cause *why)
{
    uint16_t slot;
    struct slice endpoint;

    if (redis_moved(error->text, &slot, &endpoint))
        (void)cause_set(why, E_REDIS, "slot %u of the cluster is served by %.*s: %.*s", slot,
                        SLICE_ARG(endpoint), SLICE_ARG(error->text));
    else
        (void)cause_set(why, E_REDIS, "%.*s", SLICE_ARG(error->text));
}

void calls_answer(struct redis *redis, struct reply *reply)
{
    const struct resp *root = reply->root;
    struct redis_call *call;

    redis->heard_at_ms = loop_now_ms(redis->loop);
    if (!shift(&redis->calls, &call)) {
        struct cause why;
        if (root->type == RESP_ERROR) /* the server's last words */
            explain_error(root, &why);
        else
            (void)cause_set(&why, E_BAD_WIRE, "a reply that nobody asked for");
        redis_break(redis, root->type == RESP_ERROR ? E_REDIS : E_BAD_WIRE, &why);
        return;
    }
    bool is_refused = root->type == RESP_ERROR && handshake_refused(root);
    struct cause why = {0};
    if (is_refused) {
        (void)cause_set(&why, E_REDIS, "%.*s", SLICE_ARG(root->text));
        if (resp_is_error(root, SLICE("READONLY")))
            redis->server->wants_primary = true;
    }
    if (call != NULL) {
        call->reply = reply;
        if (root->type == RESP_ERROR) {
            explain_error(root, &call->op.why);
            handshake_unlearn(redis, root);
        }
        op_end(&call->op, root->type == RESP_ERROR ? E_REDIS : E_OK);
    }
    if (is_refused)
        redis_break(redis, E_REDIS, &why);
}

/* ---- watching ---- */

/* After a long turn of our own the clock has run on while answers wait in the socket, and what was
 * read in that turn has its old time: a call is late only if it still is a little later. */
void calls_expire(void *ctx)
{
    struct redis *redis = ctx;
    uint64_t now_ms = loop_now_ms(redis->loop);
    uint64_t next_ms = next_expiry(redis);
    struct cause why;

    redis->expiry_at_ms = 0;
    bool is_late = next_ms > 0 && next_ms <= now_ms;
    if (is_late && redis->has_looked_again) {
        redis_break(redis, cause_set(&why, E_TIMEOUT, "no answer to a command in time"), &why);
        return;
    }
    redis->has_looked_again = is_late;
    if (is_late)
        set_expiry(redis, now_ms + LOOK_AGAIN_MS);
    else if (next_ms > 0)
        set_expiry(redis, next_ms);
}

static void on_pinged(struct op *op, enum err err)
{
    (void)op; /* silence has broken the connection, refusals too */
    (void)err;
}

void calls_idle(void *ctx)
{
    struct redis *redis = ctx;

    if (!redis->has_heard && is_empty(&redis->calls) && !redis->ping.op.is_busy &&
        redis_call(redis, (struct slice[]){SLICE("PING")}, 1, &redis->ping) != E_OK)
        return; /* disabled by the connection string */
    redis->has_heard = false;
}

void calls_init(struct redis *redis)
{
    redis->ping.op.done = on_pinged;
}
