#include "functions/backlog.h"

#include <stdlib.h>

#include "base/clock.h"
#include "loop/loop.h"

/* The questions about one key, all at once. */
enum question_kind { ASK_LENGTH, ASK_STREAM, ASK_GROUPS, ASK_OLDEST, ASK_COUNT };

struct question {
    struct redis_call call;
    struct backlog *backlog;
};

struct backlog {
    struct loop *loop;
    struct redis *redis;
    const struct trigger *trigger;
    void (*sampled)(void *ctx);
    void *ctx;
    struct question questions[ASK_COUNT];
    size_t key, unanswered;
    struct backlog_sample sum, last;
    struct stream_facts facts;
    uint64_t oldest_unix_ms;
    bool is_gone; /* freed by its owner; ends with the last answer */
};

static void ask_key(struct backlog *b);

static void end_round(struct backlog *b)
{
    uint64_t now = clock_unix_ms();

    b->sum.oldest_age_ms =
        b->oldest_unix_ms != 0 && b->oldest_unix_ms < now ? now - b->oldest_unix_ms : 0;
    b->last = b->sum;
    b->sampled(b->ctx);
}

static void end_key(struct backlog *b)
{
    if (b->is_gone) {
        redis_close(b->redis);
        free(b);
        return;
    }
    if (b->trigger->type == TRIGGER_STREAM)
        b->sum.remaining += scale_stream_remaining(&b->facts);
    if (++b->key < b->trigger->key_count && redis_is_ready(b->redis))
        ask_key(b);
    else
        end_round(b);
}

static uint64_t number_of(const struct resp *map, struct slice name, bool *ret_is_there)
{
    const struct resp *node = resp_find(map, name);
    int64_t value = 0;

    *ret_is_there = node != NULL && resp_int(node, &value) && value >= 0;
    return *ret_is_there ? (uint64_t)value : 0;
}

static void read_stream(struct backlog *b, const struct resp *root)
{
    const struct resp *first = resp_find(root, SLICE("first-entry"));
    const struct resp *last = resp_find(root, SLICE("last-generated-id"));
    const struct resp *id = first == NULL ? NULL : resp_child(first, 0);
    bool is_there;

    b->facts.length = number_of(root, SLICE("length"), &is_there);
    if (id != NULL)
        stream_id_parse(id->text, &b->facts.first);
    if (last != NULL)
        stream_id_parse(last->text, &b->facts.last);
}

static void read_groups(struct backlog *b, const struct resp *root)
{
    bool is_there;

    for (uint32_t i = 0; root->type == RESP_ARRAY && i < root->count; i++) {
        const struct resp *group = resp_child(root, i);
        const struct resp *name = resp_find(group, SLICE("name"));
        const struct resp *delivered = resp_find(group, SLICE("last-delivered-id"));
        if (name == NULL || !slice_eq(name->text, slice_of(b->trigger->consumer_group)))
            continue;
        b->facts.has_group = true;
        b->facts.lag = number_of(group, SLICE("lag"), &b->facts.has_lag);
        b->sum.pending += number_of(group, SLICE("pending"), &is_there);
        if (delivered != NULL)
            stream_id_parse(delivered->text, &b->facts.delivered);
    }
}

static void read_oldest(struct backlog *b, const struct resp *root)
{
    const struct resp *id = resp_child(root, 1);
    struct stream_id oldest;

    if (id != NULL && stream_id_parse(id->text, &oldest) &&
        (b->oldest_unix_ms == 0 || oldest.ms < b->oldest_unix_ms))
        b->oldest_unix_ms = oldest.ms;
}

static void on_answer(struct op *op, enum err err)
{
    struct question *q = container_of(op, struct question, call.op);
    struct backlog *b = q->backlog;
    const struct resp *root = err == E_OK ? q->call.reply->root : NULL;
    int64_t length;

    if (root != NULL && !b->is_gone) {
        switch ((enum question_kind)(q - b->questions)) {
        case ASK_LENGTH:
            if (resp_int(root, &length) && length > 0)
                b->sum.remaining += (uint64_t)length;
            break;
        case ASK_STREAM:
            read_stream(b, root);
            break;
        case ASK_GROUPS:
            read_groups(b, root);
            break;
        case ASK_OLDEST:
            read_oldest(b, root);
            break;
        case ASK_COUNT:
            break;
        }
    }
    if (--b->unanswered == 0)
        end_key(b);
}

static void ask(struct backlog *b, size_t which, const struct slice *args, size_t count)
{
    struct question *q = &b->questions[which];

    q->backlog = b;
    q->call.op.done = on_answer;
    b->unanswered++;
    enum err err = redis_call(b->redis, args, count, &q->call);
    if (err != E_OK)
        loop_later(b->loop, &q->call.op, err);
}

static void ask_key(struct backlog *b)
{
    struct slice key = slice_of(b->trigger->keys[b->key]);

    b->facts = (struct stream_facts){0};
    if (b->trigger->type == TRIGGER_LIST) {
        ask(b, ASK_LENGTH, (struct slice[]){SLICE("LLEN"), key}, 2);
        return;
    }
    ask(b, ASK_STREAM, (struct slice[]){SLICE("XINFO"), SLICE("STREAM"), key}, 3);
    ask(b, ASK_GROUPS, (struct slice[]){SLICE("XINFO"), SLICE("GROUPS"), key}, 3);
    ask(b, ASK_OLDEST,
        (struct slice[]){SLICE("XPENDING"), key, slice_of(b->trigger->consumer_group)}, 3);
}

struct backlog *backlog_new(struct loop *loop, struct redis_hub *hub, struct redis_options *options,
                            const struct trigger *trigger, void (*sampled)(void *ctx), void *ctx)
{
    struct backlog *b = mem_new(struct backlog);

    b->loop = loop;
    b->redis = redis_open(hub, options, REDIS_SHARED, "redgrid");
    b->trigger = trigger;
    b->sampled = sampled;
    b->ctx = ctx;
    return b;
}

void backlog_sample(struct backlog *b)
{
    if (b->unanswered > 0)
        return;
    b->sum = (struct backlog_sample){0};
    b->oldest_unix_ms = 0;
    b->key = 0;
    if (redis_is_ready(b->redis))
        ask_key(b);
    else
        end_round(b);
}

const struct backlog_sample *backlog_last(const struct backlog *b)
{
    return &b->last;
}

void backlog_free(struct backlog *b)
{
    if (b == NULL)
        return;
    if (b->unanswered > 0) {
        b->is_gone = true; /* end_key() frees when the last has ended */
        for (size_t i = 0; i < ASK_COUNT; i++)
            op_abort(&b->questions[i].call.op);
        return;
    }
    redis_close(b->redis);
    free(b);
}
