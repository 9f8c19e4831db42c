/* loop/op.h - an operation that ends later. Whoever waits for it embeds the op.
 * Rules: a start returns E_OK, and then `done` runs exactly once, later, from the loop; or it
 * returns an error, and then `done` never runs. Nobody is called back from the middle of a function
 * that goes on. A cancel is op_abort(): the op then ends by the same path, usually with E_CANCELED.
 */
#ifndef LOOP_OP_H
#define LOOP_OP_H

#include "base/err.h"
#include "base/list.h"

struct op {
    void (*done)(struct op *op, enum err err); /* the owner's: what happens next */
    void (*abort)(struct op *op);              /* the runner's: end soon; NULL if it cannot */
    void *runner;                              /* the runner's: where its own state is */
    struct list_node node;                     /* the runner's: place in its queue */
    void *owner;                               /* the owner's: whatever `done` wants to know */
    struct cause why;                          /* text behind err, valid until done returns */
    bool is_busy;                              /* set by op_begin, cleared by op_end; both assert */
};

/* op_begin is the runner's first call: marks the op busy, clears the cause, notes how to abort (may
 * be NULL). */
void op_begin(struct op *op, void (*abort)(struct op *op), void *runner);
/* op_end is the runner's last touch: not busy, then done(). The op's memory may be gone afterwards.
 */
void op_end(struct op *op, enum err err);
/* op_abort asks a busy op to end soon; done still comes, later. Harmless on an idle op. */
void op_abort(struct op *op);

#endif
