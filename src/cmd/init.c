#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/init_templates.h"
#include "cmd/shell.h"
#include "json/member.h"

#define PATH_BYTES_MAX 4096
#define TEXT_BYTES_MAX 65536
#define NAME_BYTES_MAX 64

static const struct option options[] = {
    {"--lang", "LANGUAGE", "c, python or custom (any program that answers HTTP) [python].",
     "c python custom"},
    {"--trigger", "KIND", "list, stream, pubsub or event [list].", "list stream pubsub event"},
    {"--output", "FORMAT", "table or json [table].", "table json"},
};

struct app {
    const char *folder;
    char name[NAME_BYTES_MAX]; /* of the function: a word in every language */
    struct buf full_name;      /* APP/FUNCTION */
    const struct template_language *language;
    const struct template_trigger *trigger;
};

static void add_named(struct buf *out, const char *text, const char *name)
{
    for (; *text != '\0'; text++)
        if (*text == '@')
            buf_add(out, slice_of(name));
        else
            buf_add_byte(out, *text);
}

static void name_function(struct app *app)
{
    char *real = realpath(app->folder, NULL); /* of ".", say */
    struct slice path = slice_of(real != NULL ? real : app->folder);
    size_t used = 0;

    while (path.len > 0 && path.data[path.len - 1] == '/')
        path.len--;
    struct slice last = slice_from(path, path.len);
    for (; last.data > path.data && last.data[-1] != '/'; last.data--)
        last.len++;
    if (last.len > 0 &&
        (!isalpha((unsigned char)last.data[0]) || slice_eq_nocase(last, SLICE("host"))))
        app->name[used++] = 'f'; /* as the rules for names of functions want it */
    for (size_t i = 0; i < last.len && used + 1 < sizeof app->name; i++)
        app->name[used++] = isalnum((unsigned char)last.data[i]) ? last.data[i] : '_';
    app->name[used] = '\0';
    buf_init(&app->full_name, PATH_BYTES_MAX);
    buf_addf(&app->full_name, "%.*s/%s", SLICE_ARG(last), app->name);
    free(real);
}

/* make_parents makes the folders above a file. */
static bool make_parents(const char *path)
{
    char part[PATH_BYTES_MAX];

    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return false;
        *at = '/';
    }
    return true;
}

/* write_file never overwrites. */
static int write_file(const char *path, struct slice text, bool is_program)
{
    if (!make_parents(path))
        return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_program ? 0777 : 0666);
    if (fd < 0)
        return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    bool is_written = write(fd, text.data, text.len) == (ssize_t)text.len;
    close(fd);
    return is_written ? EXIT_OK : complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
}

static void add_function_json(struct buf *out, const struct app *app)
{
    buf_add(out, SLICE("{\n  \"bindings\": [\n    {\n      "));
    add_named(out, app->trigger->binding, app->name);
    buf_add(out, SLICE(",\n      \"name\": \"message\",\n      \"direction\": \"in\"\n    }\n  ]"));
    if (app->language->script != NULL)
        buf_addf(out, ",\n  \"scriptFile\": \"%s\"", app->language->script);
    buf_add(out, SLICE("\n}\n"));
}

/* each_file checks (is_dry) or writes every file of the app. */
static int each_file(const struct app *app, bool is_dry)
{
    struct template_file config = {"@/function.json", NULL, false};
    int code = EXIT_OK;

    for (size_t i = 0; code == EXIT_OK; i++) {
        const struct template_file *file = &app->language->files[i];
        bool is_last = file->path == NULL;
        struct buf path, text;
        if (is_last)
            file = &config;
        buf_init(&path, PATH_BYTES_MAX);
        buf_init(&text, TEXT_BYTES_MAX);
        buf_addf(&path, "%s/", app->folder);
        add_named(&path, file->path, app->name);
        if (file->text != NULL)
            add_named(&text, file->text, app->name);
        else
            add_function_json(&text, app);
        if (buf_err(&path))
            code = complain(EXIT_USAGE, "the name is too long");
        else if (!is_dry)
            code = write_file(buf_text(&path), buf_slice(&text), file->is_program);
        else if (access(buf_text(&path), F_OK) == 0)
            code =
                complain(EXIT_FAILED, "%s: is there already; nothing was written", buf_text(&path));
        buf_done(&path);
        buf_done(&text);
        if (is_last)
            break;
    }
    return code;
}

static void add_send(struct buf *out, struct app *app, const char *program)
{
    for (const char *text = app->trigger->send; *text != '\0'; text++)
        if (*text == '$')
            shell_add_word(out, program);
        else if (*text == '^')
            shell_add_word(out, buf_text(&app->full_name));
        else if (*text == '@')
            buf_add(out, slice_of(app->name));
        else
            buf_add_byte(out, *text);
}

static int tell_next(struct app *app)
{
    /* As it was called, so that the lines work as they stand also before it is installed. */
    const char *program =
        strchr(program_invocation_name, '/') != NULL ? program_invocation_name : "redgrid";
    struct buf out;

    buf_init(&out, TEXT_BYTES_MAX);
    buf_addf(&out, "Wrote %s: the function %s (%s), started by ", app->folder, app->name,
             app->language->name);
    add_named(&out, app->trigger->source, app->name);
    buf_add(&out, SLICE(".\n\nNext:\n  "));
    shell_add_word(&out, program);
    buf_add(&out, SLICE(" up --app "));
    shell_add_word(&out, app->folder);
    buf_add(&out, SLICE("\n  "));
    add_send(&out, app, program);
    buf_add(&out, SLICE("\n  "));
    shell_add_word(&out, program);
    buf_addf(&out, " function logs %s --follow\n", app->name);
    if (app->trigger->is_redis)
        buf_addf(
            &out,
            "\n`redgrid up` starts a Redis on 127.0.0.1:6379 (or the next free port) for it. To "
            "use your own, add\n\"redis\": \"HOST:PORT\" to the Values of "
            "%s/local.settings.json.\n",
            app->folder);
    return print(&out);
}

static int tell_json(const struct app *app)
{
    struct buf out;

    buf_init(&out, TEXT_BYTES_MAX);
    member_text(&out, "app", slice_of(app->folder));
    member_text(&out, "function", slice_of(app->name));
    member_text(&out, "language", slice_of(app->language->name));
    member_text(&out, "trigger", slice_of(app->trigger->name));
    buf_add(&out, SLICE("}\n"));
    return print(&out);
}

static void choose(struct app *app, const char *language, const char *trigger)
{
    for (size_t i = 0; i < template_language_count; i++)
        if (strcmp(template_languages[i].name, language) == 0)
            app->language = &template_languages[i];
    for (size_t i = 0; i < template_trigger_count; i++)
        if (strcmp(template_triggers[i].name, trigger) == 0)
            app->trigger = &template_triggers[i];
}

static int run(const struct cmdline *line)
{
    const char *language = cmdline_value(line, "--lang");
    const char *trigger = cmdline_value(line, "--trigger");
    const char *output = cmdline_value(line, "--output");
    bool is_json = output != NULL && strcmp(output, "json") == 0;
    struct app app = {.folder = line->words[0]};

    language = language != NULL ? language : "python";
    trigger = trigger != NULL ? trigger : "list";
    choose(&app, language, trigger);
    if (app.language == NULL)
        return complain(EXIT_USAGE, "--lang: '%s' is not c, python or custom", language);
    if (app.trigger == NULL)
        return complain(EXIT_USAGE, "--trigger: '%s' is not list, stream, pubsub or event",
                        trigger);
    if (output != NULL && !is_json && strcmp(output, "table") != 0)
        return complain(EXIT_USAGE, "--output: '%s' is not table or json", output);
    name_function(&app);
    int code = app.name[0] != '\0' ? each_file(&app, true)
                                   : complain(EXIT_USAGE, "'%s' is no name for an app", app.folder);
    if (code == EXIT_OK)
        code = each_file(&app, false);
    if (code == EXIT_OK)
        code = is_json ? tell_json(&app) : tell_next(&app);
    buf_done(&app.full_name);
    return code;
}

const struct command init_command = {
    .name = "init",
    .takes = "NAME",
    .summary = "Write a new function app that runs as it is.",
    .details = "NAME is the folder to write; files that are there are never overwritten.\n",
    .options = options,
    .option_count = COUNT_OF(options),
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
