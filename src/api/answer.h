/* api/answer.h - the JSON that the API answers with.
 * Errors are {"error":{"code":"FunctionNotFound","message":"..."}}. */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include "base/buf.h"
#include "http/server.h"
#include "json/member.h"

#define ANSWER_MAX_BYTES (16 * 1024 * 1024)

/* answer_json answers with what `body` holds, and empties it. */
void answer_json(struct http_request *request, int status, struct buf *body);
void answer_error(struct http_request *request, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* answer_no_route answers 405 with the methods that the path takes, "GET, PUT"; 404 if none. */
void answer_no_route(struct http_request *request, const struct buf *allowed);
/* answer_text answers with an object of one member. */
void answer_text(struct http_request *request, int status, const char *name, struct slice text);

/* How an error of ours is told. */
struct answer_row {
    enum err err;
    int status;
    const char *code;
};
/* answer_failure answers with the row of `err` and what `why` says; false if it has no row. */
bool answer_failure(struct http_request *request, const struct answer_row *rows, size_t count,
                    enum err err, const struct cause *why);

#endif
