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
    buf_add(out, SLICE(".TP\n.B "));
    add_roff(out, option->flag);
    if (option->takes != NULL)
        buf_addf(out, "\n.I %s\n.br\n", option->takes);
    else
        buf_add(out, SLICE("\n.br\n"));
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
    buf_add(out, SLICE(".\\\" Made by `redgrid help --man`.\n"
                       ".TH REDGRID 1 \"\" \"redgrid " REDGRID_VERSION "\" \"User commands\"\n"
                       ".SH NAME\nredgrid \\- messages in Redis and Valkey start functions\n"
                       ".SH SYNOPSIS\n.B redgrid\n.I COMMAND\n[\\fIOPTION\\fR]...\n"
                       ".SH DESCRIPTION\nredgrid runs function apps whose functions are started by "
                       "what happens "
                       "in Redis or Valkey: an element on a list, an entry on a stream, a message "
                       "on a channel, "
                       "a change of a key.\n.SH COMMANDS\n"));
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

void page_write_completion(struct buf *out)
{
    buf_add(
        out,
        SLICE("# bash completion for redgrid, made by `redgrid help --bash-completion`\n"
              "_redgrid()\n{\n"
              "    local cur=${COMP_WORDS[COMP_CWORD]} words=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
              "    local prev=${COMP_WORDS[COMP_CWORD-1]} flags=\n"
              "    case $prev in\n"
              "    --app|--data|--workers-dir) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
              "    --config|--file) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
              "    --output) COMPREPLY=($(compgen -W 'table json' -- \"$cur\")); return ;;\n"));
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (setting_rows[i].type == SETTING_CHOICE)
            buf_addf(out, "    %s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
                     setting_rows[i].flag, setting_rows[i].extra);
    buf_add(out, SLICE("    esac\n    case $words in\n"));
    for (size_t i = 0; i < command_count; i++) {
        buf_addf(out, "    '%s'*) flags='", commands[i]->name);
        add_flags(out, commands[i]);
        buf_add(out, SLICE("' ;;\n"));
    }
    buf_add(out, SLICE("    function) COMPREPLY=($(compgen -W '"));
    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i]->name, "function ", 9) == 0)
            buf_addf(out, "%s ", commands[i]->name + 9);
    buf_add(out, SLICE("' -- \"$cur\")); return ;;\n"
                       "    '') COMPREPLY=($(compgen -W 'function "));
    for (size_t i = 0; i < command_count; i++)
        if (strchr(commands[i]->name, ' ') == NULL)
            buf_addf(out, "%s ", commands[i]->name);
    buf_add(out, SLICE("--version --help' -- \"$cur\")); return ;;\n    esac\n"
                       "    COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n}\n"
                       "complete -o default -F _redgrid redgrid\n"));
}
