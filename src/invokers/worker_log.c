#include "invokers/worker_log.h"

#include <stdarg.h>
#include <stdio.h>

#define CONSOLE_CATEGORY "Host.Function.Console"
#define WORKER_CATEGORY "Host.LanguageWorker"
#define TEXT_MAX_BYTES (1024 * 1024)
#define LINE_MAX_BYTES 512

/* Prefixes by which a worker tells its own lines from the user's; the longest first. */
static const struct {
    struct slice prefix;
    enum log_level level; /* LOG_OFF: judge the text */
} prefixes[] = {
    {SLICE_INIT("LanguageWorkerConsoleLog[error] "), LOG_ERROR},
    {SLICE_INIT("LanguageWorkerConsoleLog[warn] "), LOG_WARN},
    {SLICE_INIT("LanguageWorkerConsoleLog[info] "), LOG_INFO},
    {SLICE_INIT("LanguageWorkerConsoleLog"), LOG_OFF},
};

static const struct {
    struct slice word;
    enum log_level level;
} words[] = {
    {SLICE_INIT("error"), LOG_ERROR},  {SLICE_INIT("fail"), LOG_ERROR},
    {SLICE_INIT("severe"), LOG_ERROR}, {SLICE_INIT("unhandled exception"), LOG_ERROR},
    {SLICE_INIT("warn"), LOG_WARN},
};

static const enum log_level levels[] = {
    [RPC_LEVEL_TRACE] = LOG_TRACE,      [RPC_LEVEL_DEBUG] = LOG_DEBUG,
    [RPC_LEVEL_INFORMATION] = LOG_INFO, [RPC_LEVEL_WARNING] = LOG_WARN,
    [RPC_LEVEL_ERROR] = LOG_ERROR,      [RPC_LEVEL_CRITICAL] = LOG_ERROR,
    [RPC_LEVEL_NONE] = LOG_OFF,
};

static bool holds_nocase(struct slice text, struct slice word)
{
    for (; text.len >= word.len; text = slice_from(text, 1))
        if (slice_has_prefix_nocase(text, word))
            return true;
    return false;
}

static enum log_level level_of(bool is_stderr, struct slice text)
{
    for (size_t i = 0; is_stderr && i < COUNT_OF(words); i++)
        if (holds_nocase(text, words[i].word))
            return words[i].level;
    return LOG_INFO;
}

static void fill_run(struct log_record *record, const struct invocation *run)
{
    if (run == NULL)
        return;
    record->function = slice_of(run->function->name);
    record->invocation = id_slice(&run->id);
}

static void write_filtered(const struct app *app, const struct log_record *record)
{
    if (record->level >= app_log_level(app, record->category))
        log_write(record);
}

void worker_log_line(const struct app *app, bool is_stderr, struct slice line,
                     const struct invocation *run)
{
    struct log_record record = {.level = LOG_OFF, .text = line};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (slice_has_prefix(line, prefixes[i].prefix)) {
            record.category = SLICE(WORKER_CATEGORY);
            record.level = prefixes[i].level;
            record.text = slice_from(line, prefixes[i].prefix.len);
            break;
        }
    if (record.category.data == NULL) {
        record.category = SLICE(CONSOLE_CATEGORY);
        fill_run(&record, run);
    }
    if (record.level == LOG_OFF)
        record.level = level_of(is_stderr, record.text);
    write_filtered(app, &record);
}

/* The exception belongs to the line: its message where the text does not hold it, and the stack. */
static void add_exception(struct buf *out, const struct rpc_log *log)
{
    buf_add(out, log->message);
    if (slice_find(log->message, log->exception.message) == log->message.len) {
        buf_add_byte(out, '\n');
        buf_add(out, log->exception.message);
    }
    if (log->exception.stack_trace.len > 0) {
        buf_add_byte(out, '\n');
        buf_add(out, log->exception.stack_trace);
    }
}

void worker_log_rpc(const struct app *app, const struct rpc_log *log, const struct invocation *run,
                    struct slice category)
{
    struct log_record record = {.level = levels[log->level], .text = log->message};
    bool is_user = log->log_category == RPC_LOG_USER;

    if (record.level == LOG_OFF || log->log_category == RPC_LOG_CUSTOM_METRIC)
        return;
    if (!is_user && record.level < LOG_WARN)
        return;
    record.category = is_user && category.len > 0 ? category : log->category;
    fill_run(&record, run);
    if (record.level < app_log_level(app, record.category))
        return;
    if (!log->exception.is_set) {
        log_write(&record);
        return;
    }
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    add_exception(&text, log);
    record.text = buf_slice(&text);
    log_write(&record);
    buf_done(&text);
}

void worker_log_run(const struct app *app, enum log_level level, const char *id,
                    const struct invocation *run, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct log_record record = {.level = level,
                                .id = slice_of(id),
                                .category = SLICE("Host.Results"),
                                .text = slice_of(text)};
    fill_run(&record, run);
    write_filtered(app, &record);
}
