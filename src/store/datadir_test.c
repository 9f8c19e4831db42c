#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/datadir.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/redgrid-datadir-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void parents_are_made_and_private(void **state)
{
    struct datadir *data = NULL;
    struct cause why = {0};
    struct stat found;

    (void)state;
    assert_int_equal(datadir_open(in_folder("a/b/c"), &data, &why), E_OK);
    assert_int_equal(stat(in_folder("a/b"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_string_equal(datadir_path(data), in_folder("a/b/c"));
    datadir_close(data);
}

static void only_one_process_has_it(void **state)
{
    struct datadir *data = NULL;
    struct cause why = {0};
    char expected[64];

    (void)state;
    assert_int_equal(datadir_open(folder, &data, &why), E_OK);
    pid_t child = fork();
    if (child == 0) {
        struct datadir *other = NULL;
        snprintf(expected, sizeof expected, "another redgrid (pid %d)", (int)getppid());
        enum err err = datadir_open(folder, &other, &why);
        _exit(err == E_EXISTS && strstr(why.text, expected) != NULL ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    datadir_close(data);
    assert_int_equal(datadir_open(folder, &data, &why), E_OK);
    datadir_close(data);
}

static void a_file_in_the_way_is_named(void **state)
{
    struct datadir *data = NULL;
    struct cause why = {0};

    (void)state;
    fclose(fopen(in_folder("file"), "w"));
    assert_int_not_equal(datadir_open(in_folder("file"), &data, &why), E_OK);
    assert_non_null(strstr(why.text, in_folder("file")));
    assert_int_not_equal(datadir_open(in_folder("file/below"), &data, &why), E_OK);
}

static void a_replaced_file_is_whole(void **state)
{
    struct datadir *data = NULL;
    struct cause why = {0};
    char text[16] = {0};

    (void)state;
    assert_int_equal(datadir_open(folder, &data, &why), E_OK);
    assert_int_equal(datadir_replace(data, "x", SLICE("longer text"), &why), E_OK);
    assert_int_equal(datadir_replace(data, "x", SLICE("short"), &why), E_OK);
    FILE *file = fopen(in_folder("x"), "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file), 5);
    assert_string_equal(text, "short");
    fclose(file);
    datadir_close(data);
}

static void a_socket_of_a_deep_folder_moves_to_a_short_private_one(void **state)
{
    char path[SOCKET_PATH_MAX_BYTES + 1], again[SOCKET_PATH_MAX_BYTES + 1], deep[256];
    struct cause why = {0};
    struct stat found;
    bool is_moved = true;

    (void)state;
    assert_int_equal(socket_path(folder, "redis.sock", path, &is_moved, &why), E_OK);
    assert_false(is_moved);
    assert_string_equal(path, in_folder("redis.sock"));
    snprintf(deep, sizeof deep, "%s/%0*d", folder, 150, 7);
    assert_int_equal(socket_path(deep, "redis.sock", path, &is_moved, &why), E_OK);
    assert_true(is_moved);
    assert_int_equal(socket_path(deep, "redis.sock", again, &is_moved, &why), E_OK);
    assert_string_equal(path, again);
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(chmod(path, 0755), 0); /* as somebody else would have made it */
    assert_int_equal(socket_path(deep, "redis.sock", again, &is_moved, &why), E_DENIED);
    rmdir(path);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(parents_are_made_and_private),
        CASE(only_one_process_has_it),
        CASE(a_file_in_the_way_is_named),
        CASE(a_replaced_file_is_whole),
        CASE(a_socket_of_a_deep_folder_moves_to_a_short_private_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
