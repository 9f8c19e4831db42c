#include "event/schedule.h"

#include "base/mem.h"
#include "event/date.h"

#define SECOND_MS ((uint64_t)1000)
#define MINUTE_MS ((uint64_t)60000)
#define HOUR_MS ((uint64_t)3600000)
#define JITTER 0.1
#define LEAST_MS (10 * SECOND_MS)

/* After attempt 1, 2 and so on; the last one stays. */
static const uint64_t steps_ms[] = {
    10 * SECOND_MS, 30 * SECOND_MS, MINUTE_MS,   5 * MINUTE_MS, 10 * MINUTE_MS,
    30 * MINUTE_MS, HOUR_MS,        3 * HOUR_MS, 6 * HOUR_MS,   12 * HOUR_MS,
};

/* What is special about a status; each other one is tried again after the schedule's time. */
static const struct {
    unsigned status;
    enum outcome outcome;
    const char *give_up; /* the reason of the dead letter; NULL = tried again */
    uint64_t least_ms;   /* 0 = LEAST_MS */
    bool obeys_retry_after;
} statuses[] = {
    {200, OUTCOME_DELIVERED, NULL, 0, false},
    {201, OUTCOME_DELIVERED, NULL, 0, false},
    {202, OUTCOME_DELIVERED, NULL, 0, false},
    {203, OUTCOME_DELIVERED, NULL, 0, false},
    {204, OUTCOME_DELIVERED, NULL, 0, false},
    {400, OUTCOME_BAD_REQUEST, "UndeliverableDueToHttpBadRequest", 0, false},
    {401, OUTCOME_UNAUTHORIZED, "UndeliverableDueToHttpUnauthorized", 0, false},
    {403, OUTCOME_FORBIDDEN, "UndeliverableDueToHttpForbidden", 0, false},
    {404, OUTCOME_NOT_FOUND, NULL, 5 * MINUTE_MS, false},
    {408, OUTCOME_TIMED_OUT, NULL, 2 * MINUTE_MS, false},
    {413, OUTCOME_PAYLOAD_TOO_LARGE, "UndeliverableDueToHttpRequestEntityTooLarge", 0, false},
    {429, OUTCOME_BUSY, NULL, 0, true},
    {503, OUTCOME_BUSY, NULL, 30 * SECOND_MS, true},
};

static const char *const names[] = {
#define OUTCOME_ROW(outcome, name) [outcome] = (name),
    OUTCOMES(OUTCOME_ROW)
#undef OUTCOME_ROW
};

const char *outcome_name(enum outcome outcome)
{
    return names[outcome];
}

static size_t find_status(unsigned status)
{
    size_t i = 0;

    while (i < COUNT_OF(statuses) && statuses[i].status != status)
        i++;
    return i;
}

enum outcome outcome_of(unsigned http_status, enum err err)
{
    size_t row = find_status(http_status);

    if (row < COUNT_OF(statuses))
        return statuses[row].outcome;
    if (http_status != 0)
        return OUTCOME_OTHER;
    if (err == E_TIMEOUT)
        return OUTCOME_TIMED_OUT;
    if (err == E_DNS)
        return OUTCOME_RESOLUTION_ERROR;
    if (err == E_REFUSED || err == E_CLOSED || err == E_IO || err == E_TLS)
        return OUTCOME_SOCKET_ERROR;
    return err == E_CANCELED ? OUTCOME_ABORTED : OUTCOME_OTHER;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

const char *schedule_next(const struct retry_limits *limits, const struct attempt *attempt,
                          double chance, uint64_t *ret_delay_ms)
{
    size_t row = find_status(attempt->http_status);
    bool is_special = row < COUNT_OF(statuses);
    size_t step =
        attempt->number - 1 < COUNT_OF(steps_ms) ? attempt->number - 1 : COUNT_OF(steps_ms) - 1;
    uint64_t delay_ms = larger(steps_ms[step], LEAST_MS);

    if (is_special && statuses[row].give_up != NULL)
        return statuses[row].give_up;
    if (attempt->number >= limits->attempts)
        return "MaxDeliveryAttemptsExceeded";
    if (is_special)
        delay_ms = larger(delay_ms, statuses[row].least_ms);
    if (is_special && statuses[row].obeys_retry_after)
        delay_ms = larger(delay_ms, attempt->retry_after_ms);
    *ret_delay_ms = delay_ms + (uint64_t)((double)delay_ms * JITTER * chance);
    return NULL;
}

const char *schedule_expired(const struct retry_limits *limits, uint64_t published_unix_ms,
                             uint64_t now_unix_ms)
{
    uint64_t age_ms = now_unix_ms > published_unix_ms ? now_unix_ms - published_unix_ms : 0;

    return age_ms >= limits->ttl_minutes * MINUTE_MS ? "TimeToLiveExceeded" : NULL;
}

bool retry_after_parse(struct slice text, uint64_t now_unix_ms, uint64_t *ret_ms)
{
    uint64_t seconds, then_ms, ms;

    text = slice_trim(text);
    if (slice_to_u64(text, &seconds))
        ms = seconds > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : seconds * 1000;
    else if (date_parse_http(text, &then_ms))
        ms = then_ms > now_unix_ms ? then_ms - now_unix_ms : 0;
    else
        return false;
    *ret_ms = ms < RETRY_AFTER_MAX_MS ? ms : RETRY_AFTER_MAX_MS;
    return true;
}
