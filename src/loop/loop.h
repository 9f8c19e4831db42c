/* loop/loop.h - the one event loop of the process, and the ways to come back to it.
 * Rules: everything is called on the loop's thread, but wake_send(). */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdint.h>

#include "loop/op.h"

struct loop;

struct loop *loop_new(void);
/* loop_free closes what is left and frees. Not while loop_run() is on the stack. */
void loop_free(struct loop *loop);
/* loop_run handles events until loop_stop() or until nothing is left that could happen. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* loop_now_ms is the monotonic time at which this turn began; cheap. */
uint64_t loop_now_ms(const struct loop *loop);

/* loop_later begins the op and ends it with `err` in the next turn. Cannot fail. op->why is kept if
 * it is set. */
void loop_later(struct loop *loop, struct op *op, enum err err);

/* A turn hook runs once, after all events of this turn were handled and before the loop sleeps: the
 * place to send in one go what gathered (commands, log lines). Asking again before it ran changes
 * nothing. */
struct turn {
    void (*run)(struct turn *turn);
    struct list_node node;
};
void loop_at_turn_end(struct loop *loop, struct turn *turn);
void turn_cancel(struct turn *turn); /* forget it, if it was asked for */

/* A wake-up from another thread: `woken` runs on the loop, at least once after the last
 * wake_send(). */
struct wake;
struct wake *wake_new(struct loop *loop, void (*woken)(void *ctx), void *ctx);
void wake_send(struct wake *wake); /* any thread, also a signal handler */
void wake_free(struct wake *wake);

/* work_run runs `work` on a thread of the pool, then ends the op with what it returned. `work` must
 * touch nothing that the loop's thread touches meanwhile, and must not log. Aborting works only
 * while it has not begun. */
enum err work_run(struct loop *loop, enum err (*work)(void *ctx, struct cause *why), void *ctx,
                  struct op *op);

#endif
