/* Requests. What is ambiguous is refused, even where the standard lets a server guess: a proxy in
 * front may guess otherwise, and then one of us reads a request that the other did not see. */
#include "wire/http1.h"

#include <string.h>

#include "wire/http1_head.h"

static enum err refuse(struct http1_request *request, enum err err, int status)
{
    request->refusal = status;
    return err;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HTTP/1.0 and above, up to HTTP/1.9: what 1.1 says goes for all of them. */
static enum err version_parse(struct slice text, struct http1_request *request)
{
    if (text.len != 8 || !slice_has_prefix(text, SLICE("HTTP/")) || !is_digit(text.data[5]) ||
        text.data[6] != '.' || !is_digit(text.data[7]))
        return refuse(request, E_BAD_WIRE, 400);
    if (text.data[5] != '1')
        return refuse(request, E_UNSUPPORTED, 505);
    request->is_http10 = text.data[7] == '0';
    return E_OK;
}

static bool is_target(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
    return text.len > 0;
}

/* METHOD SP TARGET SP VERSION, with one space each. */
static enum err line_parse(struct slice line, struct http1_request *request)
{
    if (!slice_cut(&line, ' ', &request->method) || !http1_is_token(request->method) ||
        !slice_cut(&line, ' ', &request->target) || !is_target(request->target))
        return refuse(request, E_BAD_WIRE, 400);
    return version_parse(line, request);
}

static bool is_host_byte(char c)
{
    return is_digit(c) || (lower_of(c) >= 'a' && lower_of(c) <= 'z') ||
           (c != 0 && strchr("-._~:[]%!$&'()*+,;=", c) != NULL);
}

static bool is_host(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_host_byte(text.data[i]))
            return false;
    return true;
}

static bool has_right_host(const struct http1_request *request, const struct http1_says *says)
{
    if (says->hosts == 0)
        return request->is_http10;
    return says->hosts == 1 && is_host(says->host);
}

/* The classic ways to smuggle: lengths and chunks, two lengths, chunks in HTTP/1.0. */
static bool is_ambiguous(const struct http1_request *request, const struct http1_says *says)
{
    return says->lengths > 1 || (says->is_chunked && (says->lengths > 0 || request->is_http10));
}

static enum err decide(struct http1_request *request, const struct http1_says *says)
{
    if (!has_right_host(request, says) || is_ambiguous(request, says))
        return refuse(request, E_BAD_WIRE, 400);
    if (says->expects_other && !request->is_http10)
        return refuse(request, E_UNSUPPORTED, 417);
    request->is_keep_alive = !says->closes && (!request->is_http10 || says->keeps_alive);
    request->expects_continue = says->expects_continue && !request->is_http10;
    request->body_bytes = says->length;
    request->framing = says->is_chunked   ? HTTP1_CHUNKED
                       : says->length > 0 ? HTTP1_LENGTH
                                          : HTTP1_NO_BODY;
    return E_OK;
}

enum err http1_request_parse(struct slice head, struct http1_request *ret)
{
    struct http1_says says;
    struct slice line;

    if (!http1_line_cut(&head, &line))
        return refuse(ret, E_BAD_WIRE, 400);
    enum err err = line_parse(line, ret);
    if (err)
        return err;
    err = http1_fields_parse(head, ret->headers, &ret->count, &says);
    if (err)
        return refuse(ret, err, err == E_LIMIT ? 431 : err == E_UNSUPPORTED ? 501 : 400);
    return decide(ret, &says);
}
