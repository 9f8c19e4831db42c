/* router/breaker.h - does it make sense to try an endpoint now? After many failures in a row it is
 * left alone for a while, and then one delivery at a time is tried, until one succeeds.
 * Rules: it only postpones; no event is given up because of it. Pure. Times are monotonic. */
#ifndef ROUTER_BREAKER_H
#define ROUTER_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BREAKER_FAILURES 10        /* in a row open it */
#define BREAKER_REST_MS 10000      /* the first rest; each further one is twice as long, */
#define BREAKER_REST_MAX_MS 300000 /* up to this */

struct breaker {
    uint32_t failures;      /* in a row */
    uint64_t rest_until_ms; /* when the next may be tried; 0 = closed, all may */
    uint64_t rest_ms;       /* the last rest */
};

/* breaker_room is how many of `wanted` deliveries may begin, with `under_way` running: all, one, or
 * none before breaker->rest_until_ms. */
size_t breaker_room(const struct breaker *breaker, size_t wanted, size_t under_way,
                    uint64_t now_ms);
/* What became of one: each tells whether the breaker opened, or closed, by it. Those that were
 * under way when it opened do not lengthen the rest. */
bool breaker_failed(struct breaker *breaker, uint64_t now_ms);
bool breaker_succeeded(struct breaker *breaker);

#endif
