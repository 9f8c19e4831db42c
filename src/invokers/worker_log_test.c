#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "invokers/worker_log.h"

static char last[1024];
static int lines;

static void tap(void *ctx, const struct log_record *record)
{
    (void)ctx;
    lines++;
    (void)snprintf(last, sizeof last, "%s|%.*s|%.*s|%.*s", log_level_name(record->level),
                   SLICE_ARG(record->category), SLICE_ARG(record->function),
                   SLICE_ARG(record->text));
}

static struct app app;

static int set_up(void **state)
{
    (void)state;
    app = (struct app){.log_default = LOG_TRACE};
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TRACE, false);
    log_tap(tap, NULL);
    last[0] = '\0';
    lines = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_tap(NULL, NULL);
    map_done(&app.log_levels);
    return 0;
}

static void console_lines_are_judged_by_prefix_stream_and_words(void **state)
{
    static const struct {
        const char *line;
        bool is_stderr;
        const char *expected;
    } rows[] = {
        {"hello", false, "info|Host.Function.Console|F|hello"},
        {"an error", false, "info|Host.Function.Console|F|an error"},
        {"an ERROR", true, "error|Host.Function.Console|F|an ERROR"},
        {"Unhandled Exception: x", true, "error|Host.Function.Console|F|Unhandled Exception: x"},
        {"it Failed", true, "error|Host.Function.Console|F|it Failed"},
        {"DeprecationWarning", true, "warn|Host.Function.Console|F|DeprecationWarning"},
        {"plain", true, "info|Host.Function.Console|F|plain"},
        {"", true, "info|Host.Function.Console|F|"},
        {"LanguageWorkerConsoleLogstarted", false, "info|Host.LanguageWorker||started"},
        {"LanguageWorkerConsoleLog[error] no", false, "error|Host.LanguageWorker||no"},
        {"LanguageWorkerConsoleLog[warn] hm", false, "warn|Host.LanguageWorker||hm"},
        {"azfuncjsonlog:{}", false, "info|Host.Function.Console|F|azfuncjsonlog:{}"},
    };
    static char name[] = "F";
    struct function function = {.name = name};
    struct invocation run = {.function = &function};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        worker_log_line(&app, rows[i].is_stderr, slice_of(rows[i].line), &run);
        assert_string_equal(last, rows[i].expected);
    }
    worker_log_line(&app, false, SLICE("hello"), NULL);
    assert_string_equal(last, "info|Host.Function.Console||hello");
}

static void messages_have_level_and_category(void **state)
{
    static const struct {
        enum rpc_level level;
        enum rpc_log_category category;
        const char *expected; /* NULL = not written */
    } rows[] = {
        {RPC_LEVEL_INFORMATION, RPC_LOG_USER, "info|Function.F.User||text"},
        {RPC_LEVEL_CRITICAL, RPC_LOG_USER, "error|Function.F.User||text"},
        {RPC_LEVEL_TRACE, RPC_LOG_USER, "trace|Function.F.User||text"},
        {RPC_LEVEL_NONE, RPC_LOG_USER, NULL},
        {RPC_LEVEL_INFORMATION, RPC_LOG_SYSTEM, NULL},
        {RPC_LEVEL_WARNING, RPC_LOG_SYSTEM, "warn|worker||text"},
        {RPC_LEVEL_ERROR, RPC_LOG_CUSTOM_METRIC, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rpc_log log = {.level = rows[i].level,
                              .log_category = rows[i].category,
                              .category = SLICE("worker"),
                              .message = SLICE("text")};
        lines = 0;
        worker_log_rpc(&app, &log, NULL, SLICE("Function.F.User"));
        assert_int_equal(lines, rows[i].expected != NULL);
        if (rows[i].expected != NULL)
            assert_string_equal(last, rows[i].expected);
    }
}

static void levels_of_host_json_filter(void **state)
{
    struct rpc_log log = {.level = RPC_LEVEL_INFORMATION, .message = SLICE("text")};
    (void)state;
    map_set(&app.log_levels, SLICE("Function.F"), (void *)(intptr_t)(LOG_WARN + 1));
    worker_log_rpc(&app, &log, NULL, SLICE("Function.F.User"));
    assert_int_equal(lines, 0);
    worker_log_rpc(&app, &log, NULL, SLICE("Function.G.User"));
    assert_int_equal(lines, 1);
}

static void exceptions_are_part_of_the_text(void **state)
{
    struct rpc_log log = {.level = RPC_LEVEL_ERROR,
                          .category = SLICE("c"),
                          .message = SLICE("it broke"),
                          .exception = {.is_set = true,
                                        .message = SLICE("ValueError: x"),
                                        .stack_trace = SLICE("line 1")}};
    (void)state;
    worker_log_rpc(&app, &log, NULL, SLICE_NONE);
    assert_non_null(strstr(last, "it broke"));
    assert_true(lines >= 1);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(console_lines_are_judged_by_prefix_stream_and_words),
        ROW(messages_have_level_and_category),
        ROW(levels_of_host_json_filter),
        ROW(exceptions_are_part_of_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
