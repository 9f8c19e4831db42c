/* A parcel becomes runs, each a job in the function's slots. Nothing is acknowledged here: how the
 * last run of a parcel ends is how its arrival ends, and the router keeps the events until then. */
#include "functions/listener_event.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "event/write.h"
#include "functions/slots.h"
#include "loop/loop.h"

#define PARCEL_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct event_job {
    struct job job;
    struct arrival *arrival;
};

struct event_listener {
    struct listener base;
    struct slots slots;
    struct list arrivals;
    struct turn turn;
};

static struct event_listener *of(struct listener *listener)
{
    return container_of(listener, struct event_listener, base);
}

static void maybe_stopped(struct event_listener *l)
{
    struct op *op = l->base.stop_op;

    if (op == NULL || !list_is_empty(&l->arrivals))
        return;
    l->base.stop_op = NULL;
    loop_later(l->base.options.loop, op, E_OK);
}

/* ---- how it ends ---- */

static void end(struct arrival *arrival)
{
    struct event_listener *l = of(arrival->listener);
    struct cause why = arrival->why;

    for (size_t i = 0; i < arrival->job_count; i++) {
        delivery_release(&arrival->jobs[i].job.delivery);
        message_done(&arrival->jobs[i].job.delivery.message);
    }
    free(arrival->jobs);
    arrival->jobs = NULL;
    arrival->listener = NULL;
    list_remove(&arrival->node);
    arrival->ended(arrival, arrival->err, &why);
    loop_at_turn_end(l->base.options.loop, &l->turn);
    maybe_stopped(l);
}

/* A failure says more than a cancellation, which may have come of it. */
static void note(struct arrival *arrival, enum err err, const struct cause *why)
{
    if (err == E_OK || (arrival->err != E_OK && arrival->err != E_CANCELED))
        return;
    arrival->err = err;
    if (why != NULL)
        arrival->why = *why;
}

static void on_delivery_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    struct event_job *job = container_of(delivery, struct event_job, job.delivery);
    struct arrival *arrival = job->arrival;
    struct event_listener *l = of(arrival->listener);

    slots_ended(&l->slots, &job->job);
    if (err == E_OK)
        listener_count(l->base.acknowledged_series, &l->base.stats.acknowledged);
    else if (err != E_CANCELED)
        series_add(l->base.failed_series, 1);
    note(arrival, err, why);
    if (--arrival->left == 0)
        end(arrival);
    else
        loop_at_turn_end(l->base.options.loop, &l->turn);
}

/* Those of its runs that wait for a slot never begin. */
static void give_back(struct event_listener *l, struct arrival *arrival)
{
    struct list waiting;
    struct list_node *node;

    list_init(&waiting);
    for (struct job *job; (job = slots_take_waiting(&l->slots)) != NULL;)
        list_push(&waiting, &job->node);
    while ((node = list_shift(&waiting)) != NULL) {
        struct job *job = container_of(node, struct job, node);
        if (container_of(job, struct event_job, job)->arrival == arrival) {
            note(arrival, E_CANCELED, NULL);
            arrival->left--;
        } else {
            list_push(&l->slots.waiting, &job->node);
            l->slots.waiting_count++;
        }
    }
    if (arrival->left == 0)
        end(arrival);
}

static void give_all_back(struct event_listener *l)
{
    struct arrival *arrival;

    for (struct job *job; (job = slots_take_waiting(&l->slots)) != NULL;) {
        arrival = container_of(job, struct event_job, job)->arrival;
        note(arrival, E_CANCELED, NULL);
        arrival->left--;
    }
    list_each (&l->arrivals, struct arrival, node, arrival)
        if (arrival->left == 0)
            end(arrival);
}

void event_listener_drop(struct arrival *arrival)
{
    for (size_t i = 0; i < arrival->job_count; i++)
        delivery_stop(&arrival->jobs[i].job.delivery);
    give_back(of(arrival->listener), arrival);
}

/* ---- what it is given ---- */

struct attributes {
    struct rpc_named items[ATTRIBUTES_MAX];
    size_t count;
    struct buf texts;
};

/* As for headers, those of a batch are its first event's. */
static void attributes_init(struct attributes *ret, const struct parcel *parcel)
{
    const struct destination *destination = &parcel->subscription->destination;

    ret->count = 0;
    buf_init(&ret->texts, ATTRIBUTES_MAX * ATTRIBUTE_VALUE_MAX_BYTES);
    if (destination->attribute_count == 0)
        return;
    (void)buf_reserve(&ret->texts, ret->texts.max_bytes); /* so that it does not move */
    for (size_t i = 0; i < destination->attribute_count; i++) {
        const struct attribute *attribute = &destination->attributes[i];
        size_t start = ret->texts.len;
        if (attribute_write(&ret->texts, attribute, parcel->events[0]))
            ret->items[ret->count++] =
                (struct rpc_named){.name = slice_of(attribute->name),
                                   .data.text = slice_from(buf_slice(&ret->texts), start)};
    }
}

/* Workers take no text that is not UTF-8. */
static void write_event(struct buf *out, const struct parcel *parcel, size_t at)
{
    struct buf text;
    enum event_schema schema = parcel->subscription->delivery;

    buf_init(&text, out->max_bytes);
    event_write(&text, parcel->events[at], schema, NULL);
    if (utf8_is_valid(buf_slice(&text)))
        buf_add(out, buf_slice(&text));
    else
        utf8_add_repaired(out, buf_slice(&text));
    if (buf_err(&text))
        out->missed = true;
    buf_done(&text);
}

static enum err fill(struct message *message, const struct trigger *trigger,
                     const struct parcel *parcel, size_t first, size_t count)
{
    struct slice *events = mem_new_array(count, struct slice);
    size_t *starts = mem_new_array(count + 1, size_t);
    struct attributes attributes;
    struct buf texts;

    buf_init(&texts, PARCEL_MAX_BYTES);
    attributes_init(&attributes, parcel);
    for (size_t i = 0; i < count; i++) {
        write_event(&texts, parcel, first + i);
        starts[i + 1] = texts.len;
    }
    for (size_t i = 0; i < count; i++)
        events[i] =
            slice_first(slice_from(buf_slice(&texts), starts[i]), starts[i + 1] - starts[i]);
    enum err err = buf_err(&texts);
    if (err == E_OK)
        err = message_set_events(
            message, trigger,
            &(struct message_events){.events = events,
                                     .count = count,
                                     .subscription = slice_of(parcel->subscription->name),
                                     .deliveries = parcel->attempt,
                                     .attributes = attributes.items,
                                     .attribute_count = attributes.count});
    buf_done(&attributes.texts);
    buf_done(&texts);
    free(starts);
    free(events);
    return err;
}

static enum err make_job(struct event_listener *l, struct arrival *arrival, size_t at)
{
    const struct trigger *trigger = l->base.trigger;
    const struct parcel *parcel = arrival->parcel;
    struct event_job *job = &arrival->jobs[at];

    job->arrival = arrival;
    job->job.count = trigger->is_batch ? parcel->count : 1;
    job->job.delivery.dispatcher = l->base.options.dispatcher;
    job->job.delivery.done = on_delivery_done;
    message_init(&job->job.delivery.message, 2 * PARCEL_MAX_BYTES);
    return fill(&job->job.delivery.message, trigger, parcel, at, job->job.count);
}

void event_listener_take(struct listener *listener, struct arrival *arrival)
{
    struct event_listener *l = of(listener);
    size_t count = listener->trigger->is_batch ? 1 : arrival->parcel->count;
    enum err err = E_OK;

    arrival->listener = listener;
    arrival->err = E_OK;
    arrival->why = (struct cause){0};
    arrival->jobs = mem_new_array(count, struct event_job);
    arrival->job_count = arrival->left = count;
    list_push(&l->arrivals, &arrival->node);
    for (size_t i = 0; i < count && err == E_OK; i++)
        err = make_job(l, arrival, i);
    if (err != E_OK) {
        struct cause why;
        err = listener_too_large(listener, "a delivery",
                                 slice_of(arrival->parcel->subscription->name), &why);
        note(arrival, err, &why);
        end(arrival);
        return;
    }
    struct event_job *jobs = arrival->jobs; /* none ends before the next turn */
    for (size_t i = 0; i < count; i++)
        slots_run(&l->slots, &jobs[i].job);
}

/* ---- the kind ---- */

static void on_turn(struct turn *turn)
{
    slots_fill(&container_of(turn, struct event_listener, turn)->slots);
}

static enum err event_start(const struct listener_options *options, struct listener **ret,
                            struct cause *why)
{
    struct event_listener *l = mem_new(struct event_listener);

    (void)why;
    listener_init(&l->base, &listener_event_kind, options);
    slots_init(&l->slots, l->base.trigger->max_concurrency);
    list_init(&l->arrivals);
    l->turn.run = on_turn;
    *ret = &l->base;
    listener_answered(&l->base); /* there is no server to wait for */
    return E_OK;
}

static void event_pause(struct listener *listener, bool is_paused)
{
    struct event_listener *l = of(listener);

    listener->is_paused = l->slots.is_shut = is_paused;
    if (is_paused)
        give_all_back(l);
}

static void event_stop(struct listener *listener, struct op *op)
{
    struct event_listener *l = of(listener);

    listener->stop_op = op;
    listener->is_stopping = l->slots.is_shut = true;
    slots_end_retries(&l->slots);
    give_all_back(l);
    maybe_stopped(l);
}

static void event_hurry(struct listener *listener)
{
    slots_abort(&of(listener)->slots);
}

static void event_free(struct listener *listener)
{
    struct event_listener *l = of(listener);

    turn_cancel(&l->turn);
    listener_done(listener);
    free(l);
}

const struct listener_kind listener_event_kind = {
    .type = TRIGGER_EVENT,
    .name = "EventGridTrigger",
    .start = event_start,
    .pause = event_pause,
    .stop = event_stop,
    .hurry = event_hurry,
    .free = event_free,
};
