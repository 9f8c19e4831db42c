#include "functions/app.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

#define HOST "{\"version\":\"2.0\"}"
#define LIST(rest)                                                                                 \
    "{\"type\":\"redisListTrigger\",\"name\":\"e\",\"connectionStringSetting\":"                   \
    "\"localhost\"," rest "}"
#define LIST_FUNCTION "{\"bindings\":[" LIST("\"key\":\"q\"") "]}"

/* A folder of files that goes away with the test. */
struct folder {
    char path[64];
};

static void folder_make(struct folder *folder)
{
    strcpy(folder->path, "/tmp/redgrid-app-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
    (void)info;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void folder_remove(struct folder *folder)
{
    nftw(folder->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const struct folder *folder, const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct app *load(const struct folder *folder, const char *const *environment,
                        const char *const *only)
{
    return app_load(&(struct app_options){folder->path, only, environment});
}

/* An app with one function F whose function.json is `text`. */
static struct app *load_one(const char *text, const char *const *environment)
{
    struct folder folder;

    folder_make(&folder);
    put(&folder, "host.json", HOST);
    put(&folder, "F/function.json", text);
    put(&folder, "F/run.py", "");
    struct app *app = load(&folder, environment, NULL);
    folder_remove(&folder);
    assert_null(app->error);
    assert_int_equal(app->function_count, 1);
    return app;
}

static void assert_contains(const char *text, const char *part)
{
    if (part == NULL ? text != NULL : text == NULL || strstr(text, part) == NULL)
        fail_msg("'%s' does not hold '%s'", text == NULL ? "(null)" : text,
                 part == NULL ? "(null)" : part);
}

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
        {"{\"bindings\":[{\"name\":\"e\"}]}", "bindings[0].type: is missing"},
        {"{\"bindings\":[{\"type\":\"queueTrigger\",\"name\":\"e\"}]}",
         "bindings[0].type: 'queueTrigger' is not supported"},
        {"{\"bindings\":[{\"type\":\"http\",\"name\":\"e\"}]}",
         "bindings[0].type: 'http' is not supported"},
        {"{\"bindings\":[{\"type\":\"redis\",\"name\":\"o\",\"connection\":\"localhost\","
         "\"command\":\"DEL\",\"direction\":\"out\"}]}",
         "No trigger binding specified. A function must have a trigger input binding."},
        {"{\"bindings\":[" LIST(
             "\"key\":\"q\"") ",{\"type\":\"redisListTrigger\",\"name\":\"b\"}]}",
         "Multiple trigger bindings defined. A function can only have a single trigger binding."},
        {"{\"bindings\":[" LIST("\"key\":\"q\"") ",{\"type\":\"redis\",\"name\":\"e\","
                                                 "\"connection\":\"localhost\","
                                                 "\"command\":\"DEL\"}]}",
         "Multiple bindings with name 'e' discovered. Binding names must be unique."},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"direction\":\"up\"") "]}",
         "'up' is not a valid binding direction."},
        {"{\"bindings\":[" LIST("\"x\":1") "]}", "F/function.json: bindings[0].key: is missing"},
        {"{\"bindings\":[" LIST("\"key\":\"\"") "]}", "bindings[0].key: is empty"},
        {"{\"bindings\":[" LIST("\"key\":\" \"") "]}", "bindings[0].key: is empty"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"count\":0") "]}", "bindings[0].count: 0 is not"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"count\":\"ten\"") "]}",
         "bindings[0].count: is not a whole number"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"pollingIntervalInMs\":-5") "]}",
         "pollingIntervalInMs"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"messagesPerWorker\":0") "]}", "messagesPerWorker"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"maxConcurrency\":0") "]}", "maxConcurrency"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"maxDeliveryCount\":0") "]}", "maxDeliveryCount"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"payload\":\"xml\"") "]}",
         "payload: 'xml' is not 'model', 'ga' or 'value'"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"polling\":\"slow\"") "]}", "polling: 'slow'"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"startFrom\":\"5\"") "]}", "startFrom: '5'"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"listDirection\":\"up\"") "]}",
         "listDirection: 'up'"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"keys\":\"r\"") "]}",
         "bindings[0].keys: differs from 'key'"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"connection\":\"other\"") "]}",
         "bindings[0].connection: differs from 'connectionStringSetting'"},
        {"{\"bindings\":[" LIST("\"key\":\"q\",\"listPopFromBeginning\":true,"
                                "\"listDirection\":\"right\"") "]}",
         "listDirection: differs from 'listPopFromBeginning'"},
        {"{\"bindings\":[{\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\"}]}",
         "connectionStringSetting: is missing"},
        {"{\"bindings\":[{\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\","
         "\"connection\":\" \"}]}",
         "connection: is empty"},
        {"{\"bindings\":[{\"type\":\"redisPubSubTrigger\",\"name\":\"e\","
         "\"connection\":\"localhost\",\"channel\":\"\"}]}",
         "channel: is empty"},
        {"{\"bindings\":[{\"type\":\"redisPubSubTrigger\",\"name\":\"e\","
         "\"connection\":\"localhost\"}]}",
         "channel: is missing"},
        {"{\"bindings\":[{\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\","
         "\"connection\":\"localhost:6379,bogus=1\"}]}",
         "Keyword 'bogus' is not supported."},
        {"{\"bindings\":[{\"type\":\"redisListTrigger\",\"name\":\"e\",\"key\":\"q\","
         "\"connection\":\"localhost:6379,ssl=perhaps\"}]}",
         "ssl"},
        {"{\"bindings\":[{\"type\":\"redisListTrigger\",\"name\":\"1e\",\"key\":\"q\","
         "\"connection\":\"localhost\"}]}",
         "bindings[0].name: '1e'"},
        {"{\"bindings\":[{\"type\":\"redisListTrigger\",\"key\":\"q\","
         "\"connection\":\"localhost\"}]}",
         "bindings[0].name: is missing"},
        {"{\"bindings\":[" LIST("\"key\":\"q\"") ",{\"type\":\"redis\",\"name\":\"o\","
                                                 "\"connection\":\"localhost\"}]}",
         "bindings[1].command: is missing"},
        {"{\"bindings\":[" LIST("\"key\":\"q\"") ",{\"type\":\"redis\",\"name\":\"o\","
                                                 "\"connection\":\"localhost\","
                                                 "\"command\":\"SET a b\"}]}",
         "bindings[1].command: Command 'SET' not supported for Redis Input Binding."},
        {"{\"scriptFile\":\"gone.py\",\"bindings\":[" LIST("\"key\":\"q\"") "]}",
         "F/function.json: scriptFile: there is no file 'gone.py'"},
        {"{\"retry\":{\"strategy\":\"fixedDelay\",\"maxRetryCount\":2},\"bindings\":[" LIST(
             "\"key\":\"q\"") "]}",
         "retry.delayInterval: is required"},
        {"{\"retry\":{\"strategy\":\"fixedDelay\",\"maxRetryCount\":2,"
         "\"delayInterval\":\"-00:00:01\"},\"bindings\":[" LIST("\"key\":\"q\"") "]}",
         "retry.delayInterval: is negative"},
        {"{\"retry\":{\"strategy\":\"fixedDelay\",\"delayInterval\":\"00:00:01\"},"
         "\"bindings\":[" LIST("\"key\":\"q\"") "]}",
         "retry.maxRetryCount: is required"},
        {"{\"retry\":{\"strategy\":\"fixedDelay\",\"maxRetryCount\":-2,"
         "\"delayInterval\":\"00:00:01\"},\"bindings\":[" LIST("\"key\":\"q\"") "]}",
         "retry.maxRetryCount: -2"},
        {"{\"retry\":{\"strategy\":\"exponentialBackoff\",\"maxRetryCount\":2,"
         "\"minimumInterval\":\"00:00:10\",\"maximumInterval\":\"00:00:05\"},"
         "\"bindings\":[" LIST("\"key\":\"q\"") "]}",
         "retry.minimumInterval: is above maximumInterval"},
        {"{\"retry\":{\"maxRetryCount\":2},\"bindings\":[" LIST("\"key\":\"q\"") "]}",
         "retry.strategy: is required"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct app *app = load_one(rows[i].text, NULL);
        assert_contains(app->functions[0]->error, rows[i].error);
        app_free(app);
    }
}

static void function_names_are_checked_and_good_ones_stand_beside_bad_ones(void **state)
{
    static const struct {
        const char *name;
        bool is_valid;
    } rows[] = {{"Good-1_x", true}, {"host", false}, {"1st", false}, {"a.b", false}};
    struct folder folder;
    char path[64];

    (void)state;
    folder_make(&folder);
    put(&folder, "host.json", HOST);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(path, sizeof path, "%s/function.json", rows[i].name);
        put(&folder, path, LIST_FUNCTION);
        snprintf(path, sizeof path, "%s/run.py", rows[i].name);
        put(&folder, path, "");
    }
    put(&folder, "ignored/readme.txt", "");
    struct app *app = load(&folder, NULL, NULL);
    assert_int_equal(app->function_count, COUNT_OF(rows));
    for (size_t i = 0; i < app->function_count; i++) {
        struct function *function = app->functions[i];
        bool is_good = strcmp(function->name, "Good-1_x") == 0;
        assert_contains(function->error, is_good ? NULL : "' is not a valid function name.");
        assert_ptr_equal(function->app, app);
    }
    app_free(app);
    folder_remove(&folder);
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

static void the_binding_wins_over_host_json_and_host_json_over_the_names(void **state)
{
    struct folder folder;

    (void)state;
    folder_make(&folder);
    put(&folder, "host.json",
        "{\"version\":\"2.0\",\"extensions\":{\"redis\":{\"payload\":\"value\","
        "\"claimIdleMs\":70,\"deadLetterKey\":\"dead\"}},"
        "\"retry\":{\"strategy\":\"fixedDelay\",\"maxRetryCount\":4,"
        "\"delayInterval\":\"00:00:10\"}}");
    put(&folder, "A/run.c", "");
    put(&folder, "A/function.json", LIST_FUNCTION);
    put(&folder, "B/run.c", "");
    put(&folder, "B/function.json",
        "{\"retry\":{\"strategy\":\"exponentialBackoff\",\"maxRetryCount\":-1,"
        "\"minimumInterval\":\"00:00:10\",\"maximumInterval\":\"00:15:00\"},\"bindings\":[" LIST(
            "\"key\":\"q\",\"payload\":\"ga\",\"claimIdleMs\":80") "]}");
    struct app *app = load(&folder, NULL, NULL);
    const struct function *a = app->functions[0], *b = app->functions[1];
    assert_int_equal(a->trigger.payload, PAYLOAD_VALUE);
    assert_int_equal(a->trigger.claim_idle_ms, 70);
    assert_string_equal(b->trigger.dead_letter_key, "dead");
    assert_int_equal(b->trigger.payload, PAYLOAD_GA);
    assert_int_equal(b->trigger.claim_idle_ms, 80);
    assert_int_equal(a->retry.strategy, RETRY_FIXED);
    assert_int_equal(a->retry.max_retries, 4);
    assert_int_equal(a->retry.delay_ms, 10000);
    assert_int_equal(b->retry.strategy, RETRY_EXPONENTIAL);
    assert_int_equal(b->retry.max_retries, -1);
    assert_int_equal(b->retry.minimum_ms, 10000);
    assert_int_equal(b->retry.maximum_ms, 900000);
    assert_string_equal(app->runtime, "c");
    app_free(app);
    put(&folder, "host.json",
        "{\"version\":\"2.0\",\"extensions\":{\"redis\":{\"payload\":\"xml\"}}}");
    app = load(&folder, NULL, NULL);
    assert_contains(app->error, "host.json: extensions.redis.payload: 'xml' is not");
    app_free(app);
    folder_remove(&folder);
}

static void host_json_mistakes_are_the_apps(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {HOST, NULL},
        {"{\"version\":\"1.0\"}", "host.json: version: must be \"2.0\""},
        {"{}", "host.json: version"},
        {"[]", "host.json: is not an object"},
        {"{\"version\":\"2.0\",", "host.json:1:"},
        {"{\"version\":\"2.0\",\"functionTimeout\":\"00:00:00.5\"}", "functionTimeout: is below"},
        {"{\"version\":\"2.0\",\"functionTimeout\":\"soon\"}", "functionTimeout: is not a time"},
        {"{\"version\":\"2.0\",\"functions\":\"a\"}", "functions: is not an array"},
        {"{\"version\":\"2.0\",\"retry\":{\"strategy\":\"never\"}}", "retry.strategy: 'never'"},
        {"{\"version\":\"2.0\",\"customHandler\":{}}",
         "customHandler.description.defaultExecutablePath: is required"},
        {"{\"version\":\"2.0\",\"customHandler\":{\"description\":{"
         "\"defaultExecutablePath\":\"x\",\"arguments\":\"a\"}}}",
         "customHandler.description.arguments: is not an array"},
        {"{\"version\":\"2.0\",\"http\":{\"a\":1},\"queues\":5,\"unknown\":[],"
         "\"extensionBundle\":{\"id\":\"x\"},\"logging\":{\"fileLoggingMode\":\"always\"}}",
         NULL},
    };
    struct folder folder;

    (void)state;
    folder_make(&folder);
    struct app *app = load(&folder, NULL, NULL);
    assert_contains(app->error, "host.json: is missing");
    app_free(app);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put(&folder, "host.json", rows[i].text);
        app = load(&folder, NULL, NULL);
        assert_contains(app->error, rows[i].error);
        app_free(app);
    }
    app = load(&(struct folder){"/nonexistent/app"}, NULL, NULL);
    assert_contains(app->error, "/nonexistent/app");
    assert_string_equal(app->name, "app");
    app_free(app);
    folder_remove(&folder);
}

static void timeouts_handlers_and_log_levels_come_from_host_json(void **state)
{
    static const char *const environment[] = {"MODE=fast", NULL};
    static const char *const arguments[] = {"--x", "fast", "a%b", "", "worker.js", "last"};
    struct folder folder;
    char path[256];

    (void)state;
    folder_make(&folder);
    put(&folder, "handler", "");
    put(&folder, "F/function.json", LIST_FUNCTION);
    put(&folder, "host.json",
        "{\"version\":\"2.0\",\"functionTimeout\":\"-1\",\"customHandler\":{\"description\":{"
        "\"defaultExecutablePath\":\"handler\",\"arguments\":[\"--x\",\"%MODE%\",\"a%b\","
        "\"%UNKNOWN%\"],\"workingDirectory\":\"app\",\"defaultWorkerPath\":\"worker.js\","
        "\"workerArguments\":[\"last\"]},\"initializationTimeout\":\"00:00:05\"},"
        "\"httpWorker\":{\"description\":{\"defaultExecutablePath\":\"other\"}},"
        "\"logging\":{\"logLevel\":{\"default\":\"Warning\",\"Function\":\"Debug\","
        "\"Function.orders\":\"Error\",\"Host\":\"loud\"}}}");
    struct app *app = load(&folder, environment, NULL);
    assert_contains(app->error, NULL);
    assert_int_equal(app->function_timeout_ms, -1);
    assert_string_equal(app->runtime, "custom");
    assert_contains(app->functions[0]->error, NULL);
    assert_null(app->functions[0]->script_file);
    snprintf(path, sizeof path, "%s/handler", app->directory);
    assert_string_equal(app->handler.executable, path);
    snprintf(path, sizeof path, "%s/app", app->directory);
    assert_string_equal(app->handler.working_directory, path);
    for (size_t i = 0; i < COUNT_OF(arguments); i++)
        assert_string_equal(app->handler.arguments[i], arguments[i]);
    assert_null(app->handler.arguments[COUNT_OF(arguments)]);
    assert_int_equal(app->handler.initialization_timeout_ms, 5000);
    assert_int_equal(app_log_level(app, SLICE("Host.Results")), LOG_WARN);
    assert_int_equal(app_log_level(app, SLICE("Function.x.User")), LOG_DEBUG);
    assert_int_equal(app_log_level(app, SLICE("function.Orders.User")), LOG_ERROR);
    assert_contains(app->warnings[0], "logging.logLevel.Host");
    app_free(app);
    put(&folder, "host.json",
        "{\"version\":\"2.0\",\"httpWorker\":{\"description\":{\"defaultExecutablePath\":"
        "\"node\"}}}");
    app = load(&folder, NULL, NULL);
    assert_string_equal(app->handler.executable, "node");
    assert_string_equal(app->handler.working_directory, app->directory);
    assert_int_equal(app->handler.initialization_timeout_ms, 30000);
    assert_int_equal(app->function_timeout_ms, 30 * 60 * 1000);
    assert_int_equal(app_log_level(app, SLICE("x")), LOG_INFO);
    app_free(app);
    folder_remove(&folder);
}

static void only_the_named_functions_are_loaded_and_disabled_ones_are_marked(void **state)
{
    static const char *const only[] = {"a", "B", NULL};
    static const char *const environment[] = {"AzureWebJobs.A.Disabled=true", NULL};
    static const char *const shell[] = {"AzureWebJobs__B__Disabled=1", NULL};
    struct folder folder;

    (void)state;
    folder_make(&folder);
    put(&folder, "host.json", "{\"version\":\"2.0\",\"functions\":[\"A\",\"b\",\"C\"]}");
    for (const char *name = "ABCD"; *name != '\0'; name++) {
        char path[] = "X/function.json";
        path[0] = *name;
        put(&folder, path, LIST_FUNCTION);
    }
    put(&folder, "C/function.json", "{\"disabled\":true,\"bindings\":[" LIST("\"key\":\"q\"") "]}");
    struct app *app = load(&folder, environment, NULL);
    assert_int_equal(app->function_count, 3);
    assert_true(app->functions[0]->is_disabled);
    assert_false(app->functions[1]->is_disabled);
    assert_true(app->functions[2]->is_disabled);
    app_free(app);
    app = load(&folder, shell, only);
    assert_int_equal(app->function_count, 2);
    assert_false(app->functions[0]->is_disabled);
    assert_true(app->functions[1]->is_disabled);
    assert_contains(app->functions[0]->error, "scriptFile: is absent");
    app_free(app);
    folder_remove(&folder);
}

static void the_primary_script_is_found(void **state)
{
    static const struct {
        const char *files[4];
        const char *named;
        const char *script, *runtime;
    } rows[] = {
        {{"main.py"}, NULL, "F/main.py", "python"},
        {{"a.py", "run.mjs"}, NULL, "F/run.mjs", "node"},
        {{"index.js", "index.mjs"}, NULL, "F/index.js", "node"},
        {{"index.cjs", "__init__.py"}, NULL, "F/index.cjs", "node"},
        {{"helper.py", "__init__.py"}, NULL, "F/__init__.py", "python"},
        {{"a.c", "b.c"}, "b.c", "F/b.c", "c"},
        {{"x", "../app.jar"}, "../app.jar", "app.jar", "java"},
        {{"f.so"}, NULL, "F/f.so", "c"},
        {{"f.xyz"}, NULL, "F/f.xyz", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct folder folder;
        char path[256], text[512];
        folder_make(&folder);
        put(&folder, "host.json", HOST);
        snprintf(text, sizeof text, "{%s%s%s\"bindings\":[" LIST("\"key\":\"q\"") "]}",
                 rows[i].named ? "\"scriptFile\":\"" : "", rows[i].named ? rows[i].named : "",
                 rows[i].named ? "\"," : "");
        put(&folder, "F/function.json", text);
        for (size_t n = 0; rows[i].files[n] != NULL; n++) {
            snprintf(path, sizeof path, "F/%s", rows[i].files[n]);
            put(&folder, path, "");
        }
        struct app *app = load(&folder, NULL, NULL);
        assert_contains(app->functions[0]->error, NULL);
        snprintf(path, sizeof path, "%s/%s", app->directory, rows[i].script);
        assert_string_equal(app->functions[0]->script_file, path);
        assert_string_equal(app->runtime, rows[i].runtime);
        app_free(app);
        folder_remove(&folder);
    }
}

static void settings_are_found_in_files_and_environment(void **state)
{
    static const char *const environment[] = {
        "Both=environment",       "A__B=nested",     "CUSTOMCONNSTR_Cache=custom:1",
        "http_proxy=low",         "HTTP_PROXY=high", "FUNCTIONS_WORKER_RUNTIME=Python",
        "WEBSITE_SITE_NAME=site", "broken",          NULL};
    static const char *const child[] = {
        "Both=environment",        "http_proxy=low", "HTTP_PROXY=high", "OnlyFile=file", "N=5",
        "ConnectionStrings__R=h:1"};
    struct folder folder;

    (void)state;
    folder_make(&folder);
    put(&folder, "host.json", HOST);
    put(&folder, "local.settings.json",
        "{// comment\n\"IsEncrypted\":false,\"Values\":{\"OnlyFile\":\"file\",\"Both\":\"file\","
        "\"N\":5,\"Nothing\":null},\"ConnectionStrings\":{\"R\":\"h:1\","
        "\"S\":{\"ConnectionString\":\"h:2\",\"ProviderName\":\"x\"}}}");
    struct app *app = load(&folder, environment, NULL);
    assert_contains(app->error, NULL);
    assert_string_equal(app_setting(app, SLICE("onlyfile")), "file");
    assert_string_equal(app_setting(app, SLICE("BOTH")), "environment");
    assert_string_equal(app_setting(app, SLICE("a:b")), "nested");
    assert_string_equal(app_setting(app, SLICE("A__B")), "nested");
    assert_string_equal(app_setting(app, SLICE("ConnectionStrings:Cache")), "custom:1");
    assert_string_equal(app_setting(app, SLICE("ConnectionStrings:S")), "h:2");
    assert_string_equal(app_setting(app, SLICE("N")), "5");
    assert_null(app_setting(app, SLICE("Nothing")));
    assert_string_equal(app->runtime, "python");
    assert_string_equal(app->name, "site");
    char **strings = app_environment(app);
    for (size_t i = 0; i < COUNT_OF(child); i++) {
        char **at = strings;
        while (*at != NULL && strcmp(*at, child[i]) != 0)
            at++;
        if (*at == NULL)
            fail_msg("no %s", child[i]);
    }
    strings_free(strings);
    app_free(app);
    put(&folder, "local.settings.json", "{\"IsEncrypted\":true,\"Values\":{}}");
    app = load(&folder, NULL, NULL);
    assert_contains(app->error, "local.settings.json: IsEncrypted");
    app_free(app);
    put(&folder, "local.settings.json", "{\"Values\":{\"x\":[]}}");
    app = load(&folder, NULL, NULL);
    assert_contains(app->error, "local.settings.json: Values.x: is not a text");
    app_free(app);
    folder_remove(&folder);
}

static void names_between_percent_signs_are_replaced(void **state)
{
    static const char *const environment[] = {"pubsubkey=PubSub", "x=1", "y=2", "c=localhost:1",
                                              NULL};
    static const struct {
        const char *channel, *expected;
        bool warns;
    } rows[] = {
        {"%pubsubkey%", "PubSub", false}, {"%invalidStringKey%", "%invalidStringKey%", true},
        {"hello", "hello", false},        {"a%x%b%y%", "a1b2", false},
        {"a%x%b%z%", "a%x%b%z%", true},   {"100%", "100%", true},
        {"%x%%", "%x%%", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"bindings\":[{\"type\":\"redisPubSubTrigger\",\"name\":\"e\","
                 "\"connection\":\"%%c%%\",\"channel\":\"%s\"}]}",
                 rows[i].channel);
        struct app *app = load_one(text, environment);
        const struct function *function = app->functions[0];
        assert_contains(function->error, NULL);
        assert_string_equal(function->trigger.channel, rows[i].expected);
        assert_string_equal(function->trigger.connection, "localhost:1");
        assert_int_equal(function->warnings != NULL, rows[i].warns);
        app_free(app);
    }
}

static void connections_are_looked_up_in_order(void **state)
{
    static const char *const environment[] = {"ConnectionStrings__AzureWebJobsA=1",
                                              "AzureWebJobsA=2",
                                              "ConnectionStrings__A=3",
                                              "A=4",
                                              "AzureWebJobsB=5",
                                              "ConnectionStrings__B=6",
                                              "ConnectionStrings__C=7",
                                              "C=8",
                                              "D=9",
                                              "I__redisHostName=h",
                                              "I__principalId=p",
                                              "J__redisHostName=h",
                                              "K__redisHostName=h",
                                              "K=string",
                                              NULL};
    static const struct {
        const char *name, *expected;
        bool is_literal;
        enum err err;
        const char *text;
    } rows[] = {
        {"A", "1", false, E_OK, NULL},
        {"B", "5", false, E_OK, NULL},
        {"C", "7", false, E_OK, NULL},
        {"d", "9", false, E_OK, NULL},
        {"127.0.0.1:6379", "127.0.0.1:6379", true, E_OK, NULL},
        {"unknown", "unknown", true, E_OK, NULL},
        {"I", NULL, false, E_UNSUPPORTED, "'I' uses an identity"},
        {"J", NULL, false, E_BAD_INPUT, "J__principalId"},
        {"K", NULL, false, E_BAD_INPUT, "both a connection string and"},
    };
    struct folder folder;

    (void)state;
    folder_make(&folder);
    put(&folder, "host.json", HOST);
    struct app *app = load(&folder, environment, NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        const char *found = NULL;
        bool is_literal = false;
        assert_int_equal(app_connection(app, rows[i].name, &found, &is_literal, &why), rows[i].err);
        if (rows[i].err)
            assert_contains(why.text, rows[i].text);
        else
            assert_string_equal(found, rows[i].expected);
        assert_int_equal(is_literal, rows[i].is_literal);
    }
    app_free(app);
    folder_remove(&folder);
    assert_true(app_names_no_server("redisLocalhost"));
    assert_false(app_names_no_server("LocalHost"));
    assert_false(app_names_no_server("cache.example"));
    assert_false(app_names_no_server("!/run/redis"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faulty_functions_say_file_field_and_reason),
        cmocka_unit_test(function_names_are_checked_and_good_ones_stand_beside_bad_ones),
        cmocka_unit_test(absent_properties_have_the_defaults_of_their_name_set),
        cmocka_unit_test(old_names_cases_and_types_mean_the_same),
        cmocka_unit_test(the_binding_wins_over_host_json_and_host_json_over_the_names),
        cmocka_unit_test(host_json_mistakes_are_the_apps),
        cmocka_unit_test(timeouts_handlers_and_log_levels_come_from_host_json),
        cmocka_unit_test(only_the_named_functions_are_loaded_and_disabled_ones_are_marked),
        cmocka_unit_test(the_primary_script_is_found),
        cmocka_unit_test(settings_are_found_in_files_and_environment),
        cmocka_unit_test(names_between_percent_signs_are_replaced),
        cmocka_unit_test(connections_are_looked_up_in_order),
        cmocka_unit_test(redis_bindings_stand_beside_the_trigger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
