/* router/reception.h - a pull client that asks for events, and waits when there are none.
 * Rules: what comes is locked for that client (store/queue.h) and is in the reply until op.done
 * returns. Those who wait for one queue are served in the order in which they asked: only the first
 * is woken, and wakes the next when it leaves. What comes for one that was canceled meanwhile is
 * given back. */
#ifndef ROUTER_RECEPTION_H
#define ROUTER_RECEPTION_H

#include "loop/op.h"
#include "router/catalog.h"

struct timer;

#define RECEPTIONS_MAX 512 /* at one time: each costs a connection */

struct reception {
    struct op op;
    struct active *active;  /* counted until it ends */
    size_t count;           /* at most so many events */
    uint64_t until_ms;      /* monotonic: when an empty answer is given */
    struct redis_call call; /* call.reply: read it with queue_cursor_init() */
    struct timer *timer;
    struct list_node node; /* in active->receptions */
    enum { RECEPTION_ASK, RECEPTION_OPEN, RECEPTION_WAIT, RECEPTION_RETURN } step;
    bool is_woken; /* something came while the call was under way */
    bool is_canceled;
};

/* reception_start asks for 1..QUEUE_BATCH_MAX events, for wait_ms at most; the rest of the struct
 * than op.done need not be set. `active` is in queue mode. Now: E_LIMIT, RECEPTIONS_MAX wait, and
 * op.done never runs. Later: E_OK and events in call.reply, which may be none; E_CANCELED: it was
 * canceled, the subscription goes or changes, or the router stops; or the store's error. */
enum err reception_start(struct reception *reception, struct active *active, size_t count,
                         uint64_t wait_ms);
/* reception_wake: its queue has something, or may have. */
void reception_wake(struct reception *reception);
/* reception_hurry: it waits no longer, and ends with what there is. */
void reception_hurry(struct reception *reception);
/* reception_cancel ends it as soon as the store has answered, reception_abort without that. */
void reception_cancel(struct reception *reception);
void reception_abort(struct reception *reception);

#endif
