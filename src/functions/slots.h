/* functions/slots.h - how many messages of a function run at once on this node.
 * Rules: a job runs in a slot, or waits in order for one. The owner embeds a job in what it knows
 * of a message. */
#ifndef FUNCTIONS_SLOTS_H
#define FUNCTIONS_SLOTS_H

#include "functions/delivery.h"

struct job {
    struct delivery delivery;
    struct list_node node; /* in running or waiting; else the owner's to use */
    size_t source;         /* which of the trigger's keys */
    size_t count;          /* how many messages: more than one in a batch */
};

struct slots {
    struct list running, waiting;
    size_t running_count, waiting_count;
    size_t limit;
    bool is_shut; /* nothing is started */
};

void slots_init(struct slots *slots, size_t limit);
/* slots_free: how many more jobs would start at once. */
size_t slots_free(const struct slots *slots);
bool slots_are_idle(const struct slots *slots); /* nothing runs, nothing waits */
/* slots_run starts the job, or queues it behind those that wait. */
void slots_run(struct slots *slots, struct job *job);
/* slots_ended is the first call of a delivery's done: frees the job's slot. */
void slots_ended(struct slots *slots, struct job *job);
/* slots_fill starts what waits while there is room. */
void slots_fill(struct slots *slots);
/* slots_take_waiting: the first that waits, out of the queue; NULL if none does. */
struct job *slots_take_waiting(struct slots *slots);
/* slots_abort stops all that runs; their deliveries end with E_CANCELED. slots_end_retries stops
 * only those that wait for their next attempt. */
void slots_abort(struct slots *slots);
void slots_end_retries(struct slots *slots);

#endif
