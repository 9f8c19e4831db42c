/* router/expiry.h - events in queue mode that nobody fetches before their time is over, so that
 * they are dead letters then even if no client ever comes. Rules: one queue is asked at a time, and
 * not again before something in it can be too old. All nodes look; it does not matter who finds it.
 */
#ifndef ROUTER_EXPIRY_H
#define ROUTER_EXPIRY_H

#include <stdint.h>

struct catalog;
struct expiry;
struct loop;

/* expiry_new looks every `every_ms`. */
struct expiry *expiry_new(struct loop *loop, struct catalog *catalog, uint32_t every_ms);
/* expiry_stop: nothing new begins, and what is under way ends soon; until then it holds its
 * subscription, which the catalog waits for. expiry_free after that; NULL is fine. */
void expiry_stop(struct expiry *expiry);
void expiry_free(struct expiry *expiry);

#endif
