#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define NOW_US 1684929600123456u

static char written[256 * 1024];
static int fds[2];

static int set_up(void **state)
{
    (void)state;
    return pipe2(fds, O_CLOEXEC);
}

static int tear_down(void **state)
{
    (void)state;
    log_tap(NULL, NULL);
    log_open(STDERR_FILENO, LOG_INFO, false);
    close(fds[0]);
    return close(fds[1]);
}

static const char *flushed(void)
{
    log_flush();
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    ssize_t got = read(fds[0], written, sizeof written - 1);
    written[got > 0 ? got : 0] = '\0';
    return written;
}

static void lines_have_their_form(void **state)
{
    static const struct {
        bool is_json;
        struct log_record record;
        const char *text;
    } rows[] = {
        {false,
         {.level = LOG_INFO, .text = SLICE_INIT("hello")},
         "[2023-05-24T12:00:00.123Z] hello\n"},
        {false,
         {.level = LOG_WARN, .id = SLICE_INIT("REDIS-LOST"), .text = SLICE_INIT("gone")},
         "[2023-05-24T12:00:00.123Z] warn: REDIS-LOST: gone\n"},
        {false,
         {.level = LOG_INFO,
          .function = SLICE_INIT("orders"),
          .invocation = SLICE_INIT("ab"),
          .text = SLICE_INIT("x")},
         "[2023-05-24T12:00:00.123Z] [orders ab] x\n"},
        {false,
         {.level = LOG_INFO,
          .function = SLICE_INIT("orders"),
          .invocation = SLICE_INIT("0123456789"),
          .text = SLICE_INIT("x")},
         "[2023-05-24T12:00:00.123Z] [orders 01234567] x\n"},
        {false,
         {.level = LOG_INFO, .text = SLICE_INIT("\x1b[31mred\x7f\ttab")},
         "[2023-05-24T12:00:00.123Z] ?[31mred?\ttab\n"},
        {false,
         {.level = LOG_INFO, .text = SLICE_INIT("a\r\n\nb\n")},
         "[2023-05-24T12:00:00.123Z] a\n[2023-05-24T12:00:00.123Z] \n"
         "[2023-05-24T12:00:00.123Z] b\n"},
        {false, {.level = LOG_INFO}, "[2023-05-24T12:00:00.123Z] \n"},
        {true,
         {.level = LOG_ERROR, .id = SLICE_INIT("A-B"), .text = SLICE_INIT("q\"\\\x01\xff")},
         "{\"time\":\"2023-05-24T12:00:00.123456Z\",\"level\":\"error\",\"id\":\"A-B\","
         "\"message\":\"q\\\"\\\\\\u0001\xef\xbf\xbd\"}\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct log_record record = rows[i].record;
        record.unix_us = NOW_US;
        log_open(fds[1], LOG_INFO, rows[i].is_json);
        log_write(&record);
        assert_string_equal(flushed(), rows[i].text);
    }
}

static void control_characters_are_found_wherever_they_are(void **state)
{
    static const char odd[] = {'\0', '\x1b', '\x1f', '\x7f'};
    (void)state;
    log_open(fds[1], LOG_INFO, false);
    for (size_t len = 1; len <= 20; len++)
        for (size_t at = 0; at < len; at++)
            for (size_t i = 0; i < sizeof odd; i++) {
                char text[20], shown[21] = "";
                memset(text, at % 2 == 0 ? '~' : '\x80', sizeof text);
                memcpy(shown, text, len);
                text[at] = odd[i];
                shown[at] = '?';
                log_write(&(struct log_record){.level = LOG_INFO, .text = {text, len}});
                const char *line = strchr(flushed(), ']') + 2;
                assert_memory_equal(line, shown, strlen(shown));
                assert_string_equal(line + strlen(shown), "\n");
            }
}

static void levels_decide_and_nothing_is_written_before_the_flush(void **state)
{
    (void)state;
    log_open(fds[1], LOG_WARN, false);
    assert_false(log_is_on(LOG_INFO));
    log_info("X", "not this");
    log_trace("nor %s", "this");
    assert_string_equal(flushed(), "");
    log_warn("X", "number %d", 7);
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(read(fds[0], written, sizeof written), -1);
    assert_non_null(strstr(flushed(), "] warn: X: number 7\n"));
    assert_string_equal(flushed(), "");
    log_open(fds[1], LOG_OFF, false);
    log_error("X", "nor this");
    assert_string_equal(flushed(), "");
}

static void level_names_are_known(void **state)
{
    static const struct {
        const char *name;
        enum log_level level;
    } rows[] = {
        {"Trace", LOG_TRACE},  {"debug", LOG_DEBUG}, {"Information", LOG_INFO}, {"INFO", LOG_INFO},
        {"Warning", LOG_WARN}, {"warn", LOG_WARN},   {"Critical", LOG_ERROR},   {"None", LOG_OFF},
    };
    (void)state;
    enum log_level level = LOG_TRACE;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(log_level_parse(slice_of(rows[i].name), &level));
        assert_int_equal(level, rows[i].level);
    }
    assert_false(log_level_parse(SLICE("loud"), &level));
    assert_string_equal(log_level_name(LOG_OFF), "none");
    assert_string_equal(log_level_name(LOG_WARN), "warn");
}

static void on_record(void *ctx, const struct log_record *record)
{
    *(uint64_t *)ctx = record->unix_us;
}

static void a_tap_sees_what_is_written(void **state)
{
    (void)state;
    uint64_t unix_us = 0;

    log_open(fds[1], LOG_INFO, false);
    log_tap(on_record, &unix_us);
    log_debug("X", "too low");
    assert_true(unix_us == 0);
    log_info(NULL, "seen");
    assert_true(unix_us > NOW_US);
    (void)flushed();
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(lines_have_their_form),
        ROW(control_characters_are_found_wherever_they_are),
        ROW(levels_decide_and_nothing_is_written_before_the_flush),
        ROW(level_names_are_known),
        ROW(a_tap_sees_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
