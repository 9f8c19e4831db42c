#include "functions/listener_stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "functions/deadletter.h"
#include "loop/timer.h"

#define MESSAGE_MAX_BYTES                                                                          \
    (1536u * 1024 * 1024)           /* a value of 512 MiB, once as payload and twice as metadata */
#define KEEP_TEXT_BYTES (64 * 1024) /* a spare entry does not sit on more memory than this */
#define ACK_RETRY_MS 200

/* XADD the entry as it is now in the stream, then acknowledge it, so that no crash leaves half of
 * it. KEYS: stream, dead-letter stream. ARGV: group, id, "1" to delete, then the fixed fields. */
static const char bury_script[] =
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
    "return e[1] and 1 or 0\n";

static const char ack_delete_script[] = "local n = redis.call('XACK', KEYS[1], unpack(ARGV))\n"
                                        "redis.call('XDEL', KEYS[1], unpack(ARGV, 2))\n"
                                        "return n\n";

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why);

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
        message_init(&e->job.delivery.message, MESSAGE_MAX_BYTES);
    }
    e->key = key;
    e->ids = &e->first;
    e->id_count = 0;
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

static void take_one(struct stream_listener *s, size_t key, const struct resp *entry,
                     uint64_t deliveries)
{
    const struct resp *fields = fields_of(entry);
    struct stream_entry *e = fields == NULL ? NULL : entry_new(s, key);

    if (e == NULL)
        return;
    if (!copy_id(&e->first, resp_child(entry, 0)) ||
        message_set_stream(&e->job.delivery.message, s->base.trigger, s->keys[key],
                           id_of(&e->first), fields, deliveries)) {
        entry_free(e); /* stays pending; the limit is the server's own */
        return;
    }
    e->id_count = 1;
    e->deliveries = deliveries;
    slots_run(&s->slots, &e->job);
}

static void take_batch(struct stream_listener *s, size_t key, const struct resp *entries,
                       const uint64_t *deliveries)
{
    const struct resp **kept = mem_new_array(entries->count, const struct resp *);
    struct stream_entry *e = entry_new(s, key);

    e->ids = mem_new_array(entries->count, struct stream_id_text);
    for (uint32_t i = 0; i < entries->count; i++) {
        const struct resp *entry = resp_child(entries, i);
        if (fields_of(entry) == NULL || !copy_id(&e->ids[e->id_count], resp_child(entry, 0)))
            continue;
        kept[e->id_count++] = entry;
        if (deliveries != NULL && deliveries[i] > e->deliveries)
            e->deliveries = deliveries[i];
    }
    enum err err = e->id_count == 0
                       ? E_EMPTY
                       : message_set_stream_batch(&e->job.delivery.message, s->base.trigger,
                                                  s->keys[key], kept, e->id_count);
    free(kept);
    if (err == E_OK)
        slots_run(&s->slots, &e->job);
    else
        entry_free(e);
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
        for (size_t i = 0; e->key == key && i < e->id_count; i++)
            if (slice_eq(id_of(&e->ids[i]), id))
                return true;
    }
    return false;
}

bool stream_holds(const struct stream_listener *s, size_t key, struct slice id)
{
    return list_holds_id(&s->slots.running, key, id) || list_holds_id(&s->slots.waiting, key, id) ||
           list_holds_id(&s->acks, key, id);
}

/* --- acknowledging --- */

static void on_ack_timer(void *ctx)
{
    stream_turn(ctx);
}

static void on_ack_done(struct op *op, enum err err)
{
    struct stream_ack *ack = container_of(op, struct stream_ack, call.op);
    struct stream_listener *s = ack->listener;
    struct stream_entry *e;
    /* An error of the server other than these is final: the group or the stream is gone, and with
     * it what we owe. */
    bool is_again = err == E_CLOSED || err == E_TIMEOUT || err == E_LIMIT ||
                    (err == E_REDIS && !resp_is_error(ack->call.reply->root, SLICE("NOGROUP")) &&
                     !resp_is_error(ack->call.reply->root, SLICE("WRONGTYPE")));

    s->settling--;
    listener_ack_ended(&s->base, is_again ? err : E_OK, &op->why);
    list_each (&ack->entries, struct stream_entry, job.node, e) {
        list_remove(&e->job.node);
        if (is_again && !s->base.is_stopping) {
            list_push(&s->acks, &e->job.node);
            s->ack_count++;
            continue;
        }
        if (err == E_OK) {
            s->base.stats.acknowledged += e->id_count;
            series_add(s->base.acknowledged_series, (double)e->id_count);
        }
        s->unacknowledged--;
        entry_release(e);
    }
    free(ack);
    if (is_again && s->ack_count > 0) {
        if (s->ack_timer == NULL)
            s->ack_timer = timer_new(s->base.options.loop, on_ack_timer, s);
        timer_set(s->ack_timer, ACK_RETRY_MS);
    } else {
        stream_turn(s);
    }
    stream_maybe_stopped(s);
}

/* args: XACK, key, group, ids; the script wants them from the group on. */
static enum err ack_send(struct stream_ack *ack, size_t key, const struct slice *args, size_t count)
{
    struct stream_listener *s = ack->listener;

    if (s->base.trigger->delete_after)
        return script_call(s->base.commands, ack_delete_script, &s->keys[key], 1, args + 2,
                           count - 2, &ack->call);
    return redis_call(s->base.commands, args, count, &ack->call);
}

/* One XACK for all that ended since the last turn and has the first's key. */
static bool send_some_acks(struct stream_listener *s)
{
    struct stream_entry *first = container_of(s->acks.head.next, struct stream_entry, job.node), *e;
    struct stream_ack *ack = mem_new(struct stream_ack);
    size_t limit = 3 + (first->id_count > STREAM_ACKS_MAX ? first->id_count : STREAM_ACKS_MAX),
           count = 3;
    struct slice *args = mem_new_array(limit, struct slice);

    args[0] = SLICE("XACK");
    args[1] = s->keys[first->key];
    args[2] = s->group;
    ack->listener = s;
    ack->call.op.done = on_ack_done;
    list_init(&ack->entries);
    list_each (&s->acks, struct stream_entry, job.node, e) {
        if (e->key != first->key)
            continue;
        if (count + e->id_count > limit)
            break;
        for (size_t i = 0; i < e->id_count; i++)
            args[count++] = id_of(&e->ids[i]);
        list_remove(&e->job.node);
        list_push(&ack->entries, &e->job.node);
        s->ack_count--;
    }
    s->settling++;
    enum err err = ack_send(ack, first->key, args, count);
    free(args);
    if (err != E_OK)
        loop_later(s->base.options.loop, &ack->call.op, E_CLOSED);
    return err == E_OK;
}

void stream_send_acks(struct stream_listener *s)
{
    if (s->ack_timer != NULL && timer_is_set(s->ack_timer))
        return;
    while (s->ack_count > 0 && send_some_acks(s))
        ;
}

/* --- dead letters --- */

static enum err bury_send(struct stream_entry *e, size_t index)
{
    struct stream_listener *s = e->listener;
    struct buf text, dead_key;
    struct slice args[3 + DEAD_LETTER_FIELDS_MAX] = {
        s->group, id_of(&e->ids[index]), s->base.trigger->delete_after ? SLICE("1") : SLICE("0")};
    const struct dead_letter letter = {
        .function = s->base.options.dispatcher->function,
        .key = s->keys[e->key],
        .id = id_of(&e->ids[index]),
        .deliveries = e->deliveries,
        .error = slice_of(e->why.text),
        .unix_us = clock_unix_us(),
    };

    buf_init(&text, 16384);
    buf_init(&dead_key, 4096);
    dead_letter_key(&dead_key, letter.function, letter.key);
    size_t count = dead_letter_fields(&letter, &text, args + 3);
    struct slice keys[2] = {s->keys[e->key], buf_slice(&dead_key)};
    enum err err = script_call(s->base.commands, bury_script, keys, 2, args, count + 3, &e->call);
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
            log_buried(e, id_of(&e->ids[e->id_count - 1]));
        e->id_count--;
    } else if (err == E_REDIS) {
        listener_complain(&s->base, err,
                          &op->why); /* OOM, NOPERM: it stays pending and comes back */
    }
    if (err == E_OK && e->id_count > 0)
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
    enum err err = bury_send(e, e->id_count - 1);
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
    e->id_count = 1;
    e->deliveries = deliveries;
    (void)cause_set(&e->why, E_LIMIT, "%s", error);
    bury_next(e);
}

/* --- the end of a run --- */

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    struct stream_entry *e = container_of(delivery, struct stream_entry, job.delivery);
    struct stream_listener *s = e->listener;
    const struct trigger *trigger = s->base.trigger;

    slots_ended(&s->slots, &e->job);
    if (err == E_OK || (trigger->ack_on_failure && err != E_CANCELED)) {
        list_push(&s->acks, &e->job.node);
        s->ack_count++;
        s->unacknowledged++;
    } else if (err == E_CANCELED) {
        entry_release(e); /* stays pending: whoever comes next runs it */
    } else if (trigger->max_deliveries >= 0 && e->deliveries >= (uint64_t)trigger->max_deliveries) {
        (void)cause_set(&e->why, err, "%s", cause_text(why, err));
        bury_next(e);
    } else {
        series_add(s->base.failed_series, 1);
        entry_release(e);
        tender_at(s->tender, trigger->claim_idle_ms);
    }
    stream_turn(s);
    stream_maybe_stopped(s);
}

static void free_all(struct list *entries)
{
    for (struct list_node *node; (node = list_shift(entries)) != NULL;)
        entry_free(container_of(node, struct stream_entry, job.node));
}

void stream_free_entries(struct stream_listener *s)
{
    free_all(&s->slots.waiting); /* they stay pending */
    free_all(&s->acks);
    free_all(&s->spare);
    timer_free(s->ack_timer);
}
