/* TAKEN --deliver--> judged --> finished, parked or dead --told--> freed
 * Canceled (the daemon leaves): freed at once; the entry stays pending, and whoever takes over
 * finds it as it was. */
#include "router/shipment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/sha1.h"
#include "router/entry.h"

#define TEXTS_MAX_BYTES 1024
#define MESSAGE_ID "msg_"
#define MESSAGE_ID_BYTES (sizeof MESSAGE_ID - 1 + SHA1_HEX_BYTES)

struct shipment {
    struct op op;
    struct subscriber *subscriber;
    struct list_node node;
    struct parcel parcel;
    struct parcel_result result;
    char id[MESSAGE_ID_BYTES];
    size_t count;
    struct held **held;    /* the pairs of one are in the room below, */
    struct event **events; /* those of a batch behind it */
    void *room[2];
};

/* ---- entries ---- */

/* "failed outcome status attempted": what the last park left. */
static void write_state(struct held *held)
{
    struct ending *ending = &held->ending;
    ending->state_len = (size_t)snprintf(
        ending->state, sizeof ending->state, "%" PRIu32 " %u %u %" PRIu64, held->failed,
        (unsigned)held->outcome, held->http_status, held->attempted_unix_ms);
}

static bool next_number(struct slice *rest, uint64_t *ret)
{
    struct slice word;
    return slice_cut(rest, ' ', &word) && slice_to_u64(word, ret);
}

static void read_state(struct held *held, struct slice state)
{
    uint64_t failed, outcome, status, attempted;

    if (!next_number(&state, &failed) || !next_number(&state, &outcome) ||
        !next_number(&state, &status) || !next_number(&state, &attempted))
        return;
    held->failed = (uint32_t)failed;
    held->outcome = outcome <= OUTCOME_OTHER ? (enum outcome)outcome : OUTCOME_OTHER;
    held->http_status = (unsigned)status;
    held->attempted_unix_ms = attempted;
}

struct held *held_new(struct subscriber *subscriber, const struct queue_entry *entry)
{
    struct held *held;

    if (entry->id.len > sizeof held->ending.id)
        return NULL; /* not one of Redis */
    held = mem_new(struct held);
    held->subscriber = subscriber;
    held->accepted_unix_ms = entry->accepted_unix_ms;
    held->ending.id_len = entry->id.len;
    memcpy(held->ending.id, entry->id.data, entry->id.len);
    buf_init(&held->texts, TEXTS_MAX_BYTES);
    read_state(held, entry->state);
    held->event =
        entry_event(&subscriber->options.rules, entry, subscriber->options.subscription->name);
    list_push(&subscriber->held, &held->node);
    subscriber->in_flight++;
    return held;
}

void held_free(struct held *held)
{
    list_remove(&held->node);
    held->subscriber->in_flight--;
    event_unref(held->event);
    buf_done(&held->texts);
    free(held);
}

/* ---- endings ---- */

static struct slice number_text(struct buf *texts, uint64_t number)
{
    size_t at = texts->len;
    buf_add_u64(texts, number);
    return slice_from(buf_slice(texts), at);
}

static struct delivery_note note_of(const struct held *held)
{
    return (struct delivery_note){.event = held->event,
                                  .attempt = held->failed,
                                  .outcome = held->outcome,
                                  .http_status = held->http_status,
                                  .accepted_unix_ms = held->accepted_unix_ms};
}

void held_bury(struct held *held, const char *reason)
{
    struct ending *ending = &held->ending;
    struct buf *texts = &held->texts;
    const struct delivery_note note = note_of(held);
    bool was_tried = held->outcome != OUTCOME_DELIVERED;

    (void)buf_reserve(texts, TEXTS_MAX_BYTES); /* the slices below stay where they are */
    const struct queue_field fields[] = {
        {SLICE("reason"), slice_of(reason)},
        {SLICE("attempts"), number_text(texts, held->failed)},
        {SLICE("accepted"), number_text(texts, held->accepted_unix_ms)},
        {SLICE("outcome"), slice_of(was_tried ? outcome_name(held->outcome) : "")},
        {SLICE("status"), number_text(texts, held->http_status)},
        {SLICE("attempted"), number_text(texts, held->attempted_unix_ms)},
    };
    memcpy(ending->fields, fields, sizeof fields);
    ending->field_count = COUNT_OF(fields);
    ending->kind = ENDING_BURY;
    tally_dead(held->subscriber->options.tally, &note, reason);
    log_warn("DELIVERY-DEAD", "%s: event %.*s is a dead letter after %" PRIu32 " attempts: %s%s%s",
             held->subscriber->options.subscription->name, (int)ending->id_len, ending->id,
             held->failed, reason, was_tried ? ", the last: " : "",
             was_tried ? outcome_name(held->outcome) : "");
    endings_add(&held->subscriber->endings, ending);
}

static void park(struct held *held, uint64_t due_unix_ms)
{
    const struct delivery_note note = note_of(held);

    held->ending.kind = ENDING_PARK;
    held->ending.due_unix_ms = due_unix_ms;
    write_state(held);
    tally_parked(held->subscriber->options.tally, &note, due_unix_ms);
    endings_add(&held->subscriber->endings, &held->ending);
}

static void finish(struct held *held, const struct parcel_result *result)
{
    struct delivery_note note = note_of(held);

    note.attempt++;
    note.http_status = result->http_status;
    tally_delivered(held->subscriber->options.tally, &note);
    held->ending.kind = ENDING_FINISH;
    endings_add(&held->subscriber->endings, &held->ending);
}

static void fail(struct held *held, const struct parcel_result *result)
{
    const struct subscription *subscription = held->subscriber->options.subscription;
    uint64_t delay_ms, now_unix_ms = held->subscriber->options.unix_ms();

    held->failed++;
    held->outcome = result->outcome;
    held->http_status = result->http_status;
    held->attempted_unix_ms = now_unix_ms;
    const struct delivery_note note = note_of(held);
    tally_failed(held->subscriber->options.tally, &note);
    const char *reason = schedule_next(&subscription->retry,
                                       &(struct attempt){.number = held->failed,
                                                         .outcome = result->outcome,
                                                         .http_status = result->http_status,
                                                         .retry_after_ms = result->retry_after_ms},
                                       rand_unit(), &delay_ms);
    if (reason != NULL)
        held_bury(held, reason);
    else
        park(held, now_unix_ms + delay_ms);
}

/* ---- the attempt ---- */

/* Answers that blame the event say nothing of the endpoint. */
static bool is_endpoint_ill(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_TIMED_OUT:
    case OUTCOME_BUSY:
    case OUTCOME_SOCKET_ERROR:
    case OUTCOME_RESOLUTION_ERROR:
    case OUTCOME_NO_FUNCTION:
    case OUTCOME_OTHER:
        return true;
    default:
        return false;
    }
}

static void tell_breaker(struct subscriber *s, enum outcome outcome)
{
    const char *name = s->options.subscription->name;

    if (!is_endpoint_ill(outcome)) {
        if (breaker_succeeded(&s->breaker))
            log_info("ENDPOINT-BACK", "%s: its endpoint answers again", name);
    } else if (breaker_failed(&s->breaker, loop_now_ms(s->options.loop))) {
        log_warn("ENDPOINT-RESTS",
                 "%s: %" PRIu32 " attempts in a row failed (%s); one at a time "
                 "is made until one succeeds",
                 name, s->breaker.failures, outcome_name(outcome));
    }
}

static void on_delivered(struct op *op, enum err err)
{
    struct shipment *d = container_of(op, struct shipment, op);
    struct subscriber *s = d->subscriber;

    list_remove(&d->node);
    if (err == E_OK)
        tell_breaker(s, d->result.outcome);
    for (size_t i = 0; i < d->count; i++) {
        if (err != E_OK)
            held_free(d->held[i]);
        else if (d->result.outcome == OUTCOME_DELIVERED)
            finish(d->held[i], &d->result);
        else
            fail(d->held[i], &d->result);
    }
    free(d);
    if (s->options.subscription->order_by != NULL)
        s->due_unix_ms = 0; /* asked right behind the finish, whose fsync then serves both */
    subscriber_pump(s);
}

/* By the places of the events in their queue, not by the ids that publishers gave them, which may
 * repeat: who drops what he has seen must not drop an event. A batch that is made up of other
 * events the next time is another message. */
static struct slice write_id(struct shipment *d)
{
    const struct subscriber_options *options = &d->subscriber->options;
    struct buf text;

    buf_init(&text, (d->count + 1) * (ENDING_ID_BYTES + 1) + TEXTS_MAX_BYTES);
    buf_add(&text, slice_first(options->rules.topic, TEXTS_MAX_BYTES / 2));
    buf_addf(&text, "\n%s", options->subscription->name);
    for (size_t i = 0; i < d->count; i++)
        buf_addf(&text, "\n%.*s", (int)d->held[i]->ending.id_len, d->held[i]->ending.id);
    memcpy(d->id, MESSAGE_ID, sizeof MESSAGE_ID - 1);
    sha1_hex(buf_slice(&text), d->id + sizeof MESSAGE_ID - 1);
    buf_done(&text);
    return (struct slice){d->id, sizeof d->id};
}

void shipment_start(struct subscriber *subscriber, struct held *const *held, size_t count)
{
    struct target *target = subscriber->options.target;
    size_t bytes = sizeof(struct shipment) + 2 * (count - 1) * sizeof(void *);
    struct shipment *d = mem_zeroed(1, bytes);

    d->subscriber = subscriber;
    d->op.done = on_delivered;
    d->count = count;
    d->held = (struct held **)(void *)d->room;
    d->events = (struct event **)(void *)(d->held + count);
    for (size_t i = 0; i < count; i++) {
        d->held[i] = held[i];
        d->events[i] = held[i]->event;
    }
    d->parcel = (struct parcel){.subscription = subscriber->options.subscription,
                                .events = d->events,
                                .count = count,
                                .attempt = held[0]->failed + 1};
    if (d->parcel.subscription->destination.signing.is_enabled)
        d->parcel.id = write_id(d);
    list_push(&subscriber->shipments, &d->node);
    enum err err = target->deliver(target, &d->parcel, &d->result, &d->op);
    if (err == E_OK)
        return;
    d->result = (struct parcel_result){.outcome = outcome_of(0, err)};
    loop_later(subscriber->options.loop, &d->op, E_OK);
}

void shipment_abort_all(struct subscriber *subscriber)
{
    struct shipment *d;

    list_each (&subscriber->shipments, struct shipment, node, d)
        op_abort(&d->op);
}
