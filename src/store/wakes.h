/* store/wakes.h - tells the other nodes that a queue has something for them, so that nobody who
 * waits there has to ask again and again.
 *
 *   wakes_tell(queue) --end of the turn--> PUBLISH "NODE QUEUE QUEUE .." --others--> woken(queue)
 *
 * Rules: what is told is told once a turn, however often; while nobody else listens, a few times a
 * second at most. Nothing is lost in silence: whoever was cut off from the channel is told to look
 * at everything as soon as it hears again (`missed`), and who could not speak tells the others to.
 */
#ifndef STORE_WAKES_H
#define STORE_WAKES_H

#include "base/str.h"

struct loop;
struct redis;
struct wakes;

#define WAKES_QUEUES_MAX 1000 /* in one message; of more: look at everything */

struct wakes_options {
    struct loop *loop;
    struct redis *redis; /* the store's; borrowed. Listening takes a connection of its own */
    const char *node;    /* of this run; borrowed */
    void (*woken)(void *ctx, struct slice queue); /* another node told of it */
    void (*missed)(void *ctx);                    /* there may be something in any queue */
    void *ctx;
};

struct wakes *wakes_open(const struct wakes_options *options);
/* wakes_tell: the queue, by its id, has something, or may have. NULL is fine: nobody is told. In
 * callbacks: yes. */
void wakes_tell(struct wakes *wakes, struct slice queue);
/* wakes_tell_all: any queue may have something. The same. */
void wakes_tell_all(struct wakes *wakes);
/* wakes_close: what is still to be told is; no callback runs any more. NULL is fine. */
void wakes_close(struct wakes *wakes);

#endif
