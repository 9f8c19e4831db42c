/* router/endings.h - what has become of the entries that were taken, until the queue has been told.
 * Rules: those of one turn leave together. What could not leave, or was refused, is told again; all
 * of it may be said twice. An entry holds its place until its ending is known to be stored, so a
 * store that is down brings deliveries to a stand, and nothing is lost. */
#ifndef ROUTER_ENDINGS_H
#define ROUTER_ENDINGS_H

#include "loop/loop.h"
#include "store/queue.h"

struct timer;

#define ENDING_ID_BYTES 44     /* of a stream entry, at most */
#define ENDING_STATE_BYTES 128 /* of a parked one */

enum ending_kind { ENDING_FINISH, ENDING_PARK, ENDING_BURY, ENDING_KINDS };

/* Embedded in what represents the entry. */
struct ending {
    char id[ENDING_ID_BYTES];
    size_t id_len;
    enum ending_kind kind;
    uint64_t due_unix_ms; /* of a parked one */
    char state[ENDING_STATE_BYTES];
    size_t state_len;
    struct queue_field fields[QUEUE_FIELDS_MAX]; /* of a dead one; borrowed until it is told */
    size_t field_count;
    struct list_node node;
};
static inline struct slice ending_id(const struct ending *ending)
{
    return (struct slice){ending->id, ending->id_len};
}

struct endings {
    struct loop *loop;
    struct queue *queue;
    void (*told)(struct endings *endings, struct ending *ending); /* it is in no list any more */
    struct list waiting[ENDING_KINDS];
    struct endings_call {
        struct endings *endings;
        struct redis_call call;
        struct list told;  /* by the call under way */
    } calls[ENDING_KINDS]; /* one of each kind at a time */
    struct turn turn;
    struct timer *timer;
    bool has_freed;  /* those told now may have set free what waited behind them */
    size_t owed;     /* endings that were added and not told */
    bool is_refused; /* has been said in the log */
    bool is_dropped; /* nothing is said twice any more */
};

void endings_init(struct endings *endings, struct loop *loop, struct queue *queue,
                  void (*told)(struct endings *endings, struct ending *ending));
/* endings_add: `told` comes later. In callbacks: yes. */
void endings_add(struct endings *endings, struct ending *ending);
/* endings_drop forgets those that wait to be sent (`told` comes for each, now) : the daemon leaves,
 * and whoever takes over finds the entries as they were. Those under way end by themselves. */
void endings_drop(struct endings *endings);
void endings_done(struct endings *endings); /* none may be owed */

#endif
