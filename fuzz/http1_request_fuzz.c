/* Requests as the server reads them from one connection, one behind the other: what was taken for a
 * head is well-formed and tells one way to end, and reading goes on exactly behind its body. */
#include <assert.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/http1.h"

#define HEAD_MAX_BYTES 4096

static size_t count_of(const struct http1_request *request, struct slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->count; i++)
        count += slice_eq_nocase(request->headers[i].name, name);
    return count;
}

static void check_head(const struct http1_request *request)
{
    assert(http1_is_token(request->method) && request->target.len > 0);
    assert(slice_find_byte(request->target, ' ') == request->target.len);
    assert(request->count <= HTTP1_HEADERS_MAX);
    for (size_t i = 0; i < request->count; i++)
        assert(http1_is_token(request->headers[i].name) &&
               http1_is_value(request->headers[i].value));
    size_t hosts = count_of(request, SLICE("host"));
    size_t lengths = count_of(request, SLICE("content-length"));
    size_t codings = count_of(request, SLICE("transfer-encoding"));
    assert(hosts == 1 || (hosts == 0 && request->is_http10));
    assert(lengths + codings <= 1);
    assert((request->framing == HTTP1_CHUNKED) == (codings == 1));
    assert(request->framing != HTTP1_LENGTH || (lengths == 1 && request->body_bytes > 0));
    assert(!request->expects_continue || !request->is_http10);
}

/* Where the body ends, or in.len. */
static size_t skip_body(const struct http1_request *request, struct slice in)
{
    struct http1_chunks chunks = {0};
    size_t at = 0;

    if (request->framing == HTTP1_NO_BODY)
        return 0;
    if (request->framing == HTTP1_LENGTH)
        return request->body_bytes < in.len ? (size_t)request->body_bytes : in.len;
    while (at < in.len && !chunks.is_done) {
        struct slice data;
        size_t used;
        if (http1_chunk_next(&chunks, slice_from(in, at), &data, &used) != E_OK)
            return in.len;
        assert(used > 0);
        at += used;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice in = {(const char *)data, len};
    struct http1_request request;

    while (in.len > 0) {
        size_t scanned = 0, bytes = 0;
        if (http1_head_end(in, HEAD_MAX_BYTES, &scanned, &bytes) != E_OK)
            return 0;
        enum err err = http1_request_parse(slice_first(in, bytes), &request);
        if (err) {
            assert(request.refusal >= 400 && request.refusal <= 599);
            return 0;
        }
        check_head(&request);
        in = slice_from(in, bytes);
        in = slice_from(in, skip_body(&request, in));
    }
    return 0;
}
