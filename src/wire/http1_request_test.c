#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/http1.h"

#define HOST "Host: h\r\n"
#define HEAD_MAX 8192

static struct http1_request request;

static enum err parse(const char *text)
{
    memset(&request, 0x55, sizeof request); /* nothing may be taken from before */
    return http1_request_parse(slice_of(text), &request);
}

static bool is_text(struct slice got, const char *want)
{
    return slice_eq(got, slice_of(want));
}

static void heads_tell_what_is_asked_and_how_the_body_ends(void **state)
{
    static const struct row {
        const char *head; /* without the empty line */
        const char *method, *target;
        enum http1_framing framing;
        uint64_t body_bytes;
        bool is_keep_alive, is_http10, expects_continue;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST, "GET", "/", HTTP1_NO_BODY, 0, true, false, false},
        {"GET /a?b=c%20d HTTP/1.1\r\nhost:\r\n", "GET", "/a?b=c%20d", HTTP1_NO_BODY, 0, true, false,
         false},
        {"OPTIONS * HTTP/1.1\r\nHost: [::1]:7070\r\n", "OPTIONS", "*", HTTP1_NO_BODY, 0, true,
         false, false},
        {"GET http://h/ HTTP/1.1\r\n" HOST, "GET", "http://h/", HTTP1_NO_BODY, 0, true, false,
         false},
        {"POST /\xc3\xa4 HTTP/1.1\r\nContent-Length: 5\r\n" HOST, "POST", "/\xc3\xa4", HTTP1_LENGTH,
         5, true, false, false},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n", "POST", "/", HTTP1_NO_BODY, 0, true,
         false, false},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 007\r\n", "POST", "/", HTTP1_LENGTH, 7, true,
         false, false},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n", "POST", "/",
         HTTP1_LENGTH, INT64_MAX, true, false, false},
        {"POST / HTTP/1.1\r\n" HOST "transfer-encoding: Chunked\r\n", "POST", "/", HTTP1_CHUNKED, 0,
         true, false, false},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 100-Continue\r\n", "POST", "/",
         HTTP1_LENGTH, 1, true, false, true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n", "GET", "/", HTTP1_NO_BODY, 0, false,
         false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, close\r\n", "GET", "/", HTTP1_NO_BODY,
         0, false, false, false},
        {"GET / HTTP/1.9\r\n" HOST, "GET", "/", HTTP1_NO_BODY, 0, true, false, false},
        {"GET / HTTP/1.0\r\n", "GET", "/", HTTP1_NO_BODY, 0, false, true, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", "GET", "/", HTTP1_NO_BODY, 0, true, true,
         false},
        {"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n", "POST", "/",
         HTTP1_LENGTH, 1, false, true, false},
        {"GET / HTTP/1.0\r\nExpect: x\r\n", "GET", "/", HTTP1_NO_BODY, 0, false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s\r\n", rows[i].head);
        enum err err = parse(text);
        if (err)
            fail_msg("row %zu: %s", i, err_name(err));
        assert_true(is_text(request.method, rows[i].method));
        assert_true(is_text(request.target, rows[i].target));
        assert_int_equal(request.framing, rows[i].framing);
        assert_int_equal(request.body_bytes, rows[i].body_bytes);
        assert_int_equal(request.is_keep_alive, rows[i].is_keep_alive);
        assert_int_equal(request.is_http10, rows[i].is_http10);
        assert_int_equal(request.expects_continue, rows[i].expects_continue);
    }
}

static void what_is_wrong_or_ambiguous_is_refused(void **state)
{
    static const struct row {
        const char *head; /* without the empty line */
        int refusal;
    } rows[] = {
        {"", 400},
        {"GET\r\n" HOST, 400},
        {"GET /\r\n" HOST, 400},
        {"GET / \r\n" HOST, 400},
        {"GET  / HTTP/1.1\r\n" HOST, 400},
        {"GET /  HTTP/1.1\r\n" HOST, 400},
        {"GET / HTTP/1.1 \r\n" HOST, 400},
        {" GET / HTTP/1.1\r\n" HOST, 400},
        {"GET\t/ HTTP/1.1\r\n" HOST, 400},
        {"GE(T / HTTP/1.1\r\n" HOST, 400},
        {"GET /\x01 HTTP/1.1\r\n" HOST, 400},
        {"GET /\x7f HTTP/1.1\r\n" HOST, 400},
        {"GET /\r HTTP/1.1\r\n" HOST, 400},
        {"GET / http/1.1\r\n" HOST, 400},
        {"GET / HTTP/11\r\n" HOST, 400},
        {"GET / HTTP/1.\r\n" HOST, 400},
        {"GET / HTTP/1.10\r\n" HOST, 400},
        {"GET / HTTP/x.1\r\n" HOST, 400},
        {"GET / HTTP/2.0\r\n" HOST, 505},
        {"PRI * HTTP/2.0\r\n", 505},
        {"GET / HTTP/0.9\r\n" HOST, 505},
        /* Host: one, and it looks like one */
        {"GET / HTTP/1.1\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST, 400},
        {"GET / HTTP/1.0\r\n" HOST HOST, 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: u@h\r\n", 400},
        /* fields */
        {"GET / HTTP/1.1\r\n" HOST "A : b\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n folded\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n\tfolded\r\n", 400},
        {"GET / HTTP/1.1\r\n A: b\r\n" HOST, 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\rC: d\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST ": b\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: \x01\r\n", 400},
        /* lengths and codings */
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1 2\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
         400},
        {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Expect: the unexpected\r\n", 417},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s\r\n", rows[i].head);
        enum err err = parse(text);
        if (err == E_OK || request.refusal != rows[i].refusal)
            fail_msg("row %zu: %s, %d", i, err_name(err), request.refusal);
    }
}

static void fields_are_found_and_counted(void **state)
{
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1\r\n" HOST "X-One: \t a b \t\r\nx-one: 2\r\nE:\r\n\r\n"),
                     E_OK);
    assert_int_equal(request.count, 4);
    assert_true(is_text(http1_field_find(request.headers, request.count, SLICE("X-ONE")), "a b"));
    assert_true(is_text(request.headers[2].value, "2"));
    assert_non_null(http1_field_find(request.headers, request.count, SLICE("e")).data);
    assert_null(http1_field_find(request.headers, request.count, SLICE("x")).data);
}

static void too_many_fields_are_431(void **state)
{
    (void)state;
    for (size_t count = HTTP1_HEADERS_MAX; count <= HTTP1_HEADERS_MAX + 1; count++) {
        struct buf text;
        buf_init(&text, HEAD_MAX);
        buf_add(&text, SLICE("GET / HTTP/1.1\r\n" HOST));
        for (size_t i = 1; i < count; i++)
            buf_add(&text, SLICE("a: b\r\n"));
        buf_add(&text, SLICE("\r\n"));
        enum err err = parse(buf_text(&text));
        assert_int_equal(err, count > HTTP1_HEADERS_MAX ? E_LIMIT : E_OK);
        if (err)
            assert_int_equal(request.refusal, 431);
        buf_done(&text);
    }
}

/* What was split anywhere is the same request, and behind it the next one begins. */
static void a_head_may_be_split_at_every_byte(void **state)
{
    (void)state;
    struct slice text = SLICE("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET /b");
    for (size_t first = 0; first <= text.len; first++) {
        size_t scanned = 0, bytes = 0;
        enum err err = http1_head_end(slice_first(text, first), HEAD_MAX, &scanned, &bytes);
        if (err == E_MORE)
            err = http1_head_end(text, HEAD_MAX, &scanned, &bytes);
        assert_int_equal(err, E_OK);
        assert_int_equal(http1_request_parse(slice_first(text, bytes), &request), E_OK);
        assert_int_equal(request.body_bytes, 2);
        assert_true(is_text(slice_first(slice_from(text, bytes), 2), "hi"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_tell_what_is_asked_and_how_the_body_ends),
        cmocka_unit_test(what_is_wrong_or_ambiguous_is_refused),
        cmocka_unit_test(fields_are_found_and_counted),
        cmocka_unit_test(too_many_fields_are_431),
        cmocka_unit_test(a_head_may_be_split_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
