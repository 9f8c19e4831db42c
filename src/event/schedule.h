/* event/schedule.h - what follows from an attempt to deliver: done, again and when, or given up.
 * Pure: time and chance are arguments. Behaviour: eventgrid.md 3.7, 4.2. To add an outcome: a row
 * in OUTCOMES. */
#ifndef EVENT_SCHEDULE_H
#define EVENT_SCHEDULE_H

#include "base/buf.h"

#define RETRY_ATTEMPTS_MAX 30
#define RETRY_TTL_MAX_MINUTES 1440
#define RETRY_AFTER_MAX_MS ((uint64_t)86400000) /* what a server may ask for */

/* outcome, its name in dead letters */
#define OUTCOMES(X)                                                                                \
    X(OUTCOME_DELIVERED, "Delivered")                                                              \
    X(OUTCOME_BAD_REQUEST, "BadRequest")                                                           \
    X(OUTCOME_UNAUTHORIZED, "Unauthorized")                                                        \
    X(OUTCOME_FORBIDDEN, "Forbidden")                                                              \
    X(OUTCOME_NOT_FOUND, "NotFound")                                                               \
    X(OUTCOME_PAYLOAD_TOO_LARGE, "PayloadTooLarge")                                                \
    X(OUTCOME_TIMED_OUT, "TimedOut")                                                               \
    X(OUTCOME_BUSY, "Busy")                                                                        \
    X(OUTCOME_SOCKET_ERROR, "SocketError")                                                         \
    X(OUTCOME_RESOLUTION_ERROR, "ResolutionError")                                                 \
    X(OUTCOME_NO_FUNCTION, "InvalidAzureFunctionDestination")                                      \
    X(OUTCOME_ABORTED, "Aborted")                                                                  \
    X(OUTCOME_OTHER, "GenericError")

#define OUTCOME_ENUM(outcome, name) outcome,
enum outcome { OUTCOMES(OUTCOME_ENUM) };
#undef OUTCOME_ENUM

/* outcome_name: "NotFound". */
const char *outcome_name(enum outcome outcome);
/* outcome_of tells what a delivery over HTTP came to: by its status, or if there was no answer
 * (status 0) by the error. */
enum outcome outcome_of(unsigned http_status, enum err err);

struct retry_limits {
    uint32_t attempts;    /* 1..RETRY_ATTEMPTS_MAX */
    uint32_t ttl_minutes; /* 1..RETRY_TTL_MAX_MINUTES, from publishing */
};

struct attempt {
    uint32_t number; /* from 1 */
    enum outcome outcome;
    unsigned http_status;    /* 0 = no answer */
    uint64_t retry_after_ms; /* what the server asked for; 0 = nothing */
};

/* schedule_next judges an attempt that failed. NULL: again, *ret_delay_ms from now, with up to a
 * tenth more by `chance` (0 <= x < 1). Else the reason for a dead letter, and *ret_delay_ms is
 * untouched. Whether the event still lives is asked when that time has come, by schedule_expired.
 */
const char *schedule_next(const struct retry_limits *limits, const struct attempt *attempt,
                          double chance, uint64_t *ret_delay_ms);
/* schedule_expired: before an attempt, NULL; or the reason for a dead letter. */
const char *schedule_expired(const struct retry_limits *limits, uint64_t published_unix_ms,
                             uint64_t now_unix_ms);

/* retry_after_parse reads the header Retry-After, seconds or a date, as the time from now, at most
 * RETRY_AFTER_MAX_MS. False, and *ret_ms untouched, if it is neither. */
bool retry_after_parse(struct slice text, uint64_t now_unix_ms, uint64_t *ret_ms);

#endif
