#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/http1.h"

#define assert_slice(got, want)                                                                    \
    do {                                                                                           \
        assert_int_equal((got).len, strlen(want));                                                 \
        assert_memory_equal((got).data, want, (got).len);                                          \
    } while (0)

#define HEAD_MAX 4096

static void heads_tell_how_the_body_ends(void **state)
{
    static const struct row {
        const char *head; /* without the empty line */
        int status;
        enum http1_framing framing;
        uint64_t body_bytes;
        bool is_keep_alive;
        bool is_head;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 200, HTTP1_LENGTH, 5, true, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 200, HTTP1_LENGTH, 0, true, false},
        {"HTTP/1.1 200 OK\r\ncontent-length:5,5\r\nContent-Length: 5\r\n", 200, HTTP1_LENGTH, 5,
         true, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n", 200, HTTP1_CHUNKED, 0, true, false},
        {"HTTP/1.1 200 OK\r\n", 200, HTTP1_UNTIL_CLOSE, 0, false, false},
        {"HTTP/1.1 200\r\n", 200, HTTP1_UNTIL_CLOSE, 0, false, false},
        {"HTTP/1.1 200 \r\n", 200, HTTP1_UNTIL_CLOSE, 0, false, false},
        {"HTTP/1.1 204 No Content\r\n", 204, HTTP1_NO_BODY, 0, true, false},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n", 304, HTTP1_NO_BODY, 0, true, false},
        {"HTTP/1.1 100 Continue\r\n", 100, HTTP1_NO_BODY, 0, true, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", 200, HTTP1_NO_BODY, 0, true, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close\r\n", 200, HTTP1_LENGTH, 1,
         false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x , close\r\n", 200, HTTP1_LENGTH, 1,
         false, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n", 200, HTTP1_LENGTH, 1, false, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n", 200, HTTP1_LENGTH, 1,
         true, false},
        {"HTTP/1.0 200 OK\r\n", 200, HTTP1_UNTIL_CLOSE, 0, false, false},
        {"HTTP/1.1 599 \xc3\xa4\r\nX:\r\n", 599, HTTP1_UNTIL_CLOSE, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n", 200, HTTP1_LENGTH, INT64_MAX,
         true, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[512];
        struct http1_head head;
        int len = snprintf(text, sizeof(text), "%s\r\n", rows[i].head);
        enum err err = http1_head_parse((struct slice){text, (size_t)len}, rows[i].is_head, &head);
        if (err)
            fail_msg("row %zu: %s", i, err_name(err));
        assert_int_equal(head.status, rows[i].status);
        assert_int_equal(head.framing, rows[i].framing);
        assert_int_equal(head.body_bytes, rows[i].body_bytes);
        assert_int_equal(head.is_keep_alive, rows[i].is_keep_alive);
    }
}

static void bad_heads_are_refused(void **state)
{
    static const char *const rows[] = {
        "\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "ICY 200 OK and more\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA B: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\x7f\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;a=b\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http1_head head;
        enum err err = http1_head_parse(slice_of(rows[i]), false, &head);
        if (err != E_BAD_WIRE)
            fail_msg("%s: %s", rows[i], err_name(err));
    }
}

static void fields_are_found_in_any_case_and_trimmed(void **state)
{
    (void)state;
    struct http1_head head;
    struct slice text =
        SLICE("HTTP/1.1 200 Very Well\r\nX-One: \t a b \t\r\nx-one: 2\r\nE:\r\n\r\n");
    assert_int_equal(http1_head_parse(text, false, &head), E_OK);
    assert_slice(head.reason, "Very Well");
    assert_int_equal(head.count, 3);
    assert_slice(http1_head_find(&head, SLICE("X-ONE")), "a b");
    assert_slice(head.headers[1].value, "2");
    assert_slice(http1_head_find(&head, SLICE("e")), "");
    assert_non_null(http1_head_find(&head, SLICE("e")).data);
    assert_null(http1_head_find(&head, SLICE("X")).data);
}

static void too_many_fields_are_over_the_limit(void **state)
{
    (void)state;
    for (size_t count = HTTP1_HEADERS_MAX; count <= HTTP1_HEADERS_MAX + 1; count++) {
        struct buf text;
        struct http1_head head;
        buf_init(&text, HEAD_MAX);
        buf_add(&text, SLICE("HTTP/1.1 200 OK\r\n"));
        for (size_t i = 0; i < count; i++)
            buf_add(&text, SLICE("a: b\r\n"));
        buf_add(&text, SLICE("\r\n"));
        assert_int_equal(http1_head_parse(buf_slice(&text), false, &head),
                         count > HTTP1_HEADERS_MAX ? E_LIMIT : E_OK);
        buf_done(&text);
    }
}

static void the_end_of_a_head_is_found_split_at_every_byte(void **state)
{
    (void)state;
    struct slice text = SLICE("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\r\n\r\n");
    size_t want = text.len - 8;
    for (size_t first = 0; first <= text.len; first++) {
        size_t scanned = 0, bytes = 0;
        enum err err = http1_head_end(slice_first(text, first), HEAD_MAX, &scanned, &bytes);
        assert_int_equal(err, first < want ? E_MORE : E_OK);
        if (err == E_MORE)
            err = http1_head_end(text, HEAD_MAX, &scanned, &bytes);
        assert_int_equal(err, E_OK);
        assert_int_equal(bytes, want);
    }
    size_t scanned = 0, bytes = 0;
    for (size_t len = 0; len < want; len++)
        assert_int_equal(http1_head_end(slice_first(text, len), HEAD_MAX, &scanned, &bytes),
                         E_MORE);
    assert_int_equal(http1_head_end(text, HEAD_MAX, &scanned, &bytes), E_OK);
    assert_int_equal(bytes, want);
}

static void a_head_without_end_is_over_the_limit(void **state)
{
    static const struct row {
        const char *text;
        size_t max_bytes;
        enum err err;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", 19, E_OK},
        {"HTTP/1.1 200 OK\r\n\r\n", 18, E_LIMIT},
        {"HTTP/1.1 200 OK\r\n\r", 18, E_LIMIT},
        {"HTTP/1.1 200 OK\r\n\r", 19, E_MORE},
        {"HTTP/1.1 200 OK\n", 99, E_BAD_WIRE},
        {"\n", 99, E_BAD_WIRE},
        {"HTTP/1.1 200 OK\r\n\n", 99, E_BAD_WIRE},
        {"\r\n", 99, E_OK},
        {"", 99, E_MORE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t scanned = 0, bytes = 0;
        assert_int_equal(
            http1_head_end(slice_of(rows[i].text), rows[i].max_bytes, &scanned, &bytes),
            rows[i].err);
    }
}

/* --- chunked --- */

/* Decodes `text` in two pieces cut at `cut`; what came out is in `out`, *ret_used what was spent.
 */
static enum err decode(struct slice text, size_t cut, struct buf *out, bool *ret_done,
                       size_t *ret_used)
{
    struct http1_chunks chunks = {0};
    struct slice pieces[2] = {slice_first(text, cut), slice_from(text, cut)};
    size_t total = 0;

    for (size_t i = 0; i < 2; i++) {
        size_t at = 0;
        while (at < pieces[i].len && !chunks.is_done) {
            struct slice data;
            size_t used;
            enum err err = http1_chunk_next(&chunks, slice_from(pieces[i], at), &data, &used);
            if (err)
                return err;
            assert_true(used > 0);
            buf_add(out, data);
            at += used;
        }
        total += at;
    }
    *ret_done = chunks.is_done;
    *ret_used = total;
    return E_OK;
}

static void chunked_bodies_are_decoded_split_at_every_byte(void **state)
{
    static const struct row {
        const char *text;
        const char *body;
        bool is_done;
        size_t left; /* bytes behind the end */
    } rows[] = {
        {"0\r\n\r\n", "", true, 0},
        {"5\r\nhello\r\n0\r\n\r\n", "hello", true, 0},
        {"5\r\nhello\r\n0\r\n\r\nHTTP/1.1", "hello", true, 8},
        {"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc", true, 0},
        {"00a\r\n0123456789\r\n0\r\n\r\n", "0123456789", true, 0},
        {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", true, 0},
        {"3;x=y;z=\"q\"\r\nabc\r\n0;last\r\n\r\n", "abc", true, 0},
        {"3 \r\nabc\r\n0\t\r\n\r\n", "abc", true, 0},
        {"3\r\n\r\n\r\r\n000\r\n\r\n", "\r\n\r", true, 0},
        {"1\r\na\r\n0\r\nTrailer: x\r\nY:\r\n\r\n", "a", true, 0},
        {"5\r\nhel", "hel", false, 0},
        {"5\r\nhello\r\n0\r\n", "hello", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice text = slice_of(rows[i].text);
        for (size_t cut = 0; cut <= text.len; cut++) {
            struct buf out;
            bool is_done;
            size_t used;
            buf_init(&out, 100);
            enum err err = decode(text, cut, &out, &is_done, &used);
            if (err)
                fail_msg("row %zu cut %zu: %s", i, cut, err_name(err));
            assert_slice(buf_slice(&out), rows[i].body);
            assert_int_equal(is_done, rows[i].is_done);
            assert_int_equal(used, text.len - rows[i].left);
            buf_done(&out);
        }
    }
}

static void bad_chunks_are_refused_split_at_every_byte(void **state)
{
    static const char *const rows[] = {
        "\r\n",
        "x\r\n",
        "-1\r\na",
        "+1\r\na",
        "0x1\r\na",
        " 1\r\na",
        "1 1\r\na",
        "1\na",
        "1\r\r\na",
        "1\r\nab\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\na\r0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "1;\n\r\na",
        "1;a\x01\r\na",
        "8000000000000000\r\n",
        "fffffffffffffffff\r\n",
        "0\r\n folded\r\n\r\n",
        "0\r\n\n",
        "0\r\nA: b\n\r\n",
        "0\r\n\rx",
        "1\r\na\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice text = slice_of(rows[i]);
        for (size_t cut = 0; cut <= text.len; cut++) {
            struct buf out;
            bool is_done;
            size_t used;
            buf_init(&out, 100);
            enum err err = decode(text, cut, &out, &is_done, &used);
            if (err != E_BAD_WIRE)
                fail_msg("row %zu cut %zu: %s", i, cut, err_name(err));
            buf_done(&out);
        }
    }
}

static void lines_of_a_chunked_body_are_limited(void **state)
{
    static const struct row {
        const char *before;
        size_t fill;
        enum err err;
    } rows[] = {
        {"1;", HTTP1_CHUNK_LINE_MAX_BYTES - 2, E_OK},
        {"1;", HTTP1_CHUNK_LINE_MAX_BYTES - 1, E_LIMIT},
        {"0\r\nA:", HTTP1_TRAILER_MAX_BYTES - 100, E_OK},
        {"0\r\nA:", HTTP1_TRAILER_MAX_BYTES, E_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf text, out;
        bool is_done;
        size_t used;
        buf_init(&text, 2 * HTTP1_TRAILER_MAX_BYTES);
        buf_init(&out, 100);
        buf_add(&text, slice_of(rows[i].before));
        for (size_t j = 0; j < rows[i].fill; j++)
            buf_add_byte(&text, 'x');
        assert_int_equal(decode(buf_slice(&text), 1, &out, &is_done, &used), rows[i].err);
        buf_done(&text);
        buf_done(&out);
    }
    /* zeros before a size cannot go on for ever either */
    char zeros[HTTP1_CHUNK_LINE_MAX_BYTES + 2];
    struct buf out;
    bool is_done;
    size_t used;
    memset(zeros, '0', sizeof(zeros));
    buf_init(&out, 1);
    assert_int_equal(decode((struct slice){zeros, sizeof(zeros)}, 0, &out, &is_done, &used),
                     E_LIMIT);
    buf_done(&out);
}

static void what_goes_into_a_request_is_checked(void **state)
{
    (void)state;
    assert_true(http1_is_token(SLICE("X-Azure_1!#$%&'*+.^`|~")));
    for (int c = 0; c < 256; c++) { /* against the other way to say it */
        char byte = (char)c;
        bool is_separator = c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL;
        assert_int_equal(http1_is_token((struct slice){&byte, 1}), !is_separator);
    }
    assert_false(http1_is_token(SLICE("")));
    assert_false(http1_is_token(SLICE("a b")));
    assert_false(http1_is_token(SLICE("a:")));
    assert_false(http1_is_token(SLICE("a\r")));
    assert_false(http1_is_token(SLICE("\xc3\xa4")));
    assert_false(http1_is_token((struct slice){"a\0b", 3}));
    assert_true(http1_is_value(SLICE("")));
    assert_true(http1_is_value(SLICE("a\tb \xc3\xa4")));
    assert_false(http1_is_value(SLICE("a\r\nB: c")));
    assert_false(http1_is_value(SLICE("a\n")));
    assert_false(http1_is_value(SLICE(" a")));
    assert_false(http1_is_value(SLICE("a\t")));
    assert_false(http1_is_value((struct slice){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_tell_how_the_body_ends),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(fields_are_found_in_any_case_and_trimmed),
        cmocka_unit_test(too_many_fields_are_over_the_limit),
        cmocka_unit_test(the_end_of_a_head_is_found_split_at_every_byte),
        cmocka_unit_test(a_head_without_end_is_over_the_limit),
        cmocka_unit_test(chunked_bodies_are_decoded_split_at_every_byte),
        cmocka_unit_test(bad_chunks_are_refused_split_at_every_byte),
        cmocka_unit_test(lines_of_a_chunked_body_are_limited),
        cmocka_unit_test(what_goes_into_a_request_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
