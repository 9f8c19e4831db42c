#include <stdio.h>
#include <string.h>

#include "cmd/cmdline.h"
#include "loop/process.h"

static int unknown(const char *word)
{
    const char *near = command_nearest(word);

    if (near != NULL)
        return complain(EXIT_USAGE, "there is no command '%s'; did you mean `redgrid %s`?", word,
                        near);
    return complain(EXIT_USAGE, "there is no command '%s': see `redgrid help`", word);
}

static int show_help(void)
{
    struct buf help;

    buf_init(&help, HELP_MAX_BYTES);
    commands_write_help(&help);
    return print(&help);
}

/* A group of commands without its second word: `redgrid function`. */
static bool is_group(const char *word)
{
    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i]->name, word, strlen(word)) == 0 &&
            commands[i]->name[strlen(word)] == ' ')
            return true;
    return false;
}

static int show_group(const char *word, const char *second)
{
    bool wants_help =
        second != NULL && (strcmp(second, "--help") == 0 || strcmp(second, "-h") == 0);
    FILE *to = wants_help ? stdout : stderr;

    if (second != NULL && !wants_help)
        complain(EXIT_USAGE, "there is no command '%s %s'", word, second);
    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i]->name, word, strlen(word)) == 0)
            fprintf(to, "  redgrid %-22s%s\n", commands[i]->name, commands[i]->summary);
    return wants_help ? EXIT_OK : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    size_t used = 0, count = argc > 1 ? (size_t)argc - 1 : 0;

    if (count == 0) {
        show_help();
        return EXIT_USAGE;
    }
    char *const *args = argv + 1;
    if (strcmp(args[0], "--version") == 0 || strcmp(args[0], "-V") == 0) {
        puts("redgrid " REDGRID_VERSION);
        return EXIT_OK;
    }
    if (strcmp(args[0], "--help") == 0 || strcmp(args[0], "-h") == 0)
        return show_help();
    const struct command *command = command_find(args, count, &used);
    if (command != NULL)
        return cmdline_run(command, args + used, count - used);
    if (is_group(args[0]))
        return show_group(args[0], count > 1 ? args[1] : NULL);
    return unknown(args[0]);
}
