#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "arm/principal.h"
#include "base/mem.h"
#include "router/identity.h"

#define CLIENT "c1"
#define SECRET "s3cret"
#define TOKEN "t0ken"
#define SIGNED "signed-for-managing"

struct identity {
    int unused;
};
static const struct identity identity;

enum err identity_verify(const struct identity *given, struct slice token, struct slice audience,
                         struct cause *why)
{
    assert_ptr_equal(given, &identity);
    assert_true(slice_eq(audience, SLICE(TOKEN_AUDIENCE_MANAGE)));
    return slice_eq(token, SLICE(SIGNED)) ? E_OK : cause_set(why, E_DENIED, "not ours");
}

static const struct principal_settings none = {CLIENT, "", NULL};
static const struct principal_settings with_token = {CLIENT, NULL, TOKEN};
static const struct principal_settings with_secret = {CLIENT, SECRET, ""};
static const struct principal_settings with_both = {CLIENT, SECRET, TOKEN};

static void a_login_takes_the_secret_or_the_token(void **state)
{
    static const struct {
        const struct principal_settings *settings;
        const char *client, *secret;
        bool fits;
    } rows[] = {
        {&none, "any", "any", true},
        {&none, "", NULL, true},
        {&with_token, "any", TOKEN, true},
        {&with_token, CLIENT, TOKEN "x", false},
        {&with_token, CLIENT, "", false},
        {&with_token, CLIENT, NULL, false},
        {&with_secret, CLIENT, SECRET, true},
        {&with_secret, "C1", SECRET, true},
        {&with_secret, "other", SECRET, false},
        {&with_secret, CLIENT, TOKEN, false},
        {&with_secret, CLIENT, "S3cret", false},
        {&with_secret, CLIENT, "", false},
        {&with_both, CLIENT, SECRET, true},
        {&with_both, "other", TOKEN, true},
        {&with_both, "other", SECRET, false},
        {&with_both, CLIENT, NULL, false},
    };
    struct principal principal = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        principal_set(&principal, rows[i].settings);
        bool fits = principal_fits(&principal, slice_of(rows[i].client), slice_of(rows[i].secret));
        if (fits != rows[i].fits)
            fail_msg("row %zu", i);
    }
    principal_done(&principal);
}

static void a_request_shows_the_token_or_a_signed_one(void **state)
{
    static const struct {
        const struct principal_settings *settings;
        const char *bearer;
        bool is_admitted;
    } rows[] = {
        {&none, NULL, true},           {&none, "any", true},         {&with_token, TOKEN, true},
        {&with_token, SIGNED, true},   {&with_token, NULL, false},   {&with_token, "", false},
        {&with_token, "any", false},   {&with_secret, SIGNED, true}, {&with_secret, NULL, false},
        {&with_secret, SECRET, false}, {&with_secret, TOKEN, false}, {&with_both, TOKEN, true},
        {&with_both, SIGNED, true},    {&with_both, SECRET, false},
    };
    struct principal principal = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        principal_set(&principal, rows[i].settings);
        enum err err = principal_admits(&principal, &identity, slice_of(rows[i].bearer), &why);
        if (err != (rows[i].is_admitted ? E_OK : E_DENIED) || (err && why.text[0] == '\0'))
            fail_msg("row %zu: %s", i, why.text);
    }
    principal_done(&principal);
}

static void what_is_demanded_can_be_given_to_clients(void **state)
{
    static const struct {
        const struct principal_settings *settings;
        const char *secret;
    } rows[] = {{&none, NULL}, {&with_token, TOKEN}, {&with_secret, SECRET}, {&with_both, SECRET}};
    struct principal principal = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        principal_set(&principal, rows[i].settings);
        struct slice secret = principal_secret(&principal);
        assert_int_equal(principal_is_demanded(&principal), rows[i].secret != NULL);
        assert_int_equal(secret.data != NULL, rows[i].secret != NULL);
        assert_true(slice_eq(secret, slice_of(rows[i].secret)));
    }
    principal_done(&principal);
    assert_null(principal.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_takes_the_secret_or_the_token),
        cmocka_unit_test(a_request_shows_the_token_or_a_signed_one),
        cmocka_unit_test(what_is_demanded_can_be_given_to_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
