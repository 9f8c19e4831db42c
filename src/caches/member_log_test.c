#include "caches/member_log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char folder[64], path[96];
static struct member_log member_log;
static size_t told;
static char last[256];

static void on_record(void *ctx, const struct log_record *record)
{
    (void)ctx;
    assert_true(slice_eq(record->id, SLICE("MEMBER-SAYS")));
    snprintf(last, sizeof last, "%.*s", SLICE_ARG(record->text));
    told++;
}

static int set_up(void **state)
{
    struct cause why;

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/redgrid-log-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/" MEMBER_LOG_FILE, folder);
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_DEBUG, false);
    log_tap(on_record, NULL);
    told = 0;
    member_log_init(&member_log, "c/n1");
    return member_log_open(&member_log, folder, &why) != E_OK;
}

static int tear_down(void **state)
{
    (void)state;
    member_log_done(&member_log);
    log_tap(NULL, NULL);
    return unlink(path) != 0 || rmdir(folder) != 0;
}

static void say(const char *text)
{
    FILE *file = fopen(path, "ae");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_words(const char *expected)
{
    struct buf words;

    buf_init(&words, 4096);
    last_words_write(&words, &member_log.words);
    assert_string_equal(buf_text(&words), expected);
    buf_done(&words);
}

static void lines_are_told_once_and_whole(void **state)
{
    (void)state;
    say("1:M 21 Nov 2026 22:22:53.123 * Ready to accept connections\nhal");
    member_log_read(&member_log, false);
    assert_int_equal(told, 1);
    assert_string_equal(last, "c/n1: Ready to accept connections");
    member_log_read(&member_log, false);
    assert_int_equal(told, 1);
    say("f a line\n\n1:M 21 Nov 2026 22:22:53.123 # bad");
    member_log_read(&member_log, false);
    assert_string_equal(last, "c/n1: half a line");
    member_log_read(&member_log, true); /* nothing follows */
    assert_string_equal(last, "c/n1: bad");
    assert_int_equal(told, 3);
    assert_words("Ready to accept connections / half a line / bad");
}

static void what_was_there_is_not_told_again(void **state)
{
    struct cause why;

    (void)state;
    say("one\ntwo\nthree\nfour\n");
    assert_int_equal(member_log_open(&member_log, folder, &why), E_OK);
    say("five\n");
    member_log_read(&member_log, false);
    assert_int_equal(told, 1);
    assert_string_equal(last, "c/n1: five");
    assert_words("three / four / five");
}

static void the_report_of_a_crash_does_not_hide_it(void **state)
{
    (void)state;
    say("fine\n1:M 21 Nov 2026 22:22:53.123 # Redis 7.0.15 crashed by signal: 11\n");
    for (int i = 0; i < 100; i++)
        say("more of the report\n");
    member_log_read(&member_log, true);
    assert_words("fine / Redis 7.0.15 crashed by signal: 11");
}

static void lines_without_end_and_files_without_end_are_cut(void **state)
{
    static char text[65536];
    struct stat found;

    (void)state;
    memset(text, 'x', sizeof text - 2);
    text[sizeof text - 2] = '\n';
    for (int i = 0; i < 80; i++) { /* 5 MB */
        say(text);
        member_log_read(&member_log, false);
    }
    assert_int_equal(told, 80);
    assert_int_equal(stat(path, &found), 0);
    assert_true(found.st_size < 4 << 20);
    say("and on\n");
    member_log_read(&member_log, false);
    assert_string_equal(last, "c/n1: and on");
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(lines_are_told_once_and_whole),
        ROW(what_was_there_is_not_told_again),
        ROW(the_report_of_a_crash_does_not_hide_it),
        ROW(lines_without_end_and_files_without_end_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
