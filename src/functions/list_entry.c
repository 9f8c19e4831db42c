/* What ends with an element of a processing list: it ran well, and LREM removes it; it failed, and
 * runs again or becomes a dead letter, which removes it too.
 *
 * Equal elements cannot be told apart there, so that a removal may take another one than was meant.
 * That loses nothing as long as each removal stands for one run that went well, or one dead letter:
 * then never more of them are gone than are done with. Hence a removal is asked for once. When its
 * answer is lost we forget the element: if the list still holds it, list_strays.c finds it there
 * and it runs again. To ask again would remove an equal one whose arrival that same outage hid. */
#include "functions/listener_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "functions/deadletter.h"
#include "functions/list_plain.h"
#include "loop/timer.h"

#define ELEMENT_MAX_BYTES (512u * 1024 * 1024)
#define KEEP_BYTES (64 * 1024) /* a spare entry does not sit on more memory than this */

/* What is refused in here is refused before the first element is removed, so that the refusal may
 * be answered by saying it again. The oldest elements are at the end that LREM's sign chooses.
 * KEYS: processing list, tries. ARGV: side, elements. */
static const struct script ack_script = {
    .lua = "local at = ARGV[1] == '1' and 1 or -1\n"
           "local gone = 0\n"
           "if redis.call('EXISTS', KEYS[2]) == 1 then\n"
           "  for i = 2, #ARGV do redis.call('HDEL', KEYS[2], redis.sha1hex(ARGV[i])) end\n"
           "end\n"
           "for i = 2, #ARGV do gone = gone + redis.call('LREM', KEYS[1], at, ARGV[i]) end\n"
           "return gone\n",
    .plain = list_plain_ack,
};

/* Written first and removed then: a refused write (OOM) ends a script, and takes nothing back.
 * KEYS: processing list, tries, dead-letter stream. ARGV: side, element, then the fixed fields. */
static const struct script bury_script = {
    .lua = "local f = {}\n"
           "for i = 3, #ARGV do f[#f + 1] = ARGV[i] end\n"
           "f[#f + 1] = 'element'\n"
           "f[#f + 1] = ARGV[2]\n"
           "local id = redis.call('XADD', KEYS[3], '*', unpack(f))\n"
           "if redis.call('LREM', KEYS[1], ARGV[1] == '1' and 1 or -1, ARGV[2]) == 0 then\n"
           "  redis.call('XDEL', KEYS[3], id)\n"
           "  if redis.call('XLEN', KEYS[3]) == 0 then redis.call('DEL', KEYS[3]) end\n"
           "  return 0\n"
           "end\n"
           "redis.call('HDEL', KEYS[2], redis.sha1hex(ARGV[2]))\n"
           "return 1\n",
    .plain = list_plain_bury,
};

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why);
static void delivery_failed(struct list_entry *e, enum err err, const struct cause *why);

struct slice list_side(const struct list_listener *l)
{
    return l->base.trigger->pops_head ? SLICE("1") : SLICE("0");
}

void list_turn(struct list_listener *l)
{
    loop_at_turn_end(l->base.options.loop, &l->turn);
}

static struct list_entry *entry_new(struct list_listener *l, size_t source)
{
    struct list_node *node = list_shift(&l->spare);
    struct list_entry *e;

    if (node != NULL) {
        e = container_of(node, struct list_entry, job.node);
        buf_clear(&e->element);
    } else {
        e = mem_new(struct list_entry);
        e->listener = l;
        e->job.delivery.dispatcher = l->base.options.dispatcher;
        e->job.delivery.done = on_delivery_done;
        message_init(&e->job.delivery.message, l->base.message_max_bytes);
        buf_init(&e->element, ELEMENT_MAX_BYTES);
    }
    list_push(&l->held, &e->held);
    e->job.source = source;
    e->job.count = 0;
    e->deliveries = 1;
    return e;
}

static void entry_free(struct list_entry *e)
{
    list_remove(&e->held);
    free(e->lengths);
    buf_done(&e->element);
    delivery_release(&e->job.delivery);
    message_done(&e->job.delivery.message);
    free(e);
}

static void entry_release(struct list_entry *e)
{
    list_remove(&e->job.node);
    list_remove(&e->held);
    free(e->lengths);
    e->lengths = NULL;
    if (e->job.delivery.message.text.cap + e->element.cap > KEEP_BYTES ||
        e->job.delivery.binding_call != NULL)
        entry_free(e);
    else
        list_unshift(&e->listener->spare, &e->job.node);
}

struct slice list_entry_element(const struct list_entry *e, size_t index)
{
    size_t start = 0;

    if (e->lengths == NULL)
        return buf_slice(&e->element);
    for (size_t i = 0; i < index; i++)
        start += e->lengths[i];
    return slice_first(slice_from(buf_slice(&e->element), start), e->lengths[index]);
}

/* It did not fit, and fails as if it had run. */
static void refuse(struct list_entry *e)
{
    struct list_listener *l = e->listener;
    struct cause why = {0};
    char what[128];

    if (l->base.trigger->is_batch)
        snprintf(what, sizeof what, "a batch of %zu elements", e->job.count);
    else
        snprintf(what, sizeof what, "an element of %zu bytes", e->element.len);
    delivery_failed(e, listener_too_large(&l->base, what, l->sources[e->job.source].key, &why),
                    &why);
    list_turn(l);
}

/* Fills the message (anew, when it runs again) and runs it. */
static void run(struct list_entry *e)
{
    struct list_listener *l = e->listener;
    struct message *message = &e->job.delivery.message;
    enum err err;

    if (e->lengths == NULL) {
        err = message_set_list(message, l->base.trigger, l->sources[e->job.source].key,
                               buf_slice(&e->element), e->deliveries);
    } else {
        struct slice *elements = mem_new_array(e->job.count, struct slice);
        for (size_t i = 0; i < e->job.count; i++)
            elements[i] = list_entry_element(e, i);
        err = message_set_list_batch(message, l->base.trigger, l->sources[e->job.source].key,
                                     elements, e->job.count);
        free(elements);
    }
    if (err == E_OK)
        slots_run(&l->slots, &e->job);
    else
        refuse(e);
}

void list_take_one(struct list_listener *l, size_t source, struct slice element)
{
    struct list_entry *e = entry_new(l, source);

    buf_add(&e->element, element);
    e->job.count = 1;
    if (l->base.trigger->is_batch) {
        e->lengths = mem_new(size_t);
        e->lengths[0] = element.len;
    }
    run(e);
}

static uint64_t tries_of(const struct resp *tries, uint32_t index)
{
    const struct resp *node = tries == NULL ? NULL : resp_child(tries, index);
    int64_t value;
    return node != NULL && resp_int(node, &value) && value > 0 ? (uint64_t)value : 0;
}

static void take_batch(struct list_listener *l, size_t source, const struct resp *elements,
                       const struct resp *tries)
{
    struct list_entry *e = entry_new(l, source);
    const struct resp *element = elements + 1;

    e->lengths = mem_new_array(elements->count, size_t);
    for (uint32_t i = 0; i < elements->count; i++, element += element->span) {
        buf_add(&e->element, element->text);
        e->lengths[e->job.count++] = element->text.len;
        if (tries_of(tries, i) + 1 > e->deliveries)
            e->deliveries = tries_of(tries, i) + 1;
    }
    run(e);
}

void list_take(struct list_listener *l, size_t source, const struct resp *elements,
               const struct resp *tries)
{
    const struct resp *element = elements + 1;

    if (l->base.trigger->is_batch) {
        take_batch(l, source, elements, tries);
        return;
    }
    for (uint32_t i = 0; i < elements->count; i++, element += element->span) {
        struct list_entry *e = entry_new(l, source);
        buf_add(&e->element, element->text);
        e->job.count = 1;
        e->deliveries = tries_of(tries, i) + 1;
        run(e);
    }
}

/* --- removing what succeeded --- */

static void name_elements(struct job *job, struct slice *ret)
{
    struct list_entry *e = container_of(job, struct list_entry, job);

    for (size_t i = 0; i < job->count; i++)
        ret[i] = list_entry_element(e, i);
}

static enum err send_ack(struct listener *listener, size_t source, struct slice *args, size_t count,
                         struct redis_call *call)
{
    struct list_listener *l = container_of(listener, struct list_listener, base);
    const struct slice keys[] = {l->sources[source].processing, l->sources[source].tries};

    args[0] = list_side(l);
    return script_call(listener->commands, &ack_script, keys, COUNT_OF(keys), args, count, call);
}

static enum ack_verdict judge_ack(const struct redis_call *call, enum err err)
{
    if (err == E_OK || (err == E_REDIS && resp_is_error(call->reply->root, SLICE("WRONGTYPE"))))
        return ACK_ENDED;
    return err == E_REDIS ? ACK_AGAIN : ACK_LOST;
}

static void release_job(struct job *job)
{
    entry_release(container_of(job, struct list_entry, job));
}

static void ack_ended(struct listener *listener, enum ack_verdict verdict)
{
    struct list_listener *l = container_of(listener, struct list_listener, base);

    if (verdict == ACK_LOST)
        list_answer_lost(l);
    list_turn(l);
    list_maybe_stopped(l);
}

static const struct acks_kind acks_kind = {
    .head = 1,
    .name = name_elements,
    .send = send_ack,
    .judge = judge_ack,
    .release = release_job,
    .ended = ack_ended,
};

/* --- failures --- */

static void set_failed_timer(struct list_listener *l)
{
    uint64_t now = loop_now_ms(l->base.options.loop);

    if (l->failed_count == 0)
        return;
    struct list_entry *first = container_of(l->failed.head.next, struct list_entry, job.node);
    timer_set(l->failed_timer, first->due_at_ms > now ? first->due_at_ms - now : 0);
}

/* All wait equally long, so the list is in the order of their time. */
static void on_failed_due(void *ctx)
{
    struct list_listener *l = ctx;
    uint64_t now = loop_now_ms(l->base.options.loop);

    while (l->failed_count > 0 && !l->base.is_stopping) {
        struct list_entry *e = container_of(l->failed.head.next, struct list_entry, job.node);
        if (e->due_at_ms > now)
            break;
        list_remove(&e->job.node);
        l->failed_count--;
        e->deliveries++;
        listener_count(l->base.redelivered_series, &l->base.stats.redelivered);
        run(e);
    }
    set_failed_timer(l);
}

static void run_later(struct list_entry *e)
{
    struct list_listener *l = e->listener;

    if (l->failed_timer == NULL)
        l->failed_timer = timer_new(l->base.options.loop, on_failed_due, l);
    e->due_at_ms = loop_now_ms(l->base.options.loop) + l->base.trigger->claim_idle_ms;
    list_push(&l->failed, &e->job.node);
    l->failed_count++;
    set_failed_timer(l);
}

static void bury_next(struct list_entry *e);

static void tell_buried(struct list_entry *e)
{
    struct list_listener *l = e->listener;

    log_error("DEAD-LETTER", "%s an element was dead-lettered after %" PRIu64 " deliveries: %s",
              l->base.prefix, e->deliveries, e->why.text);
    listener_count(l->base.dead_series, &l->base.stats.dead_lettered);
}

/* The script answers 0 for what is no longer ours: another node has it, and will tell. */
static bool was_buried(const struct resp *root)
{
    int64_t count;

    return resp_int(root, &count) && count > 0;
}

static void on_bury_done(struct op *op, enum err err)
{
    struct list_entry *e = container_of(op, struct list_entry, call.op);
    struct list_listener *l = e->listener;

    l->settling--;
    bool is_lost = e->has_left && err != E_OK && err != E_REDIS;
    if (err == E_REDIS)
        listener_complain(&l->base, err,
                          &op->why); /* OOM, NOPERM: it stays in the processing list */
    if (err == E_OK && was_buried(e->call.reply->root))
        tell_buried(e);
    if (is_lost)
        list_answer_lost(l);
    if (err == E_OK || is_lost)
        e->job.count--;
    if (e->job.count == 0)
        entry_release(e);
    else if (err == E_OK)
        bury_next(e);
    else
        run_later(e);
    list_turn(l);
    list_maybe_stopped(l);
}

static void bury_next(struct list_entry *e)
{
    struct list_listener *l = e->listener;
    const struct list_source *source = &l->sources[e->job.source];
    struct slice args[2 + DEAD_LETTER_FIELDS_MAX] = {list_side(l),
                                                     list_entry_element(e, e->job.count - 1)};
    const struct slice keys[] = {source->processing, source->tries, source->dead};
    const struct dead_letter letter = {
        .function = l->base.options.dispatcher->function,
        .key = source->key,
        .deliveries = e->deliveries,
        .error = slice_of(e->why.text),
        .unix_us = clock_unix_us(),
    };
    struct buf text;

    buf_init(&text, 16384);
    size_t count = dead_letter_fields(&letter, &text, args + 2);
    e->call.op.done = on_bury_done;
    l->settling++;
    enum err err = script_call(l->base.commands, &bury_script, keys, COUNT_OF(keys), args,
                               2 + count, &e->call);
    e->has_left = err == E_OK;
    if (err != E_OK)
        loop_later(l->base.options.loop, &e->call.op, err);
    buf_done(&text);
}

static void delivery_failed(struct list_entry *e, enum err err, const struct cause *why)
{
    struct list_listener *l = e->listener;
    const struct trigger *trigger = l->base.trigger;

    if (!trigger->is_reliable) {
        listener_count(l->base.dropped_series, &l->base.stats.dropped);
        entry_release(e);
    } else if (trigger->ack_on_failure) {
        acks_add(&l->acks, &e->job);
    } else if (trigger->max_deliveries >= 0 && e->deliveries >= (uint64_t)trigger->max_deliveries) {
        (void)cause_set(&e->why, err, "%s", cause_text(why, err));
        bury_next(e);
    } else {
        series_add(l->base.failed_series, 1);
        run_later(e);
    }
}

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    struct list_entry *e = container_of(delivery, struct list_entry, job.delivery);
    struct list_listener *l = e->listener;
    bool is_reliable = l->base.trigger->is_reliable;

    slots_ended(&l->slots, &e->job);
    if (err == E_OK && is_reliable) {
        acks_add(&l->acks, &e->job);
    } else if (err == E_OK) {
        listener_count(l->base.acknowledged_series, &l->base.stats.acknowledged);
        entry_release(e);
    } else if (err == E_CANCELED && is_reliable) {
        entry_release(e); /* it is in the processing list, from where it is given back */
    } else {
        delivery_failed(e, err, why);
    }
    list_turn(l);
    list_maybe_stopped(l);
}

static void free_all(struct list *entries)
{
    for (struct list_node *node; (node = list_shift(entries)) != NULL;)
        entry_free(container_of(node, struct list_entry, job.node));
}

void list_init_entries(struct list_listener *l)
{
    const struct trigger *trigger = l->base.trigger;

    slots_init(&l->slots, trigger->is_batch ? 1 : trigger->count);
    acks_init(&l->acks, &acks_kind, &l->base);
    list_init(&l->failed);
    list_init(&l->spare);
    list_init(&l->held);
}

void list_free_entries(struct list_listener *l)
{
    free_all(&l->slots.waiting);
    free_all(&l->acks.waiting);
    free_all(&l->failed);
    free_all(&l->spare);
    acks_done(&l->acks);
    timer_free(l->failed_timer);
}
