/* Responses. */
#include "wire/http1.h"

#include "wire/http1_head.h"

static enum err status_parse(struct slice line, struct http1_head *head)
{
    /* HTTP/1.x SP 3 digits [SP reason]; many servers leave the second space out */
    if (line.len < 12 || !slice_has_prefix(line, SLICE("HTTP/1.")) || line.data[8] != ' ')
        return E_BAD_WIRE;
    if (line.data[7] != '0' && line.data[7] != '1')
        return E_BAD_WIRE;
    head->is_keep_alive = line.data[7] == '1';
    head->status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return E_BAD_WIRE;
        head->status = head->status * 10 + (line.data[i] - '0');
    }
    if (head->status < 100 || head->status > 599)
        return E_BAD_WIRE;
    if (line.len > 12 && line.data[12] != ' ')
        return E_BAD_WIRE;
    head->reason = slice_from(line, 13);
    return http1_is_text(head->reason) ? E_OK : E_BAD_WIRE;
}

static bool has_no_body(int status, bool is_head)
{
    return is_head || status < 200 || status == 204 || status == 304;
}

static enum err framing_decide(struct http1_head *head, const struct http1_says *says, bool is_head)
{
    if (says->is_chunked && (says->lengths > 0 || !head->is_keep_alive))
        return E_BAD_WIRE; /* both, or chunked in HTTP/1.0: the classic ways to smuggle */
    head->is_keep_alive = !says->closes && (head->is_keep_alive || says->keeps_alive);
    head->body_bytes = 0;
    if (has_no_body(head->status, is_head)) {
        head->framing = HTTP1_NO_BODY;
    } else if (says->is_chunked) {
        head->framing = HTTP1_CHUNKED;
    } else if (says->lengths > 0) {
        head->framing = HTTP1_LENGTH;
        head->body_bytes = says->length;
    } else {
        head->framing = HTTP1_UNTIL_CLOSE;
        head->is_keep_alive = false;
    }
    return E_OK;
}

enum err http1_head_parse(struct slice bytes, bool is_head, struct http1_head *ret)
{
    struct http1_says says;
    struct slice line;

    ret->count = 0;
    if (!http1_line_cut(&bytes, &line))
        return E_BAD_WIRE;
    enum err err = status_parse(line, ret);
    if (err == E_OK)
        err = http1_fields_parse(bytes, ret->headers, &ret->count, &says);
    if (err == E_UNSUPPORTED) /* no coding was asked for, so none but chunked may come */
        err = E_BAD_WIRE;
    return err ? err : framing_decide(ret, &says, is_head);
}

struct slice http1_head_find(const struct http1_head *head, struct slice name)
{
    return http1_field_find(head->headers, head->count, name);
}
