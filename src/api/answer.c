#include "api/answer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "json/json.h"

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

void member_open(struct buf *out, const char *name)
{
    char last = out->len == 0 ? '\0' : out->data[out->len - 1];

    /* A value has just ended, or an object is about to begin? */
    buf_add_byte(out, last == '\0' || last == ':' || last == '[' || last == ',' ? '{' : ',');
    buf_addf(out, "\"%s\":", name);
}

void member_text(struct buf *out, const char *name, struct slice value)
{
    member_open(out, name);
    if (value.data == NULL)
        buf_add(out, SLICE("null"));
    else
        jx_write_string(out, value);
}

void member_u64(struct buf *out, const char *name, uint64_t value)
{
    member_open(out, name);
    buf_add_u64(out, value);
}

void member_i64(struct buf *out, const char *name, int64_t value)
{
    member_open(out, name);
    buf_add_i64(out, value);
}

void member_f64(struct buf *out, const char *name, double value)
{
    member_open(out, name);
    buf_addf(out, "%.6g", isfinite(value) ? value : 0.0);
}

void member_bool(struct buf *out, const char *name, bool value)
{
    member_open(out, name);
    buf_add(out, value ? SLICE("true") : SLICE("false"));
}
