#include "loop/watch.h"

#include "loop/testing.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[32];

static int set_up(void **state)
{
    (void)state;
    world_begin();
    snprintf(dir, sizeof dir, "/tmp/watch_test.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return rmdir(dir);
}

static void on_changed(void *ctx)
{
    ++*(int *)ctx;
    loop_stop(loop);
}

static void touch(const char *name, char path[64])
{
    snprintf(path, 64, "%s/%s", dir, name);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs("x", file);
    fclose(file);
}

static void a_burst_of_changes_is_told_once(void **state)
{
    (void)state;
    struct watch *watch;
    char paths[10][64], name[2] = "a";
    int count = 0;

    assert_int_equal(watch_new(loop, dir, 20, on_changed, &count, &watch, NULL), E_OK);
    for (size_t i = 0; i < COUNT_OF(paths); i++, name[0]++)
        touch(name, paths[i]);
    while (count == 0)
        loop_run(loop);
    assert_int_equal(count, 1);
    unlink(paths[0]); /* this too */
    while (count == 1)
        loop_run(loop);
    touch("a", paths[0]);
    watch_free(watch); /* with a change on its way */
    watch_free(NULL);
    turns(3);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        unlink(paths[i]);
}

static void a_missing_directory_is_named(void **state)
{
    (void)state;
    struct watch *watch = NULL;
    struct cause why = {0};

    assert_int_equal(watch_new(loop, "/no/such/dir", 20, on_changed, NULL, &watch, &why),
                     E_NOT_FOUND);
    assert_string_equal(why.text, "/no/such/dir: no such file or directory");
    assert_null(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_of_changes_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_directory_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
