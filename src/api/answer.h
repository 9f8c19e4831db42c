/* api/answer.h - the JSON that the API answers with.
 * Errors are {"error":{"code":"FunctionNotFound","message":"..."}}. */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include "base/buf.h"
#include "http/server.h"

#define ANSWER_MAX_BYTES (16 * 1024 * 1024)

/* answer_json answers with what `body` holds, and empties it. */
void answer_json(struct http_request *request, int status, struct buf *body);
void answer_error(struct http_request *request, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Members of an object: `{` or `,` is written before each, so an object starts with nothing and
 * ends with a plain '}'. NULL and SLICE_NONE are written as null. */
void member_text(struct buf *out, const char *name, struct slice value);
void member_u64(struct buf *out, const char *name, uint64_t value);
void member_i64(struct buf *out, const char *name, int64_t value);
void member_f64(struct buf *out, const char *name, double value);
void member_bool(struct buf *out, const char *name, bool value);
/* member_open writes the name; the value is written by the caller. */
void member_open(struct buf *out, const char *name);

#endif
