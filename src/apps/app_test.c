#include "apps/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "apps/app_fixture.h"
#include "base/mem.h"

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
    put(&folder, "node/package.json", ""); /* a folder is no program */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(function_names_are_checked_and_good_ones_stand_beside_bad_ones),
        cmocka_unit_test(the_binding_wins_over_host_json_and_host_json_over_the_names),
        cmocka_unit_test(host_json_mistakes_are_the_apps),
        cmocka_unit_test(timeouts_handlers_and_log_levels_come_from_host_json),
        cmocka_unit_test(only_the_named_functions_are_loaded_and_disabled_ones_are_marked),
        cmocka_unit_test(the_primary_script_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
