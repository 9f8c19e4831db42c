/* router/rate.h - how many events may go out now, if only so many a second may (a token bucket).
 * Rules: what is saved up while nothing is to be sent is worth RATE_SAVED_MS at most, or one event,
 * so an endpoint meets no burst. Fractions of an event are carried exactly. Pure. Times are
 * monotonic. */
#ifndef ROUTER_RATE_H
#define ROUTER_RATE_H

#include <stddef.h>
#include <stdint.h>

#define RATE_SAVED_MS 100

struct rate {
    uint32_t per_second; /* 0 = as many as there are */
    int64_t thousandths; /* of an event, that may go; below 0: more went than may */
    uint64_t filled_at_ms;
};

/* rate_init: the first event may go at once. */
void rate_init(struct rate *rate, uint32_t per_second, uint64_t now_ms);
/* rate_room is how many of `wanted` may go now. */
size_t rate_room(struct rate *rate, size_t wanted, uint64_t now_ms);
void rate_spend(struct rate *rate, size_t count);
/* rate_wait_ms: when rate_room() had none, how long until there is a fair number again; at least
 * 1. */
uint64_t rate_wait_ms(const struct rate *rate);

#endif
