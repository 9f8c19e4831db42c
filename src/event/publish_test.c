#include "event/publish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define TOPIC "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/orders"
#define EG "EventGridEvent"
#define EG_EVENT                                                                                   \
    "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":\"2030-01-01T00:00:00Z\"}"
#define CE_EVENT "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\"}"
#define STRUCTURED "application/cloudevents+json; charset=utf-8"
#define BATCH "application/cloudevents-batch+json; charset=utf-8"
#define JSON "application/json; charset=utf-8"
#define REQUIRES(schema, name)                                                                     \
    "This resource is configured for '" schema "' schema and requires '" name                      \
    "' property to be set."
#define UNEXPECTED(name)                                                                           \
    "Received unexpected property '" name "' in JSON which does not conform to the expected "      \
    "schema"
#define TOKEN(schema, expected, actual)                                                            \
    "This resource is configured to receive event in '" schema "' schema. The JSON received does " \
    "not conform to the expected schema. Token Expected: " expected                                \
    ", Actual Token Received: " actual "."
#define NO_HEADER(name, what)                                                                      \
    "ce-" name " header is " what " for the cloud event. Please check required attributes at "     \
    "https://github.com/cloudevents/spec/blob/v1.0/spec.md#required-attributes"

static struct id fixed_id(void)
{
    return (struct id){"11111111-1111-4111-8111-111111111111"};
}

static struct event_mapping mapping; /* nothing */

static struct publish_rules rules_of(enum event_schema schema)
{
    return (struct publish_rules){.event = {schema, &mapping, SLICE_INIT(TOPIC)},
                                  .now_unix_us = 1893456000123456u,
                                  .next_id = fixed_id};
}

static enum err publish(enum event_schema schema, const char *type, const char *body,
                        struct event_batch *ret, struct refusal *why)
{
    struct publish_rules rules = rules_of(schema);
    struct publish_request request = {.content_type = slice_of(type), .body = slice_of(body)};

    *why = (struct refusal){0};
    return publish_read(&rules, &request, ret, why);
}

struct row {
    const char *body;
    const char *text; /* of the refusal; NULL = accepted */
    unsigned status;
};

static void check_rows(enum event_schema schema, const char *type, const struct row *rows,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct event_batch batch = {0};
        struct refusal why;
        enum err err = publish(schema, type, rows[i].body, &batch, &why);
        if (rows[i].text == NULL && err != E_OK)
            fail_msg("%s: %s", rows[i].body, why.text.text);
        if (rows[i].text != NULL && (err == E_OK || strcmp(why.text.text, rows[i].text) != 0 ||
                                     refusal_status(&why) != rows[i].status))
            fail_msg("%s: %u %s", rows[i].body, refusal_status(&why), why.text.text);
        assert_int_equal(batch.count > 0, rows[i].text == NULL);
        event_batch_done(&batch);
    }
}

#define EG_WITH(more)                                                                              \
    "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":\"2030-01-01T00:00:00Z\""   \
    "," more "}"

static void event_grid_events_are_validated(void **state)
{
    static const struct row rows[] = {
        {"[" EG_EVENT "]", NULL, 0},
        {EG_EVENT, NULL, 0},
        {"\xef\xbb\xbf [ " EG_EVENT " , " EG_EVENT " ] ", NULL, 0},
        {EG_WITH("\"data\":[1],\"dataVersion\":\"\",\"metadataVersion\":\"1\",\"topic\":\"\""),
         NULL, 0},
        {EG_WITH("\"topic\":\"" TOPIC "\""), NULL, 0},
        {EG_WITH("\"dataVersion\":null,\"metadataVersion\":null,\"topic\":null,\"data\":null"),
         NULL, 0},
        {"{\"\\u0069d\":\"1\",\"subject\":\"s\",\"eventType\":\"T\","
         "\"eventTime\":\"2030-01-01T00:00:00.1234567+02:00\"}",
         NULL, 0},
        {"[]", "The JSON received is an array without events.", 400},
        {"", "The JSON received is not valid.", 400},
        {"{", "The JSON received is not valid.", 400},
        {"[" EG_EVENT ",]", "The JSON received is not valid.", 400},
        {"5", TOKEN(EG, "StartObject", "Integer"), 400},
        {"[1.5]", TOKEN(EG, "StartObject", "Float"), 400},
        {"[[]]", TOKEN(EG, "StartObject", "StartArray"), 400},
        {"[true]", TOKEN(EG, "StartObject", "Boolean"), 400},
        {"\"x\"", TOKEN(EG, "StartObject", "String"), 400},
        {"null", TOKEN(EG, "StartObject", "Null"), 400},
        {"{\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":\"2030-01-01T00:00:00Z\"}",
         REQUIRES(EG, "id"), 400},
        {"{\"id\":\"1\",\"eventType\":\"T\",\"eventTime\":\"2030-01-01T00:00:00Z\"}",
         REQUIRES(EG, "subject"), 400},
        {"{\"id\":\"1\",\"subject\":\"s\",\"eventTime\":\"2030-01-01T00:00:00Z\"}",
         REQUIRES(EG, "eventType"), 400},
        {"{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\"}", REQUIRES(EG, "eventTime"), 400},
        {EG_WITH("\"id\":\"\""), REQUIRES(EG, "id"), 400},
        {EG_WITH("\"id\":null"), REQUIRES(EG, "id"), 400},
        {EG_WITH("\"id\":5"), "The value of property 'id' must be a string.", 400},
        {EG_WITH("\"eventTime\":\"2030-01-01T00:00:00\""),
         "The value of property 'eventTime' must be an ISO 8601 time with Z or an offset.", 400},
        {EG_WITH("\"metadataVersion\":\"2\""),
         "The value of property 'metadataVersion' must be '1'.", 400},
        {EG_WITH("\"dataversion\":\"1\""), UNEXPECTED("dataversion"), 400},
        {EG_WITH("\"x\":1"), UNEXPECTED("x"), 400},
        {EG_WITH("\"topic\":\"/other\""),
         "The request is not authorized for the topic that the event names.", 401},
        {EG_WITH("\"topic\":5"), "The value of property 'topic' must be a string.", 400},
        {EG_WITH("\"data\":\"\xff\""), "The JSON received is not valid, or is no object.", 400},
        {"[" EG_EVENT ",{\"id\":\"1\"}," EG_EVENT "]", REQUIRES(EG, "subject"), 400},
    };

    (void)state;
    check_rows(SCHEMA_EVENT_GRID, JSON, rows, COUNT_OF(rows));
}

#define CE_WITH(more)                                                                              \
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\"," more "}"

static void structured_cloud_events_are_validated(void **state)
{
    static const struct row rows[] = {
        {CE_EVENT, NULL, 0},
        {CE_WITH("\"time\":\"2030-01-01T00:00:00Z\",\"subject\":\"s\",\"datacontenttype\":"
                 "\"a/b\",\"dataschema\":\"x:y\",\"data\":{\"a\":1},\"ext1\":5"),
         NULL, 0},
        {CE_WITH("\"time\":null,\"ext\":null,\"data_base64\":null,\"data\":null"), NULL, 0},
        {CE_WITH("\"data_base64\":\"AAEC\""), NULL, 0},
        {CE_WITH("\"data_base64\":\"AAE\""), "The value of property 'data_base64' must be Base64.",
         400},
        {CE_WITH("\"data_base64\":\"AAEC\",\"data\":1"), UNEXPECTED("data_base64"), 400},
        {CE_WITH("\"Ext\":1"), UNEXPECTED("Ext"), 400},
        {CE_WITH("\"ext_1\":1"), UNEXPECTED("ext_1"), 400},
        {CE_WITH("\"\":1"), UNEXPECTED(""), 400},
        {CE_WITH("\"ext\":{}"),
         "The value of property 'extension attribute' must be a string, a number or a boolean.",
         400},
        {CE_WITH("\"specversion\":\"0.3\""), "The value of property 'specversion' must be '1.0'.",
         400},
        {CE_WITH("\"time\":\"now\""), "The value of property 'time' must be an RFC 3339 time.",
         400},
        {CE_WITH("\"subject\":1"), "The value of property 'subject' must be a string.", 400},
        {"{\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\"}",
         REQUIRES("CloudEventV10", "specversion"), 400},
        {"{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"T\"}",
         REQUIRES("CloudEventV10", "id"), 400},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"T\"}",
         REQUIRES("CloudEventV10", "source"), 400},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\"}",
         REQUIRES("CloudEventV10", "eventType"), 400},
        {CE_WITH("\"id\":null"), NULL, 0}, /* as if it were not there; the other one is */
        {CE_WITH("\"id\":\"\""), REQUIRES("CloudEventV10", "id"), 400},
        {"{\"specversion\":null}", REQUIRES("CloudEventV10", "id"), 400},
        {"[" CE_EVENT "]", TOKEN("CloudEventV10", "StartObject", "StartArray"), 400},
    };
    static const struct row batches[] = {
        {"[" CE_EVENT "," CE_EVENT "]", NULL, 0},
        {CE_EVENT, TOKEN("CloudEventV10", "StartArray", "StartObject"), 400},
        {"[]", "The JSON received is an array without events.", 400},
    };
    static const struct row types[] = {
        {CE_EVENT,
         "The content type must be application/cloudevents+json, "
         "application/cloudevents-batch+json or application/json.",
         415},
    };

    (void)state;
    check_rows(SCHEMA_CLOUD_EVENT, STRUCTURED, rows, COUNT_OF(rows));
    check_rows(SCHEMA_CLOUD_EVENT, JSON, rows, COUNT_OF(rows));
    check_rows(SCHEMA_CLOUD_EVENT, BATCH, batches, COUNT_OF(batches));
    check_rows(SCHEMA_CLOUD_EVENT, "text/plain", types, 1);
    check_rows(SCHEMA_CLOUD_EVENT, "", types, 1);
    check_rows(SCHEMA_CLOUD_EVENT, "application/jsonx", types, 1);
}

static void attributes_that_are_null_are_left_out(void **state)
{
    struct event_batch batch;
    struct refusal why;

    (void)state;
    assert_int_equal(publish(SCHEMA_CLOUD_EVENT, STRUCTURED,
                             " {\"time\" : null,\"id\":\"1\", \"specversion\":\"1.0\",\"ext\":null,"
                             "\"source\":\"/s\",\"type\":\"T\",\"data\":null} ",
                             &batch, &why),
                     E_OK);
    assert_true(slice_eq(batch.events[0]->body,
                         SLICE("{\"id\":\"1\",\"specversion\":\"1.0\",\"source\":\"/s\","
                               "\"type\":\"T\",\"data\":null}")));
    assert_true(slice_eq(batch.events[0]->fields[EVENT_DATA], SLICE("null")));
    event_batch_done(&batch);
}

static enum err publish_binary(const char *type, const char *const (*headers)[2], const char *body,
                               bool takes_any_type, struct event_batch *ret, struct refusal *why)
{
    struct publish_rules rules = rules_of(SCHEMA_CLOUD_EVENT);
    struct publish_header list[8];
    size_t count = 0;

    for (; headers[count][0] != NULL; count++)
        list[count] =
            (struct publish_header){slice_of(headers[count][0]), slice_of(headers[count][1])};
    struct publish_request request = {slice_of(type), list, count, slice_of(body)};
    rules.takes_any_type = takes_any_type;
    *why = (struct refusal){0};
    return publish_read(&rules, &request, ret, why);
}

#define BINARY_HEADERS(more)                                                                       \
    {                                                                                              \
        {"Ce-Id", "1"}, {"ce-source", "/s"}, {"CE-TYPE", "T"}, {"ce-specversion", "1.0"}, more     \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }
#define MORE(name, value) {name, value},
#define HEAD "{\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\",\"specversion\":\"1.0\","

static void binary_cloud_events_become_structured(void **state)
{
    static const struct {
        const char *type;
        const char *headers[8][2];
        const char *body, *expected;
    } rows[] = {
        {JSON, BINARY_HEADERS(), "{\"a\":1.10}",
         HEAD "\"datacontenttype\":\"application/json; charset=utf-8\",\"data\":{\"a\":1.10}}"},
        {"application/json", BINARY_HEADERS(MORE("ce-myExt", "a%20%22%C3%A9 ")), " 5 ",
         HEAD "\"myext\":\"a \\\"\xc3\xa9\",\"datacontenttype\":\"application/json\",\"data\":5}"},
        {"text/plain", BINARY_HEADERS(), "a\"b",
         HEAD "\"datacontenttype\":\"text/plain\",\"data\":\"a\\\"b\"}"},
        {"image/png", BINARY_HEADERS(), "abc",
         HEAD "\"datacontenttype\":\"image/png\",\"data_base64\":\"YWJj\"}"},
        {"text/plain", BINARY_HEADERS(), "\xff",
         HEAD "\"datacontenttype\":\"text/plain\",\"data_base64\":\"/w==\"}"},
        {"application/vnd.x+json;v=1", BINARY_HEADERS(), "[]",
         HEAD "\"datacontenttype\":\"application/vnd.x+json;v=1\",\"data\":[]}"},
        {"", BINARY_HEADERS(), "", HEAD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event_batch batch;
        struct refusal why;
        if (publish_binary(rows[i].type, rows[i].headers, rows[i].body, true, &batch, &why))
            fail_msg("%zu: %s", i, why.text.text);
        struct slice expected = slice_of(rows[i].expected), body = batch.events[0]->body;
        if (expected.data[expected.len - 1] == ',') /* a head alone */
            expected.len--, body.len--;
        if (!slice_eq(body, expected))
            fail_msg("%zu: %.*s", i, SLICE_ARG(body));
        event_batch_done(&batch);
    }
}

static void unfit_headers_of_binary_cloud_events_are_refused(void **state)
{
    static const struct {
        const char *headers[8][2];
        const char *body, *text;
        enum refusal_kind kind;
    } rows[] = {
        {{{"ce-source", "/s"}, {"ce-type", "T"}, {"ce-specversion", "1.0"}},
         "{}",
         NO_HEADER("id", "missing"),
         REFUSAL_HEADER},
        {{{"ce-id", "1"}, {"ce-type", "T"}, {"ce-specversion", "1.0"}},
         "{}",
         NO_HEADER("source", "missing"),
         REFUSAL_HEADER},
        {{{"ce-id", "1"}, {"ce-source", "/s"}, {"ce-specversion", "1.0"}},
         "{}",
         NO_HEADER("type", "missing"),
         REFUSAL_HEADER},
        {{{"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "T"}},
         "{}",
         NO_HEADER("specversion", "missing"),
         REFUSAL_HEADER},
        {{{"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", " "}, {"ce-specversion", "1.0"}},
         "{}",
         NO_HEADER("type", "empty"),
         REFUSAL_HEADER},
        {BINARY_HEADERS(MORE("ce-e", "%zz")), "{}",
         "ce-e header is no valid attribute of the cloud event.", REFUSAL_HEADER},
        {BINARY_HEADERS(MORE("ce-e", "%ff")), "{}",
         "ce-e header is no valid attribute of the cloud event.", REFUSAL_HEADER},
        {BINARY_HEADERS(MORE("ce-a-b", "x")), "{}",
         "ce-a-b header is no valid attribute of the cloud event.", REFUSAL_HEADER},
        {BINARY_HEADERS(MORE("ce-data", "x")), "{}",
         "ce-data header is no valid attribute of the cloud event.", REFUSAL_HEADER},
        {BINARY_HEADERS(), "{", "The JSON received is not valid.", REFUSAL_JSON},
        {BINARY_HEADERS(MORE("ce-time", "x")), "{}",
         "The value of property 'time' must be an RFC 3339 time.", REFUSAL_JSON},
    };
    struct event_batch batch = {0};
    struct refusal why;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (publish_binary(JSON, rows[i].headers, rows[i].body, false, &batch, &why) == E_OK ||
            strcmp(why.text.text, rows[i].text) != 0 || why.kind != rows[i].kind)
            fail_msg("%zu: %s", i, why.text.text);
    }
    assert_int_equal(publish_binary("text/plain", rows[9].headers, "x", false, &batch, &why),
                     E_UNSUPPORTED);
}

/* The mapping of eventgrid.md 1.3. */
static void custom_events_are_mapped(void **state)
{
    static const struct {
        const char *body, *fields[EVENT_MAPPED_FIELDS];
    } rows[] = {
        {"{\"a\":{\"b\":\"7\"},\"myType\":\"x\"}",
         {"\"7\"", "\"" TOPIC "\"", "\"S\"", "\"x\"", "\"2030-01-01T00:00:00.123456Z\"",
          "\"1.0\""}},
        {"{\"myType\":\"x\"}",
         {"\"11111111-1111-4111-8111-111111111111\"", "\"" TOPIC "\"", "\"S\"", "\"x\"",
          "\"2030-01-01T00:00:00.123456Z\"", "\"1.0\""}},
        {"{\"a\":{\"b\":42},\"myType\":-1}",
         {"\"42\"", "\"" TOPIC "\"", "\"S\"", "\"-1\"", "\"2030-01-01T00:00:00.123456Z\"",
          "\"1.0\""}},
        {"{\"A\":{\"B\":7.0},\"a\":{\"b\":1.50},\"myType\":null}",
         {"\"1.50\"", "\"" TOPIC "\"", "\"S\"", "\"T\"", "\"2030-01-01T00:00:00.123456Z\"",
          "\"1.0\""}},
    };
    static const struct row refused[] = {
        {"{\"a\":{\"b\":\"\"}}", REQUIRES("CustomInputEvent", "id"), 400},
        {"{\"a\":{\"b\":{}}}", "The value of property 'id' must be a string.", 400},
        {"{\"a\":{\"b\":1},\"myType\":\"\"}", REQUIRES("CustomInputEvent", "eventType"), 400},
        {"[5]", TOKEN("CustomInputEvent", "StartObject", "Integer"), 400},
        {"[]", "The JSON received is an array without events.", 400},
    };
    char source_id[] = "a.b", source_type[] = "myType", type[] = "T", subject[] = "S",
         version[] = "1.0";

    (void)state;
    mapping.fields[EVENT_ID].source = source_id;
    mapping.fields[EVENT_TYPE].source = source_type;
    mapping.fields[EVENT_TYPE].fallback = type;
    mapping.fields[EVENT_SUBJECT].fallback = subject;
    mapping.fields[EVENT_DATA_VERSION].fallback = version;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event_batch batch;
        struct refusal why;
        assert_int_equal(publish(SCHEMA_CUSTOM, JSON, rows[i].body, &batch, &why), E_OK);
        for (size_t j = 0; j < EVENT_MAPPED_FIELDS; j++)
            if (!slice_eq(batch.events[0]->fields[j], slice_of(rows[i].fields[j])))
                fail_msg("%zu %zu: %.*s", i, j, SLICE_ARG(batch.events[0]->fields[j]));
        assert_true(slice_eq(batch.events[0]->body, slice_of(rows[i].body)));
        event_batch_done(&batch);
    }
    check_rows(SCHEMA_CUSTOM, JSON, refused, COUNT_OF(refused));
    mapping = (struct event_mapping){0};
}

static void what_only_the_publisher_knows_must_be_where_the_mapping_says(void **state)
{
    static const struct row refused[] = {
        {"{\"s\":\"x\"}", REQUIRES("CustomInputEvent", "eventType"), 400},
        {"{\"t\":\"x\"}", REQUIRES("CustomInputEvent", "subject"), 400},
    };
    char subject[] = "s", type[] = "t", absent[] = "absent";
    struct event_batch batch;
    struct refusal why;

    (void)state;
    for (size_t i = 0; i < EVENT_MAPPED_FIELDS; i++)
        mapping.fields[i].source = absent;
    mapping.fields[EVENT_SUBJECT].source = subject;
    mapping.fields[EVENT_TYPE].source = type;
    check_rows(SCHEMA_CUSTOM, JSON, refused, COUNT_OF(refused));
    assert_int_equal(publish(SCHEMA_CUSTOM, JSON, "{\"s\":\"x\",\"t\":\"y\"}", &batch, &why), E_OK);
    const struct event *event = batch.events[0];
    assert_true(slice_eq(event->fields[EVENT_SOURCE], SLICE("\"" TOPIC "\"")));
    assert_true(slice_eq(event->fields[EVENT_TIME], SLICE("\"2030-01-01T00:00:00.123456Z\"")));
    event_batch_done(&batch);
    mapping = (struct event_mapping){0};
}

static void what_nobody_maps_is_stamped(void **state)
{
    struct event_batch batch;
    struct refusal why;

    (void)state;
    assert_int_equal(publish(SCHEMA_CUSTOM, "", "[{},{\"x\":1}]", &batch, &why), E_OK);
    assert_int_equal(batch.count, 2);
    assert_true(slice_eq(batch.events[1]->fields[EVENT_ID],
                         SLICE("\"11111111-1111-4111-8111-111111111111\"")));
    assert_true(slice_eq(batch.events[1]->fields[EVENT_TYPE], SLICE("\"\"")));
    event_batch_done(&batch);
}

static char *event_of_size(size_t len)
{
    static const char head[] = "{\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":"
                               "\"2030-01-01T00:00:00Z\",\"id\":\"";
    char *text = mem_resize(NULL, len + 1, 1);

    memset(text, 'x', len);
    memcpy(text, head, sizeof head - 1);
    memcpy(text + len - 2, "\"}", 3);
    return text;
}

static void sizes_are_limited(void **state)
{
    struct event_batch batch;
    struct refusal why;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        char *text = event_of_size(EVENT_MAX_BYTES + over);
        assert_int_equal(publish(SCHEMA_EVENT_GRID, JSON, text, &batch, &why),
                         over ? E_LIMIT : E_OK);
        if (over)
            assert_int_equal(refusal_status(&why), 413);
        else
            event_batch_done(&batch);
        free(text);
    }
    char *text = event_of_size(PUBLISH_MAX_BYTES + 1);
    assert_int_equal(publish(SCHEMA_EVENT_GRID, JSON, text, &batch, &why), E_LIMIT);
    assert_int_equal(refusal_status(&why), 413);
    free(text);
}

static void the_number_of_events_is_limited(void **state)
{
    struct publish_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct event_batch batch;
    struct refusal why;
    struct buf body;

    (void)state;
    buf_init(&body, PUBLISH_MAX_BYTES);
    for (size_t i = 0; i < PUBLISH_EVENTS_MAX; i++)
        buf_addf(&body, "%s%s", i == 0 ? "[" : ",", EG_EVENT);
    buf_add_byte(&body, ']');
    struct publish_request request = {.body = buf_slice(&body)};
    assert_int_equal(publish_read(&rules, &request, &batch, &why), E_OK);
    assert_int_equal(batch.count, PUBLISH_EVENTS_MAX);
    event_batch_done(&batch);
    rules.events_max = PUBLISH_EVENTS_MAX - 1;
    assert_int_equal(publish_read(&rules, &request, &batch, &why), E_LIMIT);
    assert_int_equal(refusal_status(&why), 413);
    buf_done(&body);
}

/* What the queue keeps makes the same event again. */
static void the_depth_is_limited(void **state)
{
    struct event_batch batch;
    struct refusal why;
    char text[256];

    (void)state;
    for (int depth = EVENT_DEPTH_MAX; depth <= EVENT_DEPTH_MAX + 1; depth++) {
        int arrays = depth - 1;
        snprintf(text, sizeof text, "[{\"a\":%.*s%.*s}]", arrays,
                 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", arrays,
                 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
        enum err err = publish(SCHEMA_CUSTOM, JSON, text, &batch, &why);
        assert_int_equal(err, depth <= EVENT_DEPTH_MAX ? E_OK : E_BAD_INPUT);
        if (err == E_OK)
            event_batch_done(&batch);
        else
            assert_string_equal(why.text.text, "The JSON received is nested deeper than 60.");
    }
}

static void a_kept_event_is_read_again(void **state)
{
    struct event_batch batch;
    struct event *again = NULL;
    struct refusal why;

    (void)state;
    assert_int_equal(publish(SCHEMA_CUSTOM, "", "{\"x\":1}", &batch, &why), E_OK);
    struct event *event = event_ref(batch.events[0]);
    event_batch_done(&batch);
    struct buf id;
    buf_init(&id, 100);
    event_write_field(&id, event, EVENT_ID);
    struct event_stamp stamp = {event->published_unix_us, buf_slice(&id)};
    struct event_rules rules = rules_of(SCHEMA_CUSTOM).event;
    assert_int_equal(event_read(&rules, event->body, &stamp, &again, &why), E_OK);
    for (size_t i = 0; i < EVENT_FIELDS; i++)
        assert_true(slice_eq(again->fields[i], event->fields[i]));
    assert_int_equal(again->published_unix_us, 1893456000123456u);
    buf_done(&id);
    event = event_unref(event);
    assert_null(event_unref(again));
}

static void every_beginning_of_a_request_is_refused(void **state)
{
    static const char body[] = "[" EG_EVENT "," EG_WITH("\"data\":{\"a\":[1.5,\"\\u00e9\"]}") "]";
    struct publish_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct event_batch batch;

    (void)state;
    for (size_t len = 0; len < sizeof body; len++) {
        char *exact = len > 0 ? mem_resize(NULL, len, 1) : NULL;
        if (len > 0)
            memcpy(exact, body, len);
        struct publish_request request = {.body = {exact, len}};
        enum err err = publish_read(&rules, &request, &batch, NULL);
        assert_int_equal(err, len == sizeof body - 1 ? E_OK : E_BAD_INPUT);
        if (err == E_OK)
            event_batch_done(&batch);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_grid_events_are_validated),
        cmocka_unit_test(structured_cloud_events_are_validated),
        cmocka_unit_test(attributes_that_are_null_are_left_out),
        cmocka_unit_test(binary_cloud_events_become_structured),
        cmocka_unit_test(unfit_headers_of_binary_cloud_events_are_refused),
        cmocka_unit_test(custom_events_are_mapped),
        cmocka_unit_test(what_only_the_publisher_knows_must_be_where_the_mapping_says),
        cmocka_unit_test(what_nobody_maps_is_stamped),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(the_number_of_events_is_limited),
        cmocka_unit_test(the_depth_is_limited),
        cmocka_unit_test(a_kept_event_is_read_again),
        cmocka_unit_test(every_beginning_of_a_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
