/* Answers of HTTP servers: a head that was found is well-formed and tells one way to end; a chunked
 * body gives the same bytes whole and byte by byte. */
#include <assert.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/http1.h"

#define HEAD_MAX_BYTES 4096

/* Feeds `step` bytes at a time. Whether it failed, ended, and what came out must not depend on it.
 */
static enum err chunks_read(struct slice in, size_t step, struct buf *out, bool *ret_done)
{
    struct http1_chunks chunks = {0};

    for (size_t at = 0; at < in.len && !chunks.is_done;) {
        struct slice data;
        size_t used;
        enum err err =
            http1_chunk_next(&chunks, slice_first(slice_from(in, at), step), &data, &used);
        if (err)
            return err;
        assert(used > 0 && used <= step && data.len <= used);
        buf_add(out, data);
        at += used;
    }
    *ret_done = chunks.is_done;
    return E_OK;
}

static void check_chunks(struct slice in)
{
    struct buf whole, bytes;
    bool is_done_whole = false, is_done_bytes = false;

    buf_init(&whole, in.len + 1);
    buf_init(&bytes, in.len + 1);
    enum err err = chunks_read(in, in.len + 1, &whole, &is_done_whole);
    assert(chunks_read(in, 1, &bytes, &is_done_bytes) == err);
    assert(is_done_whole == is_done_bytes);
    if (err == E_OK)
        assert(slice_eq(buf_slice(&whole), buf_slice(&bytes)));
    buf_done(&whole);
    buf_done(&bytes);
}

static void check_head(const struct http1_head *head)
{
    assert(head->status >= 100 && head->status <= 599 && head->count <= HTTP1_HEADERS_MAX);
    for (size_t i = 0; i < head->count; i++)
        assert(http1_is_token(head->headers[i].name) && http1_is_value(head->headers[i].value));
    struct slice length = http1_head_find(head, SLICE("content-length"));
    struct slice coding = http1_head_find(head, SLICE("transfer-encoding"));
    assert(length.data == NULL || coding.data == NULL);
    if (head->framing == HTTP1_LENGTH)
        assert(length.data != NULL && head->body_bytes <= INT64_MAX);
    if (head->framing == HTTP1_UNTIL_CLOSE)
        assert(!head->is_keep_alive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice in = {(const char *)data, len};
    size_t scanned = 0, bytes = 0, bytes_slow = 0;
    enum err err = http1_head_end(in, HEAD_MAX_BYTES, &scanned, &bytes);

    size_t at = 0;
    enum err err_slow = E_MORE;
    for (size_t have = 0; have <= len && err_slow == E_MORE; have++)
        err_slow = http1_head_end(slice_first(in, have), HEAD_MAX_BYTES, &at, &bytes_slow);
    assert(err == err_slow && bytes == bytes_slow);
    if (err != E_OK) {
        check_chunks(in);
        return 0;
    }
    struct http1_head head;
    if (http1_head_parse(slice_first(in, bytes), false, &head) != E_OK)
        return 0;
    check_head(&head);
    if (head.framing == HTTP1_CHUNKED)
        check_chunks(slice_from(in, bytes));
    return 0;
}
