/* Whether there is what an app's functions run in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/app.h"
#include "base/mem.h"
#include "cmd/doctor.h"
#include "invokers/toolchain.h"
#include "store/server_find.h"

#define PATH_BYTES_MAX 4096
#define NAMES_BYTES_MAX 256

static bool is_there(const char *program)
{
    char *path = program_find(program);
    bool is_found = path != NULL;

    free(path);
    return is_found;
}

static void check_c(struct doctor *doctor, const struct app *app)
{
    const char *setting = app_setting(app, SLICE("languageWorkers:c:compiler"));
    struct slice command = slice_of(setting != NULL && setting[0] != '\0' ? setting : "cc");
    char compiler[PATH_BYTES_MAX];
    bool has_source = false;

    for (size_t i = 0; i < app->function_count; i++)
        has_source = has_source ||
                     slice_has_suffix_nocase(slice_of(app->functions[i]->script_file), SLICE(".c"));
    snprintf(compiler, sizeof compiler, "%.*s",
             SLICE_ARG(slice_first(command, slice_find_byte(command, ' '))));
    if (has_source && !is_there(compiler))
        note(doctor, FINDING_BAD,
             "sudo apt install gcc libc6-dev; or name one in languageWorkers:c:compiler",
             "app %s: there is no C compiler '%s'", app->name, compiler);
}

static bool has_own_python(const struct app *app)
{
    static const char *const folders[] = {".venv", "venv"};
    char path[PATH_BYTES_MAX];

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        snprintf(path, sizeof path, "%s/%s/bin/python3", app->directory, folders[i]);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static void check_python(struct doctor *doctor, const struct app *app)
{
    const char *setting = app_setting(app, SLICE("languageWorkers:python:defaultExecutablePath"));
    bool is_chosen = setting != NULL && setting[0] != '\0';

    if (!is_there(is_chosen ? setting : "python3") && (is_chosen || !has_own_python(app)))
        note(doctor, FINDING_BAD,
             "sudo apt install python3; or name one in "
             "languageWorkers:python:defaultExecutablePath",
             "app %s: there is no '%s'", app->name, is_chosen ? setting : "python3");
}

static void check_custom(struct doctor *doctor, const struct app *app)
{
    if (app->handler.executable != NULL && !is_there(app->handler.executable))
        note(doctor, FINDING_BAD,
             "make it executable (chmod +x), or correct "
             "customHandler.description.defaultExecutablePath in host.json",
             "app %s: there is no program '%s'", app->name, app->handler.executable);
}

void check_runtime(struct doctor *doctor, const struct app *app)
{
    struct buf names;

    if (strcmp(app->runtime, "c") == 0)
        check_c(doctor, app);
    else if (strcmp(app->runtime, "python") == 0)
        check_python(doctor, app);
    else if (strcmp(app->runtime, "custom") == 0)
        check_custom(doctor, app);
    else if (app->runtime[0] != '\0' && !toolchain_serves(app->runtime)) {
        buf_init(&names, NAMES_BYTES_MAX);
        toolchain_add_names(&names);
        note(doctor, FINDING_BAD, NULL,
             "app %s: FUNCTIONS_WORKER_RUNTIME: '%s' is not known; it is one of: custom, %s",
             app->name, app->runtime, buf_text(&names));
        buf_done(&names);
    }
}
