#include "http/request.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "wire/url.h"

#define FIELDS_MAX_BYTES (16 * 1024)
#define KEPT_BODY_BYTES (64 * 1024) /* a larger buffer is not kept for the next request */

struct http_request *request_new(struct http_server *server,
                                 const struct http_server_options *options)
{
    struct http_request *request = mem_new(struct http_request);

    request->server = server;
    request->url = options->url != NULL && options->url[0] != '\0' ? options->url : NULL;
    request->is_tls = options->cert_file != NULL;
    buf_init(&request->target, HTTP_REQUEST_HEAD_MAX_BYTES);
    buf_init(&request->text, HTTP_REQUEST_HEAD_MAX_BYTES);
    buf_init(&request->fields, FIELDS_MAX_BYTES);
    buf_init(&request->body, options->body_max_bytes);
    return request;
}

void request_reset(struct http_request *request)
{
    size_t body_max_bytes = request->body.max_bytes;

    free(request->reply);
    request->reply = NULL;
    request->reply_bytes = 0;
    request->stream = NULL;
    request->connection = NULL;
    request->discarded_bytes = 0;
    request->refused_status = 0;
    request->is_live = request->is_answered = request->is_cut = request->is_let_go = false;
    request->method[0] = 0;
    request->segment_count = request->parameter_count = 0;
    buf_clear(&request->target);
    buf_clear(&request->text);
    buf_clear(&request->fields);
    buf_clear(&request->body);
    if (request->body.cap > KEPT_BODY_BYTES) {
        buf_done(&request->body);
        buf_init(&request->body, body_max_bytes);
    }
}

void request_free(struct http_request *request)
{
    if (request == NULL)
        return;
    free(request->reply);
    buf_done(&request->target);
    buf_done(&request->text);
    buf_done(&request->fields);
    buf_done(&request->body);
    free(request);
}

/* Unescapes into request->text, which has room for all of the target: the slice stays valid. */
static enum err decode(struct http_request *request, struct slice escaped, bool is_form,
                       struct slice *ret)
{
    size_t start = request->text.len;
    enum err err =
        is_form ? url_decode_form(&request->text, escaped) : url_decode(&request->text, escaped);

    if (err)
        return err;
    struct slice text = slice_from(buf_slice(&request->text), start);
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

/* The absolute form ("GET http://host/path") is what proxies get, and servers must accept. */
static struct slice origin_form(struct slice target)
{
    size_t scheme_end = slice_find(target, SLICE("://"));

    if (target.len == 0 || target.data[0] == '/' || scheme_end == target.len)
        return target;
    target = slice_from(target, scheme_end + 3);
    target = slice_from(target, slice_find_byte(target, '/'));
    return target.len > 0 ? target : SLICE("/");
}

static bool is_target_text(struct slice target)
{
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.data[i] <= ' ' || target.data[i] == 0x7f)
            return false;
    return target.len > 0;
}

enum err request_set_target(struct http_request *request, struct slice target)
{
    buf_add(&request->target, target);
    if (buf_err(&request->target) || buf_reserve(&request->text, target.len + 1) == NULL)
        return E_LIMIT;
    target = origin_form(buf_slice(&request->target));
    if (!is_target_text(target))
        return E_BAD_INPUT;
    size_t question = slice_find_byte(target, '?');
    request->path = slice_first(target, question);
    enum err err = split_path(request);
    return err ? err : split_query(request, slice_from(target, question + 1));
}

struct slice http_request_method(const struct http_request *request)
{
    return slice_of(request->method);
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
    const char *value = NULL;
    size_t len = 0;

    if (request->is_cut ||
        MHD_lookup_connection_value_n(request->connection, MHD_HEADER_KIND, name.data, name.len,
                                      &value, &len) != MHD_YES)
        return SLICE_NONE;
    return value == NULL ? SLICE("") : (struct slice){value, len};
}

void http_request_add_url(struct buf *out, const struct http_request *request)
{
    struct slice host = http_request_header(request, SLICE("Host"));

    if (request->url != NULL) {
        buf_add(out, slice_of(request->url));
        return;
    }
    bool is_tls =
        request->is_tls ||
        slice_eq_nocase(http_request_header(request, SLICE("X-Forwarded-Proto")), SLICE("https"));
    buf_add(out, is_tls ? SLICE("https://") : SLICE("http://"));
    buf_add(out, host.len > 0 ? host : SLICE("localhost"));
}

struct walk {
    void (*each)(void *ctx, struct slice name, struct slice value);
    void *ctx;
};

static enum MHD_Result on_field(void *ctx, enum MHD_ValueKind kind, const char *name,
                                size_t name_len, const char *value, size_t value_len)
{
    const struct walk *walk = ctx;

    (void)kind;
    walk->each(walk->ctx, (struct slice){name, name_len},
               value == NULL ? SLICE("") : (struct slice){value, value_len});
    return MHD_YES;
}

void http_request_each_header(const struct http_request *request,
                              void (*each)(void *ctx, struct slice name, struct slice value),
                              void *ctx)
{
    struct walk walk = {each, ctx};

    if (!request->is_cut)
        (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, on_field, &walk);
}

struct slice http_request_body(const struct http_request *request)
{
    return buf_slice(&request->body);
}

bool http_reply_header(struct http_request *request, struct slice name, struct slice value)
{
    size_t len_before = request->fields.len;

    if (!http1_is_token(name) || !http1_is_value(value))
        return false;
    buf_add(&request->fields, name);
    buf_add_byte(&request->fields, 0);
    buf_add(&request->fields, value);
    buf_add_byte(&request->fields, 0);
    if (buf_err(&request->fields)) {
        request->fields.len = len_before;
        request->fields.missed = false;
        return false;
    }
    return true;
}
