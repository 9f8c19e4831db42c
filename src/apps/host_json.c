#include "apps/host_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apps/settings.h"
#include "apps/trigger_json.h"
#include "base/clock.h"
#include "base/mem.h"

#define TIMEOUT_DEFAULT_MS (30 * 60 * 1000)
#define TIMEOUT_MIN_MS 1000
#define INITIALIZATION_DEFAULT_MS (30 * 1000)

static void read_delays(struct jx_view *view, struct retry_policy *policy)
{
    struct {
        const char *field;
        int64_t *ms;
    } fields[] = {{"delayInterval", &policy->delay_ms},
                  {"minimumInterval", &policy->minimum_ms},
                  {"maximumInterval", &policy->maximum_ms}};
    size_t first = policy->strategy == RETRY_FIXED ? 0 : 1;
    size_t end = policy->strategy == RETRY_FIXED ? 1 : 3;

    for (size_t i = first; i < end; i++) {
        if (!jx_span(view, fields[i].field, fields[i].ms))
            jx_view_error(view, fields[i].field, "is required by this strategy");
        else if (*fields[i].ms < 0)
            jx_view_error(view, fields[i].field, "is negative");
    }
    if (policy->minimum_ms > policy->maximum_ms)
        jx_view_error(view, "minimumInterval", "is above maximumInterval");
}

void retry_read(struct jx_view *top, struct retry_policy *ret)
{
    static const char *const strategies[] = {"fixedDelay", "exponentialBackoff", NULL};
    struct retry_policy policy = {0};
    struct jx_view view;
    int64_t count = 0;
    size_t strategy = 0;

    if (jx_member(top->json, "retry") == NULL)
        return;
    jx_view_down(top, "retry", &view);
    if (!jx_word(&view, "strategy", strategies, &strategy))
        jx_view_error(&view, "strategy", "is required: 'fixedDelay' or 'exponentialBackoff'");
    if (!jx_i64(&view, "maxRetryCount", (struct jx_range){-1, INT32_MAX}, &count))
        jx_view_error(&view, "maxRetryCount", "is required");
    policy.strategy = strategy == 0 ? RETRY_FIXED : RETRY_EXPONENTIAL;
    policy.max_retries = (int32_t)count;
    read_delays(&view, &policy);
    jx_view_join(top, &view);
    if (!view.err)
        *ret = policy;
}

static void read_functions(struct jx_view *top, struct host_json *host)
{
    json_t *list = jx_member(top->json, "functions"), *name;
    size_t i;

    if (list == NULL)
        return;
    if (!json_is_array(list))
        jx_view_error(top, "functions", "is not an array of names");
    host->only = mem_new_array(1, char *);
    json_array_foreach(list, i, name)
    {
        if (json_is_string(name))
            strings_add(&host->only, slice_dup(jx_slice(name)));
        else
            jx_view_error(top, "functions", "is not an array of names");
    }
}

static void read_timeout(struct app *app, struct jx_view *top)
{
    json_t *value = jx_member(top->json, "functionTimeout");
    int64_t ms = TIMEOUT_DEFAULT_MS;

    app->function_timeout_ms = TIMEOUT_DEFAULT_MS;
    if (value == NULL)
        return;
    if (slice_eq(slice_trim(jx_slice(value)), SLICE("-1")) ||
        (json_is_integer(value) && json_integer_value(value) == -1))
        app->function_timeout_ms = -1;
    else if (jx_span(top, "functionTimeout", &ms)) {
        if (ms < TIMEOUT_MIN_MS)
            jx_view_error(top, "functionTimeout", "is below 00:00:01 (and -1 means none)");
        else
            app->function_timeout_ms = ms;
    }
}

/* A path of the app: relative ones start at its root. */
static char *path_in(const struct app *app, const char *path)
{
    char *ret = NULL;

    if (path[0] == '/')
        return mem_dup(path, strlen(path));
    if (asprintf(&ret, "%s/%s", app->directory, path) < 0)
        abort();
    return ret;
}

static void add_arguments(struct app *app, struct jx_view *view, const char *field)
{
    json_t *list = jx_member(view->json, field), *argument;
    size_t i;

    if (list != NULL && !json_is_array(list))
        jx_view_error(view, field, "is not an array of texts");
    json_array_foreach(list, i, argument)
    {
        if (json_is_string(argument))
            strings_add(&app->handler.arguments,
                        settings_expand_argument(app, json_string_value(argument)));
        else
            jx_view_error(view, field, "is not an array of texts");
    }
}

static void read_description(struct app *app, struct jx_view *view)
{
    const char *executable = NULL, *worker = NULL, *directory = "";

    if (!jx_text(view, "defaultExecutablePath", &executable) ||
        slice_is_blank(slice_of(executable))) {
        jx_view_error(view, "defaultExecutablePath", "is required: the program to start");
        return;
    }
    struct stat info;
    char *found = path_in(app, executable);
    if (stat(found, &info) != 0 || S_ISDIR(info.st_mode)) { /* PATH is searched when it starts */
        free(found);
        found = mem_dup(executable, strlen(executable));
    }
    app->handler.executable = found;
    app->handler.arguments = mem_new_array(1, char *);
    add_arguments(app, view, "arguments");
    if (jx_text(view, "defaultWorkerPath", &worker) && worker[0] != '\0')
        strings_add(&app->handler.arguments, settings_expand_argument(app, worker));
    add_arguments(app, view, "workerArguments");
    (void)jx_text(view, "workingDirectory", &directory);
    app->handler.working_directory = directory[0] == '\0'
                                         ? mem_dup(app->directory, strlen(app->directory))
                                         : path_in(app, directory);
}

static void read_handler(struct app *app, struct jx_view *top, struct host_json *host)
{
    const char *field =
        jx_member(top->json, "customHandler") != NULL ? "customHandler" : "httpWorker";
    struct jx_view handler, description;
    int64_t timeout_ms = INITIALIZATION_DEFAULT_MS;

    if (jx_member(top->json, field) == NULL)
        return;
    host->has_handler = true;
    jx_view_down(top, field, &handler);
    jx_view_down(&handler, "description", &description);
    read_description(app, &description);
    jx_view_join(&handler, &description);
    if (jx_span(&handler, "initializationTimeout", &timeout_ms) &&
        (timeout_ms <= 0 || timeout_ms > UINT32_MAX))
        jx_view_error(&handler, "initializationTimeout", "is not a positive time span");
    app->handler.initialization_timeout_ms = (uint32_t)timeout_ms;
    jx_view_join(top, &handler);
}

static void read_level(struct app *app, const char *category, const json_t *value)
{
    enum log_level level;
    char *key = text_lower(category);

    if (!log_level_parse(slice_trim(jx_slice(value)), &level)) {
        strings_addf(&app->warnings, "host.json: logging.logLevel.%s: is no log level; ignored",
                     category);
    } else if (slice_eq_nocase(slice_of(category), SLICE("default"))) {
        app->log_default = level;
    } else {
        map_set(&app->log_levels, slice_of(key), (void *)(intptr_t)(level + 1));
    }
    free(key);
}

static void read_logging(struct app *app, struct jx_view *top)
{
    struct jx_view logging, levels;
    union {
        const json_t *in;
        json_t *out;
    } object;
    const char *category;
    json_t *value;

    jx_view_down(top, "logging", &logging);
    jx_view_down(&logging, "logLevel", &levels);
    object.in = levels.json;
    json_object_foreach(object.out, category, value) read_level(app, category, value);
    jx_view_join(&logging, &levels);
    jx_view_join(top, &logging);
}

void host_json_read(struct app *app, struct jx_view *top, struct host_json *ret)
{
    struct jx_view extensions, redis;
    const char *version = "";

    *ret = (struct host_json){0};
    trigger_defaults(&ret->defaults);
    if (!json_is_object(top->json))
        jx_view_error(top, NULL, "is not an object");
    if (!jx_text(top, "version", &version) || !slice_eq(slice_of(version), SLICE("2.0")))
        jx_view_error(top, "version", "must be \"2.0\"");
    read_functions(top, ret);
    read_timeout(app, top);
    retry_read(top, &ret->retry);
    read_handler(app, top, ret);
    read_logging(app, top);
    jx_view_down(top, "extensions", &extensions);
    jx_view_down(&extensions, "redis", &redis);
    trigger_options_read(&redis, &ret->defaults, &ret->has_payload);
    jx_view_join(&extensions, &redis);
    jx_view_join(top, &extensions);
}

void host_json_done(struct host_json *host)
{
    strings_free(host->only);
    trigger_done(&host->defaults);
    *host = (struct host_json){0};
}
