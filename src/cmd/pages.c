#include "cmd/pages.h"

#include <string.h>

#include "cmd/cmdline.h"
#include "config/settings.h"

static void add_roff(struct buf *out, const char *text)
{
    bool is_line_start = true;

    for (; *text != '\0'; text++) {
        if (is_line_start && (*text == '.' || *text == '\''))
            buf_add(out, SLICE("\\&"));
        if (*text == '-' || *text == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, *text);
        is_line_start = *text == '\n';
    }
}

static void add_man_option(struct buf *out, const struct option *option)
{
    buf_add(out, SLICE(".TP\n.BI "));
    add_roff(out, option->flag);
    if (option->takes != NULL)
        buf_addf(out, " \" %s\"", option->takes);
    buf_add_byte(out, '\n');
    add_roff(out, option->description);
    buf_add_byte(out, '\n');
}

static void add_man_command(struct buf *out, const struct command *command)
{
    buf_addf(out, ".SS redgrid %s", command->name);
    if (command->takes[0] != '\0')
        buf_addf(out, " %s", command->takes);
    buf_add_byte(out, '\n');
    add_roff(out, command->summary);
    buf_add_byte(out, '\n');
    if (command->details != NULL)
        add_roff(out, command->details);
    for (size_t i = 0; i < command->option_count; i++)
        add_man_option(out, &command->options[i]);
    if (command->has_settings)
        settings_write_man(out);
}

void page_write_man(struct buf *out)
{
    buf_add(
        out,
        SLICE(".\\\" Made by `redgrid help --man`.\n"
              ".TH REDGRID 1 \"\" \"redgrid " REDGRID_VERSION "\" \"User commands\"\n"
              ".SH NAME\nredgrid \\- messages in Redis and Valkey start functions, events reach "
              "their subscribers\n"
              ".SH SYNOPSIS\n.B redgrid\n.I COMMAND\n[\\fIOPTION\\fR]...\n"
              ".SH DESCRIPTION\nredgrid runs function apps whose functions are started by "
              "what happens "
              "in Redis or Valkey: an element on a list, an entry on a stream, a message "
              "on a channel, "
              "a change of a key. It takes events for topics, and delivers them to "
              "webhooks, functions and Redis, or hands them out.\n.SH COMMANDS\n"));
    for (size_t i = 0; i < command_count; i++)
        add_man_command(out, commands[i]);
    buf_add(out, SLICE(".SH OPTIONS OF COMMANDS THAT ASK A SERVER\n"));
    for (size_t i = 0; i < server_option_count; i++)
        add_man_option(out, &server_options[i]);
    buf_add(
        out,
        SLICE(".SH EXIT STATUS\n0 done, 1 failed, 2 asked wrongly.\n"
              ".SH FILES\n.TP\n.I redgrid.yaml\nSettings.\n.TP\n.I .redgrid/\nState of a server.\n"
              ".SH SEE ALSO\n.BR redis\\-server (1),\n.BR redis\\-cli (1)\n"));
}

static void add_flags(struct buf *out, const struct command *command)
{
    for (size_t i = 0; i < command->option_count; i++)
        buf_addf(out, "%s ", command->options[i].flag);
    for (size_t i = 0; command->asks_server && i < server_option_count; i++)
        buf_addf(out, "%s ", server_options[i].flag);
    for (size_t i = 0; command->has_settings && i < SETTING_COUNT; i++)
        buf_addf(out, "%s ", setting_rows[i].flag);
    buf_add(out, SLICE("--help"));
}

static void add_choices(struct buf *out, const char *flag, const char *choices)
{
    buf_addf(out, "    %s) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;\n",
             flag, choices);
}

static bool is_shared(const struct option *option)
{
    for (size_t i = 0; i < server_option_count; i++)
        if (strcmp(server_options[i].flag, option->flag) == 0)
            return true;
    return false;
}

/* The words that an option takes; no two commands differ about them. */
static void add_values(struct buf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (setting_rows[i].type == SETTING_CHOICE)
            add_choices(out, setting_rows[i].flag, setting_rows[i].extra);
        else if (setting_rows[i].type == SETTING_BOOL)
            add_choices(out, setting_rows[i].flag, "yes no");
    for (size_t i = 0; i < server_option_count; i++)
        if (server_options[i].choices != NULL)
            add_choices(out, server_options[i].flag, server_options[i].choices);
    for (size_t i = 0; i < command_count; i++)
        for (size_t j = 0; j < commands[i]->option_count; j++)
            if (commands[i]->options[j].choices != NULL && !is_shared(&commands[i]->options[j]))
                add_choices(out, commands[i]->options[j].flag, commands[i]->options[j].choices);
}

/* add_first_words writes what a command line begins with: "up", and "function" for all of its. */
static void add_first_words(struct buf *out)
{
    struct slice last = SLICE_NONE;

    for (size_t i = 0; i < command_count; i++) {
        struct slice name = slice_of(commands[i]->name);
        struct slice word = slice_first(name, slice_find_byte(name, ' '));
        if (!slice_eq(word, last))
            buf_addf(out, "%.*s ", SLICE_ARG(word));
        last = word;
    }
}

/* add_groups writes what follows "function", "topic" and so on, whose commands stand together. */
static void add_groups(struct buf *out)
{
    struct slice last = SLICE_NONE;

    for (size_t i = 0; i < command_count; i++) {
        struct slice name = slice_of(commands[i]->name);
        struct slice word = slice_first(name, slice_find_byte(name, ' '));
        if (word.len == name.len)
            continue;
        if (!slice_eq(word, last))
            buf_addf(out, "%s    %.*s) flags='--help", last.len > 0 ? "' ;;\n" : "",
                     SLICE_ARG(word));
        buf_addf(out, "%.*s", SLICE_ARG(slice_from(name, word.len)));
        last = word;
    }
    buf_add(out, SLICE("' ;;\n"));
}

void page_write_completion(struct buf *out)
{
    buf_add(
        out,
        SLICE("# bash completion for redgrid, made by `redgrid help --bash-completion`\n"
              "_redgrid()\n{\n"
              "    local cur=${COMP_WORDS[COMP_CWORD]} words=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
              "    local prev=${COMP_WORDS[COMP_CWORD-1]} flags=\n"
              "    case $prev in\n"
              "    --app|--data|--workers-dir)\n"
              "        case $words in function*|topic*) return ;; esac\n"
              "        compopt -o filenames\n"
              "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n"
              "    --config|--file)\n"
              "        compopt -o filenames\n"
              "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"));
    add_values(out);
    buf_add(out, SLICE("    esac\n    case $words in\n"));
    for (size_t i = 0; i < command_count; i++) {
        buf_addf(out, "    '%s'|'%s '*) flags='", commands[i]->name, commands[i]->name);
        add_flags(out, commands[i]);
        buf_add(out, SLICE("' ;;\n"));
    }
    add_groups(out);
    buf_add(out, SLICE("    '') flags='"));
    add_first_words(out);
    buf_add(out, SLICE("--version --help' ;;\n    esac\n"
                       "    case $words in\n"
                       "    help) flags=\"$flags "));
    add_first_words(out);
    buf_add(out,
            SLICE("\" ;;\n"
                  "    'function show'|'function invoke'|'function logs')\n"
                  "        flags=\"$flags $(\"${COMP_WORDS[0]}\" function list 2>/dev/null | "
                  "sed -n '2,/^$/s/ .*//p')\" ;;\n"
                  "    esac\n    mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\")\n}\n"
                  "complete -o default -F _redgrid redgrid\n"));
}
