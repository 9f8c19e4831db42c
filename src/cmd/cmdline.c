#include "cmd/cmdline.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/settings.h"

#define SERVER_DEFAULT "http://127.0.0.1:7070"
#define FLAG_COLUMN 26
#define COMPLAINT_MAX_BYTES 8192

const struct option server_options[] = {
    {"--server", "URL",
     "Server to ask, with the token in REDGRID_TOKEN [REDGRID_SERVER, or " SERVER_DEFAULT "].",
     NULL},
    {"--output", "FORMAT", "table or json [table].", "table json"},
};
const size_t server_option_count = COUNT_OF(server_options);

int complain(int code, const char *fmt, ...)
{
    char text[COMPLAINT_MAX_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *at = text; *at != '\0'; at++)
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7f)
            *at = '?'; /* what a server says must not drive the terminal */
    fflush(stdout);
    fprintf(stderr, "redgrid: %s\n", text);
    return code;
}

int print(struct buf *out)
{
    bool is_written = buf_err(out) == E_OK && fwrite(out->data, 1, out->len, stdout) == out->len;

    buf_done(out);
    return is_written && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

const char *cmdline_value(const struct cmdline *line, const char *flag)
{
    for (size_t i = 0; i < line->command->option_count; i++)
        if (strcmp(line->command->options[i].flag, flag) == 0)
            return line->values[i];
    return NULL;
}

const struct command *command_find(char *const *args, size_t count, size_t *ret_used)
{
    const struct command *found = NULL;

    for (size_t i = 0; i < command_count; i++) {
        struct slice rest = slice_of(commands[i]->name), word;
        size_t used = 0;
        bool is_hit = true;
        while (slice_cut(&rest, ' ', &word)) {
            is_hit = is_hit && used < count && slice_eq(word, slice_of(args[used]));
            used++;
        }
        if (is_hit && (found == NULL || used > *ret_used)) {
            found = commands[i];
            *ret_used = used;
        }
    }
    return found;
}

const char *command_nearest(const char *word)
{
    const char *near = NULL;
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < command_count; i++) {
        struct slice name = slice_of(commands[i]->name);
        size_t distance = nearest_distance(slice_of(word), name);
        size_t first =
            nearest_distance(slice_of(word), slice_first(name, slice_find_byte(name, ' ')));
        if (first < distance)
            distance = first;
        if (distance < best) {
            best = distance;
            near = commands[i]->name;
        }
    }
    return nearest_ok(best, strlen(word)) ? near : NULL;
}

static int usage(const struct command *command)
{
    return complain(EXIT_USAGE, "see `redgrid %s --help`", command->name);
}

const struct word_list *cmdline_list(const struct cmdline *line, const char *flag, size_t *at)
{
    while (*at < line->list_count) {
        const struct word_list *list = &line->lists[(*at)++];
        if (strcmp(list->flag, flag) == 0)
            return list;
    }
    return NULL;
}

/* take_value finds the value of an option: behind '=', or the next word. */
static const char *take_value(const struct option *option, char *const *args, size_t count,
                              size_t *at)
{
    const char *equals = strchr(args[*at], '=');

    if (option->takes == NULL)
        return equals == NULL ? "" : NULL;
    if (equals != NULL)
        return equals + 1;
    return *at + 1 < count ? args[++*at] : NULL;
}

static const struct option *find_option(const struct option *options, size_t count, const char *arg,
                                        size_t *ret)
{
    struct slice flag = slice_first(slice_of(arg), slice_find_byte(slice_of(arg), '='));

    for (size_t i = 0; i < count; i++)
        if (slice_eq(flag, slice_of(options[i].flag))) {
            *ret = i;
            return &options[i];
        }
    return NULL;
}

static int take_server_option(struct cmdline *line, const struct option *option, const char *value)
{
    if (strcmp(option->flag, "--server") == 0) {
        line->server = value;
        return EXIT_OK;
    }
    line->is_json = strcmp(value, "json") == 0;
    if (!line->is_json && strcmp(value, "table") != 0)
        return complain(EXIT_USAGE, "--output: '%s' is not table or json", value);
    return EXIT_OK;
}

static int take_setting(struct cmdline *line, char *const *args, size_t count, size_t *at)
{
    struct cause why = {0};
    size_t used = 0;
    enum err err = settings_read_flag(line->settings, args + *at, count - *at, &used, &why);

    if (err == E_OK) {
        *at += used - 1;
        return EXIT_OK;
    }
    complain(EXIT_USAGE, "%s", cause_text(&why, err));
    return usage(line->command);
}

static bool takes_list(const struct option *option)
{
    return option->takes != NULL &&
           (strchr(option->takes, ' ') != NULL || strstr(option->takes, "...") != NULL);
}

/* The words up to the next option; one that begins like a negative number is none. */
static int take_list(struct cmdline *line, const struct option *option, char *const *args,
                     size_t count, size_t *at)
{
    struct word_list list = {option->flag, args + *at + 1, 0};

    while (*at + 1 < count &&
           (args[*at + 1][0] != '-' || strchr("0123456789.", args[*at + 1][1]))) {
        list.count++;
        ++*at;
    }
    if (list.count == 0)
        return complain(EXIT_USAGE, "%s: needs a value: %s", option->flag, option->takes);
    if (line->list_count == LISTS_MAX)
        return complain(EXIT_USAGE, "%s: is given too often", option->flag);
    line->lists[line->list_count++] = list;
    return EXIT_OK;
}

static int take_flag(struct cmdline *line, char *const *args, size_t count, size_t *at)
{
    const struct command *command = line->command;
    size_t index;
    const char *arg = args[*at];

    assert(command->option_count <= OPTIONS_MAX);
    const struct option *option = find_option(command->options, command->option_count, arg, &index);
    const struct option *shared =
        option == NULL && command->asks_server
            ? find_option(server_options, server_option_count, arg, &index)
            : NULL;

    if (option == NULL && shared == NULL) {
        if (command->has_settings)
            return take_setting(line, args, count, at);
        complain(EXIT_USAGE, "no such option: %s", arg);
        return usage(command);
    }
    bool is_shared = option == NULL;
    const struct option *taken = is_shared ? shared : option;
    if (takes_list(taken) && strchr(arg, '=') == NULL)
        return take_list(line, taken, args, count, at);
    const char *value = take_value(taken, args, count, at);
    if (value == NULL)
        return complain(EXIT_USAGE,
                        taken->takes != NULL ? "%s: needs a value: %s" : "%s: takes no value",
                        taken->flag, taken->takes);
    if (is_shared)
        return take_server_option(line, shared, value);
    line->values[index] = value;
    return EXIT_OK;
}

static int take_word(struct cmdline *line, const char *word)
{
    if (line->word_count == line->command->words_max) {
        if (line->command->has_settings)
            complain(EXIT_USAGE, "too many words: '%s'; a function app is named with --app %s",
                     word, word);
        else
            complain(EXIT_USAGE, "too many words: '%s'", word);
        return usage(line->command);
    }
    line->words[line->word_count++] = word;
    return EXIT_OK;
}

static int read_words(struct cmdline *line, char *const *args, size_t count)
{
    bool is_over = false; /* behind "--" all are words */

    for (size_t at = 0; at < count; at++) {
        int code;
        if (!is_over && strcmp(args[at], "--") == 0) {
            is_over = true;
            continue;
        }
        if (!is_over && args[at][0] == '-' && args[at][1] != '\0')
            code = take_flag(line, args, count, &at);
        else
            code = take_word(line, args[at]);
        if (code != EXIT_OK)
            return code;
    }
    if (line->word_count < line->command->words_min) {
        complain(EXIT_USAGE, "%s: needs %s", line->command->name, line->command->takes);
        return usage(line->command);
    }
    return EXIT_OK;
}

int cmdline_run(const struct command *command, char *const *args, size_t count)
{
    const char *server = getenv("REDGRID_SERVER");
    struct cmdline line = {.command = command,
                           .server = server != NULL && server[0] != '\0' ? server : SERVER_DEFAULT};
    struct buf help;

    for (size_t i = 0; i < count && strcmp(args[i], "--") != 0; i++)
        if (strcmp(args[i], "--help") == 0 || strcmp(args[i], "-h") == 0) {
            buf_init(&help, HELP_MAX_BYTES);
            command_write_help(command, &help);
            return print(&help);
        }
    if (command->has_settings)
        line.settings = settings_new();
    int code = read_words(&line, args, count);
    if (code == EXIT_OK)
        code = command->run(&line);
    settings_free(line.settings);
    return code;
}

/* ---- help ---- */

static void add_option(struct buf *out, const struct option *option)
{
    size_t start = out->len;

    buf_addf(out, "  %s%s%s", option->flag, option->takes != NULL ? " " : "",
             option->takes != NULL ? option->takes : "");
    size_t wide = out->len - start;
    if (wide >= FLAG_COLUMN) { /* too long to share a line */
        buf_add_byte(out, '\n');
        wide = 0;
    }
    buf_addf(out, "%*s%s\n", (int)(FLAG_COLUMN + 1 - wide), "", option->description);
}

void command_write_help(const struct command *command, struct buf *out)
{
    static const struct option help = {"--help", NULL, "This text.", NULL};

    buf_addf(out, "Usage: redgrid %s%s%s [OPTION]...\n\n%s\n", command->name,
             command->takes[0] != '\0' ? " " : "", command->takes, command->summary);
    if (command->details != NULL)
        buf_addf(out, "\n%s", command->details);
    buf_add(out, SLICE("\nOptions:\n"));
    for (size_t i = 0; i < command->option_count; i++)
        add_option(out, &command->options[i]);
    for (size_t i = 0; command->asks_server && i < server_option_count; i++)
        add_option(out, &server_options[i]);
    if (command->has_settings)
        settings_write_help(out);
    add_option(out, &help);
}

void commands_write_help(struct buf *out)
{
    buf_add(out, SLICE("redgrid " REDGRID_VERSION
                       ": messages in Redis and Valkey start functions, events "
                       "reach their subscribers.\n\n"
                       "Usage: redgrid COMMAND [OPTION]...\n\nCommands:\n"));
    for (size_t i = 0; i < command_count; i++)
        buf_addf(out, "  %-22s%s\n", commands[i]->name, commands[i]->summary);
    buf_add(
        out,
        SLICE(
            "\n`redgrid help COMMAND` tells more. Exit codes: 0 done, 1 failed, 2 asked wrongly.\n"
            "Start here: redgrid init --lang python --trigger list hello && redgrid up --app "
            "hello\n"
            "or here:    redgrid up, and beside it redgrid topic create orders\n"));
}
