#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/follow.h"
#include "cmd/input.h"
#include "cmd/status_page.h"
#include "wire/url.h"

#define PATH_BYTES_MAX 4096
#define MESSAGE_BYTES_MAX (16u * 1024 * 1024)
#define INVOKE_TIMEOUT_MS (3600u * 1000)

static const struct option app_options[] = {
    {"--app", "NAME", "The function's app, if several have one of that name.", NULL},
};
static const struct option invoke_options[] = {
    {"--app", "NAME", "The function's app, if several have one of that name.", NULL},
    {"--data", "TEXT", "The message.", NULL},
    {"--file", "FILE", "A file with the message; - reads standard input.", NULL},
};
static const struct option logs_options[] = {
    {"--follow", NULL, "Go on with what comes.", NULL},
    {"--lines", "N", "How many lines of the past [100].", NULL},
};

static void write_list(struct buf *out, const json_t *functions)
{
    function_table_write(out, functions, NULL, 0);
}

static int list(const struct cmdline *line)
{
    return client_show(line, &(struct question){.method = "GET", .path = "/api/functions"},
                       write_list);
}

static void add_path(struct buf *path, const struct cmdline *line, const char *tail)
{
    const char *app = cmdline_value(line, "--app");

    buf_add(path, SLICE("/api/functions/"));
    url_add_escaped(path, slice_of(line->words[0]));
    buf_addf(path, "%s", tail);
    if (app != NULL) {
        buf_add(path, SLICE("?app="));
        url_add_escaped(path, slice_of(app));
    }
}

static void write_fields(struct buf *out, const json_t *function)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)function, name, value)
    {
        buf_addf(out, "%-15s", name);
        if (json_is_string(value))
            buf_addf(out, "%s\n", json_string_value(value));
        else if (json_is_real(value))
            buf_addf(out, "%.2f\n", json_real_value(value));
        else if (json_is_integer(value))
            buf_addf(out, "%lld\n", (long long)json_integer_value(value));
        else
            buf_add(out, SLICE("-\n"));
    }
}

static int show(const struct cmdline *line)
{
    struct buf path;

    buf_init(&path, PATH_BYTES_MAX);
    add_path(&path, line, "");
    int code = client_show(line, &(struct question){.method = "GET", .path = buf_text(&path)},
                           write_fields);
    buf_done(&path);
    return code;
}

/* read_message fills `ret` from --data or --file. */
static int read_message(const struct cmdline *line, struct buf *ret)
{
    const char *data = cmdline_value(line, "--data");
    const char *path = cmdline_value(line, "--file");

    if (data != NULL && path != NULL)
        return complain(EXIT_USAGE, "--data or --file, not both");
    if (path == NULL) {
        buf_add(ret, slice_of(data));
        return EXIT_OK;
    }
    return input_read(path, ret);
}

static void write_result(struct buf *out, const json_t *answer)
{
    const json_t *result = json_object_get(answer, "result");

    if (json_is_string(result))
        buf_addf(out, "%s\n", json_string_value(result));
    else if (result != NULL && !json_is_null(result)) {
        jx_dump(out, result);
        buf_add_byte(out, '\n');
    }
}

static int invoke(const struct cmdline *line)
{
    struct buf path, message;

    buf_init(&path, PATH_BYTES_MAX);
    buf_init(&message, MESSAGE_BYTES_MAX);
    add_path(&path, line, "/invoke");
    int code = read_message(line, &message);
    if (code == EXIT_OK)
        code = client_show(line,
                           &(struct question){.method = "POST",
                                              .path = buf_text(&path),
                                              .body = buf_slice(&message),
                                              .timeout_ms = INVOKE_TIMEOUT_MS},
                           write_result);
    buf_done(&path);
    buf_done(&message);
    return code;
}

static int logs(const struct cmdline *line)
{
    const char *lines = cmdline_value(line, "--lines");
    bool is_following = cmdline_value(line, "--follow") != NULL;
    struct answer answer;
    struct buf path;
    uint64_t count = 100;

    if (lines != NULL && !slice_to_u64(slice_of(lines), &count))
        return complain(EXIT_USAGE, "--lines: '%s' is not a number", lines);
    buf_init(&path, PATH_BYTES_MAX);
    buf_addf(&path, "/api/logs?lines=%llu&follow=%d&function=", (unsigned long long)count,
             is_following);
    if (line->word_count > 0)
        url_add_escaped(&path, slice_of(line->words[0]));
    int code;
    if (is_following) {
        code = follow_lines(line, buf_text(&path), show_log_line);
    } else {
        code =
            client_ask(line, &(struct question){.method = "GET", .path = buf_text(&path)}, &answer);
        if (code == EXIT_OK) {
            struct slice rest = buf_slice(&answer.text), one;
            while (rest.len > 0 && slice_cut(&rest, '\n', &one))
                show_log_line(one, line->is_json);
            answer_done(&answer);
        }
    }
    buf_done(&path);
    return code;
}

const struct command function_list_command = {
    .name = "function list",
    .takes = "",
    .summary = "List the functions with their state and counts.",
    .asks_server = true,
    .run = list,
};

const struct command function_show_command = {
    .name = "function show",
    .takes = "NAME",
    .summary = "Show all that is known about one function.",
    .options = app_options,
    .option_count = COUNT_OF(app_options),
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = show,
};

const struct command function_invoke_command = {
    .name = "function invoke",
    .takes = "NAME",
    .summary = "Run a function once, beside its trigger, and show what it returns.",
    .options = invoke_options,
    .option_count = COUNT_OF(invoke_options),
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = invoke,
};

const struct command function_logs_command = {
    .name = "function logs",
    .takes = "[NAME]",
    .summary = "Show the log lines of a function, or of all.",
    .options = logs_options,
    .option_count = COUNT_OF(logs_options),
    .words_max = 1,
    .asks_server = true,
    .run = logs,
};
