#include "functions/acks.h"

#include <stdlib.h>

#include "loop/loop.h"
#include "loop/timer.h"

#define ACK_RETRY_MS 200

struct ack {
    struct redis_call call;
    struct acks *acks;
    struct list jobs;
    bool has_left; /* false: it could not even be sent */
};

static void on_timer(void *ctx)
{
    acks_send(ctx);
}

void acks_init(struct acks *acks, const struct acks_kind *kind, struct listener *listener)
{
    acks->kind = kind;
    acks->listener = listener;
    list_init(&acks->waiting);
    acks->timer = timer_new(listener->options.loop, on_timer, acks);
}

static void wait(struct acks *acks, struct job *job)
{
    list_push(&acks->waiting, &job->node);
    acks->waiting_count++;
}

void acks_add(struct acks *acks, struct job *job)
{
    wait(acks, job);
    acks->owed++;
}

static void end_job(struct acks *acks, struct job *job, bool is_acknowledged)
{
    struct listener *listener = acks->listener;

    if (is_acknowledged) {
        listener->stats.acknowledged += job->count;
        series_add(listener->acknowledged_series, (double)job->count);
    }
    acks->owed--;
    acks->kind->release(job);
}

static void on_done(struct op *op, enum err err)
{
    struct ack *ack = container_of(op, struct ack, call.op);
    struct acks *acks = ack->acks;
    enum ack_verdict verdict = ack->has_left ? acks->kind->judge(&ack->call, err) : ACK_AGAIN;
    struct job *job;

    acks->under_way--;
    listener_ack_ended(acks->listener, verdict == ACK_ENDED ? E_OK : err, &op->why);
    list_each (&ack->jobs, struct job, node, job) {
        list_remove(&job->node);
        if (verdict == ACK_AGAIN && !acks->listener->is_stopping)
            wait(acks, job);
        else
            end_job(acks, job, err == E_OK);
    }
    free(ack);
    if (verdict == ACK_AGAIN && acks->waiting_count > 0)
        timer_set(acks->timer, ACK_RETRY_MS);
    acks->kind->ended(acks->listener, verdict);
}

/* Moves jobs of one source from those that wait to the acknowledgement, as many as fit, and their
 * names to args; returns behind the last. */
static size_t gather(struct acks *acks, size_t source, struct ack *ack, struct slice *args,
                     size_t limit)
{
    size_t count = acks->kind->head;
    struct job *job;

    list_each (&acks->waiting, struct job, node, job) {
        if (job->source != source)
            continue;
        if (count + job->count > limit)
            break;
        acks->kind->name(job, args + count);
        count += job->count;
        list_remove(&job->node);
        list_push(&ack->jobs, &job->node);
        acks->waiting_count--;
    }
    return count;
}

/* One acknowledgement for the source of the first; false if it could not leave. */
static bool send_some(struct acks *acks)
{
    struct job *first = container_of(acks->waiting.head.next, struct job, node);
    size_t source = first->source;
    size_t limit = acks->kind->head + (first->count > ACKS_MAX ? first->count : ACKS_MAX);
    struct slice *args = mem_new_array(limit, struct slice);
    struct ack *ack = mem_new(struct ack);

    ack->acks = acks;
    ack->call.op.done = on_done;
    list_init(&ack->jobs);
    size_t count = gather(acks, source, ack, args, limit);
    acks->under_way++;
    enum err err = acks->kind->send(acks->listener, source, args, count, &ack->call);
    free(args);
    ack->has_left = err == E_OK;
    if (err != E_OK)
        loop_later(acks->listener->options.loop, &ack->call.op, err);
    return ack->has_left;
}

void acks_send(struct acks *acks)
{
    if (timer_is_set(acks->timer))
        return;
    while (acks->waiting_count > 0 && send_some(acks))
        ;
}

void acks_done(struct acks *acks)
{
    timer_free(acks->timer);
}
