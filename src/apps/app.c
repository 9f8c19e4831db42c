#include "apps/app.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/function_json.h"
#include "apps/script.h"
#include "apps/settings.h"
#include "base/mem.h"

static const struct jx_limits host_limits = {.text_max_bytes = 1u << 20, .depth_max = 32};

static char *copy(const char *text)
{
    return mem_dup(text, strlen(text));
}

static void set_error(struct app *app, const char *text)
{
    if (app->error == NULL)
        app->error = copy(text);
}

static bool is_listed(const char *name, const char *const *list)
{
    if (list == NULL)
        return true;
    for (; *list != NULL; list++)
        if (strcasecmp(name, *list) == 0)
            return true;
    return false;
}

static bool has_function_json(const char *directory, const char *name)
{
    char *path = NULL;
    struct stat info;

    if (name[0] == '.')
        return false;
    if (asprintf(&path, "%s/%s/function.json", directory, name) < 0)
        abort();
    bool has_one = stat(path, &info) == 0;
    free(path);
    return has_one;
}

static void add_function(struct app *app, const char *name)
{
    struct function *function = mem_new(struct function);

    function->app = app;
    function->name = copy(name);
    if (asprintf(&function->directory, "%s/%s", app->directory, name) < 0)
        abort();
    app->functions = mem_resize(app->functions, app->function_count + 1, sizeof(struct function *));
    app->functions[app->function_count++] = function;
}

static bool is_there(const struct app *app, struct dirent *const *entries, int count,
                     const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcasecmp(entries[i]->d_name, name) == 0)
            return has_function_json(app->directory, entries[i]->d_name);
    return false;
}

static void find_functions(struct app *app, const struct host_json *host, const char *const *only)
{
    struct dirent **entries = NULL;
    int count = scandir(app->directory, &entries, NULL, alphasort);
    union {
        char **in;
        const char *const *out;
    } listed = {.in = host->only};

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (has_function_json(app->directory, name) && is_listed(name, only) &&
            is_listed(name, listed.out))
            add_function(app, name);
    }
    for (char **name = host->only; name != NULL && *name != NULL; name++)
        if (!is_there(app, entries, count, *name))
            strings_addf(&app->warnings, "host.json: functions: there is no function '%s'", *name);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

static void choose_runtime(struct app *app, const struct host_json *host)
{
    const char *setting = app_setting(app, SLICE("FUNCTIONS_WORKER_RUNTIME"));

    app->runtime = text_lower(setting != NULL ? setting : host->has_handler ? "custom" : "");
    if (strcmp(app->runtime, "custom") == 0 && !host->has_handler)
        set_error(app, "host.json: customHandler.description.defaultExecutablePath: is required "
                       "when FUNCTIONS_WORKER_RUNTIME is custom");
}

static void guess_runtime(struct app *app)
{
    const char *guess = "";

    for (size_t i = 0; i < app->function_count && guess[0] == '\0'; i++)
        if (app->functions[i]->script_file != NULL)
            guess = script_runtime(app->functions[i]->script_file);
    if (app->runtime[0] == '\0' && guess[0] != '\0') {
        free(app->runtime);
        app->runtime = copy(guess);
    }
}

static void choose_name(struct app *app)
{
    const char *setting = app_setting(app, SLICE("WEBSITE_SITE_NAME"));
    const char *slash = strrchr(app->directory, '/');

    app->name = copy(setting != NULL && setting[0] != '\0' ? setting
                     : slash != NULL && slash[1] != '\0'   ? slash + 1
                                                           : app->directory);
}

static void read_host_json(struct app *app, struct host_json *host)
{
    struct cause why = {0};
    struct jx_view top;
    json_t *root = NULL;
    char *path = NULL;

    if (asprintf(&path, "%s/host.json", app->directory) < 0)
        abort();
    enum err err = jx_load_file(path, "host.json", &host_limits, &root, &why);
    jx_view_init(&top, root, "host.json");
    host_json_read(app, &top, host);
    if (err == E_NOT_FOUND)
        set_error(app, "host.json: is missing; a function app has one, "
                       "with at least {\"version\":\"2.0\"}");
    else if (err || top.err)
        set_error(app, err ? cause_text(&why, err) : top.why.text);
    json_decref(root);
    free(path);
}

static void read_files(struct app *app, const struct app_options *options)
{
    struct cause why = {0};
    struct host_json host;

    enum err err = settings_read(app, options->environment, &why);
    if (err)
        set_error(app, cause_text(&why, err));
    read_host_json(app, &host);
    choose_name(app);
    choose_runtime(app, &host);
    if (app->error == NULL) {
        find_functions(app, &host, options->only);
        for (size_t i = 0; i < app->function_count; i++)
            function_json_load(app->functions[i], &host);
        guess_runtime(app);
    }
    host_json_done(&host);
}

static char *find_directory(const char *path, struct cause *why)
{
    char *directory = realpath(path, NULL);
    struct stat info;

    if (directory != NULL && stat(directory, &info) == 0 && S_ISDIR(info.st_mode))
        return directory;
    if (directory != NULL)
        (void)cause_set(why, E_NOT_FOUND, "'%s' is no folder", path);
    else if (errno == ENOENT)
        (void)cause_set(why, E_NOT_FOUND, "there is no folder '%s'", path);
    else
        (void)cause_set(why, E_NOT_FOUND, "the folder '%s' cannot be read: %s", path,
                        strerror(errno));
    free(directory);
    return NULL;
}

struct app *app_load(const struct app_options *options)
{
    struct app *app = mem_new(struct app);
    struct cause why;

    app->log_default = LOG_INFO;
    app->directory = find_directory(options->directory, &why);
    if (app->directory == NULL) {
        set_error(app, why.text);
        app->directory = copy(options->directory);
        app->runtime = copy("");
        choose_name(app);
        return app;
    }
    read_files(app, options);
    return app;
}

void app_free(struct app *app)
{
    if (app == NULL)
        return;
    for (size_t i = 0; i < app->function_count; i++)
        function_free(app->functions[i]);
    free(app->functions);
    free(app->directory);
    free(app->name);
    free(app->runtime);
    free(app->error);
    strings_free(app->warnings);
    free(app->handler.executable);
    strings_free(app->handler.arguments);
    free(app->handler.working_directory);
    map_done(&app->log_levels);
    settings_done(app);
    free(app);
}

enum log_level app_log_level(const struct app *app, struct slice category)
{
    enum log_level level = app->log_default;
    size_t longest = 0;
    struct slice prefix;
    void *value;

    for (size_t at = 0; map_next(&app->log_levels, &at, &prefix, &value);)
        if (prefix.len >= longest && slice_has_prefix_nocase(category, prefix)) {
            longest = prefix.len;
            level = (enum log_level)((intptr_t)value - 1);
        }
    return level;
}
