#include "functions/listener_stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/timer.h"

/* CONNECT --> GROUP --> READ --> READ ...       HOLD: no free slot, or paused; the end of a turn
 * goes on ^          |        |                      BACKOFF: an error that time may heal
 *    +--lost----+--------+--NOGROUP--> GROUP
 * Stopped anywhere: END. The reader is closed at once: what the server hands to a closed connection
 * stays pending. */
enum state { CONNECT, GROUP, READ, HOLD, BACKOFF, END };

#define BLOCK_MARGIN_MS 5000
#define READ_ARGS_FEW 16
#define PAGE_SMALL_BYTES (64 * 1024 * 1024)
#define CLOCKS_MS 20 /* the server and we count in whole milliseconds, and its clock may be set */
#define AFTER_BATCH UINT64_MAX /* next_read_ms: not known before all that runs has ended */

static void go(struct stream_listener *s, enum state next);

static struct stream_listener *of(struct listener *listener)
{
    return container_of(listener, struct stream_listener, base);
}

static void connect_start(struct stream_listener *s)
{
    redis_ready(s->reader, &s->wait);
}

static enum state connect_judge(struct stream_listener *s, enum err err)
{
    (void)err;
    s->group_at = 0;
    s->is_recreating = s->is_recreating || s->had_groups;
    return GROUP;
}

static enum err group_start(struct stream_listener *s)
{
    const struct slice args[] = {
        SLICE("XGROUP"),
        SLICE("CREATE"),
        s->keys[s->group_at],
        s->group,
        s->base.trigger->starts_at_end && !s->is_recreating ? SLICE("$") : SLICE("0"),
        SLICE("MKSTREAM"),
    };
    return redis_call(s->reader, args, COUNT_OF(args), &s->read);
}

static enum state failed(struct stream_listener *s, enum err err, const struct cause *why)
{
    if (err == E_CLOSED || err == E_TIMEOUT)
        return redis_is_ready(s->reader) ? BACKOFF : CONNECT;
    listener_complain(&s->base, err, why);
    listener_answered(&s->base);
    return BACKOFF;
}

static void groups_are_there(struct stream_listener *s)
{
    s->is_unsure = s->is_recreating = false;
    s->had_groups = true;
}

/* A server that is full refuses to make a group that is there, too. It lets us read, and what we
 * acknowledge and delete may be what fills it. */
static enum state group_judge(struct stream_listener *s, enum err err)
{
    bool is_there = err == E_REDIS && resp_is_error(s->read.reply->root, SLICE("BUSYGROUP"));
    bool is_full = err == E_REDIS && resp_is_error(s->read.reply->root, SLICE("OOM"));

    if (err != E_OK && !is_there && !is_full)
        return failed(s, err, &s->read.op.why);
    s->is_unsure = is_full || (s->is_unsure && s->group_at > 0);
    if (err == E_OK)
        log_info("GROUP-CREATED", "%s consumer group %s", s->base.prefix,
                 s->is_recreating ? "created again" : "created");
    if (++s->group_at < s->base.trigger->key_count)
        return GROUP;
    if (!s->is_unsure)
        groups_are_there(s);
    listener_answered(&s->base);
    tender_hurry(s->tender);
    return HOLD;
}

static bool can_wait(const struct stream_listener *s)
{
    return !s->base.trigger->is_polling_fixed && redis_can(s->reader, REDIS_BLOCK);
}

static bool may_read(struct stream_listener *s)
{
    /* what has ended but cannot be told would run again after a crash: let it not become more */
    bool is_cut_off = s->acks.waiting_count > 0 && !redis_is_ready(s->base.commands);

    if (s->base.is_paused || s->has_claims || is_cut_off || s->acks.owed >= ACKS_WAITING_MAX ||
        loop_now_ms(s->base.options.loop) < s->next_read_ms)
        return false;
    return s->base.trigger->is_polling_fixed ? slots_are_idle(&s->slots)
                                             : slots_free(&s->slots) > 0;
}

/* XREADGROUP GROUP g c COUNT n [BLOCK ms] STREAMS k1 .. kn > .. >; by key, of one and at once. */
static enum err read_start(struct stream_listener *s)
{
    const struct trigger *trigger = s->base.trigger;
    struct slice few[READ_ARGS_FEW];
    char count[24], block[24];
    size_t keys = s->is_by_key ? 1 : trigger->key_count, at = 0;
    struct slice *args =
        keys * 2 + 9 <= READ_ARGS_FEW ? few : mem_new_array(keys * 2 + 9, struct slice);
    size_t wanted =
        trigger->is_batch || trigger->is_polling_fixed ? trigger->count : slots_free(&s->slots);

    if (wanted > s->page_max)
        wanted = s->page_max;
    s->asked = wanted;
    s->read_at_ms = loop_now_ms(s->base.options.loop);
    args[at++] = SLICE("XREADGROUP");
    args[at++] = SLICE("GROUP");
    args[at++] = s->group;
    args[at++] = s->consumer;
    args[at++] = SLICE("COUNT");
    args[at++] = (struct slice){count, (size_t)snprintf(count, sizeof count, "%zu", wanted)};
    if (can_wait(s) && !s->is_by_key) {
        args[at++] = SLICE("BLOCK");
        args[at++] = (struct slice){
            block, (size_t)snprintf(block, sizeof block, "%u", listener_block_ms(&s->base))};
    }
    args[at++] = SLICE("STREAMS");
    memcpy(args + at, s->is_by_key ? &s->keys[s->read_key] : s->keys, keys * sizeof *args);
    at += keys;
    for (size_t i = 0; i < keys; i++)
        args[at++] = SLICE(">");
    s->read.timeout_ms = listener_block_ms(&s->base) + BLOCK_MARGIN_MS;
    enum err err = redis_call(s->reader, args, at, &s->read);
    if (args != few)
        free(args);
    return err;
}

static size_t key_index(const struct stream_listener *s, struct slice key)
{
    for (size_t i = 0; i < s->base.trigger->key_count; i++)
        if (slice_eq(s->keys[i], key))
            return i;
    return 0;
}

/* After an answer that was too large: begin with one entry, and double while answers are small. */
static void adapt_page(struct stream_listener *s, const struct resp *root)
{
    size_t bytes = 0;

    if (s->page_max == SIZE_MAX)
        return;
    for (uint32_t i = 0; i < root->span; i++)
        bytes += root[i].text.len;
    if (bytes <= PAGE_SMALL_BYTES)
        s->page_max = s->page_max > s->base.trigger->count ? SIZE_MAX : s->page_max * 2;
    else if (bytes > 3 * (size_t)PAGE_SMALL_BYTES && s->page_max > 1)
        s->page_max /= 2;
}

/* What was in the answer stands as pending on us: the tender takes it up, some at a time. */
static void read_less(struct stream_listener *s)
{
    if (s->asked == 1 && !s->is_by_key && s->base.trigger->key_count > 1) {
        s->is_by_key = true;
        s->read_key = s->empty_keys = 0;
    }
    s->page_max = 1;
}

static void next_read_key(struct stream_listener *s, bool is_empty)
{
    size_t keys = s->base.trigger->key_count;

    s->read_key = (s->read_key + 1) % keys;
    s->empty_keys = is_empty ? s->empty_keys + 1 : 0;
    s->is_by_key = s->empty_keys < keys;
}

/* The server hands out what is new in the order of the ids. */
static void remember_newest(struct stream_listener *s, size_t key, const struct resp *entries)
{
    if (entries->type == RESP_ARRAY && entries->count > 0) {
        const struct resp *id = resp_child(resp_child(entries, entries->count - 1), 0);
        if (id != NULL)
            (void)stream_id_parse(id->text, &s->read_to[key]);
    }
}

bool stream_is_coming(const struct stream_listener *s, size_t key, struct slice text,
                      uint64_t idle_ms)
{
    struct stream_id id;

    return s->state == (int)READ && stream_id_parse(text, &id) &&
           stream_id_cmp(id, s->read_to[key]) > 0 &&
           idle_ms <= loop_now_ms(s->base.options.loop) - s->read_at_ms + CLOCKS_MS;
}

/* What XREADGROUP answers: a map of key and entries, or before RESP3 an array of such pairs. */
static void take_streams(struct stream_listener *s, const struct resp *root)
{
    const struct resp *stream = root + 1;
    bool is_map = root->type == RESP_MAP;

    for (uint32_t i = 0; i < root->count; i += is_map ? 2 : 1) {
        const struct resp *name = is_map ? stream : resp_child(stream, 0);
        const struct resp *entries = is_map ? stream + stream->span : resp_child(stream, 1);
        if (name == NULL || entries == NULL)
            break;
        size_t key = key_index(s, name->text);
        adapt_page(s, entries);
        remember_newest(s, key, entries);
        stream_take(s, key, entries, NULL);
        stream = is_map ? entries + entries->span : stream + stream->span;
    }
}

static bool is_without_group(const struct redis_call *call, enum err err)
{
    return err == E_REDIS && (resp_is_error(call->reply->root, SLICE("NOGROUP")) ||
                              resp_is_error(call->reply->root, SLICE("UNBLOCKED")));
}

static enum state read_judge(struct stream_listener *s, enum err err)
{
    if (is_without_group(&s->read, err) && s->is_unsure) {
        struct cause why;
        err = cause_set(&why, E_REDIS, "OOM: the server is too full for a new consumer group");
        return failed(s, err, &why);
    }
    if (is_without_group(&s->read, err)) {
        s->is_recreating = true; /* nothing added meanwhile may be skipped */
        s->group_at = 0;
        return s->base.misses++ == 0 ? GROUP : BACKOFF;
    }
    if (err == E_LIMIT)
        read_less(s);
    if (err != E_OK)
        return failed(s, err, &s->read.op.why);
    listener_recovered(&s->base);
    if (s->is_unsure && !s->is_by_key)
        groups_are_there(s);
    const struct resp *root = s->read.reply->root;
    bool is_empty = root->type == RESP_NIL || root->count == 0;
    if (!is_empty)
        take_streams(s, root);
    if (s->is_by_key)
        next_read_key(s, is_empty);
    if (s->base.trigger->is_polling_fixed)
        s->next_read_ms = AFTER_BATCH;
    else if (is_empty && !s->is_by_key && !can_wait(s))
        s->next_read_ms = loop_now_ms(s->base.options.loop) + s->base.trigger->polling_interval_ms;
    return HOLD;
}

/* Whoever frees a slot calls stream_turn(); polling by the clock sets the timer itself. */
static void hold_start(struct stream_listener *s)
{
    stream_turn(s);
}

static void backoff_start(struct stream_listener *s)
{
    timer_wait(s->timer, listener_backoff_ms(&s->base), &s->wait);
}

static enum state backoff_judge(struct stream_listener *s, enum err err)
{
    /* the groups may have gone meanwhile: from the first one again */
    return redis_is_ready(s->reader) ? connect_judge(s, err) : CONNECT;
}

static void go(struct stream_listener *s, enum state next)
{
    enum err err = E_OK;

    s->state = (int)next;
    switch (next) {
    case CONNECT:
        connect_start(s);
        break;
    case GROUP:
        err = group_start(s);
        break;
    case READ:
        err = read_start(s);
        break;
    case HOLD:
        hold_start(s);
        break;
    case BACKOFF:
        backoff_start(s);
        break;
    case END:
        stream_maybe_stopped(s);
        break;
    }
    if (err != E_OK)
        loop_later(s->base.options.loop, &s->read.op, err);
}

static void judge(struct stream_listener *s, enum err err)
{
    enum state next = HOLD;

    if (s->base.is_stopping) {
        if (s->state == (int)READ && err == E_OK)
            read_judge(s, err); /* what came is pending on us: queued, and given up with the rest */
        go(s, END);
        return;
    }
    switch ((enum state)s->state) {
    case CONNECT:
        next = connect_judge(s, err);
        break;
    case GROUP:
        next = group_judge(s, err);
        break;
    case READ:
        next = read_judge(s, err);
        break;
    case BACKOFF:
        next = backoff_judge(s, err);
        break;
    case HOLD:
    case END:
        return;
    }
    go(s, next);
}

static void on_read_done(struct op *op, enum err err)
{
    judge(container_of(op, struct stream_listener, read.op), err);
}

static void on_wait_done(struct op *op, enum err err)
{
    judge(container_of(op, struct stream_listener, wait), err);
}

static void on_hold_timer(void *ctx)
{
    stream_turn(ctx);
}

/* Polling by the clock: the interval runs from the end of a batch, or from an empty answer. */
static void wait_for_clock(struct stream_listener *s)
{
    uint64_t now = loop_now_ms(s->base.options.loop);

    if (s->next_read_ms == AFTER_BATCH && slots_are_idle(&s->slots))
        s->next_read_ms = now + s->base.trigger->polling_interval_ms;
    if (s->next_read_ms != AFTER_BATCH && s->next_read_ms > now)
        timer_set(s->timer, s->next_read_ms - now);
}

static void on_turn(struct turn *turn)
{
    struct stream_listener *s = container_of(turn, struct stream_listener, turn);

    slots_fill(&s->slots);
    acks_send(&s->acks);
    if (s->state != (int)HOLD || s->base.is_stopping)
        return;
    if (s->has_claims && slots_free(&s->slots) > 0)
        tender_hurry(s->tender);
    if (may_read(s))
        go(s, READ);
    else
        wait_for_clock(s);
}

void stream_turn(struct stream_listener *s)
{
    loop_at_turn_end(s->base.options.loop, &s->turn);
}

static enum err stream_start(const struct listener_options *options, struct listener **ret,
                             struct cause *why)
{
    struct stream_listener *s = mem_new(struct stream_listener);
    const struct trigger *trigger = &options->dispatcher->function->trigger;
    char name[256];

    (void)why;
    listener_init(&s->base, &listener_stream_kind, options);
    snprintf(name, sizeof name, "AzureFunctionsRedisExtension.%s",
             options->dispatcher->function->name);
    s->reader = redis_open(options->hub, options->redis, REDIS_DEDICATED, name);
    s->keys = mem_new_array(trigger->key_count, struct slice);
    for (size_t i = 0; i < trigger->key_count; i++)
        s->keys[i] = slice_of(trigger->keys[i]);
    s->read_to = mem_new_array(trigger->key_count, struct stream_id);
    s->group = slice_of(trigger->consumer_group);
    s->consumer = slice_of(options->node_id);
    stream_init_entries(s);
    s->page_max = SIZE_MAX;
    s->turn.run = on_turn;
    s->read.op.done = on_read_done;
    s->wait.done = on_wait_done;
    s->timer = timer_new(options->loop, on_hold_timer, s);
    s->tender = tender_new(s);
    *ret = &s->base;
    go(s, CONNECT);
    return E_OK;
}

static void stream_pause(struct listener *listener, bool is_paused)
{
    listener->is_paused = of(listener)->slots.is_shut = is_paused;
    stream_turn(of(listener));
}

static void on_left(struct op *op, enum err err)
{
    struct stream_listener *s = container_of(op, struct stream_listener, wait);
    struct op *stop_op = s->base.stop_op;

    (void)err;
    s->base.stop_op = NULL;
    loop_later(s->base.options.loop, stop_op, E_OK);
}

/* Nothing under way: acknowledge the rest, then leave the group, then the stop has ended. */
void stream_maybe_stopped(struct stream_listener *s)
{
    if (!s->base.is_stopping || s->state != (int)END || s->slots.running_count > 0 ||
        s->base.stop_op == NULL)
        return;
    if (s->acks.waiting_count > 0 && redis_is_ready(s->base.commands)) {
        acks_send(&s->acks);
        return;
    }
    if (s->acks.under_way + s->settling > 0 || s->wait.is_busy || s->wait.done == on_left)
        return;
    s->wait.done = on_left;
    tender_leave(s->tender, &s->wait);
}

static void stream_stop(struct listener *listener, struct op *op)
{
    struct stream_listener *s = of(listener);

    listener->stop_op = op;
    listener->is_stopping = s->slots.is_shut = true;
    slots_end_retries(&s->slots);
    turn_cancel(&s->turn);
    op_abort(&s->wait); /* first: a back-off waits on the timer that is cleared next */
    timer_clear(s->timer);
    op_abort(&s->read.op);
    redis_close(s->reader);
    s->reader = NULL;
    if (s->state == (int)HOLD)
        go(s, END);
    stream_turn(s); /* acknowledge what has ended */
}

static void stream_hurry(struct listener *listener)
{
    slots_abort(&of(listener)->slots);
}

static void stream_free(struct listener *listener)
{
    struct stream_listener *s = of(listener);

    turn_cancel(&s->turn);
    tender_free(s->tender);
    stream_free_entries(s);
    timer_free(s->timer);
    listener_done(&s->base);
    free(s->read_to);
    free(s->keys);
    free(s);
}

static void stream_node_died(struct listener *listener)
{
    tender_hurry(of(listener)->tender);
}

const struct listener_kind listener_stream_kind = {
    .type = TRIGGER_STREAM,
    .name = "RedisStreamTrigger",
    .start = stream_start,
    .pause = stream_pause,
    .stop = stream_stop,
    .hurry = stream_hurry,
    .free = stream_free,
    .node_died = stream_node_died,
};
