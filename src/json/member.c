#include "json/member.h"

#include <math.h>

#include "base/clock.h"
#include "json/json.h"

static void begin(struct buf *out)
{
    char last = out->len == 0 ? ',' : out->data[out->len - 1];

    if (last != '{')
        buf_add_byte(out, last == ':' || last == '[' || last == ',' ? '{' : ',');
}

void member_open(struct buf *out, const char *name)
{
    begin(out);
    buf_add_byte(out, '"');
    buf_add(out, slice_of(name));
    buf_add(out, SLICE("\":"));
}

void member_copy(struct buf *out, const struct jx_field *field)
{
    begin(out);
    buf_add(out, field->name);
    buf_add_byte(out, ':');
    buf_add(out, field->value);
}

void member_json(struct buf *out, const char *name, struct slice json)
{
    member_open(out, name);
    buf_add(out, json.data == NULL ? SLICE("null") : json);
}

void member_text(struct buf *out, const char *name, struct slice text)
{
    member_open(out, name);
    if (text.data == NULL)
        buf_add(out, SLICE("null"));
    else
        jx_write_string(out, text);
}

void member_json_if(struct buf *out, const char *name, struct slice json)
{
    if (json.data != NULL)
        member_json(out, name, json);
}

void member_text_if(struct buf *out, const char *name, struct slice text)
{
    if (text.data != NULL)
        member_text(out, name, text);
}

void member_u64(struct buf *out, const char *name, uint64_t number)
{
    member_open(out, name);
    buf_add_u64(out, number);
}

void member_i64(struct buf *out, const char *name, int64_t number)
{
    member_open(out, name);
    buf_add_i64(out, number);
}

void member_f64(struct buf *out, const char *name, double number)
{
    member_open(out, name);
    buf_addf(out, "%.6g", isfinite(number) ? number : 0.0);
}

void member_bool(struct buf *out, const char *name, bool value)
{
    member_json(out, name, value ? SLICE("true") : SLICE("false"));
}

void member_time(struct buf *out, const char *name, uint64_t unix_us, int digits)
{
    member_open(out, name);
    buf_add_byte(out, '"');
    clock_add_rfc3339(out, unix_us, digits);
    buf_add_byte(out, '"');
}
