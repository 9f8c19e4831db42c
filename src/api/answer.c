#include "api/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/member.h"

#define MESSAGE_MAX_BYTES 2048

void answer_json(struct http_request *request, int status, struct buf *body)
{
    http_respond(request, status, "application/json", body);
}

void answer_error(struct http_request *request, int status, const char *code, const char *fmt, ...)
{
    char message[MESSAGE_MAX_BYTES];
    struct buf body;
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    buf_init(&body, ANSWER_MAX_BYTES);
    member_open(&body, "error");
    member_text(&body, "code", slice_of(code));
    member_text(&body, "message", slice_of(len < 0 ? "" : message));
    buf_add(&body, SLICE("}}\n"));
    answer_json(request, status, &body);
}

void answer_text(struct http_request *request, int status, const char *name, struct slice text)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    member_text(&body, name, text);
    buf_add(&body, SLICE("}\n"));
    answer_json(request, status, &body);
}

bool answer_failure(struct http_request *request, const struct answer_row *rows, size_t count,
                    enum err err, const struct cause *why)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].err == err) {
            answer_error(request, rows[i].status, rows[i].code, "%s", cause_text(why, err));
            return true;
        }
    return false;
}

void answer_no_route(struct http_request *request, const struct buf *allowed)
{
    if (allowed->len == 0) {
        answer_error(request, 404, "NotFound", "there is nothing at %.*s",
                     SLICE_ARG(http_request_path(request)));
        return;
    }
    (void)http_reply_header(request, SLICE("Allow"), buf_slice(allowed));
    answer_error(request, 405, "MethodNotAllowed", "use %.*s", SLICE_ARG(buf_slice(allowed)));
}
