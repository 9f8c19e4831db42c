#include "functions/listener_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "functions/deadletter.h"
#include "functions/list_plain.h"
#include "loop/timer.h"

/* CONNECT --> REGISTER --> FETCH --> HOLD --> FETCH ...     HOLD: waits for a slot, a new element
 * or the clock ^           |           |                              BACKOFF: an error that time
 * may heal
 *    +---lost----+-----------+--> BACKOFF --> CONNECT
 * In HOLD, when the keys are drained and slots are free, every source's waiter blocks on the
 * server: what it brings is run and leads to the next FETCH. Stopped anywhere: END. */
enum state { CONNECT, REGISTER, FETCH, HOLD, BACKOFF, END };

#define FETCH_MAX 1000 /* a slot that stays free is filled by the next fetch */
#define BLOCK_MARGIN_MS 5000
#define UNBLOCK_MS 1000
#define AFTER_BATCH UINT64_MAX /* next_read_ms: not known before all that runs has ended */

/* Cuts what LRANGE gave, at the end away from the pop end, so that one answer can hold it. */
#define CUT_SCRIPT                                                                                 \
    "local function cut(e, head)\n"                                                                \
    "  local bytes, r = 0, {}\n"                                                                   \
    "  for j = 1, #e do\n"                                                                         \
    "    local v = e[head and j or #e + 1 - j]\n"                                                  \
    "    bytes = bytes + #v\n"                                                                     \
    "    if bytes > 67108864 and j > 1 then return r, 1 end\n"                                     \
    "    r[j] = v\n"                                                                               \
    "  end\n"                                                                                      \
    "  return r, 0\n"                                                                              \
    "end\n"

/* The first key that has something gives up to n elements, in pop order, to our processing list. A
 * key of the wrong type does not stop the others. KEYS: per source key, processing, consumers,
 * tries. ARGV: n, consumer, side.
 * The HDEL changes nothing: a server that is full refuses the first write of a script if it is one
 * that can grow, and lets all pass behind one that cannot. What fills it is often this very list.
 */
static const struct script fetch_script = {
    .lua = CUT_SCRIPT
    "local now = redis.call('TIME')\n"
    "local n, side, wrong = tonumber(ARGV[1]), ARGV[3], nil\n"
    "for i = 1, #KEYS, 4 do\n"
    "  local e = side == '1' and redis.pcall('LRANGE', KEYS[i], 0, n - 1) or redis.pcall('LRANGE', "
    "KEYS[i], -n, -1)\n"
    "  if e.err then wrong = e\n"
    "  elseif #e > 0 then\n"
    "    redis.call('HDEL', KEYS[i + 3], '')\n"
    "    redis.call('ZADD', KEYS[i + 2], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[2])\n"
    "    local more\n"
    "    e, more = cut(e, side == '1')\n"
    "    for j = 1, #e, 1000 do\n"
    "      redis.call(side == '1' and 'RPUSH' or 'LPUSH', KEYS[i + 1],\n"
    "                 unpack(e, j, math.min(j + 999, #e)))\n"
    "    end\n"
    "    if side == '1' then redis.call('LTRIM', KEYS[i], #e, -1)\n"
    "    else redis.call('LTRIM', KEYS[i], 0, -(#e + 1)) end\n"
    "    local t = {}\n"
    "    if redis.call('EXISTS', KEYS[i + 3]) == 1 then\n"
    "      for j = 1, #e do t[j] = tonumber(redis.call('HGET', KEYS[i + 3], redis.sha1hex(e[j])) "
    "or 0) end\n"
    "    end\n"
    "    return {(i - 1) / 4, e, t, more}\n"
    "  end\n"
    "end\n"
    "return wrong\n",
    .plain = list_plain_fetch,
};

/* The same without a processing list (reliable: false). KEYS: the keys. ARGV: n, side. */
static const struct script pop_script = {
    .lua = CUT_SCRIPT "local n, wrong = tonumber(ARGV[1]), nil\n"
                      "for i = 1, #KEYS do\n"
                      "  local e = ARGV[2] == '1' and redis.pcall('LRANGE', KEYS[i], 0, "
                      "n - 1) or redis.pcall('LRANGE', KEYS[i], -n, -1)\n"
                      "  if e.err then wrong = e\n"
                      "  elseif #e > 0 then\n"
                      "    local more\n"
                      "    e, more = cut(e, ARGV[2] == '1')\n"
                      "    if ARGV[2] == '1' then redis.call('LTRIM', KEYS[i], #e, -1)\n"
                      "    else\n"
                      "      redis.call('LTRIM', KEYS[i], 0, -(#e + 1))\n"
                      "    end\n"
                      "    return {i - 1, e, {}, more}\n"
                      "  end\n"
                      "end\n"
                      "return wrong\n",
    .plain = list_plain_pop,
};

static void go(struct list_listener *l, enum state next);

static struct list_listener *of(struct listener *listener)
{
    return container_of(listener, struct list_listener, base);
}

/* --- waiting at the server --- */

static bool can_block(const struct list_listener *l)
{
    const struct redis *waiter = l->sources[0].waiter;

    if (l->base.trigger->is_polling_fixed)
        return false;
    if (!redis_is_ready(waiter)) /* nothing is known before it is: wait for it, not for the clock */
        return redis_opts(waiter)->can_block;
    if (!redis_can(waiter, REDIS_BLOCK))
        return false;
    /* Before 6.2 only the tail can be moved while blocking (BRPOPLPUSH). */
    return !l->base.trigger->is_reliable || redis_can(waiter, REDIS_LMOVE) ||
           !l->base.trigger->pops_head;
}

static enum err block(struct list_source *source)
{
    struct list_listener *l = source->listener;
    const struct trigger *trigger = l->base.trigger;
    struct slice *args = mem_new_array(l->source_count + 6, struct slice);
    struct slice side = trigger->pops_head ? SLICE("LEFT") : SLICE("RIGHT");
    char seconds[24];
    size_t at = 0;
    uint32_t ms = listener_block_ms(&l->base);
    struct slice timeout = {
        seconds, (size_t)snprintf(seconds, sizeof seconds, "%u.%03u", ms / 1000, ms % 1000)};

    if (redis_version(source->waiter) < 0x060000)
        timeout.len = (size_t)snprintf(seconds, sizeof seconds, "%u", (ms + 999) / 1000);
    if (!trigger->is_reliable) {
        args[at++] = trigger->pops_head ? SLICE("BLPOP") : SLICE("BRPOP");
        for (size_t i = 0; i < l->source_count; i++)
            args[at++] = l->sources[i].key;
    } else if (redis_can(source->waiter, REDIS_LMOVE)) {
        args[at++] = SLICE("BLMOVE");
        args[at++] = source->key;
        args[at++] = source->processing;
        args[at++] = side;
        args[at++] = trigger->pops_head ? SLICE("RIGHT") : SLICE("LEFT");
    } else {
        args[at++] = SLICE("BRPOPLPUSH");
        args[at++] = source->key;
        args[at++] = source->processing;
    }
    args[at++] = timeout;
    source->wait.timeout_ms = ms + BLOCK_MARGIN_MS;
    enum err err = redis_call(source->waiter, args, at, &source->wait);
    free(args);
    return err;
}

static void learn_client_id(struct list_source *source);

static void on_client_id(struct op *op, enum err err)
{
    struct list_source *source = container_of(op, struct list_source, wait.op);

    source->wait.op.done = NULL;
    source->client_id = 0;
    if (err == E_OK)
        resp_int(source->wait.reply->root, &source->client_id);
    if (err == E_OK || err == E_REDIS)
        source->client_epoch = redis_epoch(source->waiter);
    list_turn(source->listener);
    list_maybe_stopped(source->listener);
}

static void learn_client_id(struct list_source *source)
{
    const struct slice args[] = {SLICE("CLIENT"), SLICE("ID")};

    source->wait.op.done = on_client_id;
    source->wait.timeout_ms = 0;
    if (redis_call(source->waiter, args, COUNT_OF(args), &source->wait) != E_OK)
        source->wait.op.done = NULL;
}

static void take_waited(struct list_source *source, const struct resp *root)
{
    struct list_listener *l = source->listener;
    size_t index = (size_t)(source - l->sources);

    if (l->base.trigger->is_reliable) {
        list_take_one(l, index, root->text);
        return;
    }
    const struct resp *key = resp_child(root, 0), *element = resp_child(root, 1);
    for (size_t i = 0; key != NULL && element != NULL && i < l->source_count; i++)
        if (slice_eq(l->sources[i].key, key->text)) {
            list_take_one(l, i, element->text);
            return;
        }
}

static void on_waited(struct op *op, enum err err)
{
    struct list_source *source = container_of(op, struct list_source, wait.op);
    struct list_listener *l = source->listener;

    source->wait.op.done = NULL;
    if (err == E_OK && source->wait.reply->root->type != RESP_NIL) {
        take_waited(source, source->wait.reply->root);
        l->is_drained = false; /* where one came there may be more */
    } else if (err == E_REDIS) {
        const struct resp *root = source->wait.reply->root;
        if (resp_is_error(root, SLICE("NOPERM")) ||
            resp_is_error(root, SLICE("ERR unknown command")))
            redis_cannot(source->waiter,
                         redis_can(source->waiter, REDIS_LMOVE) ? REDIS_LMOVE : REDIS_BLOCK);
        l->is_drained = false; /* the fetch tells what is wrong */
    } else if (err != E_OK && err != E_CANCELED) {
        l->is_drained = false;
        list_answer_lost(l);
    }
    list_turn(l);
    list_maybe_stopped(l);
}

static void on_waiter_ready(struct op *op, enum err err)
{
    struct list_source *source = container_of(op, struct list_source, wait.op);

    (void)err;
    source->wait.op.done = NULL;
    list_turn(source->listener);
    list_maybe_stopped(source->listener);
}

/* Every waiter that is not waiting goes and waits. */
static void arm_waiters(struct list_listener *l)
{
    for (size_t i = 0; i < l->source_count; i++) {
        struct list_source *source = &l->sources[i];
        if (source->waiter == NULL || source->wait.op.is_busy)
            continue;
        if (!redis_is_ready(source->waiter)) { /* it may be back later than the shared connection */
            source->wait.op.done = on_waiter_ready;
            redis_ready(source->waiter, &source->wait.op);
            continue;
        }
        if (source->client_epoch != redis_epoch(source->waiter)) {
            learn_client_id(source);
            continue;
        }
        source->wait.op.done = on_waited;
        if (block(source) != E_OK)
            source->wait.op.done = NULL;
    }
}

/* --- the machine --- */

static enum err fetch_start(struct list_listener *l)
{
    const struct trigger *trigger = l->base.trigger;
    size_t slots = slots_free(&l->slots), per_key = trigger->is_reliable ? 4 : 1;
    struct slice *keys = mem_new_array(l->source_count * per_key, struct slice);
    char number[24];

    if (trigger->is_batch || trigger->is_polling_fixed)
        l->asked = trigger->count;
    else
        l->asked = slots < FETCH_MAX ? slots : FETCH_MAX;
    struct slice n = {number, (size_t)snprintf(number, sizeof number, "%zu", l->asked)};
    for (size_t i = 0; i < l->source_count; i++) {
        keys[i * per_key] = l->sources[i].key;
        if (!trigger->is_reliable)
            continue;
        keys[i * 4 + 1] = l->sources[i].processing;
        keys[i * 4 + 2] = l->sources[i].consumers;
        keys[i * 4 + 3] = l->sources[i].tries;
    }
    enum err err = trigger->is_reliable
                       ? script_call(l->base.commands, &fetch_script, keys, l->source_count * 4,
                                     (struct slice[]){n, l->consumer, list_side(l)}, 3, &l->fetch)
                       : script_call(l->base.commands, &pop_script, keys, l->source_count,
                                     (struct slice[]){n, list_side(l)}, 2, &l->fetch);
    free(keys);
    return err;
}

static enum state failed(struct list_listener *l, enum err err, const struct cause *why)
{
    if (err == E_CLOSED || err == E_TIMEOUT)
        return redis_is_ready(l->base.commands) ? BACKOFF : CONNECT;
    listener_complain(&l->base, err, why);
    listener_answered(&l->base);
    return BACKOFF;
}

static enum state fetch_judge(struct list_listener *l, enum err err)
{
    uint64_t now = loop_now_ms(l->base.options.loop);
    int64_t index = 0, was_cut = 0;

    if (err != E_OK && err != E_REDIS)
        list_answer_lost(l);
    if (err != E_OK)
        return failed(l, err, &l->fetch.op.why);
    listener_recovered(&l->base);
    listener_answered(&l->base);
    const struct resp *root = l->fetch.reply->root;
    const struct resp *elements = root->type == RESP_ARRAY ? resp_child(root, 1) : NULL;
    l->is_drained = elements == NULL;
    if (elements != NULL && resp_int(resp_child(root, 0), &index) && index >= 0 &&
        (size_t)index < l->source_count) {
        list_take(l, (size_t)index, elements, resp_child(root, 2));
        resp_int(resp_child(root, 3), &was_cut);
        l->is_drained = was_cut == 0 && elements->count < l->asked && l->source_count == 1;
    }
    if (l->base.trigger->is_polling_fixed)
        l->next_read_ms = AFTER_BATCH;
    else
        l->next_read_ms =
            l->is_drained && !can_block(l) ? now + l->base.trigger->polling_interval_ms : 0;
    return HOLD;
}

static enum state after(struct list_listener *l, enum err err, const struct cause *why)
{
    switch ((enum state)l->state) {
    case CONNECT:
        if (l->is_registered)
            list_answer_lost(l); /* perhaps: the outage may have been longer than looks go on */
        return l->base.trigger->is_reliable ? REGISTER : FETCH;
    case REGISTER:
        if (err != E_OK)
            return failed(l, err, why);
        l->is_registered = true;
        list_tender_hurry(l->tender);
        return FETCH;
    case FETCH:
        return fetch_judge(l, err);
    case BACKOFF:
        return !redis_is_ready(l->base.commands) || !l->is_registered ? CONNECT : FETCH;
    case HOLD:
    case END:
        break;
    }
    return HOLD;
}

static void go(struct list_listener *l, enum state next)
{
    l->state = (int)next;
    switch (next) {
    case CONNECT:
        redis_ready(l->base.commands, &l->wait);
        return;
    case REGISTER:
        list_tender_register(l->tender, &l->wait);
        return;
    case FETCH: {
        enum err err = fetch_start(l);
        if (err != E_OK)
            loop_later(l->base.options.loop, &l->fetch.op, err);
        return;
    }
    case HOLD:
        list_turn(l);
        return;
    case BACKOFF:
        timer_wait(l->timer, listener_backoff_ms(&l->base), &l->wait);
        return;
    case END:
        list_maybe_stopped(l);
        return;
    }
}

static void on_op_done(struct list_listener *l, enum err err, const struct cause *why)
{
    if (!l->base.is_stopping) {
        go(l, after(l, err, why));
        return;
    }
    if (l->state == (int)FETCH && err == E_OK)
        fetch_judge(l, err); /* what came waits in the processing list: it is given back */
    go(l, END);
}

static void on_fetch_done(struct op *op, enum err err)
{
    on_op_done(container_of(op, struct list_listener, fetch.op), err, &op->why);
}

static void on_wait_done(struct op *op, enum err err)
{
    on_op_done(container_of(op, struct list_listener, wait), err, &op->why);
}

static void wait_for_clock(struct list_listener *l)
{
    uint64_t now = loop_now_ms(l->base.options.loop);

    if (l->next_read_ms == AFTER_BATCH && slots_are_idle(&l->slots))
        l->next_read_ms = now + l->base.trigger->polling_interval_ms;
    if (l->next_read_ms != AFTER_BATCH && l->next_read_ms > now)
        timer_set(l->timer, l->next_read_ms - now);
}

static bool may_take(const struct list_listener *l)
{
    if (l->base.is_paused || l->failed_count >= LIST_FAILED_MAX || l->acks.owed >= ACKS_WAITING_MAX)
        return false;
    return l->base.trigger->is_polling_fixed ? slots_are_idle(&l->slots)
                                             : slots_free(&l->slots) > 0;
}

static void on_turn(struct turn *turn)
{
    struct list_listener *l = container_of(turn, struct list_listener, turn);

    slots_fill(&l->slots);
    acks_send(&l->acks);
    if (l->state != (int)HOLD || l->base.is_stopping)
        return;
    if (l->next_read_ms > loop_now_ms(l->base.options.loop)) {
        wait_for_clock(l);
        return;
    }
    if (!may_take(l))
        return;
    if (!l->is_drained || !can_block(l))
        go(l, FETCH);
    else
        arm_waiters(l);
}

static void on_timer(void *ctx)
{
    list_turn(ctx);
}

/* --- the kind --- */

static struct slice own(struct slice key, const char *what, const char *function,
                        struct slice consumer)
{
    struct buf text;

    buf_init(&text, 1024 * 1024);
    own_key(&text, key, what, slice_of(function), consumer);
    size_t len = text.len;
    return (struct slice){buf_detach(&text), len};
}

static void source_init(struct list_source *source, struct list_listener *l, const char *key,
                        const char *client_name)
{
    const struct function *function = l->base.options.dispatcher->function;
    bool is_first = source == l->sources;

    source->listener = l;
    source->key = slice_of(key);
    source->processing = own(source->key, "list", function->name, l->consumer);
    source->consumers = own(source->key, "consumers", function->name, SLICE_NONE);
    source->tries = own(source->key, "tries", function->name, SLICE_NONE);
    struct buf dead;
    buf_init(&dead, 1024 * 1024);
    dead_letter_key(&dead, function, source->key);
    source->dead.len = dead.len;
    source->dead.data = buf_detach(&dead);
    if (is_first ||
        l->base.trigger
            ->is_reliable) /* BLPOP waits for all keys on one connection, BLMOVE for one */
        source->waiter =
            redis_open(l->base.options.hub, l->base.options.redis, REDIS_DEDICATED, client_name);
}

static enum err list_start(const struct listener_options *options, struct listener **ret,
                           struct cause *why)
{
    struct list_listener *l = mem_new(struct list_listener);
    const struct trigger *trigger = &options->dispatcher->function->trigger;
    char name[256];

    (void)why;
    listener_init(&l->base, &listener_list_kind, options);
    snprintf(name, sizeof name, "AzureFunctionsRedisExtension.%s",
             options->dispatcher->function->name);
    l->consumer = slice_of(options->node_id);
    l->sources = mem_new_array(trigger->key_count, struct list_source);
    l->source_count = trigger->key_count;
    for (size_t i = 0; i < trigger->key_count; i++)
        source_init(&l->sources[i], l, trigger->keys[i], name);
    list_init_entries(l);
    l->turn.run = on_turn;
    l->fetch.op.done = on_fetch_done;
    l->wait.done = on_wait_done;
    l->timer = timer_new(options->loop, on_timer, l);
    l->tender = list_tender_new(l);
    *ret = &l->base;
    go(l, CONNECT);
    return E_OK;
}

static void list_pause(struct listener *listener, bool is_paused)
{
    listener->is_paused = of(listener)->slots.is_shut = is_paused;
    list_turn(of(listener));
}

/* --- the stop: unblock the waiters, let what runs end, acknowledge, give the rest back --- */

static void on_ignored(struct op *op, enum err err)
{
    (void)err;
    free(container_of(op, struct redis_call, op));
}

static void cut(struct list_source *source)
{
    if (!source->wait.op.is_busy)
        return;
    source->listener->has_cut_waiter = true;
    op_abort(&source->wait.op);
}

/* A waiter that is cut off may still be handed an element; one that is told to return cannot. */
static void unblock(struct list_source *source)
{
    struct list_listener *l = source->listener;
    struct redis_call *call;
    char id[24];
    const struct slice args[] = {
        SLICE("CLIENT"),
        SLICE("UNBLOCK"),
        {id, (size_t)snprintf(id, sizeof id, "%" PRId64, source->client_id)}};

    if (!source->wait.op.is_busy)
        return;
    if (source->wait.op.done != on_waited) {
        op_abort(&source->wait.op);
        return;
    }
    if (source->client_id == 0) {
        cut(source);
        return;
    }
    call = mem_new(struct redis_call);
    call->op.done = on_ignored;
    if (redis_call(l->base.commands, args, COUNT_OF(args), call) != E_OK) {
        free(call);
        cut(source);
    }
}

static void on_stop_timer(void *ctx)
{
    struct list_listener *l = ctx;

    for (size_t i = 0; i < l->source_count; i++)
        cut(&l->sources[i]);
}

static void on_left(struct op *op, enum err err)
{
    struct list_listener *l = container_of(op, struct list_listener, wait);
    struct op *stop_op = l->base.stop_op;

    (void)err;
    l->base.stop_op = NULL;
    loop_later(l->base.options.loop, stop_op, E_OK);
}

static bool has_waiters(const struct list_listener *l)
{
    for (size_t i = 0; i < l->source_count; i++)
        if (l->sources[i].wait.op.is_busy)
            return true;
    return false;
}

void list_maybe_stopped(struct list_listener *l)
{
    if (!l->base.is_stopping || l->state != (int)END || l->slots.running_count > 0 ||
        l->base.stop_op == NULL || has_waiters(l))
        return;
    if (!l->base.trigger->is_reliable && l->slots.waiting_count > 0)
        return; /* these are in no list any more: they run first */
    if (l->acks.waiting_count > 0 && redis_is_ready(l->base.commands)) {
        list_turn(l);
        return;
    }
    if (l->acks.under_way + l->settling > 0 || l->wait.is_busy || l->wait.done == on_left)
        return;
    l->wait.done = on_left;
    list_tender_leave(l->tender, &l->wait);
}

static void list_stop(struct listener *listener, struct op *op)
{
    struct list_listener *l = of(listener);

    listener->stop_op = op;
    listener->is_stopping = true;
    l->slots.is_shut = listener->trigger->is_reliable;
    slots_end_retries(&l->slots);
    op_abort(&l->wait); /* first: a back-off waits on the timer that is cleared next */
    timer_clear(l->timer);
    l->stop_timer = timer_new(listener->options.loop, on_stop_timer, l);
    timer_set(l->stop_timer, UNBLOCK_MS);
    for (size_t i = 0; i < l->source_count; i++)
        unblock(&l->sources[i]);
    if (l->state == (int)HOLD)
        go(l, END);
    list_turn(l);
}

static void list_hurry(struct listener *listener)
{
    struct list_listener *l = of(listener);

    slots_abort(&l->slots);
    for (struct job *job;
         !listener->trigger->is_reliable && (job = slots_take_waiting(&l->slots)) != NULL;)
        list_push(&l->spare, &job->node);
}

static void list_free(struct listener *listener)
{
    struct list_listener *l = of(listener);

    turn_cancel(&l->turn);
    list_tender_free(l->tender);
    list_free_entries(l);
    timer_free(l->timer);
    timer_free(l->stop_timer);
    for (size_t i = 0; i < l->source_count; i++) {
        struct list_source *source = &l->sources[i];
        const char *texts[] = {source->processing.data, source->consumers.data, source->tries.data,
                               source->dead.data};
        for (size_t j = 0; j < COUNT_OF(texts); j++)
            free((char *)(uintptr_t)texts[j]);
        map_done(&source->unknown);
        if (source->waiter != NULL)
            redis_close(source->waiter);
    }
    free(l->sources);
    listener_done(&l->base);
    free(l);
}

static void list_node_died(struct listener *listener)
{
    list_tender_hurry(of(listener)->tender);
}

const struct listener_kind listener_list_kind = {
    .type = TRIGGER_LIST,
    .name = "RedisListTrigger",
    .start = list_start,
    .pause = list_pause,
    .stop = list_stop,
    .hurry = list_hurry,
    .free = list_free,
    .node_died = list_node_died,
};
