#include "event/member.h"

#include <stdlib.h>

void put_name(struct buf *out, const char *name)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '{';

    buf_addf(out, "%s\"%s\":", last == '{' ? "" : ",", name);
}

void put_text(struct buf *out, const char *name, const char *text)
{
    if (text == NULL)
        return;
    put_name(out, name);
    jx_write_string(out, slice_of(text));
}

void put_u64(struct buf *out, const char *name, uint64_t number)
{
    put_name(out, name);
    buf_add_u64(out, number);
}

void take_text(struct jx_view *view, const char *field, char **at)
{
    const char *text;

    if (!jx_text(view, field, &text))
        return;
    free(*at);
    *at = slice_dup(slice_of(text));
}
