#include "caches/transfer_retry.h"

/* What the next try may find changed. */
static bool is_passing(enum err err)
{
    switch (err) {
    case E_IO:
    case E_REFUSED:
    case E_CLOSED:
    case E_DNS:
    case E_TIMEOUT:
    case E_BAD_WIRE:
    case E_FAILED:
        return true;
    case E_OK:
    case E_MORE:
    case E_LIMIT:
    case E_EMPTY:
    case E_BAD_INPUT:
    case E_NOT_FOUND:
    case E_EXISTS:
    case E_FULL:
    case E_DENIED:
    case E_UNSUPPORTED:
    case E_TLS:
    case E_CANCELED:
    case E_REDIS:
    case E_CRASHED:
        return false;
    }
    return false;
}

bool transfer_retry_begin(struct transfer_retry *retry, const struct transfer_ways *ways,
                          enum err err)
{
    uint64_t base_ms = ways->retry_ms > 0 ? ways->retry_ms : TRANSFER_RETRY_MS;

    if (!is_passing(err) || ++retry->failures >= TRANSFER_TRIES)
        return false;
    if (retry->timer == NULL)
        retry->timer = timer_new(ways->loop, NULL, NULL);
    timer_wait(retry->timer, base_ms << (retry->failures - 1), &retry->op);
    return true;
}
