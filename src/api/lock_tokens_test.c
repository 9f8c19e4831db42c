#include "api/lock_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct lock_tokens tokens;

static void a_body_is_read_or_its_fault_is_named(void **state)
{
    static const struct {
        const char *body;
        enum err err;
        const char *expected; /* the tokens, or the reason */
    } rows[] = {
        {"{\"lockTokens\":[\"a\"]}", E_OK, "a "},
        {" {\"x\":[1],\"lockTokens\" : [ \"a\\u0062\" , \"\",\"\\\"\"]} ", E_OK, "ab  \" "},
        {"{\"LOCKTOKENS\":[\"a\"]}", E_OK, "a "},
        {"", E_BAD_INPUT, "the body is not a JSON object such as {\"lockTokens\":[\"..\"]}"},
        {"{", E_BAD_INPUT, "the body is not a JSON object such as {\"lockTokens\":[\"..\"]}"},
        {"[\"a\"]", E_BAD_INPUT, "the body is not a JSON object such as {\"lockTokens\":[\"..\"]}"},
        {"{}", E_BAD_INPUT, "lockTokens: is missing"},
        {"{\"lockTokens\":\"a\"}", E_BAD_INPUT, "lockTokens: is not an array of texts"},
        {"{\"lockTokens\":null}", E_BAD_INPUT, "lockTokens: is not an array of texts"},
        {"{\"lockTokens\":[]}", E_BAD_INPUT, "lockTokens: is empty"},
        {"{\"lockTokens\":[\"a\",[\"b\"]]}", E_BAD_INPUT, "lockTokens[1]: is not a text"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[128] = "";
        struct cause why = {0};
        enum err err = lock_tokens_read(&tokens, slice_of(rows[i].body), &why);
        assert_int_equal(err, rows[i].err);
        for (size_t n = 0; err == E_OK && n < tokens.count; n++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ",
                     SLICE_ARG(tokens.tokens[n]));
        assert_string_equal(err == E_OK ? text : why.text, rows[i].expected);
        if (err == E_OK)
            lock_tokens_done(&tokens);
    }
}

static void there_is_a_limit(void **state)
{
    struct cause why = {0};
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    buf_add(&body, SLICE("{\"lockTokens\":[\"x\""));
    for (int i = 1; i < LOCK_TOKENS_MAX; i++)
        buf_add(&body, SLICE(",\"x\""));
    size_t len = body.len;
    buf_add(&body, SLICE("]}"));
    assert_int_equal(lock_tokens_read(&tokens, buf_slice(&body), &why), E_OK);
    assert_int_equal(tokens.count, LOCK_TOKENS_MAX);
    lock_tokens_done(&tokens);
    body.len = len;
    buf_add(&body, SLICE(",\"x\"]}"));
    assert_int_equal(lock_tokens_read(&tokens, buf_slice(&body), &why), E_LIMIT);
    assert_string_equal(why.text, "lockTokens: has more than 256 items");
    buf_done(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_read_or_its_fault_is_named),
        cmocka_unit_test(there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
