#include "functions/slots.h"

void slots_init(struct slots *slots, size_t limit)
{
    *slots = (struct slots){.limit = limit};
    list_init(&slots->running);
    list_init(&slots->waiting);
}

size_t slots_free(const struct slots *slots)
{
    size_t used = slots->running_count + slots->waiting_count;
    return used < slots->limit ? slots->limit - used : 0;
}

bool slots_are_idle(const struct slots *slots)
{
    return slots->running_count + slots->waiting_count == 0;
}

static void start(struct slots *slots, struct job *job)
{
    list_push(&slots->running, &job->node);
    slots->running_count++;
    delivery_start(&job->delivery);
}

void slots_run(struct slots *slots, struct job *job)
{
    if (!slots->is_shut && slots->running_count < slots->limit && slots->waiting_count == 0) {
        start(slots, job);
        return;
    }
    list_push(&slots->waiting, &job->node);
    slots->waiting_count++;
}

void slots_ended(struct slots *slots, struct job *job)
{
    list_remove(&job->node);
    slots->running_count--;
}

struct job *slots_take_waiting(struct slots *slots)
{
    struct list_node *node = list_shift(&slots->waiting);
    if (node == NULL)
        return NULL;
    slots->waiting_count--;
    return container_of(node, struct job, node);
}

void slots_fill(struct slots *slots)
{
    while (!slots->is_shut && slots->running_count < slots->limit) {
        struct job *job = slots_take_waiting(slots);
        if (job == NULL)
            return;
        start(slots, job);
    }
}

void slots_abort(struct slots *slots)
{
    struct job *job;

    list_each (&slots->running, struct job, node, job) {
        delivery_stop(&job->delivery);
    }
}

void slots_end_retries(struct slots *slots)
{
    struct job *job;

    list_each (&slots->running, struct job, node, job) {
        if (delivery_is_waiting(&job->delivery))
            delivery_stop(&job->delivery);
    }
}
