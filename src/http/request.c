#include "http/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "http/server_internal.h"
#include "wire/url.h"

#define FIELDS_MAX_BYTES (16 * 1024)
#define KEPT_BYTES (16 * 1024) /* a larger buffer is not kept for the next request */

struct http_request *request_new(struct http_server *server, size_t bytes_max)
{
    struct http_request *request = mem_new(struct http_request);

    request->server = server;
    buf_init(&request->bytes, bytes_max);
    buf_init(&request->text, HTTP_REQUEST_HEAD_MAX_BYTES);
    buf_init(&request->fields, FIELDS_MAX_BYTES);
    return request;
}

void request_reset(struct http_request *request)
{
    size_t bytes_max = request->bytes.max_bytes;

    request->caller = NULL;
    request->is_held = request->is_head = false;
    request->parsed_at = NULL;
    request->reserved_bytes = 0;
    request->gone = NULL;
    request->body = SLICE_NONE;
    buf_clear(&request->fields);
    buf_clear(&request->bytes);
    if (request->bytes.cap > KEPT_BYTES) {
        buf_done(&request->bytes);
        buf_init(&request->bytes, bytes_max);
    }
}

void request_free(struct http_request *request)
{
    if (request == NULL)
        return;
    buf_done(&request->bytes);
    buf_done(&request->text);
    buf_done(&request->fields);
    free(request);
}

static bool is_plain(struct slice escaped, bool is_form)
{
    return slice_find_byte(escaped, '%') == escaped.len &&
           (!is_form || slice_find_byte(escaped, '+') == escaped.len);
}

/* Unescapes into request->text, which has room for all of the target: the slice stays valid. What
 * has nothing to unescape stays where it is. */
static enum err decode(struct http_request *request, struct slice escaped, bool is_form,
                       struct slice *ret)
{
    size_t start = request->text.len;
    struct slice text = escaped.data != NULL ? escaped : SLICE("");

    if (!is_plain(escaped, is_form)) {
        enum err err = is_form ? url_decode_form(&request->text, escaped)
                               : url_decode(&request->text, escaped);
        if (err)
            return err;
        text = slice_from(buf_slice(&request->text), start);
    }
    if (!utf8_is_valid(text) || slice_find_byte(text, 0) < text.len)
        return E_BAD_INPUT;
    *ret = text;
    return E_OK;
}

static enum err split_path(struct http_request *request)
{
    struct slice rest = request->path;
    struct slice part;

    while (slice_cut(&rest, '/', &part)) {
        if (part.len == 0)
            continue;
        if (request->segment_count == HTTP_SEGMENTS_MAX)
            return E_LIMIT;
        enum err err = decode(request, part, false, &request->segments[request->segment_count]);
        if (err)
            return err;
        request->segment_count++;
    }
    return E_OK;
}

static enum err split_query(struct http_request *request, struct slice rest)
{
    struct slice part;

    while (slice_cut(&rest, '&', &part)) {
        size_t equals = slice_find_byte(part, '=');
        if (part.len == 0)
            continue;
        if (request->parameter_count == HTTP_PARAMETERS_MAX)
            return E_LIMIT;
        struct http_header *parameter = &request->parameters[request->parameter_count];
        enum err err = decode(request, slice_first(part, equals), true, &parameter->name);
        if (err == E_OK)
            err = decode(request, slice_from(part, equals + 1), true, &parameter->value);
        if (err)
            return err;
        request->parameter_count++;
    }
    return E_OK;
}

static size_t scheme_len(struct slice target)
{
    static const struct slice schemes[] = {SLICE_INIT("http://"), SLICE_INIT("https://")};

    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (slice_eq_nocase(slice_first(target, schemes[i].len), schemes[i]))
            return schemes[i].len;
    return 0;
}

/* The absolute form ("GET http://host/path") is what proxies get, and servers must accept; the
 * path may be left out before a query. "*" asks for the server itself. SLICE_NONE: no form at all,
 * of which a proxy in front may make something else than we. */
static struct slice origin_form(struct slice target)
{
    size_t scheme = scheme_len(target);

    if (target.data[0] == '/' || slice_eq(target, SLICE("*")))
        return target;
    if (scheme == 0)
        return SLICE_NONE;
    target = slice_from(target, scheme);
    size_t slash = slice_find_byte(target, '/'), question = slice_find_byte(target, '?');
    target = slice_from(target, slash < question ? slash : question);
    return target.len > 0 ? target : SLICE("/");
}

static enum err split_target(struct http_request *request)
{
    struct slice target = origin_form(request->head.target);
    size_t question = slice_find_byte(target, '?');

    buf_clear(&request->text);
    request->segment_count = request->parameter_count = 0;
    if (target.data == NULL)
        return E_BAD_INPUT;
    if (buf_reserve(&request->text, target.len + 1) == NULL)
        return E_LIMIT;
    request->path = slice_first(target, question);
    enum err err = split_path(request);
    return err ? err : split_query(request, slice_from(target, question + 1));
}

enum err request_read(struct http_request *request, struct slice head, int *ret_status,
                      bool *ret_is_framed)
{
    enum err err = http1_request_parse(head, &request->head);

    *ret_is_framed = err == E_OK;
    if (err) {
        *ret_status = request->head.refusal;
        return err;
    }
    request->parsed_at = head.data;
    request->is_head = slice_eq(request->head.method, SLICE("HEAD"));
    err = split_target(request);
    if (err)
        *ret_status = err == E_LIMIT ? 414 : 400;
    return err;
}

struct slice http_request_method(const struct http_request *request)
{
    return request->head.method;
}

struct slice http_request_path(const struct http_request *request)
{
    return request->path;
}

size_t http_request_segment_count(const struct http_request *request)
{
    return request->segment_count;
}

struct slice http_request_segment(const struct http_request *request, size_t index)
{
    return index < request->segment_count ? request->segments[index] : SLICE_NONE;
}

struct slice http_request_parameter(const struct http_request *request, struct slice name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (slice_eq_nocase(request->parameters[i].name, name))
            return request->parameters[i].value;
    return SLICE_NONE;
}

struct slice http_request_header(const struct http_request *request, struct slice name)
{
    return http1_field_find(request->head.headers, request->head.count, name);
}

void http_request_add_url(struct buf *out, const struct http_request *request)
{
    struct slice host = http_request_header(request, SLICE("Host"));

    const char *url = request->server->options.url;

    if (url != NULL && url[0] != '\0') {
        buf_add(out, slice_of(url));
        return;
    }
    bool is_tls =
        request->server->tls != NULL ||
        slice_eq_nocase(http_request_header(request, SLICE("X-Forwarded-Proto")), SLICE("https"));
    buf_add(out, is_tls ? SLICE("https://") : SLICE("http://"));
    buf_add(out, host.len > 0 ? host : SLICE("localhost"));
}

void http_request_each_header(const struct http_request *request,
                              void (*each)(void *ctx, struct slice name, struct slice value),
                              void *ctx)
{
    for (size_t i = 0; i < request->head.count; i++)
        each(ctx, request->head.headers[i].name, request->head.headers[i].value);
}

struct slice http_request_body(const struct http_request *request)
{
    return request->body;
}

bool http_reply_header(struct http_request *request, struct slice name, struct slice value)
{
    size_t len_before = request->fields.len;

    if (!http1_is_token(name) || !http1_is_value(value))
        return false;
    buf_add(&request->fields, name);
    buf_add(&request->fields, SLICE(": "));
    buf_add(&request->fields, value);
    buf_add(&request->fields, SLICE("\r\n"));
    if (buf_err(&request->fields)) {
        request->fields.len = len_before;
        request->fields.missed = false;
        return false;
    }
    return true;
}
