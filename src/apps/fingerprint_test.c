#include "apps/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char folder[64];
static struct fingerprint *last;

static void shell(const char *script)
{
    assert_int_equal(system(script), 0);
}

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/redgrid-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    shell("mkdir -p app/F app/G/deep && echo a >app/host.json && echo b >app/F/__init__.py && "
          "echo c >app/F/function.json && echo d >app/G/deep/far");
    last = fingerprint_new("app");
    return 0;
}

static int end(void **state)
{
    char script[128];

    (void)state;
    fingerprint_free(last);
    snprintf(script, sizeof script, "rm -r '%s'", folder);
    return chdir("/") != 0 || system(script) != 0;
}

static void assert_told(const char *expected)
{
    struct fingerprint *next = fingerprint_new("app");
    struct buf told;

    buf_init(&told, 4096);
    assert_int_equal(fingerprint_diff(last, next, &told), expected[0] != '\0');
    assert_string_equal(buf_text(&told), expected);
    buf_done(&told);
    fingerprint_free(last);
    last = next;
}

static void what_changed_is_named(void **state)
{
    static const struct {
        const char *script, *told;
    } rows[] = {
        {":", ""},
        {"echo longer >app/F/__init__.py", "F/__init__.py"},
        {"touch -d 2001-01-01 app/host.json", "host.json"},
        {"cp -p app/host.json x && mv x app/host.json", "host.json"}, /* another file */
        {"echo e >app/G/new.py", "G/new.py (new)"},
        {"rm app/G/new.py", "G/new.py (gone)"},
        {"mkdir app/H", "H/ (new)"},
        {"rmdir app/H", "H/ (gone)"},
        {"mkdir app/F/__pycache__ app/.venv && touch app/F/__pycache__/x app/F/x.pyc app/F/x~", ""},
        {"echo e >app/G/deep/far", ""},
        {"touch app/a app/b app/c app/d app/e", "a (new), b (new), c (new) and 2 more"},
        {"rm app/[a-e] && echo two >app/F/__init__.py && touch app/z",
         "F/__init__.py, a (gone), b (gone) and 4 more"},
        {"rm -r app", "F/ (gone), F/__init__.py (gone), F/function.json (gone) and 3 more"},
        {":", ""},
        {"mkdir app", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        shell(rows[i].script);
        assert_told(rows[i].told);
    }
}

static void directories_are_told_one_by_one(void **state)
{
    size_t at = 0;

    (void)state;
    assert_string_equal(fingerprint_directory(last, &at), "F");
    assert_string_equal(fingerprint_directory(last, &at), "G");
    assert_null(fingerprint_directory(last, &at));
}

static void many_changes_are_counted(void **state)
{
    (void)state;
    shell("cd app/G && for i in $(seq 300); do : >$i; done");
    assert_told("G/1 (new), G/10 (new), G/100 (new) and 297 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_changed_is_named, begin, end),
        cmocka_unit_test_setup_teardown(directories_are_told_one_by_one, begin, end),
        cmocka_unit_test_setup_teardown(many_changes_are_counted, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
