/* cmd/cmdline.h - what a subcommand is, and how its words are read.
 * Rules: a subcommand is a row: its file exports one `const struct command`, commands[] in
 * commands.c names it, and help, man page and completion come from it. Exit codes: 0 done, 1 it
 * failed, 2 it was asked wrongly. To add one: a file, and its line in commands.c. */
#ifndef CMD_CMDLINE_H
#define CMD_CMDLINE_H

#include "base/buf.h"

#define OPTIONS_MAX 64 /* of one command */
#define LISTS_MAX 64   /* options that take lists, in one command line */
#define WORDS_MAX 16
#define HELP_MAX_BYTES (1024 * 1024)

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct option {
    const char *flag;
    const char *takes; /* NULL = a switch; of several words, or with "...": all up to the next
                          option, which may be given again */
    const char *description;
    const char *choices; /* the words that it takes, for completion; NULL = any */
};

/* What one such option was given. */
struct word_list {
    const char *flag;
    char *const *words;
    size_t count;
};

struct cmdline;

struct command {
    const char *name;    /* "function list" */
    const char *takes;   /* its words: "[NAME]"; "" = none */
    const char *summary; /* one line */
    const char *details; /* NULL = the summary says it all */
    const struct option *options;
    size_t option_count;
    size_t words_min, words_max;
    bool asks_server;  /* takes --server and --output */
    bool has_settings; /* takes all settings as flags */
    int (*run)(const struct cmdline *line);
};

struct settings;

struct cmdline {
    const struct command *command;
    const char *values[OPTIONS_MAX]; /* of options; "" for a switch; NULL = not given */
    struct word_list lists[LISTS_MAX];
    size_t list_count;
    const char *words[WORDS_MAX];
    size_t word_count;
    const char *server;        /* --server, REDGRID_SERVER, or the default */
    bool is_json;              /* --output json */
    struct settings *settings; /* only flags so far; NULL without has_settings */
};

extern const struct command *const commands[];
extern const size_t command_count;

/* cmdline_value: the value of an option, "" for a given switch, NULL if it was not given. */
const char *cmdline_value(const struct cmdline *line, const char *flag);
/* cmdline_list gives the next list of an option that takes them; start with *at = 0; NULL: no more.
 */
const struct word_list *cmdline_list(const struct cmdline *line, const char *flag, size_t *at);

/* command_find finds the subcommand that the first words name, and how many words that took; NULL.
 */
const struct command *command_find(char *const *args, size_t count, size_t *ret_used);
/* command_nearest is the name that `word` may have been meant for; NULL if none is near. */
const char *command_nearest(const char *word);

/* cmdline_run reads the words behind the subcommand's name and runs it; the exit code. */
int cmdline_run(const struct command *command, char *const *args, size_t count);

/* complain prints `redgrid: <text>` on standard error and returns `code`. */
int complain(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The help of one subcommand, and of all. */
void command_write_help(const struct command *command, struct buf *out);
void commands_write_help(struct buf *out);
/* print writes all of a buf to standard output and ends it; EXIT_OK, or EXIT_FAILED if it cannot.
 */
int print(struct buf *out);

/* The options that every command that asks a server has. */
extern const struct option server_options[];
extern const size_t server_option_count;

#endif
