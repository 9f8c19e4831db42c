#include "event/write.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"

#define TOPIC "/t/\"o\""
#define TIME "\"2030-01-01T00:00:00Z\""
#define DATA "{ \"n\": 12345678901234567, \"m\":[1.10, 1E5],\"s\":\"\\u00e9\" }"

static struct event *read_event(enum event_schema schema, const char *body)
{
    struct event_rules rules = {.schema = schema, .topic = SLICE(TOPIC)};
    struct event_stamp stamp = {1893456000000000u, SLICE_INIT("id-1")};
    struct event *event = NULL;
    struct refusal why;

    if (event_read(&rules, slice_of(body), &stamp, &event, &why) != E_OK)
        fail_msg("%s: %s", body, why.text.text);
    return event;
}

static const struct {
    enum event_schema input, output;
    const char *body, *written, *dead;
} rows[] = {
    {SCHEMA_EVENT_GRID, SCHEMA_EVENT_GRID,
     " {\"data\":" DATA ", \"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":" TIME
     "} ",
     "{\"id\":\"1\",\"topic\":\"/t/\\\"o\\\"\",\"subject\":\"s\",\"eventType\":\"T\","
     "\"eventTime\":" TIME ",\"data\":" DATA ",\"dataVersion\":\"\",\"metadataVersion\":\"1\"}",
     "{\"id\":\"1\",\"topic\":\"/t/\\\"o\\\"\",\"subject\":\"s\",\"eventType\":\"T\","
     "\"eventTime\":" TIME ",\"data\":" DATA ",\"dataVersion\":\"\",\"metadataVersion\":\"1\","
     "\"deadLetterReason\":\"TimeToLiveExceeded\",\"deliveryAttempts\":3,"
     "\"lastDeliveryOutcome\":\"NotFound\",\"lastHttpStatusCode\":404,"
     "\"publishTime\":\"2030-01-01T00:00:00.000000Z\","
     "\"lastDeliveryAttemptTime\":\"2030-01-01T00:16:40.500000Z\"}"},
    {SCHEMA_EVENT_GRID, SCHEMA_CLOUD_EVENT,
     "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":" TIME
     ",\"dataVersion\":\"2\",\"data\":null}",
     "{\"id\":\"1\",\"source\":\"/t/\\\"o\\\"\",\"type\":\"T\",\"time\":" TIME
     ",\"subject\":\"s\",\"specversion\":\"1.0\",\"data\":null}",
     "{\"id\":\"1\",\"source\":\"/t/\\\"o\\\"\",\"type\":\"T\",\"time\":" TIME
     ",\"subject\":\"s\",\"specversion\":\"1.0\",\"data\":null,"
     "\"deadletterreason\":\"TimeToLiveExceeded\",\"deliveryattempts\":3,"
     "\"lastdeliveryoutcome\":\"NotFound\",\"lasthttpstatuscode\":404,"
     "\"publishtime\":\"2030-01-01T00:00:00.000000Z\","
     "\"lastdeliveryattempttime\":\"2030-01-01T00:16:40.500000Z\"}"},
    {SCHEMA_CLOUD_EVENT, SCHEMA_CLOUD_EVENT,
     "{ \"specversion\":\"1.0\",\"id\":\"1\",\"ext\":1.10,\"source\":\"/s\",\"type\":\"T\","
     "\"data_base64\":\"AAEC\" }",
     "{ \"specversion\":\"1.0\",\"id\":\"1\",\"ext\":1.10,\"source\":\"/s\",\"type\":\"T\","
     "\"data_base64\":\"AAEC\" }",
     "{ \"specversion\":\"1.0\",\"id\":\"1\",\"ext\":1.10,\"source\":\"/s\",\"type\":\"T\","
     "\"data_base64\":\"AAEC\" ,"
     "\"deadletterreason\":\"TimeToLiveExceeded\",\"deliveryattempts\":3,"
     "\"lastdeliveryoutcome\":\"NotFound\",\"lasthttpstatuscode\":404,"
     "\"publishtime\":\"2030-01-01T00:00:00.000000Z\","
     "\"lastdeliveryattempttime\":\"2030-01-01T00:16:40.500000Z\"}"},
    {SCHEMA_CUSTOM, SCHEMA_CUSTOM, " { \"a\" : 1.10 } ", "{ \"a\" : 1.10 }",
     "{\"id\":\"id-1\",\"topic\":\"/t/\\\"o\\\"\",\"subject\":\"\",\"eventType\":\"\","
     "\"eventTime\":\"2030-01-01T00:00:00.000000Z\",\"data\":{ \"a\" : 1.10 },"
     "\"dataVersion\":\"\",\"metadataVersion\":\"1\","
     "\"deadLetterReason\":\"TimeToLiveExceeded\",\"deliveryAttempts\":3,"
     "\"lastDeliveryOutcome\":\"NotFound\",\"lastHttpStatusCode\":404,"
     "\"publishTime\":\"2030-01-01T00:00:00.000000Z\","
     "\"lastDeliveryAttemptTime\":\"2030-01-01T00:16:40.500000Z\"}"},
    {SCHEMA_CUSTOM, SCHEMA_EVENT_GRID, "{\"a\":1}",
     "{\"id\":\"id-1\",\"topic\":\"/t/\\\"o\\\"\",\"subject\":\"\",\"eventType\":\"\","
     "\"eventTime\":\"2030-01-01T00:00:00.000000Z\",\"data\":{\"a\":1},"
     "\"dataVersion\":\"\",\"metadataVersion\":\"1\"}",
     NULL},
    {SCHEMA_CUSTOM, SCHEMA_CLOUD_EVENT, "{\"a\":1}",
     "{\"id\":\"id-1\",\"source\":\"/t/\\\"o\\\"\",\"type\":\"\","
     "\"time\":\"2030-01-01T00:00:00.000000Z\",\"specversion\":\"1.0\",\"data\":{\"a\":1}}",
     NULL},
};

static void events_are_written_with_the_bytes_of_their_data(void **state)
{
    static const struct dead_letter dead = {.reason = SLICE_INIT("TimeToLiveExceeded"),
                                            .outcome = SLICE_INIT("NotFound"),
                                            .attempts = 3,
                                            .http_status = 404,
                                            .attempted_unix_us = 1893457000500000u};
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event *event = read_event(rows[i].input, rows[i].body);
        assert_true(schema_converts(rows[i].input, rows[i].output));
        buf_clear(&out);
        event_write(&out, event, rows[i].output, NULL);
        assert_string_equal(buf_text(&out), rows[i].written);
        buf_clear(&out);
        event_write(&out, event, rows[i].output, &dead);
        if (rows[i].dead != NULL)
            assert_string_equal(buf_text(&out), rows[i].dead);
        event_unref(event);
    }
    buf_done(&out);
}

static void arrays_hold_all_events(void **state)
{
    struct event *events[2] = {read_event(SCHEMA_CUSTOM, "{\"a\":1}"),
                               read_event(SCHEMA_CUSTOM, "{\"b\":2}")};
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    event_write_all(&out, events, 2, SCHEMA_CUSTOM);
    assert_string_equal(buf_text(&out), "[{\"a\":1},{\"b\":2}]");
    buf_clear(&out);
    event_write_all(&out, events, 1, SCHEMA_CUSTOM);
    assert_string_equal(buf_text(&out), "[{\"a\":1}]");
    buf_clear(&out);
    event_write_all(&out, events, 0, SCHEMA_CUSTOM);
    assert_string_equal(buf_text(&out), "[]");
    buf_done(&out);
    event_unref(events[0]);
    event_unref(events[1]);
}

static void only_some_schemas_convert(void **state)
{
    (void)state;
    assert_true(schema_converts(SCHEMA_CUSTOM, SCHEMA_CLOUD_EVENT));
    assert_false(schema_converts(SCHEMA_CLOUD_EVENT, SCHEMA_EVENT_GRID));
    assert_false(schema_converts(SCHEMA_CLOUD_EVENT, SCHEMA_CUSTOM));
    assert_false(schema_converts(SCHEMA_EVENT_GRID, SCHEMA_CUSTOM));
    assert_string_equal(schema_name(SCHEMA_CLOUD_EVENT), "CloudEventSchemaV1_0");
    assert_string_equal(event_content_type(SCHEMA_CUSTOM, true), "application/json; charset=utf-8");
    assert_string_equal(event_content_type(SCHEMA_CLOUD_EVENT, false),
                        "application/cloudevents+json; charset=utf-8");
    assert_string_equal(event_content_type(SCHEMA_CLOUD_EVENT, true),
                        "application/cloudevents-batch+json; charset=utf-8");
}

static void keys_find_values(void **state)
{
    static const struct {
        enum event_schema schema;
        const char *key, *value;
    } finds[] = {
        {SCHEMA_EVENT_GRID, "ID", "\"1\""},
        {SCHEMA_EVENT_GRID, "Topic", "\"/t/\\\"o\\\"\""},
        {SCHEMA_EVENT_GRID, "eventtype", "\"T\""},
        {SCHEMA_EVENT_GRID, "DATA.a.B", "2"},
        {SCHEMA_EVENT_GRID, "data.a.b", "1"},
        {SCHEMA_EVENT_GRID, "data.A.c", NULL},
        {SCHEMA_EVENT_GRID, "data.a.b.c", NULL},
        {SCHEMA_EVENT_GRID, "data.", NULL},
        {SCHEMA_EVENT_GRID, "id.x", NULL},
        {SCHEMA_EVENT_GRID, "other", NULL},
        {SCHEMA_EVENT_GRID, "", NULL},
        {SCHEMA_CLOUD_EVENT, "Source", "\"/s\""},
        {SCHEMA_CLOUD_EVENT, "EXT", "5"},
        {SCHEMA_CLOUD_EVENT, "data.x", "true"},
        {SCHEMA_CLOUD_EVENT, "data", "{\"x\":true}"},
        {SCHEMA_CUSTOM, "a.b", "7"},
        {SCHEMA_CUSTOM, "data", "8"},
        {SCHEMA_CUSTOM, "id", NULL},
    };
    struct event *events[] = {
        [SCHEMA_EVENT_GRID] =
            read_event(SCHEMA_EVENT_GRID,
                       "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":" TIME
                       ",\"data\":{\"a\":{\"b\":1,\"B\":2}}}"),
        [SCHEMA_CLOUD_EVENT] =
            read_event(SCHEMA_CLOUD_EVENT,
                       "{\"specversion\":\"1.0\",\"id\":\"1\",\"ext\":5,\"source\":\"/s\",\"type\":"
                       "\"T\",\"data\":{\"x\":true}}"),
        [SCHEMA_CUSTOM] = read_event(SCHEMA_CUSTOM, "{\"a\":{\"b\":7},\"data\":8}"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(finds); i++) {
        bool is_attribute;
        struct slice found =
            event_find(events[finds[i].schema], slice_of(finds[i].key), &is_attribute);
        if (!slice_eq(found, slice_of(finds[i].value)))
            fail_msg("%s: %.*s", finds[i].key, SLICE_ARG(found));
        assert_int_equal(is_attribute,
                         finds[i].schema == SCHEMA_CLOUD_EVENT && finds[i].key[0] != 'd');
    }
    for (size_t i = 0; i < COUNT_OF(events); i++)
        event_unref(events[i]);
}

/* Whether two custom events with these values of "k" keep their order among each other. */
static void events_of_one_value_have_one_lane(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } pairs[] = {
        {"\"x\"", "\"x\"", true},  {"\"x\"", "\"\\u0078\"", true},
        {"\"x\"", "\"X\"", false}, {"1", "1", true},
        {"1", "\"1\"", false},     {"true", "true", true},
        {"\"\"", "\"\"", false},   {"null", "null", false},
        {"{}", "{}", false},       {"[\"x\"]", "[\"x\"]", false},
    };
    char text[64], room[2][EVENT_LANE_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct event *events[2];
        struct slice lanes[2];
        for (size_t k = 0; k < 2; k++) {
            snprintf(text, sizeof text, "{\"k\":%s}", k == 0 ? pairs[i].a : pairs[i].b);
            events[k] = read_event(SCHEMA_CUSTOM, text);
            lanes[k] = event_lane(events[k], SLICE("k"), room[k]);
            assert_null(event_lane(events[k], SLICE("other"), room[k]).data);
            lanes[k] = event_lane(events[k], SLICE("k"), room[k]);
        }
        bool is_same = lanes[0].data != NULL && slice_eq(lanes[0], lanes[1]);
        if (is_same != pairs[i].is_same)
            fail_msg("%s and %s", pairs[i].a, pairs[i].b);
        event_unref(events[0]);
        event_unref(events[1]);
    }
}

static void the_subject_is_an_order_too(void **state)
{
    struct event *event =
        read_event(SCHEMA_EVENT_GRID, "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\","
                                      "\"eventTime\":\"2026-01-01T00:00:00Z\"}");
    struct event *custom = read_event(SCHEMA_CUSTOM, "{\"subject\":\"s\"}");
    char room[EVENT_LANE_BYTES];

    (void)state;
    assert_int_equal(event_lane(event, SLICE("Subject"), room).len, EVENT_LANE_BYTES);
    assert_null(event_lane(custom, SLICE("subject"), room).data); /* it is not mapped */
    event_unref(event);
    event_unref(custom);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_written_with_the_bytes_of_their_data),
        cmocka_unit_test(arrays_hold_all_events),
        cmocka_unit_test(only_some_schemas_convert),
        cmocka_unit_test(keys_find_values),
        cmocka_unit_test(events_of_one_value_have_one_lane),
        cmocka_unit_test(the_subject_is_an_order_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
