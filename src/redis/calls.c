#include <stdlib.h>

#include "redis/internal.h"

#define CALLS_FIRST 64

static struct redis_call **place(const struct calls *calls, uint64_t number)
{
    return &calls->ring[number & (calls->cap - 1)];
}

static void grow(struct calls *calls)
{
    struct calls bigger = *calls;
    bigger.cap = calls->cap == 0 ? CALLS_FIRST : calls->cap * 2;
    bigger.ring = mem_new_array(bigger.cap, struct redis_call *);
    for (uint64_t i = calls->head; i < calls->tail; i++)
        *place(&bigger, i) = *place(calls, i);
    free(calls->ring);
    *calls = bigger;
}

void calls_push(struct calls *calls, struct redis_call *call)
{
    if (calls->tail - calls->head == calls->cap)
        grow(calls);
    call->place = calls->tail++;
    *place(calls, call->place) = call;
}

bool calls_shift(struct calls *calls, struct redis_call **ret)
{
    if (calls_is_empty(calls))
        return false;
    *ret = *place(calls, calls->head++);
    return true;
}

void calls_drop(struct calls *calls, struct redis_call *call)
{
    *place(calls, call->place) = NULL;
}

bool calls_is_empty(const struct calls *calls)
{
    return calls->head == calls->tail;
}

uint64_t calls_next_expiry(const struct calls *calls)
{
    uint64_t next = 0;
    for (uint64_t i = calls->head; i < calls->tail; i++) {
        const struct redis_call *call = *place(calls, i);
        if (call != NULL && (next == 0 || call->expires_at_ms < next))
            next = call->expires_at_ms;
    }
    return next;
}

void calls_done(struct calls *calls)
{
    free(calls->ring);
    *calls = (struct calls){0};
}
