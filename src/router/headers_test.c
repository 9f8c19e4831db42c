#include "router/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define TOPIC SLICE_INIT("/subscriptions/s/topics/t")

static struct subscription subscription;
static struct event *event;
static struct headers headers;

static int begin(void **state)
{
    const struct subscription_rules rules = {.input = SCHEMA_EVENT_GRID, .retention_days = 7};

    (void)state;
    subscription_init(&subscription, SLICE("es1"), &rules);
    return 0;
}

static int end(void **state)
{
    (void)state;
    headers_done(&headers);
    event = event_unref(event);
    subscription_done(&subscription);
    return 0;
}

static void set_attribute(const char *name, const char *value, const char *source)
{
    struct attribute *a =
        &subscription.destination.attributes[subscription.destination.attribute_count++];

    a->name = slice_dup(slice_of(name));
    a->value = value != NULL ? slice_dup(slice_of(value)) : NULL;
    a->source = source != NULL ? slice_dup(slice_of(source)) : NULL;
}

/* What is added behind them, as a webhook adds its signature, must not get lost. */
static void write_headers(const char *version, const char *data)
{
    const struct event_rules rules = {.schema = SCHEMA_EVENT_GRID, .topic = TOPIC};
    const struct event_stamp stamp = {0};
    struct buf body;
    struct refusal why;

    buf_init(&body, EVENT_MAX_BYTES);
    buf_addf(&body,
             "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"t\",\"eventTime\":"
             "\"2026-01-01T00:00:00Z\",\"dataVersion\":\"%s\",\"data\":{\"x\":\"%s\"}}",
             version, data);
    assert_int_equal(event_read(&rules, buf_slice(&body), &stamp, &event, &why), E_OK);
    buf_done(&body);
    headers_init(&headers,
                 &(struct parcel){
                     .subscription = &subscription, .events = &event, .count = 1, .attempt = 3});
    headers_add(&headers, SLICE("webhook-id"), SLICE("msg"));
    headers_end(&headers);
}

static const char *value_of(const char *name)
{
    static char text[256];

    for (size_t i = 0; i < headers.count; i++)
        if (slice_eq(headers.fields[i].name, slice_of(name))) {
            snprintf(text, sizeof text, "%.*s", SLICE_ARG(headers.fields[i].value));
            return text;
        }
    return NULL;
}

static void those_of_an_event(void **state)
{
    (void)state;
    set_attribute("x-team", "blue", NULL);
    set_attribute("x-data", NULL, "data.x");
    set_attribute("x-none", NULL, "data.y");
    write_headers("2", "seven");
    assert_string_equal(value_of("aeg-subscription-name"), "ES1");
    assert_string_equal(value_of("aeg-delivery-count"), "2");
    assert_string_equal(value_of("aeg-data-version"), "2");
    assert_string_equal(value_of("x-team"), "blue");
    assert_string_equal(value_of("x-data"), "seven");
    assert_null(value_of("x-none"));
    assert_string_equal(value_of("webhook-id"), "msg");
}

static void a_version_of_any_length_takes_nobodys_room(void **state)
{
    char *version = mem_zeroed(1, 100001);

    (void)state;
    memset(version, 'v', 100000);
    set_attribute("x-team", "blue", NULL);
    write_headers(version, "");
    assert_null(value_of("aeg-data-version"));
    assert_string_equal(value_of("x-team"), "blue");
    assert_string_equal(value_of("webhook-id"), "msg");
    free(version);
}

/* A request with one of them would be refused as a whole. */
static void what_no_request_may_have_is_left_out(void **state)
{
    (void)state;
    set_attribute("Host", "elsewhere", NULL);
    set_attribute("content-length", "5", NULL);
    set_attribute("x-data", NULL, "data.x");
    set_attribute("x-team", "blue", NULL);
    write_headers("2", " seven");
    assert_null(value_of("Host"));
    assert_null(value_of("content-length"));
    assert_null(value_of("x-data"));
    assert_string_equal(value_of("x-team"), "blue");
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(those_of_an_event),
        ROW(a_version_of_any_length_takes_nobodys_room),
        ROW(what_no_request_may_have_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
