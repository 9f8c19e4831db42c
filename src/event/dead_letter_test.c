#include "event/dead_letter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "event/write.h"

#define TOPIC "/t/\"o\""
#define TIME "\"2030-01-01T00:00:00Z\""
#define PUBLISHED_US 1893456000123456u

static const struct event_mapping mapping = {
    .fields = {[EVENT_TYPE] = {(char *)(uintptr_t) "kind", NULL}}};

static struct event_rules rules_of(enum event_schema schema)
{
    return (struct event_rules){.schema = schema, .topic = SLICE(TOPIC), .mapping = &mapping};
}

static struct event *read_event(enum event_schema schema, const char *body)
{
    struct event_rules rules = rules_of(schema);
    struct event_stamp stamp = {PUBLISHED_US, SLICE_INIT("id-1")};
    struct event *event = NULL;
    struct refusal why;

    if (event_read(&rules, slice_of(body), &stamp, &event, &why) != E_OK)
        fail_msg("%s: %s", body, why.text.text);
    return event;
}

static void a_dead_letter_of_queue_mode_has_its_own_form(void **state)
{
    static const struct dead_letter dead = {.reason = SLICE_INIT("MaxDeliveryAttemptsExceeded"),
                                            .attempts = 1,
                                            .attempted_unix_us = 1893457000500000u};
    struct event *event =
        read_event(SCHEMA_EVENT_GRID, "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\","
                                      "\"eventTime\":" TIME ",\"data\":1.10}");
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    event_write_dead_pull(&out, event, &dead);
    assert_string_equal(
        buf_text(&out),
        "{\"deadLetterProperties\":{\"deadletterreason\":\"Maximum delivery attempts was "
        "exceeded.\","
        "\"deliveryattempts\":1,\"deliveryresult\":\"Event was not acknowledged nor rejected.\","
        "\"publishutc\":\"2030-01-01T00:00:00.123456Z\",\"deliveryattemptutc\":"
        "\"2030-01-01T00:16:40.500000Z\"},\"event\":{\"id\":\"1\",\"source\":\"/t/\\\"o\\\"\","
        "\"type\":\"T\",\"time\":" TIME
        ",\"subject\":\"s\",\"specversion\":\"1.0\",\"data\":1.10}}");
    buf_done(&out);
    event_unref(event);
}

static const struct dead_letter push = {.reason = SLICE_INIT("MaxDeliveryAttemptsExceeded"),
                                        .outcome = SLICE_INIT("NotFound"),
                                        .attempts = 3,
                                        .http_status = 404,
                                        .attempted_unix_us = 1893457000500000u};

/* What was published, and where it goes: the same event comes back. */
static const struct {
    enum event_schema input, output;
    const char *body;
} rows[] = {
    {SCHEMA_EVENT_GRID, SCHEMA_EVENT_GRID,
     "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":" TIME
     ",\"data\":{\"deadLetterReason\":1.10},\"dataVersion\":\"7\"}"},
    {SCHEMA_EVENT_GRID, SCHEMA_CLOUD_EVENT,
     "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":" TIME
     ",\"data\":[12345678901234567]}"},
    {SCHEMA_CLOUD_EVENT, SCHEMA_CLOUD_EVENT,
     "{\"specversion\":\"1.0\",\"id\":\"a\\u00e9\",\"ext\":1.10,\"source\":\"/s\",\"type\":\"T\","
     "\"data_base64\":\"AAEC\"}"},
    {SCHEMA_CUSTOM, SCHEMA_CUSTOM, "{\"kind\":\"k\",\"deadLetterReason\":\"own\",\"n\":1.10}"},
    {SCHEMA_CUSTOM, SCHEMA_EVENT_GRID, "{\"kind\":\"k\"}"},
    {SCHEMA_CUSTOM, SCHEMA_CLOUD_EVENT, "{\"kind\":\"k\"}"},
};

static void expect_same(const struct event *event, const struct event *again, bool is_exact)
{
    for (size_t i = 0; i < EVENT_FIELDS; i++)
        if (i != EVENT_DATA_VERSION && i != EVENT_TIME)
            assert_true(slice_eq(again->fields[i], event->fields[i]));
    if (is_exact) {
        assert_true(slice_eq(again->fields[EVENT_DATA_VERSION], event->fields[EVENT_DATA_VERSION]));
        assert_true(slice_eq(again->fields[EVENT_TIME], event->fields[EVENT_TIME]));
    }
    assert_int_equal(again->published_unix_us, event->published_unix_us);
}

static void a_dead_letter_becomes_the_event_that_it_was(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct event_rules rules = rules_of(rows[i].input);
        struct event *event = read_event(rows[i].input, rows[i].body), *again = NULL;
        struct dead_letter dead;
        struct cause why = {0};
        buf_clear(&out);
        event_write(&out, event, rows[i].output, &push);
        if (dead_letter_read(&rules, buf_slice(&out), &again, &dead, &why) != E_OK)
            fail_msg("%s: %s", buf_text(&out), why.text);
        expect_same(event, again, rows[i].input == rows[i].output);
        assert_true(slice_eq(dead.reason, push.reason));
        assert_true(slice_eq(dead.outcome, push.outcome));
        assert_int_equal(dead.attempts, 3);
        assert_int_equal(dead.http_status, 404);
        assert_int_equal(dead.attempted_unix_us, push.attempted_unix_us);
        event_unref(again);
        buf_clear(&out);
        event_write_dead_pull(&out, event, &push);
        assert_int_equal(dead_letter_read(&rules, buf_slice(&out), &again, &dead, NULL), E_OK);
        expect_same(event, again, false);
        assert_true(slice_eq(dead.reason, push.reason));
        event_unref(again);
        event_unref(event);
    }
    buf_done(&out);
}

static void what_is_no_dead_letter_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"deadLetterReason\":\"r\"}",
        "{\"deadLetterReason\":\"\",\"id\":\"1\"}",
        "{\"deadLetterProperties\":{\"deadletterreason\":\"r\"}}",
        "{\"deadLetterProperties\":{\"deadletterreason\":\"r\"},\"event\":[]}",
        "{\"deadLetterProperties\":5,\"event\":{}}",
    };

    (void)state;
    for (enum event_schema schema = SCHEMA_EVENT_GRID; schema <= SCHEMA_CUSTOM; schema++)
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            const struct event_rules rules = rules_of(schema);
            struct event *event = NULL;
            struct dead_letter dead;
            struct cause why;
            assert_int_not_equal(dead_letter_read(&rules, slice_of(texts[i]), &event, &dead, &why),
                                 E_OK);
            assert_null(event);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_letter_of_queue_mode_has_its_own_form),
        cmocka_unit_test(a_dead_letter_becomes_the_event_that_it_was),
        cmocka_unit_test(what_is_no_dead_letter_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
