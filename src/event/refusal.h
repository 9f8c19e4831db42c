/* event/refusal.h - why a request of a publisher or a pull client is refused, and the body that
 * tells it: the codes that clients of Azure Event Grid know (eventgrid.md 2.4, 2.5).
 * To add a kind: a row in REFUSALS. Pure: callable anywhere. */
#ifndef EVENT_REFUSAL_H
#define EVENT_REFUSAL_H

#include "base/buf.h"

/* kind, HTTP status, error.code, details[0].code (NULL: no details), what the function returns,
 * does the message carry the Report part */
#define REFUSALS(X)                                                                                \
    X(REFUSAL_JSON, 400, "BadRequest", "InputJsonInvalid", E_BAD_INPUT, true)                      \
    X(REFUSAL_HEADER, 400, "BadRequest", "InvalidCloudEventHeader", E_BAD_INPUT, true)             \
    X(REFUSAL_SAS, 400, "BadRequest", "InvalidSas", E_BAD_INPUT, true)                             \
    X(REFUSAL_REQUEST, 400, "BadRequest", "InvalidRequest", E_BAD_INPUT, true)                     \
    X(REFUSAL_UNAUTHORIZED, 401, "Unauthorized", "Unauthorized", E_DENIED, true)                   \
    X(REFUSAL_QUOTA, 403, "Forbidden", "QuotaExceeded", E_LIMIT, true)                             \
    X(REFUSAL_NOT_FOUND, 404, "NotFound", "ResourceNotFound", E_NOT_FOUND, true)                   \
    X(REFUSAL_METHOD, 405, "MethodNotAllowed", "MethodNotAllowed", E_UNSUPPORTED, true)            \
    X(REFUSAL_GONE, 410, "Gone", "ResourceNotFound", E_NOT_FOUND, true)                            \
    X(REFUSAL_TOO_LARGE, 413, "RequestEntityTooLarge", NULL, E_LIMIT, false)                       \
    X(REFUSAL_MEDIA_TYPE, 415, "UnsupportedMediaType", NULL, E_UNSUPPORTED, true)                  \
    X(REFUSAL_THROTTLED, 429, "TooManyRequests", NULL, E_LIMIT, true)                              \
    X(REFUSAL_UNAVAILABLE, 503, "ServiceUnavailable", NULL, E_IO, true)

#define REFUSAL_ENUM(kind, status, code, detail, err, has_report) kind,
enum refusal_kind { REFUSALS(REFUSAL_ENUM) };
#undef REFUSAL_ENUM

struct refusal {
    enum refusal_kind kind;
    struct cause text; /* without the Report part; long ones are cut */
};

/* refuse fills `why` (may be NULL) and returns the kind's error. */
enum err refuse(struct refusal *why, enum refusal_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

unsigned refusal_status(const struct refusal *why);
/* refusal_reason: the code that says most: "InputJsonInvalid". */
const char *refusal_reason(const struct refusal *why);
/* refusal_write writes the JSON body. `guid` is also the answer's x-ms-request-id. */
void refusal_write(struct buf *out, const struct refusal *why, struct slice guid,
                   uint64_t now_unix_ms);

#endif
