/* functions/listener_list.h - the parts of the list listener, for its own files alone.
 * listener_list.c fetches and waits; list_entry.c runs, removes and dead-letters elements;
 * list_tender.c keeps our processing lists ours and empties those of the dead; list_strays.c finds
 * what a broken connection has left in ours. A processing list
 * holds what a consumer has popped, in pop order: towards its tail when we pop the head of the key,
 * towards its head when we pop the tail, so that moving its far end back to the key's pop end
 * restores the key. */
#ifndef FUNCTIONS_LISTENER_LIST_H
#define FUNCTIONS_LISTENER_LIST_H

#include "base/map.h"
#include "functions/acks.h"
#include "loop/loop.h"

#define LIST_FAILED_MAX                                                                            \
    10000 /* failed elements that wait to be run again; above it nothing is fetched */

struct list_listener;

/* One of the trigger's keys, with our own keys beside it. */
struct list_source {
    struct list_listener *listener;
    struct slice key;
    struct slice processing, consumers, tries, dead; /* owned */
    struct redis *waiter; /* blocks for this key alone; NULL = another source's waiter serves it */
    struct redis_call wait;
    int64_t client_id; /* of the waiter, to unblock it; 0 = unknown */
    uint64_t client_epoch;
    uint64_t looked_at_ms;
    struct map unknown; /* found by the last look, but in no entry: list_strays.c */
};

struct list_entry {
    struct job job;        /* its node is in acks, failed or spare when it is in no slot */
    struct list_node held; /* in the listener's held, but for the spare ones */
    struct list_listener *listener;
    struct buf element; /* one, or several behind each other */
    size_t *lengths;    /* of each; NULL = there is one */
    uint64_t deliveries;
    uint64_t due_at_ms;     /* when a failed one runs again */
    struct redis_call call; /* of the dead letter */
    bool has_left;          /* false: that could not even be sent */
    struct cause why;
};

struct list_listener {
    struct listener base;
    struct list_source *sources;
    size_t source_count;
    struct slice consumer;

    int state;
    struct redis_call fetch;
    struct op wait;
    struct timer *timer;
    size_t asked;          /* of the fetch under way */
    uint64_t next_read_ms; /* polling by the clock: not before; 0 = at once */
    bool is_drained;       /* the last fetch found less than it asked for */
    bool is_registered;
    struct turn turn;
    struct timer *stop_timer; /* unblocking takes no longer than this */
    bool has_cut_waiter;      /* the server may still move an element for it */

    struct slots slots;
    struct acks acks;
    struct list failed, spare;
    struct list held;       /* every entry that has not ended, wherever it is */
    uint64_t look_until_ms; /* an answer was lost: until then we look for strays */
    size_t failed_count;
    size_t settling; /* dead letters under way */
    struct timer *failed_timer;

    struct list_tender *tender;
};

/* list_take runs (or queues) elements of one source, in pop order; deliveries: of each from 1, NULL
 * = 1. */
void list_take(struct list_listener *l, size_t source, const struct resp *elements,
               const struct resp *tries);
void list_take_one(struct list_listener *l, size_t source, struct slice element);
void list_turn(struct list_listener *l);
void list_init_entries(struct list_listener *l);
void list_free_entries(struct list_listener *l);
struct slice list_entry_element(const struct list_entry *e, size_t index);
void list_maybe_stopped(struct list_listener *l);
/* "1" when the head of the key is popped, "0" when the tail is: for the scripts. */
struct slice list_side(const struct list_listener *l);

/* list_answer_lost: what we have asked for may have been moved without our hearing of it. */
void list_answer_lost(struct list_listener *l);
/* list_look_ms: how soon to look for strays; 0 = there can be none. */
uint64_t list_look_ms(const struct list_listener *l);
/* list_look asks what our processing list holds; list_looked runs what two looks did not know. */
enum err list_look(struct list_source *source, struct redis_call *call);
void list_looked(struct list_source *source, const struct resp *root);

struct list_tender *list_tender_new(struct list_listener *l);
/* Registers us at every key (the op ends E_OK or with the first error); must have worked before
 * anything is popped. */
void list_tender_register(struct list_tender *t, struct op *op);
void list_tender_hurry(struct list_tender *t);
/* Gives back what never ran, counts what failed, and takes our name off; the op ends when that is
 * done. */
void list_tender_leave(struct list_tender *t, struct op *op);
void list_tender_free(struct list_tender *t);

#endif
