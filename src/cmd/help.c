#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "arm/arm.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/pages.h"
#include "config/settings.h"
#include "metrics/metrics.h"

static void write_metrics(struct buf *out)
{
    buf_add(out, SLICE("# Metrics\n\nMade by `redgrid help --metrics-md` from the table in "
                       "`src/metrics/metrics.h`; a test fails when it is stale.\n"
                       "They are served at `/metrics` in the Prometheus text format.\n\n"
                       "Counters begin at 0 with each start; those of a topic or subscription go "
                       "on when it is changed, and go when it is removed.\n"));
    buf_addf(out,
             "A metric has at most %d series: what is beyond is counted together, with `%s` in "
             "all labels, until others are removed.\nGauges have the sum there, ages the "
             "largest.\n\n",
             METRIC_SERIES_MAX, METRIC_OTHER);
    metrics_write_docs(out);
}

static void write_api(struct buf *out)
{
    buf_add(out, SLICE("# HTTP interface\n\nMade by `redgrid help --api-md` from the tables in "
                       "`src/api/` and `src/arm/`; a test fails when it is stale.\n\n"));
    api_write_docs(out);
    buf_add(out, SLICE("\nThe control plane: the part of Azure Resource Manager that `az` and its "
                       "SDKs need. Paths are taken in any case, any `api-version` is accepted, "
                       "and the token is `listen.token`, if that is set.\n\n"));
    arm_write_docs(out);
}

/* What is written from the tables; hidden, since only the build and the tests ask for it. */
static const struct {
    const char *flag;
    void (*write)(struct buf *out);
} pages[] = {
    {"--man", page_write_man},
    {"--bash-completion", page_write_completion},
    {"--settings-md", settings_write_docs},
    {"--sample-config", settings_write_sample},
    {"--metrics-md", write_metrics},
    {"--api-md", write_api},
};

static const struct option options[] = {
    {"--man", NULL, "Write the man page.", NULL},
    {"--bash-completion", NULL, "Write the completion for bash.", NULL},
    {"--sample-config", NULL, "Write a redgrid.yaml with every setting.", NULL},
    {"--settings-md", NULL, "Write docs/settings.md.", NULL},
    {"--metrics-md", NULL, "Write docs/metrics.md.", NULL},
    {"--api-md", NULL, "Write docs/api.md.", NULL},
};

/* A group's name alone, as in `redgrid help function`, shows all of it. */
static bool add_group(struct buf *out, const char *name)
{
    size_t len = strlen(name);
    bool is_some = false;

    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i]->name, name, len) == 0 && commands[i]->name[len] == ' ') {
            buf_addf(out, "%s", is_some ? "\n" : "");
            command_write_help(commands[i], out);
            is_some = true;
        }
    return is_some;
}

static int show_command(const struct cmdline *line)
{
    char *words[2] = {(char *)(uintptr_t)line->words[0], (char *)(uintptr_t)line->words[1]};
    size_t used = 0;
    const struct command *command = command_find(words, line->word_count, &used);
    struct buf out;

    buf_init(&out, HELP_MAX_BYTES);
    if (command != NULL && used == line->word_count) {
        command_write_help(command, &out);
        return print(&out);
    }
    if (line->word_count == 1 && add_group(&out, words[0]))
        return print(&out);
    buf_done(&out);
    return complain(EXIT_USAGE, "there is no command '%s'", line->words[0]);
}

static int run(const struct cmdline *line)
{
    void (*write)(struct buf * out) = commands_write_help;
    bool wants_page = false;
    struct buf out;

    for (size_t i = 0; i < COUNT_OF(pages); i++)
        if (cmdline_value(line, pages[i].flag) != NULL) {
            write = pages[i].write;
            wants_page = true;
        }
    if (line->word_count > 0 && !wants_page)
        return show_command(line);
    buf_init(&out, HELP_MAX_BYTES);
    write(&out);
    return print(&out);
}

const struct command help_command = {
    .name = "help",
    .takes = "[COMMAND]",
    .summary = "Tell what a command does.",
    .options = options,
    .option_count = COUNT_OF(options),
    .words_max = 2,
    .run = run,
};
