#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "config/settings.h"
#include "server/server.h"

extern char **environ;

#define FILE_DEFAULT "redgrid.yaml"

/* The file may be named by a flag or a variable; the one of the current folder is read if it is
 * there. */
static enum err read_file(struct settings *settings, struct cause *why)
{
    const char *path = settings_text(settings, SETTING_CONFIG_ID);

    if (path[0] != '\0')
        return settings_read_file(settings, path, why);
    if (access(FILE_DEFAULT, F_OK) != 0)
        return E_OK;
    return settings_read_file(settings, FILE_DEFAULT, why);
}

static int run(const struct cmdline *line)
{
    struct settings *settings = line->settings;
    const char *const *environment = (const char *const *)environ;
    struct cause why = {0};
    enum log_level level = LOG_INFO;

    enum err err = settings_read_environment(settings, environment, &why);
    if (err == E_OK)
        err = read_file(settings, &why);
    if (err == E_OK)
        err = settings_check(settings, &why);
    if (err)
        return complain(EXIT_FAILED, "%s", cause_text(&why, err));
    (void)log_level_parse(slice_of(settings_text(settings, SETTING_LOG_LEVEL_ID)), &level);
    log_open(STDOUT_FILENO, level,
             slice_eq(slice_of(settings_text(settings, SETTING_LOG_FORMAT_ID)), SLICE("json")));
    err = server_run(&(struct server_options){.settings = settings, .environment = environment},
                     &why);
    log_flush();
    if (err)
        return complain(EXIT_FAILED, "%s", cause_text(&why, err));
    return EXIT_OK;
}

const struct command up_command = {
    .name = "up",
    .takes = "",
    .summary = "Run the server: function apps, their triggers, and the private store.",
    .details =
        "Values come from flags, then REDGRID_* variables, then redgrid.yaml, then defaults.\n"
        "The first SIGTERM or SIGINT stops taking work, waits for what runs, and ends with 0; the\n"
        "second ends at once. SIGHUP reads the apps again.\n",
    .has_settings = true,
    .run = run,
};
