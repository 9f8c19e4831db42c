#include "router/rate.h"

#define EVENT 1000       /* in thousandths, so that a millisecond brings `per_second` of them */
#define WAIT_LEAST_MS 10 /* high rates: one call to the store for several events */

static int64_t most(const struct rate *rate)
{
    int64_t saved = (int64_t)rate->per_second * RATE_SAVED_MS;
    return saved > EVENT ? saved : EVENT;
}

void rate_init(struct rate *rate, uint32_t per_second, uint64_t now_ms)
{
    *rate = (struct rate){per_second, EVENT, now_ms};
}

static void fill(struct rate *rate, uint64_t now_ms)
{
    int64_t missing = most(rate) - rate->thousandths;
    uint64_t passed_ms = now_ms > rate->filled_at_ms ? now_ms - rate->filled_at_ms : 0;

    if (passed_ms > (uint64_t)missing / rate->per_second) /* compared so, it cannot overflow */
        rate->thousandths = most(rate);
    else
        rate->thousandths += (int64_t)passed_ms * rate->per_second;
    rate->filled_at_ms = now_ms;
}

size_t rate_room(struct rate *rate, size_t wanted, uint64_t now_ms)
{
    if (rate->per_second == 0)
        return wanted;
    fill(rate, now_ms);
    size_t room = rate->thousandths > 0 ? (size_t)rate->thousandths / EVENT : 0;
    return room < wanted ? room : wanted;
}

void rate_spend(struct rate *rate, size_t count)
{
    if (rate->per_second != 0)
        rate->thousandths -= (int64_t)count * EVENT;
}

uint64_t rate_wait_ms(const struct rate *rate)
{
    int64_t missing = EVENT - rate->thousandths;

    if (rate->per_second == 0 || missing <= 0)
        return 1;
    uint64_t wait_ms = ((uint64_t)missing + rate->per_second - 1) / rate->per_second;
    return wait_ms > WAIT_LEAST_MS ? wait_ms : WAIT_LEAST_MS;
}
