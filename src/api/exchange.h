/* api/exchange.h - one request of a publisher or a pull client: its id, and how it is answered.
 * Errors have the bodies that clients of Azure Event Grid know (event/refusal.h). */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "base/id.h"
#include "event/refusal.h"
#include "http/server.h"

struct exchange {
    struct http_request *request;
    struct id id;         /* x-ms-request-id, and in what is refused */
    const char *versions; /* api-supported-versions */
};

void exchange_init(struct exchange *exchange, struct http_request *request, const char *versions);
/* exchange_begin puts the headers of every answer; the rest of the answer is the caller's. */
void exchange_begin(const struct exchange *exchange);
/* exchange_answer answers 200 with JSON, which is emptied. */
void exchange_answer(const struct exchange *exchange, struct buf *json);
void exchange_refuse(const struct exchange *exchange, const struct refusal *why);

#endif
