#include "event/signing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

#define ONE "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" /* of the standard's own tests */
#define TWO "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct signing signing;

/* Reads {"signing":..}; the mistake, or "". */
static const char *take(const char *value)
{
    static struct jx_view view;
    char text[512];
    json_t *json;
    struct cause why;

    snprintf(text, sizeof text, "{\"signing\":%s}", value);
    assert_int_equal(jx_parse(slice_of(text), NULL, NULL, &json, &why), E_OK);
    jx_view_init(&view, json, NULL);
    signing_read(&view, &signing);
    json_decref(json);
    return view.err ? view.why.text : "";
}

static const char *written(bool is_open)
{
    static char text[512];
    struct buf out = {.data = text, .cap = sizeof text, .max_bytes = sizeof text};

    buf_add_byte(&out, '{');
    signing_write(&out, &signing, is_open);
    buf_add_byte(&out, '}');
    return buf_text(&out);
}

static const char *signatures(void)
{
    static char text[256];
    struct buf out = {.data = text, .cap = sizeof text, .max_bytes = sizeof text};
    const struct signed_message message = {SLICE("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                                           SLICE("{\"test\": 2432232314}")};

    signing_sign(&out, &signing, &message);
    return buf_text(&out);
}

static int end(void **state)
{
    (void)state;
    signing_done(&signing);
    return 0;
}

static void a_message_is_signed_with_each_secret(void **state)
{
    (void)state;
    assert_string_equal(take("{\"secret\":\"" ONE "\"}"), "");
    assert_string_equal(signatures(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_string_equal(take("{\"secret\":\"" TWO "\",\"previousSecret\":\"" ONE "\"}"), "");
    assert_string_equal(signatures(), "v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI= "
                                      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_string_equal(take("{\"previousSecret\":\"\"}"), "");
    assert_string_equal(signatures(), "v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI=");
}

static void secrets_are_hidden_and_may_come_back_so(void **state)
{
    (void)state;
    assert_string_equal(written(true), "{}");
    assert_string_equal(take("{\"secret\":\"" ONE "\",\"previousSecret\":\"" TWO "\"}"), "");
    const char *shown = "{\"signing\":{\"isEnabled\":true,\"secret\":\"Hidden\","
                        "\"previousSecret\":\"Hidden\"}}";
    assert_string_equal(written(false), shown);
    const char *stored =
        "{\"signing\":{\"isEnabled\":true,\"secret\":\"" ONE "\",\"previousSecret\":\"" TWO "\"}}";
    assert_string_equal(written(true), stored);
    assert_string_equal(take("{\"isEnabled\":true,\"secret\":\"Hidden\"}"), "");
    assert_string_equal(take("null"), "");
    assert_string_equal(written(true), stored);
    assert_string_equal(take("{\"isEnabled\":false}"), "");
    assert_string_equal(written(true), "{}");
    assert_string_equal(signatures(), "");
}

static void who_names_no_secret_keeps_the_old_one_or_gets_one(void **state)
{
    struct signing old = {0}, none = {0};

    (void)state;
    assert_string_equal(take("{\"secret\":\"" ONE "\",\"previousSecret\":\"" TWO "\"}"), "");
    old = signing;
    signing = (struct signing){0};
    assert_string_equal(take("{\"isEnabled\":true,\"previousSecret\":\"\"}"), "");
    signing_keep(&signing, &old);
    signing_make(&signing);
    assert_string_equal(written(true), "{\"signing\":{\"isEnabled\":true,\"secret\":\"" ONE "\"}}");
    signing_done(&signing);
    signing_keep(&signing, &old);
    signing_make(&signing);
    assert_string_equal(written(true), "{}"); /* not enabled */
    assert_string_equal(take("{\"isEnabled\":true}"), "");
    signing_keep(&signing, &none);
    signing_make(&signing);
    char made[64];
    snprintf(made, sizeof made, "%s", signing.secrets[0]);
    assert_int_equal(strlen(made), 50);
    assert_string_equal(take("{\"isEnabled\":true,\"secret\":\"Hidden\"}"), "");
    signing_make(&signing);
    assert_string_equal(signing.secrets[0], made);
    signing_done(&old);
}

static void what_is_no_secret_is_refused(void **state)
{
    static const char *const bad[] = {
        "\"\"",
        "\"abc\"",
        "\"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
        "\"whsec_\"",
        "\"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=\"",
        "\"whsec_*fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof text, "{\"secret\":%s}", bad[i]);
        assert_string_equal(take(text),
                            "signing.secret: is not whsec_ and the Base64 of 24 to 64 bytes");
    }
    assert_string_equal(take("5"), "signing: is not an object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_message_is_signed_with_each_secret, end),
        cmocka_unit_test_teardown(secrets_are_hidden_and_may_come_back_so, end),
        cmocka_unit_test_teardown(who_names_no_secret_keeps_the_old_one_or_gets_one, end),
        cmocka_unit_test_teardown(what_is_no_secret_is_refused, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
