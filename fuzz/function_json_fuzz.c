/* function.json and host.json: whatever comes in, a function has an error or all that a trigger
 * needs. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apps/function_json.h"
#include "apps/settings.h"
#include "base/mem.h"
#include "fuzz.h"

static void check_trigger(const struct trigger *trigger)
{
    assert(trigger->type != TRIGGER_NONE);
    assert(trigger->name != NULL && trigger->connection != NULL);
    assert(trigger->count >= 1 && trigger->polling_interval_ms >= 1);
    assert(trigger->messages_per_worker >= 1 && trigger->max_concurrency >= 1);
    assert(trigger->max_deliveries == -1 || trigger->max_deliveries >= 1);
    if (trigger->type == TRIGGER_PUBSUB)
        assert(trigger->channel != NULL && trigger->channel[0] != '\0');
    else
        assert(trigger->key_count >= 1 && trigger->keys[trigger->key_count] == NULL);
    if (trigger->type == TRIGGER_STREAM)
        assert(trigger->consumer_group != NULL);
}

static void check_function(struct app *app, const struct host_json *host, struct slice text)
{
    struct function *function = mem_new(struct function);
    char *script = NULL;

    function->app = app;
    function->name = mem_dup("F", 1);
    function_json_parse(function, host, text, &script);
    if (function->error == NULL) {
        check_trigger(&function->trigger);
        assert(function->raw_bindings != NULL);
        for (size_t i = 0; i < function->binding_count; i++)
            assert(function->bindings[i].command != NULL);
    } else {
        assert(strstr(function->error, "F/function.json") == function->error);
    }
    free(script);
    function_free(function);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const environment[] = {"a=1", "connection=localhost:1", NULL};
    struct slice text = {(const char *)data, len};
    struct app *app = mem_new(struct app);
    struct host_json host;
    struct jx_view top;
    json_t *root = NULL;

    app->directory = mem_dup("/nonexistent", 12);
    app->runtime = mem_dup("", 0);
    enum err err = settings_read(app, environment, NULL);
    assert(err == E_OK);
    err = jx_parse(text, "host.json", NULL, &root, NULL);
    assert(err == E_OK || root == NULL);
    jx_view_init(&top, root, "host.json");
    host_json_read(app, &top, &host);
    assert(top.err || app->function_timeout_ms == -1 || app->function_timeout_ms >= 1000);
    check_function(app, &host, text);
    host_json_done(&host);
    json_decref(root);
    app_free(app);
    return 0;
}
