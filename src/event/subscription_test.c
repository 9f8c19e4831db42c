#include "event/subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define HOOK                                                                                       \
    "\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"               \
    "\"https://host/api/updates?code=secret\"}}"
#define WITH(more) "{" HOOK "," more "}"
#define HOOK_WITH(more)                                                                            \
    "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"              \
    "\"https://host/x\"," more "}}}"
#define QUEUE(more) "{\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\",\"queue\":{" more "}}}"

/* az create, everything (azure-api.md 7.1) */
static const char everything[] =
    "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
    "\"https://host/api/updates?code=secret\",\"maxEventsPerBatch\":5,"
    "\"preferredBatchSizeInKilobytes\":128,\"deliveryAttributeMappings\":[{\"name\":\"h1\","
    "\"type\":\"Static\",\"properties\":{\"value\":\"v1\",\"isSecret\":true}},{\"name\":\"h2\","
    "\"type\":\"Dynamic\",\"properties\":{\"sourceField\":\"data.x\"}}]}},\"filter\":{"
    "\"subjectBeginsWith\":\"Exp\",\"subjectEndsWith\":\"ted\",\"includedEventTypes\":["
    "\"Microsoft.Cache.ScalingCompleted\"],\"isSubjectCaseSensitive\":true,"
    "\"enableAdvancedFilteringOnArrays\":true,\"advancedFilters\":[{\"operatorType\":\"NumberIn\","
    "\"key\":\"data.n\",\"values\":[1.10,123456789012345678901234567890]}]},\"labels\":[\"a\","
    "\"b\"],\"expirationTimeUtc\":\"2030-01-01T00:00:00.000Z\",\"eventDeliverySchema\":"
    "\"CloudEventSchemaV1_0\",\"retryPolicy\":{\"maxDeliveryAttempts\":10,"
    "\"eventTimeToLiveInMinutes\":60},\"deadLetterDestination\":{\"endpointType\":\"StorageBlob\","
    "\"properties\":{\"resourceId\":\"/sa\",\"blobContainerName\":\"dl\"}}}";

static const char everything_shown[] =
    "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":null,"
    "\"endpointBaseUrl\":\"https://host/api/updates\",\"maxEventsPerBatch\":5,"
    "\"preferredBatchSizeInKilobytes\":128,\"deliveryAttributeMappings\":[{\"name\":\"h1\","
    "\"type\":\"Static\",\"properties\":{\"value\":\"Hidden\",\"isSecret\":true}},{\"name\":\"h2\","
    "\"type\":\"Dynamic\",\"properties\":{\"sourceField\":\"data.x\"}}]}},\"filter\":{"
    "\"subjectBeginsWith\":\"Exp\",\"subjectEndsWith\":\"ted\",\"includedEventTypes\":["
    "\"Microsoft.Cache.ScalingCompleted\"],\"isSubjectCaseSensitive\":true,"
    "\"enableAdvancedFilteringOnArrays\":true,\"advancedFilters\":[{\"operatorType\":\"NumberIn\","
    "\"key\":\"data.n\",\"values\":[1.10,123456789012345678901234567890]}]},\"labels\":[\"a\","
    "\"b\"],\"eventDeliverySchema\":\"CloudEventSchemaV1_0\",\"retryPolicy\":{"
    "\"maxDeliveryAttempts\":10,\"eventTimeToLiveInMinutes\":60},\"deadLetterDestination\":{"
    "\"endpointType\":\"StorageBlob\",\"properties\":{\"resourceId\":\"/sa\","
    "\"blobContainerName\":\"dl\"}},\"expirationTimeUtc\":\"2030-01-01T00:00:00.000Z\"}";

static struct subscription_rules rules_of(enum event_schema input)
{
    return (struct subscription_rules){.input = input, .retention_days = 7};
}

static void check_shown(const struct subscription *sub, const struct subscription_rules *rules,
                        const char *expected)
{
    struct buf out;

    buf_init(&out, 8192);
    buf_add_byte(&out, '{');
    subscription_write(&out, sub, rules);
    buf_add_byte(&out, '}');
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void read_fresh(struct subscription *sub, const struct subscription_rules *rules,
                       const char *properties)
{
    struct cause why = {0};

    subscription_init(sub, SLICE("es1"), rules);
    if (subscription_read(sub, rules, slice_of(properties), &why) != E_OK)
        fail_msg("%s: %s", properties, why.text);
}

static void requests_are_shown_with_defaults_and_without_secrets(void **state)
{
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct subscription sub;

    (void)state;
    rules.source = &event_sources[0];
    read_fresh(&sub, &rules, everything);
    check_shown(&sub, &rules, everything_shown);
    subscription_done(&sub);
    read_fresh(&sub, &rules, "{" HOOK "}");
    check_shown(&sub, &rules,
                "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
                "null,\"endpointBaseUrl\":\"https://host/api/updates\",\"maxEventsPerBatch\":1,"
                "\"preferredBatchSizeInKilobytes\":64}},\"filter\":{\"subjectBeginsWith\":\"\","
                "\"subjectEndsWith\":\"\",\"includedEventTypes\":["
                "\"Microsoft.Cache.PatchingCompleted\",\"Microsoft.Cache.ScalingCompleted\","
                "\"Microsoft.Cache.ImportRDBCompleted\",\"Microsoft.Cache.ExportRDBCompleted\"]},"
                "\"labels\":null,\"eventDeliverySchema\":\"EventGridSchema\",\"retryPolicy\":{"
                "\"maxDeliveryAttempts\":30,\"eventTimeToLiveInMinutes\":1440},"
                "\"deadLetterDestination\":null}");
    subscription_done(&sub);
}

static void queue_mode_has_its_own_settings(void **state)
{
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct subscription sub;

    (void)state;
    read_fresh(&sub, &rules,
               QUEUE("\"receiveLockDurationInSeconds\":120,\"maxDeliveryCount\":2,"
                     "\"eventTimeToLive\":\"P1D\",\"deadLetterDestinationWithResourceIdentity\":{"
                     "\"identity\":{},\"deadLetterDestination\":{\"endpointType\":\"StorageBlob\","
                     "\"properties\":{\"resourceId\":\"/sa\",\"blobContainerName\":\"dl\"}}}"));
    assert_true(sub.is_queue);
    assert_int_equal(sub.delivery, SCHEMA_CLOUD_EVENT);
    assert_int_equal(sub.queue.lock_seconds, 120);
    assert_int_equal(sub.queue.ttl_ms, 86400000);
    check_shown(&sub, &rules,
                "{\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\",\"queue\":{"
                "\"receiveLockDurationInSeconds\":120,\"maxDeliveryCount\":2,\"eventTimeToLive\":"
                "\"PT86400S\"}},\"filter\":{\"subjectBeginsWith\":\"\",\"subjectEndsWith\":\"\"},"
                "\"labels\":null,\"eventDeliverySchema\":\"CloudEventSchemaV1_0\",\"retryPolicy\":{"
                "\"maxDeliveryAttempts\":30,\"eventTimeToLiveInMinutes\":1440},"
                "\"deadLetterDestination\":{\"endpointType\":\"StorageBlob\",\"properties\":{"
                "\"resourceId\":\"/sa\",\"blobContainerName\":\"dl\"}}}");
    subscription_done(&sub);
}

static void the_store_gives_back_all_of_it(void **state)
{
    static const char *const rows[] = {
        everything,
        QUEUE("\"eventTimeToLive\":\"PT2M\""),
        "{\"destination\":{\"endpointType\":\"AzureFunction\",\"properties\":{\"resourceId\":\"/"
        "f\"}"
        "},\"orderBy\":\"data.key\",\"maxEventsPerSecond\":50,\"filter\":{\"advancedFilters\":[{"
        "\"operatorType\":"
        "\"IsNotNull\""
        ",\"key\":\"id\"}]}}",
        "{\"destination\":{\"endpointType\":\"RedisStream\",\"properties\":{\"connection\":\"c\","
        "\"stream\":\"s\"}}}",
        "{\"destination\":{\"endpointType\":\"RedisList\",\"properties\":{\"cacheResourceId\":"
        "\"/c\",\"list\":\"l\"}}}",
        "{\"destination\":{\"endpointType\":\"redischannel\",\"properties\":{\"connection\":\"c\","
        "\"channel\":\"ch\"}}}",
        "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
        "\"https://h/\",\"azureActiveDirectoryTenantId\":\"t\","
        "\"azureActiveDirectoryApplicationIdOrUri\":\"a\"}}}",
    };
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct buf first, second;

    (void)state;
    buf_init(&first, 8192);
    buf_init(&second, 8192);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct subscription sub, again;
        read_fresh(&sub, &rules, rows[i]);
        buf_clear(&first);
        buf_clear(&second);
        subscription_write_stored(&first, &sub, &rules);
        read_fresh(&again, &rules, buf_text(&first));
        subscription_write_stored(&second, &again, &rules);
        assert_string_equal(buf_text(&first), buf_text(&second));
        assert_int_equal(sub.filter.condition_count, again.filter.condition_count);
        subscription_done(&sub);
        subscription_done(&again);
    }
    buf_done(&first);
    buf_done(&second);
}

static void a_patch_changes_what_it_names(void **state)
{
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct subscription sub;

    (void)state;
    read_fresh(&sub, &rules, everything);
    assert_int_equal(
        subscription_read(
            &sub, &rules,
            SLICE(
                "{\"labels\":[\"c\"],\"retryPolicy\":{\"maxDeliveryAttempts\":3},"
                "\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{"
                "\"maxEventsPerBatch\":1,\"deliveryAttributeMappings\":[{\"name\":\"H1\","
                "\"type\":\"Static\",\"properties\":{\"value\":\"Hidden\",\"isSecret\":true}}]}}}"),
            NULL),
        E_OK);
    assert_string_equal(sub.labels_json, "[\"c\"]");
    assert_int_equal(sub.retry.attempts, 3);
    assert_int_equal(sub.retry.ttl_minutes, 60);
    assert_int_equal(sub.filter.condition_count, 1);
    assert_string_equal(sub.destination.url, "https://host/api/updates?code=secret");
    assert_int_equal(sub.destination.batch_events, 1);
    assert_int_equal(sub.destination.batch_kilobytes, 128);
    assert_int_equal(sub.destination.attribute_count, 1);
    assert_string_equal(sub.destination.attributes[0].value, "v1");
    assert_int_equal(
        subscription_read(&sub, &rules,
                          SLICE("{\"filter\":{},\"deadLetterDestination\":{\"endpointType\":"
                                "\"redgrid.DeadLetterStream\"},\"destination\":{\"endpointType\":"
                                "\"RedisList\",\"properties\":{\"connection\":\"c\",\"list\":\"l\"}"
                                "}}"),
                          NULL),
        E_OK);
    assert_int_equal(sub.filter.condition_count, 0);
    assert_null(sub.dead_letter_account);
    assert_null(sub.destination.url);
    assert_int_equal(sub.destination.attribute_count, 0);
    subscription_done(&sub);
}

static void secrets_are_told_on_request_only(void **state)
{
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct subscription sub;
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    read_fresh(&sub, &rules, everything);
    subscription_write_attributes(&out, &sub);
    assert_string_equal(buf_text(&out),
                        "[{\"name\":\"h1\",\"type\":\"Static\",\"properties\":{\"value\":\"v1\","
                        "\"isSecret\":true}},{\"name\":\"h2\",\"type\":\"Dynamic\",\"properties\":{"
                        "\"sourceField\":\"data.x\"}}]");
    subscription_done(&sub);
    buf_done(&out);
}

/* D7 */
static void attributes_take_their_values_from_the_event(void **state)
{
    static const struct {
        const char *source, *value; /* NULL: absent */
    } rows[] = {
        {"s", "a \xc3\xa9"}, {"n", "1.10"}, {"b", "true"}, {"o", NULL},     {"l", NULL},
        {"z", NULL},         {"x", NULL},   {"e", NULL},   {"o.p", "deep"}, {"empty", ""},
    };
    struct event_rules rules = {.schema = SCHEMA_CUSTOM, .topic = SLICE("/t")};
    struct event_stamp stamp = {0, SLICE_INIT("1")};
    struct event *event = NULL;
    struct buf out;

    (void)state;
    assert_int_equal(
        event_read(
            &rules,
            SLICE("{\"s\":\"a \\u00e9\",\"n\":1.10,\"b\":true,\"o\":{\"p\":\"deep\"},\"l\":[1]"
                  ",\"z\":null,\"e\":\"a\\r\\nb\",\"empty\":\"\"}"),
            &stamp, &event, NULL),
        E_OK);
    buf_init(&out, 8192);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char source[16];
        snprintf(source, sizeof source, "%s", rows[i].source);
        struct attribute attribute = {.source = source};
        buf_clear(&out);
        if (attribute_write(&out, &attribute, event) != (rows[i].value != NULL) ||
            strcmp(buf_text(&out), rows[i].value != NULL ? rows[i].value : "") != 0)
            fail_msg("%s: %s", source, buf_text(&out));
    }
    char value[] = "v";
    struct attribute fixed = {.value = value};
    buf_clear(&out);
    assert_true(attribute_write(&out, &fixed, event));
    assert_string_equal(buf_text(&out), "v");
    buf_done(&out);
    event_unref(event);
}

#define ATTRIBUTE(name, type, properties)                                                          \
    HOOK_WITH("\"deliveryAttributeMappings\":[{\"name\":\"" name "\",\"type\":\"" type             \
              "\",\"properties\":{" properties "}}]")

static void mistakes_name_their_field(void **state)
{
    static const struct {
        const char *properties, *text;
    } rows[] = {
        {"5", "properties is not an object"},
        {"{}", "destination: is missing"},
        {"{\"destination\":5}", "destination: is not an object"},
        {"{\"destination\":{}}", "destination.endpointType: is missing"},
        {"{\"destination\":{\"endpointType\":\"EventHub\"}}",
         "destination.endpointType: 'EventHub' is not 'WebHook', 'AzureFunction', 'RedisStream', "
         "'RedisList' or 'RedisChannel'"},
        {"{\"destination\":{\"endpointType\":\"WebHook\"}}", "destination.endpointUrl: is missing"},
        {"{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
         "\"https://h/\",\"azureActiveDirectoryTenantId\":\"t\","
         "\"azureActiveDirectoryApplicationIdOrUri\":\"https://EVENTGRID.azure.net/\"}}}",
         "destination.properties.azureActiveDirectoryApplicationIdOrUri: is who the tokens of this "
         "server's own clients are for: name the application behind the endpoint"},
        {"{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
         "\"https://h/\",\"azureActiveDirectoryTenantId\":\"t\","
         "\"azureActiveDirectoryApplicationIdOrUri\":\"https://management.azure.com\"}}}",
         "destination.properties.azureActiveDirectoryApplicationIdOrUri: is who the tokens of this "
         "server's own clients are for: name the application behind the endpoint"},
        {"{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
         "\"http://10.0.0.1\"}}}",
         "destination.properties.endpointUrl: is http:// and not on this machine; use https://, or "
         "set delivery.allow_http"},
        {"{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
         "\"unix:///x\"}}}",
         "destination.properties.endpointUrl: is neither http:// nor https://"},
        {"{\"destination\":{\"endpointType\":\"AzureFunction\"}}",
         "destination.resourceId: is missing"},
        {"{\"destination\":{\"endpointType\":\"RedisList\",\"properties\":{\"list\":\"l\"}}}",
         "destination.properties: needs either cacheResourceId or connection"},
        {"{\"destination\":{\"endpointType\":\"RedisList\",\"properties\":{\"connection\":\"c\","
         "\"stream\":\"l\"}}}",
         "destination.properties.list: is missing"},
        {HOOK_WITH("\"maxEventsPerBatch\":5001"),
         "destination.properties.maxEventsPerBatch: 5001 is not between 1 and 5000"},
        {HOOK_WITH("\"preferredBatchSizeInKilobytes\":0"),
         "destination.properties.preferredBatchSizeInKilobytes: 0 is not between 1 and 1024"},
        {HOOK_WITH("\"deliveryAttributeMappings\":[1,2,3,4,5,6,7,8,9,10,11]"),
         "destination.properties.deliveryAttributeMappings: is not an array of at most 10"},
        {ATTRIBUTE("aeg-x", "Static", "\"value\":\"v\""),
         "destination.properties.deliveryAttributeMappings[0].name: must not begin with aeg-"},
        {ATTRIBUTE("a b", "Static", "\"value\":\"v\""),
         "destination.properties.deliveryAttributeMappings[0].name: is not the name of a header"},
        {ATTRIBUTE("a", "Static", "\"value\":\"v\\n\""),
         "destination.properties.deliveryAttributeMappings[0].properties.value: is longer than "
         "4096 "
         "bytes or no value of a header"},
        {ATTRIBUTE("a", "Dynamic", "\"value\":\"v\""),
         "destination.properties.deliveryAttributeMappings[0].properties: has neither value nor "
         "sourceField"},
        {WITH("\"filter\":{\"advancedFilters\":[{\"key\":\"a\"}]}"),
         "filter: advancedFilters[0]: operatorType: is missing"},
        {WITH("\"retryPolicy\":{\"maxDeliveryAttempts\":31}"),
         "retryPolicy.maxDeliveryAttempts: 31 is not between 1 and 30"},
        {WITH("\"retryPolicy\":{\"eventTimeToLiveInMinutes\":1441}"),
         "retryPolicy.eventTimeToLiveInMinutes: 1441 is not between 1 and 1440"},
        {WITH("\"deadLetterDestination\":{\"endpointType\":\"StorageBlob\"}"),
         "deadLetterDestination.resourceId: is missing"},
        {WITH("\"labels\":[1]"), "labels: is not an array of texts"},
        {WITH("\"expirationTimeUtc\":\"soon\""),
         "expirationTimeUtc: is not an ISO 8601 time, as 2030-01-01T00:00:00Z"},
        {WITH("\"eventDeliverySchema\":\"CustomInputSchema\""),
         "eventDeliverySchema: events of a topic with input schema EventGridSchema cannot be "
         "delivered as CustomInputSchema"},
        {WITH("\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\"}"),
         "destination: is not possible in queue mode"},
        {"{\"deliveryConfiguration\":{\"deliveryMode\":\"Push\"}}",
         "deliveryConfiguration.deliveryMode: 'Push' is not 'Queue'"},
        {QUEUE("\"receiveLockDurationInSeconds\":59"),
         "deliveryConfiguration.queue.receiveLockDurationInSeconds: 59 is not between 60 and 300"},
        {QUEUE("\"maxDeliveryCount\":11"),
         "deliveryConfiguration.queue.maxDeliveryCount: 11 is not between 1 and 10"},
        {QUEUE("\"eventTimeToLive\":\"PT59S\""),
         "deliveryConfiguration.queue.eventTimeToLive: is not an ISO 8601 duration of at least "
         "PT1M"},
        {QUEUE("\"eventTimeToLive\":\"PT61S\",\"receiveLockDurationInSeconds\":120"),
         "deliveryConfiguration.queue.eventTimeToLive: is shorter than the lock duration"},
        {QUEUE("\"eventTimeToLive\":\"P8D\""),
         "deliveryConfiguration.queue.eventTimeToLive: is longer than the topic's retention of 7 "
         "days"},
    };
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct subscription sub;
        struct cause why = {0};
        subscription_init(&sub, SLICE("es1"), &rules);
        if (subscription_read(&sub, &rules, slice_of(rows[i].properties), &why) != E_BAD_INPUT ||
            strcmp(why.text, rows[i].text) != 0)
            fail_msg("%s: %s", rows[i].properties, why.text);
        subscription_done(&sub);
    }
}

/* H7 */
static void an_audit_names_all_mistakes(void **state)
{
    static const struct {
        const char *properties, *noted;
    } rows[] = {
        {everything, ""},
        {"{\"destination\":{\"endpointUrl\":\"https://h/x\",\"maxEventsPerBatch\":2,"
         "\"deliveryAttributeMappings\":[{\"name\":\"a\",\"type\":\"Static\",\"value\":\"v\"}]}}",
         ""},
        {QUEUE("\"maxDeliveryCount\":2"), ""},
        {"5", ": properties is not an object\n"},
        {"{\"destinaton\":{}}", "destination: is missing\ndestinaton: is not known; did you mean "
                                "'destination'?\n"},
        {"{\"destination\":{\"endpointType\":\"Hook\",\"endpointUrl\":\"https://h\"},"
         "\"retryPolicy\":{\"maxDeliveryAttempts\":31,\"ttl\":1},\"labels\":5}",
         "destination.endpointType: 'Hook' is not 'WebHook', 'AzureFunction', 'RedisStream', "
         "'RedisList' or 'RedisChannel'\n"
         "retryPolicy.maxDeliveryAttempts: 31 is not between 1 and 30\n"
         "labels: is not an array of texts\nretryPolicy.ttl: is not known\n"},
        {WITH("\"filter\":{\"subjectBegins\":\"a\",\"subjectEndsWith\":5,\"advancedFilters\":["
              "{\"key\":\"data.a\",\"operatorType\":\"StringIn\",\"value\":1},"
              "{\"key\":\"data.a\",\"operatorType\":\"NumberIn\",\"values\":[1,\"b\"]},"
              "{\"key\":\"data.a\",\"operatorType\":\"StringsIn\",\"what\":1}]}"),
         "filter.subjectEndsWith: is not a string\n"
         "filter.advancedFilters[0].values: is missing\n"
         "filter.advancedFilters[1].values[1]: is not a number\n"
         "filter.advancedFilters[2].operatorType: \"StringsIn\" is not an operator\n"
         "filter.subjectBegins: is not known\n"
         "filter.advancedFilters[0].value: is not known; did you mean 'values'?\n"},
    };
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct jx_audit audit;
    struct buf noted;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        jx_audit_init(&audit);
        subscription_audit(&rules, slice_of(rows[i].properties), &audit);
        jx_audit_unknown(&audit, slice_of(rows[i].properties));
        buf_init(&noted, 8192);
        for (size_t k = 0; k < audit.count; k++)
            buf_addf(&noted, "%s: %s\n", audit.mistakes[k].path, audit.mistakes[k].text);
        assert_string_equal(buf_text(&noted), rows[i].noted);
        buf_done(&noted);
        jx_audit_done(&audit);
    }
}

static void plain_http_is_for_this_machine(void **state)
{
    static const struct {
        const char *url;
        bool is_fine, is_fine_when_allowed;
    } rows[] = {
        {"http://127.0.0.1:80/x", true, true},      {"http://[::1]:7000/", true, true},
        {"http://localhost/", true, true},          {"http://10.0.0.1/", false, true},
        {"http://127.0.0.1.example/", false, true}, {"http://example", false, true},
        {"https://example/", true, true},           {"ftp://example/", false, false},
    };
    char properties[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int allowed = 0; allowed < 2; allowed++) {
            struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
            struct subscription sub;
            rules.allows_http = allowed;
            snprintf(properties, sizeof properties,
                     "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{"
                     "\"endpointUrl\":\"%s\"}}}",
                     rows[i].url);
            subscription_init(&sub, SLICE("es1"), &rules);
            bool is_fine = subscription_read(&sub, &rules, slice_of(properties), NULL) == E_OK;
            if (is_fine != (allowed ? rows[i].is_fine_when_allowed : rows[i].is_fine))
                fail_msg("%s", rows[i].url);
            subscription_done(&sub);
        }
}

static void the_default_schema_follows_the_topic(void **state)
{
    static const enum event_schema expected[] = {
        [SCHEMA_EVENT_GRID] = SCHEMA_EVENT_GRID,
        [SCHEMA_CLOUD_EVENT] = SCHEMA_CLOUD_EVENT,
        [SCHEMA_CUSTOM] = SCHEMA_EVENT_GRID,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        struct subscription_rules rules = rules_of((enum event_schema)i);
        struct subscription sub;
        read_fresh(&sub, &rules, "{" HOOK "}");
        assert_int_equal(sub.delivery, expected[i]);
        subscription_done(&sub);
        subscription_init(&sub, SLICE("es1"), &rules);
        assert_int_equal(subscription_read(&sub, &rules,
                                           SLICE(WITH("\"eventDeliverySchema\":"
                                                      "\"CustomInputSchema\"")),
                                           NULL) == E_OK,
                         i == SCHEMA_CUSTOM);
        subscription_done(&sub);
    }
}

static void a_connection_is_shown_without_its_password_and_keeps_it(void **state)
{
    struct subscription_rules rules = rules_of(SCHEMA_EVENT_GRID);
    struct subscription sub;
    struct buf out;

    (void)state;
    read_fresh(&sub, &rules,
               "{\"destination\":{\"endpointType\":\"RedisStream\",\"properties\":{"
               "\"connection\":\"h:1,password=x\",\"stream\":\"s\"}}}");
    buf_init(&out, 10000);
    subscription_write(&out, &sub, &rules);
    assert_non_null(strstr(buf_text(&out), "\"connection\":\"h:1,password=Hidden\""));
    static const struct {
        const char *patch, *connection;
    } rows[] = {
        {"{\"destination\":{\"properties\":{\"stream\":\"t\"}}}", "h:1,password=x"},
        {"{\"destination\":{\"properties\":{\"connection\":\"h:1,password=Hidden\"}}}",
         "h:1,password=x"},
        {"{\"destination\":{\"properties\":{\"connection\":\"h:2,password=Hidden\"}}}",
         "h:2,password=Hidden"},
        {"{\"destination\":{\"properties\":{\"connection\":\"shop\",\"maxLength\":7}}}", "shop"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(subscription_read(&sub, &rules, slice_of(rows[i].patch), NULL), E_OK);
        assert_string_equal(sub.destination.connection, rows[i].connection);
        assert_string_equal(sub.destination.key, "t");
    }
    buf_clear(&out);
    subscription_write(&out, &sub, &rules);
    assert_non_null(strstr(buf_text(&out), "\"maxLength\":7,"));
    buf_done(&out);
    subscription_done(&sub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_shown_with_defaults_and_without_secrets),
        cmocka_unit_test(queue_mode_has_its_own_settings),
        cmocka_unit_test(the_store_gives_back_all_of_it),
        cmocka_unit_test(a_patch_changes_what_it_names),
        cmocka_unit_test(a_connection_is_shown_without_its_password_and_keeps_it),
        cmocka_unit_test(secrets_are_told_on_request_only),
        cmocka_unit_test(attributes_take_their_values_from_the_event),
        cmocka_unit_test(mistakes_name_their_field),
        cmocka_unit_test(an_audit_names_all_mistakes),
        cmocka_unit_test(plain_http_is_for_this_machine),
        cmocka_unit_test(the_default_schema_follows_the_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
