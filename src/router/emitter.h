/* router/emitter.h - publishes what resources emit by themselves: the events that wait in the
 * outbox (store/outbox.h). Rules: one after the other, in their order; at least once. What nobody
 * has subscribed to is dropped. What another node took and did not publish is taken over. */
#ifndef ROUTER_EMITTER_H
#define ROUTER_EMITTER_H

#include <stdbool.h>

struct emitter;
struct router;

struct emitter *emitter_new(struct router *router);
/* emitter_wake: there may be something; also the first time, when all topics are known. */
void emitter_wake(struct emitter *emitter);
/* emitter_is_idle: nothing is under way. router_go_on() is called when that has become true. */
bool emitter_is_idle(const struct emitter *emitter);
/* emitter_stop: nothing begins any more. */
void emitter_stop(struct emitter *emitter);
void emitter_free(struct emitter *emitter); /* when it is idle; NULL is fine */

#endif
