#include "functions/lease.h"

#include <stdio.h>
#include <stdlib.h>

#include "functions/listener.h"
#include "loop/loop.h"
#include "loop/timer.h"

enum { BEGIN, HOLDER, DONE };

static void ask_holder(struct plain *p)
{
    PLAIN_ASK(p, SLICE("GET"), p->keys[0]);
    p->state = HOLDER;
}

/* Between the look and what follows from it the lease may go to another: then two hold it, until
 * this other one renews it. A message may run twice in that time. */
static void take_plain(struct plain *p)
{
    if (p->state == BEGIN) {
        ask_holder(p);
        return;
    }
    const struct resp *holder = plain_reply(p, p->state == DONE ? 1 : 0);
    bool is_ours = slice_eq(holder->text, p->args[0]);
    bool is_dead = holder->type != RESP_NIL && slice_eq(holder->text, p->args[2]);
    if (p->state == DONE || (holder->type != RESP_NIL && !is_ours && !is_dead)) {
        plain_end_with(p, holder);
        return;
    }
    if (is_ours || is_dead)
        PLAIN_ASK(p, SLICE("SET"), p->keys[0], p->args[0], SLICE("PX"), p->args[1]);
    else
        PLAIN_ASK(p, SLICE("SET"), p->keys[0], p->args[0], SLICE("PX"), p->args[1], SLICE("NX"));
    PLAIN_ASK(p, SLICE("GET"), p->keys[0]);
    p->state = DONE;
}

static void release_plain(struct plain *p)
{
    if (p->state == BEGIN) {
        ask_holder(p);
        return;
    }
    if (p->state == HOLDER && slice_eq(plain_reply(p, 0)->text, p->args[0]))
        PLAIN_ASK(p, SLICE("DEL"), p->keys[0]);
    p->state = DONE;
    plain_end(p, 1);
}

/* KEYS: lease. ARGV: who, time to live, a holder that is dead ("" = none). Answers the holder. */
static const struct script take_script = {
    .lua = "local h = redis.call('GET', KEYS[1])\n"
           "if not h or h == ARGV[1] or h == ARGV[3] then\n"
           "  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
           "  return ARGV[1]\n"
           "end\n"
           "return h\n",
    .plain = take_plain,
};

static const struct script release_script = {
    .lua = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end\n"
           "return 1\n",
    .plain = release_plain,
};

struct lease {
    struct lease_options options;
    struct slice key; /* owned */
    struct redis_call call;
    struct op ready; /* for the connection */
    struct timer *timer, *expiry;
    uint64_t asked_at_ms, until_ms;
    char dead_holder[64];
    bool is_held, has_answered, is_releasing;
    struct op *release_op;
};

/* Between tries while another node holds it. */
static uint64_t wait_ms(const struct lease *lease)
{
    return lease->options.ttl_ms / 10;
}

static void set_held(struct lease *lease, bool is_held)
{
    bool is_news = lease->is_held != is_held || !lease->has_answered;

    lease->is_held = is_held;
    lease->has_answered = true;
    if (is_news && !lease->is_releasing)
        lease->options.changed(lease->options.ctx, is_held);
}

static void end_release(struct lease *lease)
{
    struct op *op = lease->release_op;

    lease->release_op = NULL;
    loop_later(lease->options.loop, op, E_OK);
}

static void send_release(struct lease *lease)
{
    if (!lease->is_held || script_call(lease->options.redis, &release_script, &lease->key, 1,
                                       &lease->options.holder, 1, &lease->call) != E_OK)
        end_release(lease);
    lease->is_held = false;
}

/* Somebody else has it: dead somebodies are replaced at once, the living are asked again soon. */
static void judge_holder(struct lease *lease, struct slice holder)
{
    const struct lease_options *o = &lease->options;
    uint64_t now = loop_now_ms(o->loop);

    if (slice_eq(holder, o->holder)) {
        lease->until_ms = lease->asked_at_ms + o->ttl_ms;
        timer_set(lease->expiry, lease->until_ms > now ? lease->until_ms - now : 0);
        timer_set(lease->timer, o->ttl_ms / 3);
        set_held(lease, true);
        return;
    }
    timer_clear(lease->expiry);
    set_held(lease, false);
    bool is_dead = o->peers.is_dead != NULL && o->peers.is_dead(o->peers.ctx, holder);
    snprintf(lease->dead_holder, sizeof lease->dead_holder, "%.*s",
             SLICE_ARG(is_dead ? holder : SLICE("")));
    timer_set(lease->timer, is_dead ? 0 : wait_ms(lease));
}

static void on_call_done(struct op *op, enum err err)
{
    struct lease *lease = container_of(op, struct lease, call.op);

    if (lease->is_releasing) {
        /* a try that was under way had to end first, and may have won */
        lease->is_held = lease->is_held || (err == E_OK && slice_eq(lease->call.reply->root->text,
                                                                    lease->options.holder));
        if (lease->is_held)
            send_release(lease);
        else if (lease->release_op != NULL)
            end_release(lease);
        return;
    }
    if (lease->options.answered != NULL && (err == E_OK || err == E_REDIS))
        lease->options.answered(lease->options.ctx, err, &op->why);
    if (err == E_OK)
        judge_holder(lease, lease->call.reply->root->text);
    else
        timer_set(lease->timer, wait_ms(lease));
}

static void on_timer(void *ctx)
{
    struct lease *lease = ctx;
    char ttl[24];
    size_t len = (size_t)snprintf(ttl, sizeof ttl, "%u", lease->options.ttl_ms);
    const struct slice args[] = {lease->options.holder, {ttl, len}, slice_of(lease->dead_holder)};

    if (!redis_is_ready(lease->options.redis)) { /* not a moment later than it can be asked */
        if (!lease->ready.is_busy)
            redis_ready(lease->options.redis, &lease->ready);
        return;
    }
    lease->asked_at_ms = loop_now_ms(lease->options.loop);
    if (lease->call.op.is_busy || script_call(lease->options.redis, &take_script, &lease->key, 1,
                                              args, COUNT_OF(args), &lease->call) != E_OK)
        timer_set(lease->timer, wait_ms(lease));
}

static void on_ready(struct op *op, enum err err)
{
    struct lease *lease = container_of(op, struct lease, ready);

    if (lease->is_releasing && !lease->call.op.is_busy && lease->release_op != NULL)
        send_release(lease);
    else if (err == E_OK)
        on_timer(lease);
}

static void on_expiry(void *ctx)
{
    set_held(ctx, false);
}

struct lease *lease_new(const struct lease_options *options)
{
    struct lease *lease = mem_new(struct lease);

    lease->options = *options;
    lease->key = (struct slice){slice_dup(options->key), options->key.len};
    lease->call.op.done = on_call_done;
    lease->ready.done = on_ready;
    lease->timer = timer_new(options->loop, on_timer, lease);
    lease->expiry = timer_new(options->loop, on_expiry, lease);
    timer_set(lease->timer, 0);
    return lease;
}

bool lease_is_held(const struct lease *lease)
{
    return lease->is_held && loop_now_ms(lease->options.loop) < lease->until_ms;
}

void lease_hurry(struct lease *lease)
{
    if (!lease->is_held && !lease->is_releasing)
        timer_set(lease->timer, 0);
}

void lease_release(struct lease *lease, struct op *op)
{
    lease->is_releasing = true;
    lease->release_op = op;
    timer_clear(lease->timer);
    timer_clear(lease->expiry);
    op_abort(&lease->ready);
    if (!lease->call.op.is_busy && !lease->ready.is_busy)
        send_release(lease);
}

void lease_free(struct lease *lease)
{
    timer_free(lease->timer);
    timer_free(lease->expiry);
    free((char *)(uintptr_t)lease->key.data);
    free(lease);
}
