#include "event/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* The mapping of eventgrid.md 1.3, as it is shown. */
#define MAPPING                                                                                    \
    "\"inputSchemaMapping\":{\"inputSchemaMappingType\":\"Json\",\"properties\":{"                 \
    "\"id\":{\"sourceField\":\"a.b\"},\"topic\":{},\"subject\":{\"defaultValue\":\"S\"},"          \
    "\"eventType\":{\"sourceField\":\"myType\",\"defaultValue\":\"T\"},\"eventTime\":{},"          \
    "\"dataVersion\":{\"defaultValue\":\"1.0\"}}}"

static void check_written(const struct topic *topic, const char *expected)
{
    struct buf out;

    buf_init(&out, 4096);
    buf_add_byte(&out, '{');
    topic_write(&out, topic);
    buf_add_byte(&out, '}');
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void requests_become_topics(void **state)
{
    static const struct {
        const char *properties, *written;
    } rows[] = {
        {"", "{\"inputSchema\":\"EventGridSchema\",\"disableLocalAuth\":false,"
             "\"eventRetentionInDays\":7}"},
        {"{}", "{\"inputSchema\":\"EventGridSchema\",\"disableLocalAuth\":false,"
               "\"eventRetentionInDays\":7}"},
        {"{\"inputSchema\":\"CloudEventSchemaV1_0\",\"disableLocalAuth\":true,"
         "\"eventRetentionInDays\":1,\"inputSchemaMapping\":null,\"publicNetworkAccess\":1}",
         "{\"inputSchema\":\"CloudEventSchemaV1_0\",\"disableLocalAuth\":true,"
         "\"eventRetentionInDays\":1}"},
        {"{\"inputSchema\":\"CustomEventSchema\"," MAPPING "}",
         "{\"inputSchema\":\"CustomEventSchema\"," MAPPING
         ",\"disableLocalAuth\":false,\"eventRetentionInDays\":7}"},
        {"{\"source\":\"/c\",\"topicType\":\"Microsoft.Cache.Redis\",\"key1\":\"x\"}",
         "{\"inputSchema\":\"EventGridSchema\",\"disableLocalAuth\":false,"
         "\"eventRetentionInDays\":7,\"source\":\"/c\",\"topicType\":\"Microsoft.Cache.Redis\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct topic topic;
        struct cause why = {0};
        topic_init(&topic, SLICE("t1"), SLICE("/t1"));
        if (topic_read(&topic, slice_of(rows[i].properties), &why) != E_OK)
            fail_msg("%s: %s", rows[i].properties, why.text);
        check_written(&topic, rows[i].written);
        assert_string_equal(topic.keys.text[0], "");
        topic_done(&topic);
    }
}

static void mistakes_name_their_field(void **state)
{
    static const struct {
        const char *properties, *text;
    } rows[] = {
        {"5", "properties is not an object"},
        {"{\"inputSchema\":\"X\"}",
         "inputSchema: 'X' is not 'EventGridSchema', 'CloudEventSchemaV1_0' or "
         "'CustomEventSchema'"},
        {"{\"eventRetentionInDays\":8}", "eventRetentionInDays: 8 is not between 1 and 7"},
        {"{\"disableLocalAuth\":5}", "disableLocalAuth: is neither true nor false"},
        {"{\"inputSchemaMapping\":{\"properties\":{}}}",
         "inputSchemaMapping: is possible with inputSchema CustomEventSchema only"},
        {"{\"inputSchema\":\"CustomEventSchema\",\"inputSchemaMapping\":{\"properties\":{\"id\":{"
         "\"defaultValue\":\"x\"}}}}",
         "inputSchemaMapping.properties.id.defaultValue: is possible for subject, eventType and "
         "dataVersion only"},
        {"{\"inputSchema\":\"CustomEventSchema\",\"inputSchemaMapping\":{\"properties\":{\"id\":{"
         "\"sourceField\":\"\"}}}}",
         "inputSchemaMapping.properties.id.sourceField: is empty"},
        {"{\"inputSchema\":\"CustomEventSchema\",\"inputSchemaMapping\":{"
         "\"inputSchemaMappingType\":\"Xml\"}}",
         "inputSchemaMapping.inputSchemaMappingType: 'Xml' is not 'Json'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct topic topic;
        struct cause why = {0};
        topic_init(&topic, SLICE("t1"), SLICE("/t1"));
        if (topic_read(&topic, slice_of(rows[i].properties), &why) != E_BAD_INPUT ||
            strcmp(why.text, rows[i].text) != 0)
            fail_msg("%s: %s", rows[i].properties, why.text);
        topic_done(&topic);
    }
}

static void the_store_gives_back_all_of_it(void **state)
{
    struct topic topic, again;
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    topic_init(&topic, SLICE("t1"), SLICE("/t1"));
    assert_int_equal(
        topic_read(&topic, SLICE("{\"inputSchema\":\"CustomEventSchema\"," MAPPING "}"), NULL),
        E_OK);
    access_keys_renew(&topic.keys, 0);
    access_keys_renew(&topic.keys, 1);
    topic_write_stored(&out, &topic);
    topic_init(&again, SLICE("t1"), SLICE("/t1"));
    assert_int_equal(topic_read_stored(&again, buf_slice(&out), NULL), E_OK);
    assert_string_equal(again.keys.text[0], topic.keys.text[0]);
    assert_string_equal(again.keys.text[1], topic.keys.text[1]);
    assert_string_equal(again.mapping.fields[EVENT_TYPE].source, "myType");
    /* a PATCH changes what it names */
    assert_int_equal(topic_read(&again, SLICE("{\"disableLocalAuth\":true}"), NULL), E_OK);
    assert_true(again.is_local_auth_disabled);
    assert_int_equal(again.input, SCHEMA_CUSTOM);
    topic_done(&topic);
    topic_done(&again);
    buf_done(&out);
}

static void events_of_a_system_topic_carry_its_source(void **state)
{
    struct topic topic;

    (void)state;
    topic_init(&topic, SLICE("t1"), SLICE("/t1"));
    assert_true(slice_eq(topic_rules(&topic).topic, SLICE("/t1")));
    assert_int_equal(topic_read(&topic, SLICE("{\"source\":\"/cache\"}"), NULL), E_OK);
    assert_true(slice_eq(topic_rules(&topic).topic, SLICE("/cache")));
    topic_done(&topic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_become_topics),
        cmocka_unit_test(mistakes_name_their_field),
        cmocka_unit_test(the_store_gives_back_all_of_it),
        cmocka_unit_test(events_of_a_system_topic_carry_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
