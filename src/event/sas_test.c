#include "event/sas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

#define KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_KEY "ZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmM="
#define R "http%3A%2F%2Flocalhost%3A7070%2Ftopics%2Forders%2Fapi%2Fevents%3FapiVersion%3D2018-01-01"
#define URL "http://localhost:7070/topics/orders/api/events"
#define Y2029 1861920000000u

/* The worked examples of eventgrid.md 2.3. */
#define US_EXPIRY "1%2F1%2F2030%2012%3A00%3A00%20AM"
#define NET_R "http%3a%2f%2flocalhost%3a7070%2ftopics%2forders%2fapi%2fevents"
static const char *const tokens[] = {
    "r=" R "&e=" US_EXPIRY "&s=5VGNtmvtBaucdjrLgjb7Jqw%2F%2BBr2nrA7r76WnK8mspQ%3D",
    "r=" R "&e=2030-01-01%2000%3A00%3A00%2B00%3A00"
    "&s=p8p5WusZLZpw7xRGbgDlApgnkRWzyrZxnKaeAhLBofE%3D",
    "r=" R "&e=2030-01-01%2000%3A00%3A00&s=9nmuD1yI9BLhTL9ylw8YjQGutYGqwtXY3WIx7miYFYA%3D",
    "r=" R "&e=2030-01-01T00%3A00%3A00Z&s=I%2FcfXGGIt9l2jINfD5DRgOT7GS5Luv9%2BKt3OD9Cwovo%3D",
    "r=" NET_R "&e=1%2f1%2f2030+12%3a00%3a00+AM"
    "&s=4DEM9JJEKYZgSRNvM8adcEhp3hgPt%2bs0H02ODTox2gU%3d",
};

static struct access_keys keys_of(const char *key1, const char *key2)
{
    struct access_keys keys = {0};

    snprintf(keys.text[0], sizeof keys.text[0], "%s", key1);
    snprintf(keys.text[1], sizeof keys.text[1], "%s", key2);
    return keys;
}

static enum err verify(const char *token, const char *url, uint64_t now_unix_ms)
{
    struct access_keys keys = keys_of(OTHER_KEY, KEY);

    return sas_verify(&keys, slice_of(token), slice_of(url), now_unix_ms, NULL);
}

/* A3 */
static void the_worked_examples_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        struct access_keys first = keys_of(KEY, "");
        struct cause why = {0};
        if (sas_verify(&first, slice_of(tokens[i]), SLICE(URL), Y2029, &why) != E_OK)
            fail_msg("%s: %s", tokens[i], why.text);
        assert_int_equal(verify(tokens[i], URL, Y2029), E_OK);
        assert_int_equal(
            verify(tokens[i], "https://LOCALHOST:7070/TOPICS/orders/api/events/?x=1", Y2029), E_OK);
    }
}

static void tokens_of_the_sdks_are_accepted(void **state)
{
    static const struct {
        const char *token, *url;
    } rows[] = {
        {"r=https%3A%2F%2Flocalhost%3A27555%2Fapi%2Fevents%3FapiVersion%3D2018-01-01&e=1%2F1%"
         "2F2030%2012%3A00%3A00%20AM&s=%2Bmy%2B0EFzFLA2x9HGYk5knhvRW778IGSS%2FA9%2Bcr1IeAA%3D",
         "https://localhost:27555/api/events?api-version=2018-01-01"},
        {"r=https%3A%2F%2Flocalhost%3A27666%2Fapi%2Fevents%3FapiVersion%3D2018-01-01&e=2030-01-01%"
         "2000%3A00%3A00%2B00%3A00&s=kmPqa654ErztUDftQBIeEb3qbV1BI4%2B%2FmL%2Fvb73Xn84%3D",
         "https://localhost:27666/api/events"},
    };
    struct access_keys keys = keys_of("dGVzdGtleQ==", "");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(
            sas_verify(&keys, slice_of(rows[i].token), slice_of(rows[i].url), Y2029, NULL), E_OK);
}

/* A4 */
static void every_changed_byte_is_refused(void **state)
{
    char token[1024];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tokens); i++)
        for (size_t at = 0; at < strlen(tokens[i]); at++) {
            snprintf(token, sizeof token, "%s", tokens[i]);
            token[at] = token[at] == 'x' ? 'y' : 'x';
            assert_int_equal(verify(token, URL, Y2029), E_DENIED);
        }
    for (size_t len = 0; len < strlen(tokens[0]); len++) {
        snprintf(token, sizeof token, "%.*s", (int)len, tokens[0]);
        assert_int_equal(verify(token, URL, Y2029), E_DENIED);
    }
}

static void other_resources_and_later_times_are_refused(void **state)
{
    struct access_keys none = keys_of("", ""), other = keys_of(OTHER_KEY, "not base64");

    (void)state;
    assert_int_equal(verify(tokens[0], "http://localhost:7070/topics/other/api/events", Y2029),
                     E_DENIED);
    assert_int_equal(verify(tokens[0], "http://localhost:7071/topics/orders/api/events", Y2029),
                     E_DENIED);
    assert_int_equal(verify(tokens[0], "http://localhost:7070/topics/orders/api/event", Y2029),
                     E_DENIED);
    assert_int_equal(verify(tokens[0], URL "x", Y2029), E_DENIED);
    assert_int_equal(verify(tokens[0], URL "/x", Y2029), E_OK);
    assert_int_equal(verify(tokens[0], URL ":publish", Y2029), E_OK);
    assert_int_equal(verify(tokens[0], URL, 1893456000000u - 1), E_OK);
    assert_int_equal(verify(tokens[0], URL, 1893456000000u), E_DENIED);
    assert_int_equal(sas_verify(&none, slice_of(tokens[0]), SLICE(URL), Y2029, NULL), E_DENIED);
    assert_int_equal(sas_verify(&other, slice_of(tokens[0]), SLICE(URL), Y2029, NULL), E_DENIED);
}

static enum err verify_for(const char *resource, const char *url)
{
    char token[1024], signature[SAS_SIGNATURE_TEXT_BYTES];
    int len = snprintf(token, sizeof token, "r=%s&e=2030-01-01T00:00:00Z", resource);

    assert_int_equal(sas_sign(SLICE(KEY), (struct slice){token, (size_t)len}, signature), E_OK);
    snprintf(token + len, sizeof token - (size_t)len, "&s=%s", signature);
    return verify(token, url, Y2029);
}

static void a_token_is_for_what_is_below_its_resource(void **state)
{
    static const struct {
        const char *resource, *url;
        enum err expected;
    } rows[] = {
        {"http://h:1/topics/t", "http://h:1/topics/t/api/events", E_OK},
        {"http://h:1/topics/t", "http://h:1/topics/t:publish", E_OK},
        {"http://h:1/topics/t", "http://h:1/topics/t/eventsubscriptions/s:receive", E_OK},
        {"http://h:1/topics/t:publish", "http://h:1/topics/t:publish", E_OK},
        {"http://h:1/topics/t:publish", "http://h:1/topics/t/api/events", E_DENIED},
        {"http://h:1/topics/t", "http://h:1/topics/tt:publish", E_DENIED},
        {"http://h:1", "http://h:1/topics/t", E_OK},
        {"http://h", "http://h:1/topics/t", E_DENIED}, /* what follows is the port */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (verify_for(rows[i].resource, rows[i].url) != rows[i].expected)
            fail_msg("%s for %s", rows[i].resource, rows[i].url);
}

static void expiries_have_many_forms(void **state)
{
    static const char *const rows[] = {
        "1%2F1%2F2030%2012%3A00%3A00%E2%80%AFAM",
        "2030-01-01T00%3A00%3A00.1234567Z",
        "2030-01-01+00:00:00.5",
        "2030-01-01T00:00:00+00:00",
        "2030-01-01+02:00:00%2B02:00",
    };
    char token[1024], signature[SAS_SIGNATURE_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int len = snprintf(token, sizeof token, "%s%s", "r=" R "&e=", rows[i]);
        assert_int_equal(sas_sign(SLICE(KEY), (struct slice){token, (size_t)len}, signature), E_OK);
        snprintf(token + len, sizeof token - (size_t)len, "&s=%s", signature);
        if (verify(token, URL, 1893456000000u - 1) != E_OK)
            fail_msg("%s", rows[i]);
    }
}

/* A1, A2, A5 */
static void keys_are_compared(void **state)
{
    struct access_keys keys = keys_of(KEY, OTHER_KEY);
    struct access_keys none = keys_of("", "");
    struct cause why;

    (void)state;
    assert_int_equal(access_keys_fit(&keys, SLICE(KEY), &why), E_OK);
    assert_int_equal(access_keys_fit(&keys, SLICE(OTHER_KEY), &why), E_OK);
    assert_int_equal(access_keys_fit(&keys, SLICE("dGVzdGtleQ=="), &why), E_DENIED);
    assert_string_equal(why.text, "The key is not one of the topic.");
    assert_int_equal(access_keys_fit(&keys, SLICE("?"), &why), E_DENIED);
    assert_non_null(strstr(why.text, "The input is not a valid Base-64 string"));
    assert_int_equal(access_keys_fit(&none, SLICE(""), &why), E_DENIED);

    access_keys_renew(&keys, 0);
    assert_int_equal(access_keys_fit(&keys, SLICE(KEY), &why), E_DENIED);
    assert_int_equal(access_keys_fit(&keys, SLICE(OTHER_KEY), &why), E_OK);
    assert_int_equal(sas_verify(&keys, slice_of(tokens[0]), SLICE(URL), Y2029, NULL), E_DENIED);
    struct buf bytes;
    buf_init(&bytes, 100);
    assert_int_equal(base64_decode(&bytes, slice_of(keys.text[0])), E_OK);
    assert_int_equal(bytes.len, ACCESS_KEY_BYTES);
    buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_examples_are_accepted),
        cmocka_unit_test(tokens_of_the_sdks_are_accepted),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(other_resources_and_later_times_are_refused),
        cmocka_unit_test(a_token_is_for_what_is_below_its_resource),
        cmocka_unit_test(expiries_have_many_forms),
        cmocka_unit_test(keys_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
