/* The files of the apps, and whom their triggers listen to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/app.h"
#include "base/mem.h"
#include "cmd/doctor.h"

#define NAMES_BYTES_MAX 1024

extern char **environ;

/* A server that some functions of an app use. */
struct use {
    char *connection;
    struct buf functions;
    bool needs_events;
};

struct uses {
    struct use *list;
    size_t count;
};

static bool is_event_channel(const struct trigger *trigger)
{
    return trigger->type == TRIGGER_PUBSUB && trigger->channel != NULL &&
           (slice_has_prefix(slice_of(trigger->channel), SLICE("__keyspace@")) ||
            slice_has_prefix(slice_of(trigger->channel), SLICE("__keyevent@")));
}

static struct use *find_use(struct uses *uses, const char *connection)
{
    for (size_t i = 0; i < uses->count; i++)
        if (strcmp(uses->list[i].connection, connection) == 0)
            return &uses->list[i];
    uses->list = mem_resize(uses->list, uses->count + 1, sizeof *uses->list);
    struct use *use = &uses->list[uses->count++];
    *use = (struct use){.connection = slice_dup(slice_of(connection))};
    buf_init(&use->functions, NAMES_BYTES_MAX);
    return use;
}

static void look_at_function(struct doctor *doctor, const struct app *app,
                             const struct function *function, struct uses *uses)
{
    const char *connection;
    bool is_literal = false;
    struct cause why = {0};

    for (char **warning = function->warnings; warning != NULL && *warning != NULL; warning++)
        note(doctor, FINDING_HINT, NULL, "%s/%s: %s", app->name, function->name, *warning);
    if (function->error != NULL) {
        note(doctor, FINDING_BAD, NULL, "%s/%s: %s", app->name, function->name, function->error);
        return;
    }
    note(doctor, FINDING_OK, NULL, "%s/%s%s", app->name, function->name,
         function->is_disabled ? " (disabled)" : "");
    if (function->trigger.connection == NULL || function->is_disabled)
        return;
    enum err err =
        app_connection(app, function->trigger.connection, &connection, &is_literal, &why);
    if (err) {
        note(doctor, FINDING_BAD, NULL, "%s/%s: %s", app->name, function->name,
             cause_text(&why, err));
        return;
    }
    if (is_literal && app_names_no_server(connection)) {
        if (!settings_bool(doctor->settings, SETTING_CACHE_AUTO_ID))
            note(doctor, FINDING_BAD, "add it to Values of local.settings.json",
                 "%s/%s: nothing says where the Redis '%s' is", app->name, function->name,
                 connection);
        return; /* `up` starts one */
    }
    struct use *use = find_use(uses, connection);
    buf_addf(&use->functions, "%s%s", use->functions.len > 0 ? ", " : "", function->name);
    use->needs_events = use->needs_events || is_event_channel(&function->trigger);
}

static void note_app(struct doctor *doctor, const struct app *app, const char *directory)
{
    if (app->error != NULL) {
        note(doctor, FINDING_BAD, NULL, "%s: %s", directory, app->error);
        return;
    }
    note(doctor, app->function_count > 0 ? FINDING_OK : FINDING_HINT, NULL,
         "app %s: %zu function%s, runtime %s", directory, app->function_count,
         app->function_count == 1 ? "" : "s", app->runtime[0] != '\0' ? app->runtime : "unknown");
    check_runtime(doctor, app);
}

static void look_at_app(struct doctor *doctor, const char *directory)
{
    const char *const *only = settings_list(doctor->settings, SETTING_FUNCTIONS_ID);
    struct uses uses = {0};
    struct app *app = app_load(&(struct app_options){.directory = directory,
                                                     .only = only[0] != NULL ? only : NULL,
                                                     .environment = (const char *const *)environ});

    for (char **warning = app->warnings; warning != NULL && *warning != NULL; warning++)
        note(doctor, FINDING_HINT, NULL, "%s: %s", directory, *warning);
    note_app(doctor, app, directory);
    for (size_t i = 0; i < app->function_count; i++)
        look_at_function(doctor, app, app->functions[i], &uses);
    for (size_t i = 0; i < uses.count; i++) {
        check_redis(doctor, &(struct redis_question){.connection = uses.list[i].connection,
                                                     .functions = buf_text(&uses.list[i].functions),
                                                     .needs_events = uses.list[i].needs_events});
        free(uses.list[i].connection);
        buf_done(&uses.list[i].functions);
    }
    free(uses.list);
    app_free(app);
}

void check_apps(struct doctor *doctor)
{
    const char *const *apps = settings_list(doctor->settings, SETTING_APP_ID);

    if (*apps == NULL)
        note(doctor, FINDING_HINT, "redgrid doctor --app DIR looks at an app", "no app is named");
    for (; *apps != NULL; apps++)
        look_at_app(doctor, *apps);
}
