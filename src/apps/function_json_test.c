#include "apps/function_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "apps/app_fixture.h"
#include "base/mem.h"

/* A function.json with one binding; with one beside a trigger; with members beside a trigger. */
#define ONLY(binding) "{\"bindings\":[{" binding "}]}"
#define BESIDE(binding) "{\"bindings\":[" LIST("\"key\":\"q\"") ",{" binding "}]}"
#define WITH(members) "{" members ",\"bindings\":[" LIST("\"key\":\"q\"") "]}"

static void faulty_functions_say_file_field_and_reason(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {LIST_FUNCTION, NULL},
        {"{", "F/function.json:1:"},
        {"[]", "F/function.json: is not an object"},
        {"{}", "F/function.json: bindings: At least one binding must be declared."},
        {"{\"bindings\":[]}", "At least one binding must be declared."},
        {"{\"bindings\":[1]}", "bindings[0]: is not an object"},
        {"{\"bindings\":{}}", "bindings: is not an array"},
        {ONLY("\"name\":\"e\""), "bindings[0].type: is missing"},
        {ONLY("\"type\":\"queueTrigger\",\"name\":\"e\""),
         "bindings[0].type: 'queueTrigger' is not supported"},
        {ONLY("\"type\":\"http\",\"name\":\"e\""), "bindings[0].type: 'http' is not supported"},
        {ONLY("\"type\":\"redis\",\"name\":\"o\",\"connection\":\"localhost\","
              "\"command\":\"DEL\",\"direction\":\"out\""),
         "No trigger binding specified. A function must have a trigger input binding."},
        {BESIDE("\"type\":\"redisListTrigger\",\"name\":\"b\""),
         "Multiple trigger bindings defined. A function can only have a single trigger binding."},
        {BESIDE("\"type\":\"redis\",\"name\":\"e\",\"connection\":\"localhost\","
                "\"command\":\"DEL\""),
         "Multiple bindings with name 'e' discovered. Binding names must be unique."},
        {ALONE("\"key\":\"q\",\"direction\":\"up\""), "'up' is not a valid binding direction."},
        {ALONE("\"key\":\"q\",\"direction\":\"out\""),
         "bindings[0].direction: a trigger's is 'in'"},
        {ONLY("\"type\":5,\"name\":\"e\""), "bindings[0].type: is not the name of a type"},
        {ALONE("\"x\":1"), "F/function.json: bindings[0].key: is missing"},
        {ALONE("\"key\":\"\""), "bindings[0].key: is empty"},
        {ALONE("\"key\":\" \""), "bindings[0].key: is empty"},
        {ALONE("\"key\":\"q\",\"count\":0"), "bindings[0].count: 0 is not"},
        {ALONE("\"key\":\"q\",\"count\":\"ten\""), "bindings[0].count: is not a whole number"},
        {ALONE("\"key\":\"q\",\"pollingIntervalInMs\":-5"), "pollingIntervalInMs"},
        {ALONE("\"key\":\"q\",\"messagesPerWorker\":0"), "messagesPerWorker"},
        {ALONE("\"key\":\"q\",\"maxConcurrency\":0"), "maxConcurrency"},
        {ALONE("\"key\":\"q\",\"maxDeliveryCount\":0"), "maxDeliveryCount"},
        {ALONE("\"key\":\"q\",\"payload\":\"xml\""),
         "payload: 'xml' is not 'model', 'ga' or 'value'"},
        {ALONE("\"key\":\"q\",\"polling\":\"slow\""), "polling: 'slow'"},
        {ALONE("\"key\":\"q\",\"startFrom\":\"5\""), "startFrom: '5'"},
        {ALONE("\"key\":\"q\",\"listDirection\":\"up\""), "listDirection: 'up'"},
        {ALONE("\"key\":\"q\",\"keys\":\"r\""), "bindings[0].keys: differs from 'key'"},
        {ALONE("\"key\":\"q\",\"connection\":\"other\""),
         "bindings[0].connection: differs from 'connectionStringSetting'"},
        {ALONE("\"key\":\"q\",\"listPopFromBeginning\":true,\"listDirection\":\"right\""),
         "listDirection: differs from 'listPopFromBeginning'"},
        {ONLY("\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\""),
         "connectionStringSetting: is missing"},
        {ONLY("\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\","
              "\"connection\":\" \""),
         "connection: is empty"},
        {ONLY("\"type\":\"redisPubSubTrigger\",\"name\":\"e\","
              "\"connection\":\"localhost\",\"channel\":\"\""),
         "channel: is empty"},
        {ONLY("\"type\":\"redisPubSubTrigger\",\"name\":\"e\","
              "\"connection\":\"localhost\""),
         "channel: is missing"},
        {ONLY("\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\","
              "\"connection\":\"localhost:6379,bogus=1\""),
         "Keyword 'bogus' is not supported."},
        {ONLY("\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\","
              "\"connection\":\"localhost:6379,ssl=perhaps\""),
         "ssl"},
        {ONLY("\"type\":\"redisListTrigger\",\"name\":\"1e\",\"key\":\"q\","
              "\"connection\":\"localhost\""),
         "bindings[0].name: '1e'"},
        {ONLY("\"type\":\"redisListTrigger\",\"key\":\"q\",\"connection\":\"localhost\""),
         "bindings[0].name: is missing"},
        {BESIDE("\"type\":\"redis\",\"name\":\"o\",\"connection\":\"localhost\""),
         "bindings[1].command: is missing"},
        {BESIDE("\"type\":\"redis\",\"name\":\"o\",\"connection\":\"localhost\","
                "\"command\":\"SET a b\""),
         "bindings[1].command: Command 'SET' not supported for Redis Input Binding."},
        {BESIDE("\"type\":\"redis\",\"name\":\"o\",\"connection\":\"localhost\","
                "\"command\":\"GET\",\"direction\":\"InOut\""),
         "bindings[1].direction: 'inout' is not supported"},
        {WITH("\"scriptFile\":\"gone.py\""),
         "F/function.json: scriptFile: there is no file 'gone.py'"},
        {WITH("\"retry\":{\"strategy\":\"fixedDelay\",\"maxRetryCount\":2}"),
         "retry.delayInterval: is required"},
        {WITH("\"retry\":{\"strategy\":\"fixedDelay\",\"maxRetryCount\":2,"
              "\"delayInterval\":\"-00:00:01\"}"),
         "retry.delayInterval: is negative"},
        {WITH("\"retry\":{\"strategy\":\"fixedDelay\",\"delayInterval\":\"00:00:01\"}"),
         "retry.maxRetryCount: is required"},
        {WITH("\"retry\":{\"strategy\":\"fixedDelay\",\"maxRetryCount\":-2,"
              "\"delayInterval\":\"00:00:01\"}"),
         "retry.maxRetryCount: -2"},
        {WITH("\"retry\":{\"strategy\":\"exponentialBackoff\",\"maxRetryCount\":2,"
              "\"minimumInterval\":\"00:00:10\",\"maximumInterval\":\"00:00:05\"}"),
         "retry.minimumInterval: is above maximumInterval"},
        {WITH("\"retry\":{\"maxRetryCount\":2}"), "retry.strategy: is required"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct app *app = load_one(rows[i].text, NULL);
        assert_contains(app->functions[0]->error, rows[i].error);
        app_free(app);
    }
}

#define TRIGGER(type, rest)                                                                        \
    "{\"bindings\":[{\"type\":\"" type "\",\"name\":\"e\"," rest ",\"key\":\"a  b c\","            \
    "\"channel\":\"ch\"}]}"

static void absent_properties_have_the_defaults_of_their_name_set(void **state)
{
    (void)state;
    struct app *app =
        load_one(TRIGGER("redisListTrigger", "\"connectionStringSetting\":\"localhost\""), NULL);
    const struct trigger *t = &app->functions[0]->trigger;
    assert_null(app->functions[0]->error);
    assert_int_equal(t->type, TRIGGER_LIST);
    assert_int_equal(t->payload, PAYLOAD_MODEL);
    assert_int_equal(t->key_count, 3);
    assert_string_equal(t->keys[1], "b");
    assert_string_equal(t->key_text, "a  b c");
    assert_int_equal(t->count, 10);
    assert_int_equal(t->polling_interval_ms, 1000);
    assert_int_equal(t->messages_per_worker, 100);
    assert_int_equal(t->max_deliveries, 10);
    assert_int_equal(t->claim_idle_ms, 30000);
    assert_true(t->pops_head && t->is_reliable);
    assert_false(t->is_batch || t->is_polling_fixed || t->ack_on_failure);
    assert_int_equal(t->data_type, DATA_STRING);
    assert_null(t->dead_letter_key);
    app_free(app);

    app = load_one(TRIGGER("redisStreamTrigger", "\"connection\":\"localhost\""), NULL);
    t = &app->functions[0]->trigger;
    assert_int_equal(t->payload, PAYLOAD_GA);
    assert_int_equal(t->count, 16);
    assert_int_equal(t->messages_per_worker, 16);
    assert_string_equal(t->consumer_group, "F");
    assert_false(t->delete_after || t->starts_at_end);
    app_free(app);

    app = load_one(TRIGGER("redisPubSubTrigger", "\"connectionString\":\"localhost\""), NULL);
    t = &app->functions[0]->trigger;
    assert_true(t->is_pattern);
    assert_int_equal(t->max_concurrency, 1);
    assert_int_equal(t->queue_limit, 10000);
    assert_false(t->every_node);
    app_free(app);

    app = load_one(TRIGGER("redisPubSubTrigger", "\"connection\":\"localhost\""), NULL);
    assert_false(app->functions[0]->trigger.is_pattern);
    app_free(app);
}

static void old_names_cases_and_types_mean_the_same(void **state)
{
    (void)state;
    struct app *app = load_one(
        "{\"Bindings\":[{\"TYPE\":\"RedisListsTrigger\",\"Name\":\"e\",\"direction\":\"IN\","
        "\"ConnectionStringSetting\":\"localhost\",\"KEYS\":\"q\",\"batchSize\":\"25\","
        "\"pollingIntervalInMs\":\"50\",\"LISTPOPFROMBEGINNING\":\"False\","
        "\"dataType\":\"BINARY\",\"cardinality\":\"Many\",\"reliable\":false,"
        "\"payload\":\"VALUE\",\"polling\":\"Fixed\",\"maxDeliveryCount\":-1,"
        "\"deadLetterKey\":\"dl\",\"claimIdleMs\":500,\"ackOnFailure\":true,"
        "\"properties\":{\"supportsDeferredBinding\":\"false\"},\"unknown\":[]}]}",
        NULL);
    const struct trigger *t = &app->functions[0]->trigger;
    assert_contains(app->functions[0]->error, NULL);
    assert_int_equal(t->type, TRIGGER_LIST);
    assert_string_equal(t->keys[0], "q");
    assert_int_equal(t->count, 25);
    assert_int_equal(t->polling_interval_ms, 50);
    assert_false(t->pops_head || t->is_reliable || t->uses_ga_names);
    assert_true(t->is_batch && t->is_polling_fixed && t->ack_on_failure);
    assert_int_equal(t->payload, PAYLOAD_VALUE);
    assert_int_equal(t->data_type, DATA_BINARY);
    assert_int_equal(t->max_deliveries, -1);
    assert_int_equal(t->claim_idle_ms, 500);
    assert_string_equal(t->dead_letter_key, "dl");
    assert_contains(app->functions[0]->raw_bindings, ",\"unknown\":[]}]");
    app_free(app);

    app = load_one("{\"bindings\":[{\"type\":\"redisStreamsTrigger\",\"name\":\"e\","
                   "\"connection\":\"localhost\",\"connectionString\":\"localhost\","
                   "\"key\":\"s\",\"maxBatchSize\":4,\"count\":\"4\",\"messagesPerWorker\":7,"
                   "\"consumerGroup\":\"g\",\"startFrom\":\"$\",\"deleteAfterProcess\":\"true\","
                   "\"dataType\":\"String\"}]}",
                   NULL);
    t = &app->functions[0]->trigger;
    assert_contains(app->functions[0]->error, NULL);
    assert_int_equal(t->type, TRIGGER_STREAM);
    assert_true(t->uses_ga_names && t->delete_after && t->starts_at_end);
    assert_int_equal(t->count, 4);
    assert_int_equal(t->messages_per_worker, 7);
    assert_string_equal(t->consumer_group, "g");
    assert_contains(app->functions[0]->warnings[0], "mixes");
    assert_contains(app->functions[0]->warnings[1], "say the same");
    app_free(app);
}

static void redis_bindings_stand_beside_the_trigger(void **state)
{
    static const char *const environment[] = {"prefix=user", NULL};

    (void)state;
    struct app *app = load_one(
        "{\"bindings\":[{\"type\":\"redis\",\"name\":\"$return\",\"direction\":\"OUT\","
        "\"connection\":\"localhost\",\"command\":\"DEL\"}," LIST(
            "\"key\":\"q\"") ",{\"type\":"
                             "\"Redis\",\"name\":\"value\",\"direction\":\"in\",\"connection\":"
                             "\"localhost\","
                             "\"command\":\"GET %prefix%:{Message}\",\"dataType\":\"binary\"}]}",
        environment);
    const struct function *function = app->functions[0];
    assert_contains(function->error, NULL);
    assert_int_equal(function->binding_count, 2);
    assert_string_equal(function->bindings[0].name, "$return");
    assert_int_equal(function->bindings[0].direction, DIRECTION_OUT);
    assert_string_equal(function->bindings[1].command, "GET user:{Message}");
    assert_int_equal(function->bindings[1].data_type, DATA_BINARY);
    assert_string_equal(function->trigger.name, "e");
    app_free(app);
}

static void events_need_no_server(void **state)
{
    (void)state;
    struct app *app =
        load_one("{\"bindings\":[{\"type\":\"EventGridTrigger\",\"name\":\"e\"}]}", NULL);
    const struct trigger *t = &app->functions[0]->trigger;

    assert_null(app->functions[0]->error);
    assert_int_equal(t->type, TRIGGER_EVENT);
    assert_null(t->connection);
    assert_int_equal(t->max_concurrency, 16);
    assert_false(t->is_batch);
    app_free(app);
    app = load_one(
        "{\"bindings\":[{\"type\":\"eventGridTrigger\",\"name\":\"e\",\"maxConcurrency\":\"3\","
        "\"cardinality\":\"Many\"}]}",
        NULL);
    t = &app->functions[0]->trigger;
    assert_int_equal(t->max_concurrency, 3);
    assert_true(t->is_batch);
    app_free(app);
    app = load_one(
        "{\"bindings\":[{\"type\":\"eventGridTrigger\",\"name\":\"e\",\"maxConcurrency\":0}]}",
        NULL);
    assert_contains(app->functions[0]->error, "bindings[0].maxConcurrency: 0 is not");
    app_free(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faulty_functions_say_file_field_and_reason),
        cmocka_unit_test(absent_properties_have_the_defaults_of_their_name_set),
        cmocka_unit_test(old_names_cases_and_types_mean_the_same),
        cmocka_unit_test(redis_bindings_stand_beside_the_trigger),
        cmocka_unit_test(events_need_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
