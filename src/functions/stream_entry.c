#include "functions/listener_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "functions/deadletter.h"
#include "functions/stream_plain.h"
#include "loop/timer.h"

#define KEEP_TEXT_BYTES (64 * 1024) /* a spare entry does not sit on more memory than this */

/* XADD the entry as it is now in the stream, then acknowledge it, so that no crash leaves half of
 * it. One that is no longer pending has run well elsewhere, or has its letter. KEYS: stream,
 * dead-letter stream. ARGV: group, id, "1" to delete, then the fixed fields. */
static const struct script bury_script = {
    .lua = "if #redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then\n"
           "  return 0\n"
           "end\n"
           "local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])\n"
           "local f = {}\n"
           "for i = 4, #ARGV do f[#f + 1] = ARGV[i] end\n"
           "if e[1] then\n"
           "  local v = e[1][2]\n"
           "  for i = 1, #v, 2 do f[#f + 1] = 'f:' .. v[i]; f[#f + 1] = v[i + 1] end\n"
           "  redis.call('XADD', KEYS[2], '*', unpack(f))\n"
           "end\n"
           "redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])\n"
           "if ARGV[3] == '1' then redis.call('XDEL', KEYS[1], ARGV[2]) end\n"
           "return e[1] and 1 or 0\n",
    .plain = stream_plain_bury,
};

/* KEYS: stream. ARGV: group, ids; unpack() is given a part that Lua's stack can hold. */
static const struct script ack_delete_script = {
    .lua = "local n = 0\n"
           "for i = 2, #ARGV, 1000 do\n"
           "  local last = math.min(i + 999, #ARGV)\n"
           "  n = n + redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, i, last))\n"
           "  redis.call('XDEL', KEYS[1], unpack(ARGV, i, last))\n"
           "end\n"
           "return n\n",
    .plain = stream_plain_ack_delete,
};

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why);
static void delivery_failed(struct stream_entry *e, enum err err, const struct cause *why);

static struct slice id_of(const struct stream_id_text *id)
{
    return (struct slice){id->text, id->len};
}

static struct stream_entry *entry_new(struct stream_listener *s, size_t key)
{
    struct list_node *node = list_shift(&s->spare);
    struct stream_entry *e;

    if (node != NULL) {
        e = container_of(node, struct stream_entry, job.node);
    } else {
        e = mem_new(struct stream_entry);
        e->listener = s;
        e->job.delivery.dispatcher = s->base.options.dispatcher;
        e->job.delivery.done = on_delivery_done;
        message_init(&e->job.delivery.message, s->base.message_max_bytes);
    }
    e->job.source = key;
    e->ids = &e->first;
    e->job.count = 0;
    e->deliveries = 1;
    return e;
}

static void entry_free(struct stream_entry *e)
{
    if (e->ids != &e->first)
        free(e->ids);
    delivery_release(&e->job.delivery);
    message_done(&e->job.delivery.message);
    free(e);
}

static void entry_release(struct stream_entry *e)
{
    list_remove(&e->job.node);
    if (e->ids != &e->first)
        free(e->ids);
    e->ids = &e->first;
    if (e->job.delivery.message.text.cap > KEEP_TEXT_BYTES ||
        e->job.delivery.binding_call != NULL) {
        entry_free(e);
        return;
    }
    list_unshift(&e->listener->spare,
                 &e->job.node); /* the one used last is in the processor's cache */
}

static bool copy_id(struct stream_id_text *to, const struct resp *id)
{
    if (id == NULL || id->text.len >= sizeof to->text)
        return false;
    memcpy(to->text, id->text.data, id->text.len);
    to->len = (uint32_t)id->text.len;
    return true;
}

static const struct resp *fields_of(const struct resp *entry)
{
    const struct resp *fields =
        entry->type == RESP_ARRAY && entry->count == 2 ? resp_child(entry, 1) : NULL;
    return fields != NULL && fields->type != RESP_NIL ? fields : NULL;
}

/* It did not fit, and fails as if it had run. */
static void refuse(struct stream_entry *e)
{
    struct stream_listener *s = e->listener;
    struct cause why = {0};
    char what[128];

    if (s->base.trigger->is_batch)
        snprintf(what, sizeof what, "a batch of %zu entries from %.*s on", e->job.count,
                 SLICE_ARG(id_of(&e->ids[0])));
    else
        snprintf(what, sizeof what, "entry %.*s", SLICE_ARG(id_of(&e->first)));
    delivery_failed(e, listener_too_large(&s->base, what, s->keys[e->job.source], &why), &why);
}

static void take_one(struct stream_listener *s, size_t key, const struct resp *entry,
                     uint64_t deliveries)
{
    const struct resp *fields = fields_of(entry);
    struct stream_entry *e = fields == NULL ? NULL : entry_new(s, key);

    if (e == NULL)
        return;
    if (!copy_id(&e->first, resp_child(entry, 0))) {
        entry_free(e); /* no id of Redis is so long */
        return;
    }
    e->job.count = 1;
    e->deliveries = deliveries;
    if (message_set_stream(&e->job.delivery.message, s->base.trigger, s->keys[key],
                           id_of(&e->first), fields, deliveries) == E_OK)
        slots_run(&s->slots, &e->job);
    else
        refuse(e);
}

static void take_batch(struct stream_listener *s, size_t key, const struct resp *entries,
                       const uint64_t *deliveries)
{
    const struct resp **kept = mem_new_array(entries->count, const struct resp *);
    struct stream_entry *e = entry_new(s, key);

    e->ids = mem_new_array(entries->count, struct stream_id_text);
    for (uint32_t i = 0; i < entries->count; i++) {
        const struct resp *entry = resp_child(entries, i);
        if (fields_of(entry) == NULL || !copy_id(&e->ids[e->job.count], resp_child(entry, 0)))
            continue;
        kept[e->job.count++] = entry;
        if (deliveries != NULL && deliveries[i] > e->deliveries)
            e->deliveries = deliveries[i];
    }
    enum err err = e->job.count == 0
                       ? E_EMPTY
                       : message_set_stream_batch(&e->job.delivery.message, s->base.trigger,
                                                  s->keys[key], kept, e->job.count);
    free(kept);
    if (err == E_OK)
        slots_run(&s->slots, &e->job);
    else if (err == E_EMPTY)
        entry_free(e);
    else
        refuse(e);
}

void stream_take(struct stream_listener *s, size_t key, const struct resp *entries,
                 const uint64_t *deliveries)
{
    if (entries == NULL || entries->type != RESP_ARRAY || entries->count == 0)
        return;
    if (s->base.trigger->is_batch) {
        take_batch(s, key, entries, deliveries);
        return;
    }
    const struct resp *entry = entries + 1;
    for (uint32_t i = 0; i < entries->count; i++, entry += entry->span)
        take_one(s, key, entry, deliveries == NULL ? 1 : deliveries[i]);
}

static bool list_holds_id(const struct list *list, size_t key, struct slice id)
{
    struct stream_entry *e;

    list_each (list, struct stream_entry, job.node, e) {
        for (size_t i = 0; e->job.source == key && i < e->job.count; i++)
            if (slice_eq(id_of(&e->ids[i]), id))
                return true;
    }
    return false;
}

bool stream_holds(const struct stream_listener *s, size_t key, struct slice id)
{
    return list_holds_id(&s->slots.running, key, id) || list_holds_id(&s->slots.waiting, key, id) ||
           list_holds_id(&s->acks.waiting, key, id);
}

/* --- acknowledging --- */

static void name_ids(struct job *job, struct slice *ret)
{
    struct stream_entry *e = container_of(job, struct stream_entry, job);

    for (size_t i = 0; i < job->count; i++)
        ret[i] = id_of(&e->ids[i]);
}

/* args: XACK, key, group, ids; the script wants them from the group on. */
static enum err send_ack(struct listener *listener, size_t source, struct slice *args, size_t count,
                         struct redis_call *call)
{
    struct stream_listener *s = container_of(listener, struct stream_listener, base);

    args[0] = SLICE("XACK");
    args[1] = s->keys[source];
    args[2] = s->group;
    if (listener->trigger->delete_after)
        return script_call(listener->commands, &ack_delete_script, &s->keys[source], 1, args + 2,
                           count - 2, call);
    return redis_call(listener->commands, args, count, call);
}

/* An id is acknowledged once, however often it is said. Of the server's errors only these are
 * final: the group or the stream is gone, and with it what we owe. */
static enum ack_verdict judge_ack(const struct redis_call *call, enum err err)
{
    bool is_gone = err == E_REDIS && (resp_is_error(call->reply->root, SLICE("NOGROUP")) ||
                                      resp_is_error(call->reply->root, SLICE("WRONGTYPE")));
    return err == E_OK || err == E_CANCELED || is_gone ? ACK_ENDED : ACK_AGAIN;
}

static void release_job(struct job *job)
{
    entry_release(container_of(job, struct stream_entry, job));
}

static void ack_ended(struct listener *listener, enum ack_verdict verdict)
{
    struct stream_listener *s = container_of(listener, struct stream_listener, base);

    (void)verdict;
    stream_turn(s);
    stream_maybe_stopped(s);
}

static const struct acks_kind acks_kind = {
    .head = 3,
    .name = name_ids,
    .send = send_ack,
    .judge = judge_ack,
    .release = release_job,
    .ended = ack_ended,
};

/* --- dead letters --- */

static enum err bury_send(struct stream_entry *e, size_t index)
{
    struct stream_listener *s = e->listener;
    struct buf text, dead_key;
    struct slice args[3 + DEAD_LETTER_FIELDS_MAX] = {
        s->group, id_of(&e->ids[index]), s->base.trigger->delete_after ? SLICE("1") : SLICE("0")};
    const struct dead_letter letter = {
        .function = s->base.options.dispatcher->function,
        .key = s->keys[e->job.source],
        .id = id_of(&e->ids[index]),
        .deliveries = e->deliveries,
        .error = slice_of(e->why.text),
        .unix_us = clock_unix_us(),
    };

    buf_init(&text, 16384);
    buf_init(&dead_key, 4096);
    dead_letter_key(&dead_key, letter.function, letter.key);
    size_t count = dead_letter_fields(&letter, &text, args + 3);
    struct slice keys[2] = {s->keys[e->job.source], buf_slice(&dead_key)};
    enum err err = script_call(s->base.commands, &bury_script, keys, 2, args, count + 3, &e->call);
    buf_done(&text);
    buf_done(&dead_key);
    return err;
}

static void log_buried(struct stream_entry *e, struct slice id)
{
    log_error("DEAD-LETTER", "%s entry %.*s was dead-lettered after %" PRIu64 " deliveries: %s",
              e->listener->base.prefix, SLICE_ARG(id), e->deliveries, e->why.text);
    listener_count(e->listener->base.dead_series, &e->listener->base.stats.dead_lettered);
}

static void bury_next(struct stream_entry *e);

static void on_bury_done(struct op *op, enum err err)
{
    struct stream_entry *e = container_of(op, struct stream_entry, call.op);
    struct stream_listener *s = e->listener;
    int64_t buried; /* 0: the entry was deleted meanwhile */

    s->settling--;
    if (err == E_OK) {
        if (resp_int(e->call.reply->root, &buried) && buried > 0)
            log_buried(e, id_of(&e->ids[e->job.count - 1]));
        e->job.count--;
    } else if (err == E_REDIS) {
        listener_complain(&s->base, err,
                          &op->why); /* OOM, NOPERM: it stays pending and comes back */
    }
    if (err == E_OK && e->job.count > 0)
        bury_next(e);
    else
        entry_release(e);
    stream_turn(s);
    stream_maybe_stopped(s);
}

static void bury_next(struct stream_entry *e)
{
    e->call.op.done = on_bury_done;
    e->listener->settling++;
    enum err err = bury_send(e, e->job.count - 1);
    if (err != E_OK)
        loop_later(e->listener->base.options.loop, &e->call.op, err);
}

void stream_bury(struct stream_listener *s, size_t key, struct slice id, uint64_t deliveries,
                 const char *error)
{
    struct stream_entry *e = entry_new(s, key);

    if (id.len >= sizeof e->first.text) {
        entry_free(e);
        return;
    }
    memcpy(e->first.text, id.data, id.len);
    e->first.len = (uint32_t)id.len;
    e->job.count = 1;
    e->deliveries = deliveries;
    (void)cause_set(&e->why, E_LIMIT, "%s", error);
    bury_next(e);
}

/* --- the end of a run --- */

static void delivery_failed(struct stream_entry *e, enum err err, const struct cause *why)
{
    struct stream_listener *s = e->listener;
    const struct trigger *trigger = s->base.trigger;

    if (trigger->ack_on_failure) {
        acks_add(&s->acks, &e->job);
    } else if (trigger->max_deliveries >= 0 && e->deliveries >= (uint64_t)trigger->max_deliveries) {
        (void)cause_set(&e->why, err, "%s", cause_text(why, err));
        bury_next(e);
    } else {
        series_add(s->base.failed_series, 1);
        entry_release(e);
        tender_at(s->tender, trigger->claim_idle_ms);
    }
}

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    struct stream_entry *e = container_of(delivery, struct stream_entry, job.delivery);
    struct stream_listener *s = e->listener;

    slots_ended(&s->slots, &e->job);
    if (err == E_OK)
        acks_add(&s->acks, &e->job);
    else if (err == E_CANCELED)
        entry_release(e); /* stays pending: whoever comes next runs it */
    else
        delivery_failed(e, err, why);
    stream_turn(s);
    stream_maybe_stopped(s);
}

static void free_all(struct list *entries)
{
    for (struct list_node *node; (node = list_shift(entries)) != NULL;)
        entry_free(container_of(node, struct stream_entry, job.node));
}

void stream_init_entries(struct stream_listener *s)
{
    const struct trigger *trigger = s->base.trigger;

    slots_init(&s->slots, trigger->is_batch ? 1 : trigger->count);
    acks_init(&s->acks, &acks_kind, &s->base);
    list_init(&s->spare);
}

void stream_free_entries(struct stream_listener *s)
{
    free_all(&s->slots.waiting); /* they stay pending */
    free_all(&s->acks.waiting);
    free_all(&s->spare);
    acks_done(&s->acks);
}
