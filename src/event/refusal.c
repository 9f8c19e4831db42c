#include "event/refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "event/date.h"
#include "json/member.h"

#define TEXT_MAX_BYTES 4096

static const struct kind {
    unsigned status;
    const char *code;
    const char *detail;
    enum err err;
    bool has_report;
} kinds[] = {
#define REFUSAL_ROW(kind, status, code, detail, err, has_report)                                   \
    [kind] = {status, code, detail, err, has_report},
    REFUSALS(REFUSAL_ROW)
#undef REFUSAL_ROW
};

enum err refuse(struct refusal *why, enum refusal_kind kind, const char *fmt, ...)
{
    va_list args;

    if (why != NULL) {
        why->kind = kind;
        va_start(args, fmt);
        vsnprintf(why->text.text, sizeof why->text.text, fmt, args);
        va_end(args);
    }
    return kinds[kind].err;
}

unsigned refusal_status(const struct refusal *why)
{
    return kinds[why->kind].status;
}

const char *refusal_reason(const struct refusal *why)
{
    const struct kind *kind = &kinds[why->kind];
    return kind->detail != NULL ? kind->detail : kind->code;
}

void refusal_write(struct buf *out, const struct refusal *why, struct slice guid,
                   uint64_t now_unix_ms)
{
    const struct kind *kind = &kinds[why->kind];
    struct buf text;

    buf_init(&text, TEXT_MAX_BYTES);
    buf_add(&text, slice_of(why->text.text));
    if (kind->has_report) {
        buf_addf(&text, " Report '%.*s:0:", SLICE_ARG(guid));
        date_add_us(&text, now_unix_ms);
        buf_add(&text, SLICE(" (UTC)' to our forums for assistance or raise a support ticket."));
    }
    member_open(out, "error");
    member_text(out, "code", slice_of(kind->code));
    member_text(out, "message", buf_slice(&text));
    if (kind->detail != NULL) {
        member_open(out, "details");
        buf_add_byte(out, '[');
        member_text(out, "code", slice_of(kind->detail));
        member_text(out, "message", buf_slice(&text));
        buf_add(out, SLICE("}]"));
    }
    buf_add(out, SLICE("}}"));
    buf_done(&text);
}
