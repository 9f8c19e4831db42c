#include "router/breaker.h"

size_t breaker_room(const struct breaker *breaker, size_t wanted, size_t under_way, uint64_t now_ms)
{
    if (breaker->rest_until_ms == 0)
        return wanted;
    return now_ms >= breaker->rest_until_ms && under_way == 0 && wanted > 0 ? 1 : 0;
}

bool breaker_failed(struct breaker *breaker, uint64_t now_ms)
{
    bool was_open = breaker->rest_until_ms != 0;

    breaker->failures++;
    if (breaker->failures < BREAKER_FAILURES || now_ms < breaker->rest_until_ms)
        return false;
    breaker->rest_ms = !was_open                                     ? BREAKER_REST_MS
                       : breaker->rest_ms >= BREAKER_REST_MAX_MS / 2 ? BREAKER_REST_MAX_MS
                                                                     : 2 * breaker->rest_ms;
    breaker->rest_until_ms = now_ms + breaker->rest_ms;
    return !was_open;
}

bool breaker_succeeded(struct breaker *breaker)
{
    bool was_open = breaker->rest_until_ms != 0;

    *breaker = (struct breaker){0};
    return was_open;
}
