#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "caches/file_url.h"

static const char *const two_paths[] = {"/srv/rdb", "/var/dumps/"};
static const struct file_dirs two_dirs = {two_paths, 2};

static void urls_are_read(void **state)
{
    static const struct row {
        const char *text, *path; /* NULL: http, or refused */
        enum err err;
        const char *why;
    } rows[] = {
        {"file:///srv/rdb/a.rdb", "/srv/rdb/a.rdb", E_OK, ""},
        {"file:/srv/rdb/a.rdb", "/srv/rdb/a.rdb", E_OK, ""},
        {"FILE://localhost/var/dumps/x/", "/var/dumps/x", E_OK, ""},
        {"file:///srv/rdb", "/srv/rdb", E_OK, ""},
        {"file:///srv/rdb/a%20b", "/srv/rdb/a b", E_OK, ""},
        {"https://a.blob.core.windows.net/c/x.rdb?sv=1&sig=geheim", NULL, E_OK, ""},
        {"http://127.0.0.1:1/c/x.rdb?sig=geheim", NULL, E_OK, ""},
        {"file:///srv/rdbx/a", NULL, E_DENIED, "is not in a directory of the setting caches.file"},
        {"file:///etc/passwd", NULL, E_DENIED, "/srv/rdb, .."},
        {"file:///srv/rdb/../x", NULL, E_BAD_INPUT, "'.' or '..'"},
        {"file:///srv/rdb/%2e%2e/x", NULL, E_BAD_INPUT, "'.' or '..'"},
        {"file:///srv/rdb/%2E/x", NULL, E_BAD_INPUT, "'.' or '..'"},
        {"file:///srv/rdb/a%00b", NULL, E_BAD_INPUT, "has a NUL"},
        {"file:///srv/rdb/a%0", NULL, E_BAD_INPUT, "malformed escape"},
        {"file://host/srv/rdb/a", NULL, E_BAD_INPUT, "names a host"},
        {"file:srv/rdb/a", NULL, E_BAD_INPUT, "needs an absolute path"},
        {"file:", NULL, E_BAD_INPUT, "needs an absolute path"},
        {"/srv/rdb/a", NULL, E_BAD_INPUT, "begins with http:// or https://"},
        {"unix:///srv/rdb/a", NULL, E_UNSUPPORTED, "http, https or file"},
        {"ftp://x/y?sig=geheim", NULL, E_UNSUPPORTED, "'ftp://x/y'"},
        {"", NULL, E_BAD_INPUT, "''"},
        {"http://x y/?sig=geheim", NULL, E_BAD_INPUT, "'http://x y/'"},
    };
    struct file_url url;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        enum err err = file_url_read(slice_of(rows[i].text), &two_dirs, &url, &why);
        if (err != rows[i].err || strstr(why.text, rows[i].why) == NULL ||
            strstr(why.text, "geheim") != NULL)
            fail_msg("%s: %s, %s", rows[i].text, err_name(err), why.text);
        if (err)
            continue;
        assert_string_equal(url.text, rows[i].text);
        assert_null(strstr(url.shown, "geheim"));
        assert_string_equal(url.path != NULL ? url.path : "", rows[i].path ? rows[i].path : "");
        file_url_done(&url);
    }
}

static void without_directories_there_is_no_local_file(void **state)
{
    const struct file_dirs none = {NULL, 0};
    const char *const root = "/";
    const struct file_dirs all = {&root, 1};
    struct cause why = {0};
    struct file_url url;

    (void)state;
    assert_int_equal(file_url_read(SLICE("file:///srv/a"), &none, &url, &why), E_DENIED);
    assert_non_null(strstr(why.text, "caches.file_dirs names no directory"));
    assert_int_equal(file_url_read(SLICE("file:///srv/a"), &all, &url, &why), E_OK);
    file_url_done(&url);
}

/* `in` is allowed, by a symlink to it; `out` is not. */
static char folder[] = "/tmp/file-url-test-XXXXXX";
static char room[10][128];

static const char *at(int i, const char *name)
{
    snprintf(room[i], sizeof room[i], "%s/%s", folder, name);
    return room[i];
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int make_tree(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mkdir(at(0, "in"), 0700), 0);
    assert_int_equal(mkdir(at(0, "in/sub"), 0700), 0);
    assert_int_equal(mkdir(at(0, "out"), 0700), 0);
    touch(at(0, "in/a"));
    touch(at(0, "out/secret"));
    assert_int_equal(mkfifo(at(0, "in/pipe"), 0600), 0);
    assert_int_equal(symlink(at(0, "in"), at(1, "allowed")), 0);
    assert_int_equal(symlink(at(0, "in/a"), at(1, "in/near")), 0);
    assert_int_equal(symlink("../out/secret", at(1, "in/far")), 0);
    assert_int_equal(symlink(at(0, "out"), at(1, "in/away")), 0);
    return 0;
}

static int remove_tree(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static void symlinks_do_not_lead_out(void **state)
{
    static const struct row {
        const char *path;
        bool is_folder;
        enum err err;
    } rows[] = {
        {"allowed/a", false, E_OK},
        {"in/a", false, E_OK},
        {"allowed/near", false, E_OK},
        {"allowed", true, E_OK},
        {"allowed/sub", true, E_OK},
        {"allowed/far", false, E_DENIED},
        {"allowed/away/secret", false, E_DENIED},
        {"allowed/away", true, E_DENIED},
        {"allowed/none", false, E_NOT_FOUND},
        {"allowed/pipe", false, E_BAD_INPUT},
        {"allowed/sub", false, E_BAD_INPUT},
        {"allowed/a", true, E_BAD_INPUT},
    };
    const char *const allowed = at(0, "allowed");
    const struct file_dirs dirs = {&allowed, 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        int fd = -1;
        enum err err = rows[i].is_folder ? file_open_folder(at(1, rows[i].path), &dirs, &fd, &why)
                                         : file_open(at(1, rows[i].path), &dirs, &fd, &why);
        if (err != rows[i].err || (fd >= 0) != (err == E_OK))
            fail_msg("%s: %s, %s", rows[i].path, err_name(err), why.text);
        if (fd >= 0)
            close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(without_directories_there_is_no_local_file),
        cmocka_unit_test(symlinks_do_not_lead_out),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
