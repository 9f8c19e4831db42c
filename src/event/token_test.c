#include "event/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

#define AUDIENCE "https://eventgrid.azure.net"
#define NOW 1800000000u

static const struct token_claims claims = {.issuer = SLICE_INIT("http://127.0.0.1:7070/adfs"),
                                           .audience = SLICE_INIT(AUDIENCE),
                                           .subject = SLICE_INIT("redgrid"),
                                           .tenant = SLICE_INIT("a \"tenant\""),
                                           .issued_unix_s = NOW,
                                           .expires_unix_s = NOW + 3600};

struct fixture {
    struct token_key *key;
    struct buf token;
};

static int set_up(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    f->key = token_key_new();
    buf_init(&f->token, TOKEN_MAX_BYTES);
    token_write(&f->token, f->key, &claims);
    *state = f;
    return buf_err(&f->token) != E_OK;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    token_key_free(f->key);
    buf_done(&f->token);
    free(f);
    return 0;
}

static enum err verify(const struct fixture *f, struct slice token, uint64_t now_unix_s)
{
    return token_verify(f->key, token, SLICE(AUDIENCE), now_unix_s, NULL);
}

static void our_own_is_good_while_it_is_in_force(void **state)
{
    const struct fixture *f = *state;
    struct slice token = buf_slice(&f->token);

    assert_int_equal(verify(f, token, NOW), E_OK);
    assert_int_equal(verify(f, token, NOW + 3599), E_OK);
    assert_int_equal(verify(f, token, NOW + 3600), E_DENIED);
    assert_int_equal(verify(f, token, NOW - 299), E_OK); /* clocks differ */
    assert_int_equal(verify(f, token, NOW - 301), E_DENIED);
}

static void it_is_for_one_audience(void **state)
{
    const struct fixture *f = *state;
    struct slice token = buf_slice(&f->token);

    assert_int_equal(token_verify(f->key, token, SLICE(AUDIENCE "/"), NOW, NULL), E_OK);
    assert_int_equal(token_verify(f->key, token, SLICE("https://else.where"), NOW, NULL), E_DENIED);
    assert_int_equal(token_verify(f->key, token, SLICE(""), NOW, NULL), E_DENIED);
}

static void another_byte_or_another_key_is_refused(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->token.len; i++) {
        char was = f->token.data[i];
        f->token.data[i] = was == 'A' ? 'B' : 'A';
        /* the last digit of a part has bits that count for nothing */
        if (i + 1 < f->token.len && f->token.data[i + 1] != '.')
            assert_int_equal(verify(f, buf_slice(&f->token), NOW), E_DENIED);
        f->token.data[i] = was;
    }
    for (size_t len = 0; len < f->token.len; len++)
        assert_int_equal(verify(f, slice_first(buf_slice(&f->token), len), NOW), E_DENIED);
    struct token_key *own = f->key;
    f->key = token_key_new();
    assert_int_equal(verify(f, buf_slice(&f->token), NOW), E_DENIED);
    token_key_free(f->key);
    f->key = own;
}

static void only_our_algorithm_counts(void **state)
{
    static const struct slice heads[] = {SLICE_INIT("{\"alg\":\"none\"}"),
                                         SLICE_INIT("{\"alg\":\"HS256\"}"), SLICE_INIT("{}"),
                                         SLICE_INIT("[]"), SLICE_INIT("")};
    const struct fixture *f = *state;
    struct slice rest = buf_slice(&f->token), part;

    assert_true(slice_cut(&rest, '.', &part));
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct buf forged;
        buf_init(&forged, TOKEN_MAX_BYTES);
        base64_add_url(&forged, heads[i]);
        buf_add_byte(&forged, '.');
        buf_add(&forged, rest);
        assert_int_equal(verify(f, buf_slice(&forged), NOW), E_DENIED);
        buf_done(&forged);
    }
}

static void a_key_is_the_same_after_it_was_stored(void **state)
{
    const struct fixture *f = *state;
    struct buf stored, set, again;

    buf_init(&stored, 1024);
    buf_init(&set, 1024);
    buf_init(&again, 1024);
    token_key_write(&stored, f->key);
    struct token_key *read = token_key_read(buf_slice(&stored));
    assert_non_null(read);
    assert_int_equal(token_verify(read, buf_slice(&f->token), SLICE(AUDIENCE), NOW, NULL), E_OK);
    token_key_write_set(&set, f->key);
    token_key_write_set(&again, read);
    assert_string_equal(buf_text(&set), buf_text(&again));
    assert_non_null(
        strstr(buf_text(&set), "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\""));
    token_key_free(read);
    assert_null(token_key_read(SLICE("")));
    assert_null(token_key_read(SLICE("????")));
    assert_null(token_key_read(slice_first(buf_slice(&stored), stored.len / 8 * 4)));
    buf_done(&stored);
    buf_done(&set);
    buf_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(our_own_is_good_while_it_is_in_force, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_for_one_audience, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_byte_or_another_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_our_algorithm_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_the_same_after_it_was_stored, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
