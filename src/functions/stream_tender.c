/* What was read once but is not acknowledged: kept alive while it runs here, as long as it is ours;
 * taken over when its consumer is gone or its delivery failed. One machine that goes over the keys
 * in turn:
 *
 *   IDLE --timer--> KEEP --> CONSUMERS --> PENDING --> CLAIM --> (next page, next consumer, next
 * key) --> IDLE
 *
 * PENDING lists what a dead consumer holds, or what nobody has touched for claimIdleMs; CLAIM takes
 * it. XPENDING and XCLAIM do on every version what XAUTOCLAIM does from 6.2 on, and they tell the
 * delivery count. */
#include "functions/listener_stream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions/stream_plain.h"
#include "loop/timer.h"

enum state { IDLE, KEEP, CONSUMERS, PENDING, CLAIM, LOOK, FORGET, LEAVE, OVER };

#define PAGE_MAX 100
#define FORGOTTEN_AFTER_MS (24 * 3600 * (int64_t)1000)
#define RETRY_MS 1000

struct stream_tender {
    struct stream_listener *s;
    enum state state;
    struct timer *timer;
    uint64_t timer_at_ms;
    struct redis_call call;
    size_t key;
    bool again; /* asked for while busy */
    struct op *leave_op;

    struct slice *dead; /* consumers of this key to take over from; owned copies */
    size_t dead_count, dead_at;
    char cursor[STREAM_ID_MAX_BYTES + 1]; /* where the next page begins */

    struct stream_id_text ids[PAGE_MAX]; /* of this page: to claim */
    uint64_t deliveries[PAGE_MAX];
    size_t id_count;
    size_t page; /* how many were asked for */
    bool page_was_full;
    bool has_told_taken; /* that others took over what runs here; once while it lasts */
    bool has_left_some;  /* no slot was free for all that could be claimed */
};

/* A consumer is removed only if it holds nothing: XGROUP DELCONSUMER drops what is pending beyond
 * recovery. Hence not at all where this cannot be one atomic step. */
static const struct script forget_script = {
    .lua = "if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then\n"
           "  return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])\n"
           "end\n"
           "return -1\n",
    .plain = NULL,
};

static uint64_t period_ms(const struct stream_tender *t)
{
    uint64_t ms = t->s->base.trigger->claim_idle_ms / 3;
    return ms < 10 ? 10 : ms;
}

static void forget_dead(struct stream_tender *t)
{
    for (size_t i = 0; i < t->dead_count; i++)
        free((char *)(uintptr_t)t->dead[i].data);
    free(t->dead);
    t->dead = NULL;
    t->dead_count = t->dead_at = 0;
}

static size_t count_ids(const struct stream_tender *t, const struct list *entries)
{
    const struct stream_entry *e;
    size_t count = 0;

    list_each (entries, struct stream_entry, job.node, e) {
        if (e->job.source == t->key)
            count += e->job.count;
    }
    return count;
}

static size_t add_ids(const struct stream_tender *t, const struct list *entries, struct slice *args,
                      size_t count)
{
    const struct stream_entry *e;

    list_each (entries, struct stream_entry, job.node, e) {
        for (size_t i = 0; e->job.source == t->key && i < e->job.count; i++)
            args[count++] = (struct slice){e->ids[i].text, e->ids[i].len};
    }
    return count;
}

/* Resets the idle time of what is still ours, and leaves the delivery count. Not so what others
 * took over while this node stood still: claimed back it would go to and fro for as long as both
 * run it. Its run here goes on, and acknowledges it if it ends well, whoever has it then. All ids
 * in one command: what is left out would be claimed by others while it runs here. */
static const struct script keep_script = {
    .lua = "local taken = 0\n"
           "for i = 3, #ARGV do\n"
           "  local row = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]\n"
           "  if row and row[2] == ARGV[2] then\n"
           "    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')\n"
           "  elseif row then\n"
           "    taken = taken + 1\n"
           "  end\n"
           "end\n"
           "return taken\n",
    .plain = stream_plain_keep,
};

static enum err keep_start(struct stream_tender *t)
{
    struct stream_listener *s = t->s;
    const struct list *held[] = {&s->slots.running, &s->slots.waiting, &s->acks.waiting};
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(held); i++)
        count += count_ids(t, held[i]);
    if (count == 0)
        return E_EMPTY;
    struct slice *args = mem_new_array(2 + count, struct slice);
    args[0] = s->group;
    args[1] = s->consumer;
    count = 2;
    for (size_t i = 0; i < COUNT_OF(held); i++)
        count = add_ids(t, held[i], args, count);
    enum err err =
        script_call(s->base.commands, &keep_script, &s->keys[t->key], 1, args, count, &t->call);
    free(args);
    return err;
}

static enum err consumers_start(struct stream_tender *t)
{
    const struct slice args[] = {SLICE("XINFO"), SLICE("CONSUMERS"), t->s->keys[t->key],
                                 t->s->group};
    return redis_call(t->s->base.commands, args, COUNT_OF(args), &t->call);
}

static bool is_dead(const struct stream_tender *t, struct slice consumer)
{
    const struct host_peers *peers = &t->s->base.options.peers;
    return peers->is_dead != NULL && peers->is_dead(peers->ctx, consumer);
}

static int64_t number_of(const struct resp *map, struct slice name)
{
    int64_t value = 0;
    const struct resp *node = resp_find(map, name);
    return node != NULL && resp_int(node, &value) ? value : 0;
}

/* Whose entries to take over now (dead), and who is to be forgotten: the dead, and who was silent
 * for a day. */
static void keep_dead(struct stream_tender *t, const struct resp *root)
{
    forget_dead(t);
    if (root->type != RESP_ARRAY || root->count == 0)
        return;
    t->dead = mem_new_array(root->count, struct slice);
    for (uint32_t i = 0; i < root->count; i++) {
        const struct resp *consumer = resp_child(root, i);
        const struct resp *name = resp_find(consumer, SLICE("name"));
        if (name == NULL || slice_eq(name->text, t->s->consumer))
            continue;
        bool is_silent = number_of(consumer, SLICE("pending")) == 0 &&
                         number_of(consumer, SLICE("idle")) > FORGOTTEN_AFTER_MS;
        if (is_silent || is_dead(t, name->text))
            t->dead[t->dead_count++] = (struct slice){slice_dup(name->text), name->text.len};
    }
}

/* XPENDING key group [IDLE ms] cursor + count [consumer] */
static enum err pending_start(struct stream_tender *t)
{
    struct stream_listener *s = t->s;
    struct slice args[10] = {SLICE("XPENDING"), s->keys[t->key], s->group};
    char idle[24], count[24];
    size_t at = 3,
           wanted = s->base.trigger->is_batch ? s->base.trigger->count : slots_free(&s->slots);
    bool is_of_dead = t->dead_at < t->dead_count;

    t->page = wanted == 0 ? 1 : wanted < PAGE_MAX ? wanted : PAGE_MAX;
    if (!is_of_dead && redis_can(s->base.commands, REDIS_XAUTOCLAIM)) {
        int len = snprintf(idle, sizeof idle, "%u", s->base.trigger->claim_idle_ms);
        args[at++] = SLICE("IDLE");
        args[at++] = (struct slice){idle, (size_t)len};
    } else if (!is_of_dead) {
        t->page = PAGE_MAX; /* no IDLE before 6.2: look through all of it */
    }
    args[at++] = slice_of(t->cursor);
    args[at++] = SLICE("+");
    args[at++] = (struct slice){count, (size_t)snprintf(count, sizeof count, "%zu", t->page)};
    if (is_of_dead)
        args[at++] = t->dead[t->dead_at];
    t->page_was_full = false;
    return redis_call(s->base.commands, args, at, &t->call);
}

static void next_cursor(struct stream_tender *t, struct slice last)
{
    struct slice sequence = slice_from(last, slice_find_byte(last, '-') + 1);
    uint64_t number = 0;

    slice_to_u64(sequence, &number);
    snprintf(t->cursor, sizeof t->cursor, "%.*s-%" PRIu64,
             SLICE_ARG(slice_first(last, last.len - sequence.len - 1)), number + 1);
}

static void bury_poison(struct stream_tender *t, struct slice id, uint64_t deliveries)
{
    stream_bury(t->s, t->key, id, deliveries,
                "it was delivered as often as maxDeliveryCount allows without an outcome; it may "
                "end its process");
}

/* Does nobody work on it? */
static bool is_left(const struct stream_tender *t, struct slice id, struct slice owner,
                    uint64_t idle_ms)
{
    bool is_of_dead = t->dead_at < t->dead_count;

    if (!is_of_dead && idle_ms < t->s->base.trigger->claim_idle_ms)
        return false;
    if (slice_eq(owner, t->s->consumer) && stream_is_coming(t->s, t->key, id, idle_ms))
        return false;
    return !stream_holds(t->s, t->key, id);
}

/* False if there is no room for it: the next page begins with it. */
static bool consider(struct stream_tender *t, const struct resp *row)
{
    const struct trigger *trigger = t->s->base.trigger;
    const struct resp *id = resp_child(row, 0), *owner = resp_child(row, 1);
    int64_t idle = 0, deliveries = 0;

    if (row->count != 4 || !resp_int(resp_child(row, 2), &idle) ||
        !resp_int(resp_child(row, 3), &deliveries) || id->text.len >= STREAM_ID_MAX_BYTES)
        return true;
    bool is_ours = is_left(t, id->text, owner->text, (uint64_t)idle);
    if (is_ours && trigger->max_deliveries >= 0 && deliveries >= trigger->max_deliveries) {
        bury_poison(t, id->text, (uint64_t)deliveries);
        is_ours = false;
    }
    size_t room = trigger->is_batch ? PAGE_MAX : slots_free(&t->s->slots);
    if (is_ours && (t->id_count >= room || t->id_count >= t->s->page_max))
        return false;
    next_cursor(t, id->text);
    if (!is_ours)
        return true;
    memcpy(t->ids[t->id_count].text, id->text.data, id->text.len);
    t->ids[t->id_count].len = (uint32_t)id->text.len;
    t->deliveries[t->id_count++] = (uint64_t)deliveries + 1;
    return true;
}

static enum state next_key(struct stream_tender *t)
{
    forget_dead(t);
    if (++t->key < t->s->base.trigger->key_count)
        return KEEP;
    return IDLE;
}

/* After a page: more of the same, the next dead consumer, the idle ones of all, the next key. */
static enum state next_page(struct stream_tender *t)
{
    if (t->page_was_full) {
        if (slots_free(&t->s->slots) > 0)
            return PENDING;
        t->has_left_some = true; /* the next round goes on when a slot is free, ahead of reading */
        return IDLE;
    }
    if (t->dead_at == t->dead_count)
        return next_key(t);
    return FORGET;
}

static enum state consider_page(struct stream_tender *t, const struct resp *root)
{
    t->id_count = 0;
    if (root->type != RESP_ARRAY)
        return next_page(t);
    t->page_was_full = root->count >= t->page;
    bool has_room = true;
    for (uint32_t i = 0; has_room && i < root->count; i++)
        has_room = consider(t, resp_child(root, i));
    t->page_was_full = t->page_was_full || !has_room;
    return t->id_count > 0 ? CLAIM : next_page(t);
}

/* XCLAIM key group consumer min-idle id..; another node that was quicker leaves us nothing. */
static enum err claim_start(struct stream_tender *t)
{
    struct stream_listener *s = t->s;
    struct slice args[PAGE_MAX + 5] = {SLICE("XCLAIM"), s->keys[t->key], s->group, s->consumer};
    char idle[24];
    uint32_t min_idle = t->dead_at < t->dead_count ? 0 : s->base.trigger->claim_idle_ms;

    args[4] = (struct slice){idle, (size_t)snprintf(idle, sizeof idle, "%u", min_idle)};
    for (size_t i = 0; i < t->id_count; i++)
        args[5 + i] = (struct slice){t->ids[i].text, t->ids[i].len};
    return redis_call(s->base.commands, args, 5 + t->id_count, &t->call);
}

static enum state take_page(struct stream_tender *t, const struct resp *root)
{
    uint64_t deliveries[PAGE_MAX] = {0};
    uint32_t taken = 0;

    for (uint32_t i = 0; i < root->count && i < PAGE_MAX; i++) {
        const struct resp *id = resp_child(resp_child(root, i), 0);
        deliveries[i] = 2;
        for (size_t j = 0; id != NULL && j < t->id_count; j++)
            if (slice_eq(id->text, (struct slice){t->ids[j].text, t->ids[j].len}))
                deliveries[i] = t->deliveries[j];
        taken += id != NULL;
    }
    for (uint32_t i = 0; i < taken; i++)
        listener_count(t->s->base.redelivered_series, &t->s->base.stats.redelivered);
    if (taken > 0 && t->dead_at < t->dead_count)
        log_info("ENTRIES-CLAIMED", "%s took over %u entries of consumer %.*s", t->s->base.prefix,
                 taken, SLICE_ARG(t->dead[t->dead_at]));
    stream_take(t->s, t->key, root, deliveries);
    return taken < t->id_count ? LOOK : next_page(t);
}

/* Entries that were deleted from the stream but are still pending: the server drops them itself
 * from 7.0 on; before that they would come back for ever. One id a time: this is rare. */
static const struct script look_script = {
    .lua = "local n = 0\n"
           "for i = 2, #ARGV do\n"
           "  if #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) == 0 then\n"
           "    n = n + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])\n"
           "  end\n"
           "end\n"
           "return n\n",
    .plain = stream_plain_look,
};

static enum err look_start(struct stream_tender *t)
{
    struct slice args[PAGE_MAX + 1] = {t->s->group};

    for (size_t i = 0; i < t->id_count; i++)
        args[1 + i] = (struct slice){t->ids[i].text, t->ids[i].len};
    return script_call(t->s->base.commands, &look_script, &t->s->keys[t->key], 1, args,
                       1 + t->id_count, &t->call);
}

static enum err forget_consumer(struct stream_tender *t, struct slice consumer)
{
    const struct slice args[] = {t->s->group, consumer};
    return script_call(t->s->base.commands, &forget_script, &t->s->keys[t->key], 1, args,
                       COUNT_OF(args), &t->call);
}

static void begin_pages(struct stream_tender *t)
{
    snprintf(t->cursor, sizeof t->cursor, "-");
}

static void set_timer(struct stream_tender *t, uint64_t ms)
{
    uint64_t at_ms = loop_now_ms(t->s->base.options.loop) + ms;

    if (timer_is_set(t->timer) && t->timer_at_ms <= at_ms)
        return;
    t->timer_at_ms = at_ms;
    timer_set(t->timer, ms);
}

static enum err idle_start(struct stream_tender *t)
{
    forget_dead(t);
    t->s->has_claims = t->has_left_some;
    set_timer(t, t->again ? 0 : period_ms(t));
    t->again = false;
    stream_turn(t->s);
    stream_maybe_stopped(t->s);
    return E_OK;
}

static enum err over_start(struct stream_tender *t)
{
    struct op *op = t->leave_op;

    t->leave_op = NULL;
    if (op != NULL)
        loop_later(t->s->base.options.loop, op, E_OK);
    return E_OK;
}

static enum err forget_start(struct stream_tender *t)
{
    return forget_consumer(t, t->dead[t->dead_at]);
}

static enum err leave_start(struct stream_tender *t)
{
    return forget_consumer(t, t->s->consumer);
}

static void tell_taken(struct stream_tender *t)
{
    int64_t taken = 0;

    if (resp_int(t->call.reply->root, &taken) && taken > 0 && !t->has_told_taken)
        log_warn("ENTRIES-TAKEN",
                 "%s %" PRId64 " entries that run here were taken over by other consumers, because "
                 "this one did not renew them in time; they may run twice",
                 t->s->base.prefix, taken);
    t->has_told_taken = taken > 0;
}

static enum state keep_judge(struct stream_tender *t, enum err err)
{
    begin_pages(t);
    if (err == E_OK)
        tell_taken(t);
    return err == E_OK || err == E_EMPTY || err == E_REDIS ? CONSUMERS : IDLE;
}

/* Errors end the round, the next one comes by the timer; what the server refuses ends this key. */
static enum state after_failure(struct stream_tender *t, enum err err)
{
    return err == E_REDIS ? next_key(t) : IDLE;
}

static enum state consumers_judge(struct stream_tender *t, enum err err)
{
    if (err != E_OK)
        return after_failure(t, err);
    keep_dead(t, t->call.reply->root);
    begin_pages(t);
    return PENDING;
}

static enum state pending_judge(struct stream_tender *t, enum err err)
{
    return err != E_OK ? after_failure(t, err) : consider_page(t, t->call.reply->root);
}

static enum state claim_judge(struct stream_tender *t, enum err err)
{
    if (err == E_LIMIT)
        t->s->page_max = 1;
    return err != E_OK ? after_failure(t, err) : take_page(t, t->call.reply->root);
}

static enum state look_judge(struct stream_tender *t, enum err err)
{
    return err != E_OK ? after_failure(t, err) : next_page(t);
}

/* Without scripts its name stays. */
static enum state forget_judge(struct stream_tender *t, enum err err)
{
    if (err != E_OK && err != E_UNSUPPORTED)
        return after_failure(t, err);
    t->dead_at++;
    begin_pages(t);
    return PENDING;
}

static enum state leave_judge(struct stream_tender *t, enum err err)
{
    return err == E_OK && ++t->key < t->s->base.trigger->key_count ? LEAVE : OVER;
}

#define TO(state) (1u << (state))
#define LEAVING (TO(LEAVE) | TO(OVER))            /* may follow on every state */
#define FAILED (TO(KEEP) | TO(IDLE))              /* the next key, or the end of the round */
#define PAGED (FAILED | TO(PENDING) | TO(FORGET)) /* as next_page() */

/* IDLE waits for the timer and OVER for nothing: no call ends there. */
static const struct step {
    const char *name;
    enum err (*start)(struct stream_tender *t);
    enum state (*judge)(struct stream_tender *t, enum err err);
    unsigned to;
} steps[] = {
    [IDLE] = {"idle", idle_start, NULL, TO(IDLE) | TO(KEEP)},
    [KEEP] = {"keep", keep_start, keep_judge, TO(CONSUMERS) | TO(IDLE)},
    [CONSUMERS] = {"consumers", consumers_start, consumers_judge, FAILED | TO(PENDING)},
    [PENDING] = {"pending", pending_start, pending_judge, PAGED | TO(CLAIM)},
    [CLAIM] = {"claim", claim_start, claim_judge, PAGED | TO(LOOK)},
    [LOOK] = {"look", look_start, look_judge, PAGED},
    [FORGET] = {"forget", forget_start, forget_judge, FAILED | TO(PENDING)},
    [LEAVE] = {"leave", leave_start, leave_judge, 0},
    [OVER] = {"over", over_start, NULL, 0},
};

static void go(struct stream_tender *t, enum state next)
{
    if (t->leave_op != NULL && next != LEAVE && next != OVER) {
        t->key = 0;
        next = LEAVE;
    }
    assert((steps[t->state].to | LEAVING) & TO(next));
    log_trace("%s: %s -> %s", t->s->base.prefix, steps[t->state].name, steps[next].name);
    t->state = next;
    enum err err = steps[next].start(t);
    if (err != E_OK)
        loop_later(t->s->base.options.loop, &t->call.op, err);
}

static void on_call_done(struct op *op, enum err err)
{
    struct stream_tender *t = container_of(op, struct stream_tender, call.op);
    enum state next = steps[t->state].judge(t, err);

    t->call.reply = NULL;
    go(t, next);
}

static void begin_round(struct stream_tender *t)
{
    t->has_left_some = false;
    t->key = 0;
    go(t, redis_is_ready(t->s->base.commands) && !t->s->base.is_paused ? KEEP : IDLE);
}

static void on_timer(void *ctx)
{
    struct stream_tender *t = ctx;
    if (t->state == IDLE)
        begin_round(t);
}

struct stream_tender *tender_new(struct stream_listener *s)
{
    struct stream_tender *t = mem_new(struct stream_tender);

    t->s = s;
    t->state = IDLE;
    t->call.op.done = on_call_done;
    t->timer = timer_new(s->base.options.loop, on_timer, t);
    return t;
}

void tender_hurry(struct stream_tender *t)
{
    if (t->state != IDLE)
        t->again = true;
    else
        set_timer(t, 0);
}

void tender_at(struct stream_tender *t, uint64_t ms)
{
    set_timer(t, ms);
}

void tender_leave(struct stream_tender *t, struct op *op)
{
    t->leave_op = op;
    timer_clear(t->timer);
    if (t->state != IDLE)
        return; /* the call under way ends first */
    t->key = 0;
    go(t, redis_is_ready(t->s->base.commands) ? LEAVE : OVER);
}

void tender_free(struct stream_tender *t)
{
    forget_dead(t);
    timer_free(t->timer);
    free(t);
}
