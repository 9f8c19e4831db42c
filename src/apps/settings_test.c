#include "apps/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "apps/app_fixture.h"
#include "base/mem.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_found_in_files_and_environment),
        cmocka_unit_test(names_between_percent_signs_are_replaced),
        cmocka_unit_test(connections_are_looked_up_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
