#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "config/settings.h"
#include "server/server.h"

extern char **environ;

static int run(const struct cmdline *line)
{
    struct settings *settings = line->settings;
    const char *const *environment = (const char *const *)environ;
    struct cause why = {0};

    enum err err = settings_load(settings, environment, &why);
    if (err)
        return complain(EXIT_FAILED, "%s", cause_text(&why, err));
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
    .summary = "Run the server: function apps, topics and event subscriptions.",
    .details =
        "Values come from flags, then REDGRID_* variables, then redgrid.yaml, then defaults;\n"
        "`redgrid help --sample-config` writes a redgrid.yaml with all of them.\n"
        "The first SIGTERM or SIGINT stops taking work, waits for what runs, and ends with 0; the\n"
        "second ends at once. SIGHUP reads redgrid.yaml, the apps and the resources again.\n",
    .has_settings = true,
    .run = run,
};
