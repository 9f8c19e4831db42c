#include "api/pull_locks.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/lock_tokens.h"
#include "api/parameter.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "router/catalog.h"
#include "json/json.h"

#define TOKEN_MAX_BYTES 128 /* none of ours is longer: of others these suffice to know them */
#define DELAY_MAX_S 3600

/* One request, until it is answered. */
struct settling {
    struct redis_call call;
    struct exchange exchange;
    struct active *active; /* counted */
    enum queue_lock_end end;
    struct lock_tokens tokens;
};

/* ---- answers ---- */

static bool is_done(const struct settling *s, size_t at)
{
    const struct resp *answer = resp_child(s->call.reply->root, (uint32_t)at);
    int64_t done;
    return answer != NULL && resp_int(answer, &done) && done == 1;
}

static void write_lost(struct buf *out, struct slice token)
{
    member_text(out, "lockToken", token);
    member_open(out, "error");
    member_text(out, "code", SLICE("TokenLost"));
    member_text(out, "message",
                SLICE("The lock has ended: its time is over, or its event was acknowledged, "
                      "released or rejected before."));
    buf_add(out, SLICE("}}"));
}

static void write_answer(struct buf *out, const struct settling *s)
{
    member_open(out, "succeededLockTokens");
    buf_add_byte(out, '[');
    for (size_t i = 0, n = 0; i < s->tokens.count; i++) {
        if (!is_done(s, i))
            continue;
        if (n++ > 0)
            buf_add_byte(out, ',');
        jx_write_string(out, s->tokens.tokens[i]);
    }
    buf_add_byte(out, ']');
    member_open(out, "failedLockTokens");
    buf_add_byte(out, '[');
    for (size_t i = 0, n = 0; i < s->tokens.count; i++) {
        if (is_done(s, i))
            continue;
        if (n++ > 0)
            buf_add_byte(out, ',');
        write_lost(out, s->tokens.tokens[i]);
    }
    buf_add(out, SLICE("]}"));
}

static void count(const struct settling *s)
{
    static const enum pull_result results[] = {
        [QUEUE_ACKNOWLEDGE] = PULL_ACKNOWLEDGED,
        [QUEUE_RELEASE] = PULL_RELEASED,
        [QUEUE_REJECT] = PULL_REJECTED,
        [QUEUE_RENEW] = PULL_RENEWED,
    };
    size_t done = 0;

    for (size_t i = 0; i < s->tokens.count; i++)
        done += is_done(s, i);
    tally_pulled(s->active->tally, results[s->end], done);
    tally_pulled(s->active->tally, PULL_LOST, s->tokens.count - done);
}

static void on_settled(struct op *op, enum err err)
{
    struct settling *s = container_of(op, struct settling, call.op);
    struct refusal why;
    struct buf body;

    if (err == E_OK) {
        count(s);
        buf_init(&body, ANSWER_MAX_BYTES);
        write_answer(&body, s);
        exchange_answer(&s->exchange, &body);
    } else {
        (void)refuse(&why, REFUSAL_UNAVAILABLE,
                     "It could not be stored what becomes of the events: %s. Try again.",
                     cause_text(&op->why, err));
        exchange_refuse(&s->exchange, &why);
    }
    if (s->end == QUEUE_RELEASE) /* after a failure too: it may have been done */
        active_wake(s->active);
    if (s->end == QUEUE_REJECT)
        active_died(s->active);
    active_unref(s->active);
    lock_tokens_done(&s->tokens);
    free(s);
}

/* ---- the request ---- */

static enum err read_delay(const struct http_request *request, uint64_t *ret_s, struct refusal *why)
{
    static const struct parameter delay = {"releaseDelayInSeconds", 0, 0, DELAY_MAX_S};
    static const uint64_t allowed[] = {0, 10, 60, 600, DELAY_MAX_S};
    enum err err = parameter_read(request, &delay, ret_s, why);

    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        if (err != E_OK || *ret_s == allowed[i])
            return err;
    return refuse(why, REFUSAL_REQUEST, "%s: is not 0, 10, 60, 600 or 3600.", delay.name);
}

static enum err read_request(struct settling *s, enum pull_verb verb, uint64_t *ret_delay_s,
                             struct refusal *why)
{
    const struct http_request *request = s->exchange.request;
    struct cause cause = {0};
    enum err err = E_OK;

    *ret_delay_s = verb == PULL_RENEW ? s->active->subscription.queue.lock_seconds : 0;
    if (verb == PULL_RELEASE)
        err = read_delay(request, ret_delay_s, why);
    if (err != E_OK)
        return err;
    if (lock_tokens_read(&s->tokens, http_request_body(request), &cause) != E_OK)
        return refuse(why, REFUSAL_REQUEST, "%s.", cause.text);
    return E_OK;
}

static enum err send(struct settling *s, uint64_t delay_s)
{
    const struct queue_times times = {clock_unix_ms(), delay_s * 1000};
    struct slice tokens[LOCK_TOKENS_MAX];

    for (size_t i = 0; i < s->tokens.count; i++)
        tokens[i] = slice_first(s->tokens.tokens[i], TOKEN_MAX_BYTES);
    return queue_unlock(s->active->queue, s->end, tokens, s->tokens.count, &times, &s->call);
}

enum err pull_settle(struct active *active, enum pull_verb verb, const struct exchange *exchange,
                     struct refusal *why)
{
    static const enum queue_lock_end ends[] = {
        [PULL_ACKNOWLEDGE] = QUEUE_ACKNOWLEDGE,
        [PULL_RELEASE] = QUEUE_RELEASE,
        [PULL_REJECT] = QUEUE_REJECT,
        [PULL_RENEW] = QUEUE_RENEW,
    };
    struct settling *s = mem_new(struct settling);
    uint64_t delay_s;

    s->exchange = *exchange;
    s->active = active;
    s->end = ends[verb];
    s->call.op.done = on_settled;
    enum err err = read_request(s, verb, &delay_s, why);
    if (err != E_OK) {
        free(s);
        return err;
    }
    active_ref(active);
    err = send(s, delay_s);
    if (err != E_OK)
        loop_later(active_loop(active), &s->call.op, err);
    return E_OK;
}
