#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/resp.h"

#define RENDER_MAX_BYTES (1024 * 1024)

static const struct resp_limits roomy = {1 << 20, 10000, 8};

static const struct resp *render(struct buf *out, const struct resp *node)
{
    static const char *const names[] = {
        [RESP_STATUS] = "status", [RESP_ERROR] = "error", [RESP_INTEGER] = "int",
        [RESP_BULK] = "bulk",     [RESP_NIL] = "nil",     [RESP_ARRAY] = "array",
        [RESP_MAP] = "map",       [RESP_PUSH] = "push",   [RESP_DOUBLE] = "double",
        [RESP_BOOL] = "bool",
    };
    const struct resp *end = node + node->span;

    buf_add(out, slice_of(names[node->type]));
    if (node->type == RESP_INTEGER || node->type == RESP_BOOL)
        buf_addf(out, " %lld", (long long)node->integer);
    if (node->text.data != NULL) {
        buf_add_byte(out, ' ');
        buf_add(out, node->text);
    }
    if (node->type == RESP_ARRAY || node->type == RESP_MAP || node->type == RESP_PUSH) {
        buf_add_byte(out, '(');
        const struct resp *child = node + 1;
        for (uint32_t i = 0; i < node->count; i++) {
            if (i > 0)
                buf_add_byte(out, ',');
            child = render(out, child);
        }
        buf_add_byte(out, ')');
        assert_ptr_equal(child, end);
    }
    return end;
}

#define ROW(bytes, text)                                                                           \
    {                                                                                              \
        SLICE_INIT(bytes), text                                                                    \
    }
static const struct {
    struct slice bytes;
    const char *text;
} replies[] = {
    ROW("+OK\r\n", "status OK"),
    ROW("+\r\n", "status "),
    ROW("-NOGROUP No such key\r\n", "error NOGROUP No such key"),
    ROW(":0\r\n", "int 0"),
    ROW(":-1\r\n", "int -1"),
    ROW(":+7\r\n", "int 7"),
    ROW(":9223372036854775807\r\n", "int 9223372036854775807"),
    ROW(":-9223372036854775808\r\n", "int -9223372036854775808"),
    ROW("$5\r\nhello\r\n", "bulk hello"),
    ROW("$0\r\n\r\n", "bulk "),
    ROW("$4\r\n\r\n\r\n\r\n", "bulk \r\n\r\n"),
    ROW("$-1\r\n", "nil"),
    ROW("*-1\r\n", "nil"),
    ROW("_\r\n", "nil"),
    ROW("*0\r\n", "array()"),
    ROW("*2\r\n$1\r\na\r\n:2\r\n", "array(bulk a,int 2)"),
    ROW("*3\r\n*0\r\n*1\r\n*0\r\n$-1\r\n", "array(array(),array(array()),nil)"),
    ROW("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
        "array(array(bulk s,array(array(bulk 1-1,array(bulk f,bulk v)))))"),
    ROW("%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n", "map(status a,int 1,status b,array())"),
    ROW("%0\r\n", "map()"),
    ROW("~2\r\n+a\r\n+b\r\n", "array(status a,status b)"),
    ROW(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n", "push(bulk message,bulk c,bulk m)"),
    ROW(",3.14\r\n", "double 3.14"),
    ROW(",inf\r\n", "double inf"),
    ROW("#t\r\n", "bool 1"),
    ROW("#f\r\n", "bool 0"),
    ROW("(3492890328409238509324850943850943825024385\r\n",
        "bulk 3492890328409238509324850943850943825024385"),
    ROW("=15\r\ntxt:Some string\r\n", "bulk Some string"),
    ROW("!8\r\nERR a\r\nb\r\n", "error ERR a\r\nb"),
    ROW("|1\r\n+ttl\r\n:3600\r\n+OK\r\n", "status OK"),
    ROW("|0\r\n:1\r\n", "int 1"),
    ROW("*2\r\n|1\r\n+k\r\n*2\r\n:1\r\n:2\r\n:3\r\n|0\r\n*1\r\n:4\r\n",
        "array(int 3,array(int 4))"),
};

/* The bytes of each piece stand in memory of their own, just large enough, so that a read too far
 * or a stale pointer shows under the sanitizer. */
static void parse_in_two(struct slice bytes, size_t split, const char *expected)
{
    struct resp_parser parser = {0};
    struct cause why = {0};
    size_t used = 0;
    char *head = mem_dup(bytes.data, split);
    char *whole = malloc(bytes.len);
    assert_non_null(whole);
    memcpy(whole, bytes.data, bytes.len);
    if (split < bytes.len)
        assert_int_equal(resp_parse(&parser, (struct slice){head, split}, &roomy, &used, &why),
                         E_MORE);
    free(head);
    assert_true(parser.wanted <= bytes.len);
    assert_int_equal(resp_parse(&parser, (struct slice){whole, bytes.len}, &roomy, &used, &why),
                     E_OK);
    assert_int_equal(used, bytes.len);
    struct buf out;
    buf_init(&out, RENDER_MAX_BYTES);
    assert_ptr_equal(render(&out, parser.nodes), parser.nodes + parser.count);
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
    free(whole);
    resp_parser_done(&parser);
}

static void replies_are_the_same_split_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(replies); i++)
        for (size_t split = 0; split <= replies[i].bytes.len; split++)
            parse_in_two(replies[i].bytes, split, replies[i].text);
}

static void replies_may_come_byte_by_byte_and_back_to_back(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct buf all;
    size_t start = 0;
    size_t reply = 0;

    buf_init(&all, RENDER_MAX_BYTES);
    for (size_t i = 0; i < COUNT_OF(replies); i++)
        buf_add(&all, replies[i].bytes);
    for (size_t end = 1; end <= all.len; end++) {
        size_t used = 0;
        struct slice in = {all.data + start, end - start};
        enum err err = resp_parse(&parser, in, &roomy, &used, NULL);
        if (err == E_MORE)
            continue;
        assert_int_equal(err, E_OK);
        assert_int_equal(used, replies[reply].bytes.len);
        struct buf out;
        buf_init(&out, RENDER_MAX_BYTES);
        render(&out, parser.nodes);
        assert_string_equal(buf_text(&out), replies[reply++].text);
        buf_done(&out);
        start += used;
        resp_parser_next(&parser);
    }
    assert_int_equal(reply, COUNT_OF(replies));
    buf_done(&all);
    resp_parser_done(&parser);
}

static enum err parse_once(struct slice bytes, const struct resp_limits *limits)
{
    struct resp_parser parser = {0};
    size_t used = 12345;
    enum err err = resp_parse(&parser, bytes, limits, &used, NULL);
    if (err)
        assert_int_equal(used, 12345);
    resp_parser_done(&parser);
    return err;
}

static void malformed_replies_are_refused(void **state)
{
    (void)state;
    static const struct slice rows[] = {
        SLICE_INIT("?\r\n"),
        SLICE_INIT("OK\r\n"),
        SLICE_INIT("\r\n"),
        SLICE_INIT(":\r\n"),
        SLICE_INIT(":-\r\n"),
        SLICE_INIT(":1x\r\n"),
        SLICE_INIT(": 1\r\n"),
        SLICE_INIT(":1\n"),
        SLICE_INIT(":1\rx"),
        SLICE_INIT(":9223372036854775808\r\n"),
        SLICE_INIT(":99999999999999999999\r\n"),
        SLICE_INIT(":-9223372036854775809\r\n"),
        SLICE_INIT(":-92233720368547758080\r\n"),
        SLICE_INIT("$-2\r\n"),
        SLICE_INIT("$x\r\n"),
        SLICE_INIT("$?\r\n"),
        SLICE_INIT("*?\r\n"),
        SLICE_INIT("$1\r\nab\r\n"),
        SLICE_INIT("$1\r\na\rx"),
        SLICE_INIT("*-2\r\n"),
        SLICE_INIT("%-1\r\n"),
        SLICE_INIT("=-1\r\n"),
        SLICE_INIT("=3\r\ntxt\r\n"),
        SLICE_INIT("!-1\r\n"),
        SLICE_INIT("#x\r\n"),
        SLICE_INIT("#\r\n"),
        SLICE_INIT("_x\r\n"),
        SLICE_INIT("+a\rb\r\n"),
        SLICE_INIT("*2\r\n:1\r\n?\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(parse_once(rows[i], &roomy), E_BAD_WIRE);
}

static void limits_are_told_as_soon_as_the_head_is_there(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        struct resp_limits limits;
        enum err err;
    } rows[] = {
        {SLICE_INIT("$10\r\n0123456789\r\n"), {17, 10, 8}, E_OK},
        {SLICE_INIT("$10\r\n0123456789\r\n"), {16, 10, 8}, E_LIMIT},
        {SLICE_INIT("$11\r\n"), {17, 10, 8}, E_LIMIT},
        {SLICE_INIT("$9223372036854775807\r\n"), {1 << 20, 10, 8}, E_LIMIT},
        {SLICE_INIT("+0123456789\r\n"), {12, 10, 8}, E_LIMIT},
        {SLICE_INIT("*2\r\n$4\r\naaaa\r\n$4\r\n"), {23, 10, 8}, E_LIMIT},
        {SLICE_INIT("*9\r\n"), {1 << 20, 10, 8}, E_MORE},
        {SLICE_INIT("*10\r\n"), {1 << 20, 10, 8}, E_LIMIT},
        {SLICE_INIT("%5\r\n"), {1 << 20, 10, 8}, E_LIMIT},
        {SLICE_INIT("%9223372036854775807\r\n"), {1 << 20, 10, 8}, E_LIMIT},
        {SLICE_INIT("*5\r\n*9\r\n"), {1 << 20, 10, 8}, E_LIMIT},
        {SLICE_INIT("*1\r\n*1\r\n:1\r\n"), {1 << 20, 10, 2}, E_OK},
        {SLICE_INIT("*1\r\n*1\r\n*1\r\n"), {1 << 20, 10, 2}, E_LIMIT},
        {SLICE_INIT("*1\r\n*1\r\n"), {1 << 20, 10, 1}, E_LIMIT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(parse_once(rows[i].bytes, &rows[i].limits), rows[i].err);
}

static void depth_is_bounded_whatever_the_limits_say(void **state)
{
    (void)state;
    struct resp_limits boundless = {1 << 20, 1 << 20, UINT32_MAX};
    struct buf nest;

    buf_init(&nest, RENDER_MAX_BYTES);
    for (int i = 0; i < RESP_DEPTH_MAX; i++)
        buf_add(&nest, SLICE("*1\r\n"));
    assert_int_equal(parse_once(buf_slice(&nest), &boundless), E_MORE);
    buf_add(&nest, SLICE("*1\r\n"));
    assert_int_equal(parse_once(buf_slice(&nest), &boundless), E_LIMIT);
    buf_done(&nest);
}

static void an_endless_line_is_refused(void **state)
{
    (void)state;
    struct buf line;

    buf_init(&line, RESP_LINE_MAX_BYTES + 1);
    char *bytes = buf_reserve(&line, RESP_LINE_MAX_BYTES + 1);
    memset(bytes, 'x', RESP_LINE_MAX_BYTES + 1);
    bytes[0] = '+';
    buf_grow(&line, RESP_LINE_MAX_BYTES + 1);
    struct resp_limits boundless = {SIZE_MAX, 10, 8};
    assert_int_equal(parse_once(buf_slice(&line), &boundless), E_LIMIT);
    buf_done(&line);
}

static void a_large_bulk_says_how_much_it_wants(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    size_t used = 0;

    assert_int_equal(resp_parse(&parser, SLICE("*2\r\n:1\r\n$1000\r\nab"), &roomy, &used, NULL),
                     E_MORE);
    assert_int_equal(parser.wanted, 15 + 1000 + 2);
    resp_parser_done(&parser);
}

static void a_detached_reply_is_the_callers(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct slice in = SLICE("*2\r\n:1\r\n:2\r\n");
    size_t used = 0;

    assert_int_equal(resp_parse(&parser, in, &roomy, &used, NULL), E_OK);
    struct resp *kept = resp_parser_detach(&parser);
    assert_int_equal(resp_parse(&parser, SLICE(":3\r\n"), &roomy, &used, NULL), E_OK);
    assert_int_equal(kept[2].integer, 2);
    assert_int_equal(parser.nodes[0].integer, 3);
    free(resp_parser_detach(&parser));
    resp_parser_attach(&parser, kept, 3);
    assert_int_equal(resp_parse(&parser, in, &roomy, &used, NULL), E_OK);
    assert_ptr_equal(parser.nodes, kept);
    resp_parser_done(&parser);
}

static void children_keys_and_numbers_are_found(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct slice in =
        SLICE("*6\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n:9\r\n$1\r\nb\r\n:5\r\n$1\r\nc\r\n$2\r\n17\r\n");
    size_t used = 0;
    int64_t number = 0;

    assert_int_equal(resp_parse(&parser, in, &roomy, &used, NULL), E_OK);
    const struct resp *root = parser.nodes;
    assert_true(resp_int(resp_child(root, 3), &number));
    assert_int_equal(number, 5);
    assert_null(resp_child(root, 6));
    assert_ptr_equal(resp_find(root, SLICE("b")), resp_child(root, 3));
    assert_true(resp_int(resp_find(root, SLICE("c")), &number));
    assert_int_equal(number, 17);
    assert_null(resp_find(root, SLICE("17")));
    assert_null(resp_find(resp_child(root, 0), SLICE("a")));
    assert_false(resp_int(resp_child(root, 0), &number));
    assert_false(resp_int(resp_child(root, 1), &number));
    resp_parser_done(&parser);
}

static void an_error_is_known_by_its_first_word(void **state)
{
    (void)state;
    struct resp node = {.type = RESP_ERROR, .text = SLICE("NOGROUP No such")};

    assert_true(resp_is_error(&node, SLICE("NOGROUP")));
    assert_false(resp_is_error(&node, SLICE("NO")));
    assert_true(resp_is_error(&node, SLICE_NONE));
    node.text = SLICE("LOADING");
    assert_true(resp_is_error(&node, SLICE("LOADING")));
    node.type = RESP_STATUS;
    assert_false(resp_is_error(&node, SLICE_NONE));
}

static void commands_are_written(void **state)
{
    (void)state;
    struct buf out;

    buf_init(&out, 64);
    resp_write_array(&out, 3);
    resp_write_bulk(&out, SLICE("SET"));
    resp_write_bulk(&out, SLICE(""));
    resp_write_bulk(&out, SLICE("0123456789"));
    assert_string_equal(buf_text(&out), "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$10\r\n0123456789\r\n");
    buf_clear(&out);
    resp_write_bulk_head(&out, 1234567890);
    assert_string_equal(buf_text(&out), "$1234567890\r\n");
    resp_write_bulk(&out, (struct slice){"", SIZE_MAX});
    assert_int_equal(buf_err(&out), E_LIMIT);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_the_same_split_at_every_byte),
        cmocka_unit_test(replies_may_come_byte_by_byte_and_back_to_back),
        cmocka_unit_test(malformed_replies_are_refused),
        cmocka_unit_test(limits_are_told_as_soon_as_the_head_is_there),
        cmocka_unit_test(depth_is_bounded_whatever_the_limits_say),
        cmocka_unit_test(an_endless_line_is_refused),
        cmocka_unit_test(a_large_bulk_says_how_much_it_wants),
        cmocka_unit_test(a_detached_reply_is_the_callers),
        cmocka_unit_test(children_keys_and_numbers_are_found),
        cmocka_unit_test(an_error_is_known_by_its_first_word),
        cmocka_unit_test(commands_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
