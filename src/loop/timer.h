/* loop/timer.h - after some time.
 * Rules: a timer has one use at a time: timer_set() with the callback, or timer_wait() with an op.
 */
#ifndef LOOP_TIMER_H
#define LOOP_TIMER_H

#include <stdint.h>

#include "loop/op.h"

struct loop;
struct timer;

/* timer_new: `fired` (may be NULL if only timer_wait is used) is called with `ctx`. */
struct timer *timer_new(struct loop *loop, void (*fired)(void *ctx), void *ctx);
void timer_set(struct timer *timer, uint64_t ms);   /* once, after ms; replaces what was set */
void timer_every(struct timer *timer, uint64_t ms); /* again and again */
void timer_clear(struct timer *timer);
bool timer_is_set(const struct timer *timer);
/* timer_wait ends the op with E_OK after ms; aborted: E_CANCELED. */
void timer_wait(struct timer *timer, uint64_t ms, struct op *op);
/* timer_free: the callback never runs again; a waiting op must have been ended before. NULL is
 * fine. In callbacks: yes. */
void timer_free(struct timer *timer);

#endif
