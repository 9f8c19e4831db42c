#include "api/exchange.h"

#include "api/answer.h"
#include "base/clock.h"

#define JSON_TYPE "application/json; charset=utf-8"

void exchange_init(struct exchange *exchange, struct http_request *request, const char *versions)
{
    *exchange = (struct exchange){.request = request, .id = id_next(), .versions = versions};
}

void exchange_begin(const struct exchange *exchange)
{
    (void)http_reply_header(exchange->request, SLICE("api-supported-versions"),
                            slice_of(exchange->versions));
    (void)http_reply_header(exchange->request, SLICE("x-ms-request-id"), id_slice(&exchange->id));
}

void exchange_answer(const struct exchange *exchange, struct buf *json)
{
    exchange_begin(exchange);
    http_respond(exchange->request, 200, JSON_TYPE, json);
}

void exchange_refuse(const struct exchange *exchange, const struct refusal *why)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    refusal_write(&body, why, id_slice(&exchange->id), clock_unix_ms());
    exchange_begin(exchange);
    http_respond(exchange->request, (int)refusal_status(why), JSON_TYPE, &body);
}
