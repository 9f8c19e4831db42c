#include "caches/member_testing.h"

#include "caches/saving.h"
#include "loop/process.h"

static bool has_file(const char *name)
{
    char path[128];
    struct stat info;

    snprintf(path, sizeof path, "%s/n1/%s", world.folder, name);
    return stat(path, &info) == 0;
}

/* What the file has is what was there at the call, also when a save of less is on its way. */
static void saves_while_another_is_under_way(const char *program)
{
    struct test_wait first = TEST_WAIT, second = TEST_WAIT;

    world_begin(program);
    struct member *member = test_started(1, NULL);
    test_say(member, "SET a 1", "OK");
    saving_dump(world.loop, member, &first.op);
    test_fine(&first);
    assert_true(has_file("dump.rdb"));
    first = TEST_WAIT;
    test_say(member, "SET b 1", "OK");
    test_say(member, "BGSAVE", NULL);
    test_say(member, "SET c 1", "OK");
    saving_dump(world.loop, member, &first.op);
    saving_dump(world.loop, member, &second.op); /* both at once */
    test_fine(&first);
    test_fine(&second);
    test_stop(member, STOP_DROP);
    struct test_wait start;
    test_start(member, NULL, true, &start);
    test_fine(&start);
    test_say(member, "DBSIZE", "3");
    test_gone(member);
    world_end();
}

static void keeps_a_log(const char *program)
{
    world_begin(program);
    struct member *member = test_started(1, NULL);
    for (int i = 0; i < 2; i++) { /* on, and once more */
        struct test_wait wait = TEST_WAIT;
        test_say(member, i == 0 ? "SET a 1" : "SET b 1", "OK");
        saving_log(world.loop, member, &wait.op);
        test_fine(&wait);
        assert_true(has_file("appendonlydir"));
    }
    test_say(member, "CONFIG SET appendonly yes", "OK");
    test_gone(member);
    world_end();
}

static void tells_that_it_cannot(const char *program)
{
    struct test_wait wait = TEST_WAIT;

    world_begin(program);
    struct member *member = test_started(1, NULL);
    char path[128];
    snprintf(path, sizeof path, "%s/n1/dump.rdb", world.folder);
    assert_int_equal(mkdir(path, 0700), 0); /* a folder is in the way */
    snprintf(path, sizeof path, "%s/n1/dump.rdb/x", world.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    saving_dump(world.loop, member, &wait.op);
    assert_int_equal(test_end(&wait), E_IO);
    assert_non_null(strstr(wait.why, "test/n1: it could not save"));
    wait = TEST_WAIT;
    test_stop(member, STOP_DROP);
    saving_dump(world.loop, member, &wait.op);
    assert_int_equal(test_end(&wait), E_CLOSED);
    member_free(member);
    world_end();
}

static void can_be_aborted(const char *program)
{
    struct test_wait wait = TEST_WAIT;

    world_begin(program);
    struct member *member = test_started(1, NULL);
    saving_dump(world.loop, member, &wait.op);
    op_abort(&wait.op);
    assert_int_equal(test_end(&wait), E_CANCELED);
    test_gone(member);
    world_end();
}

static void a_save_has_all(void **state)
{
    (void)state;
    with_each_server(saves_while_another_is_under_way);
}

static void a_log_is_turned_on(void **state)
{
    (void)state;
    with_each_server(keeps_a_log);
}

static void failures_are_told(void **state)
{
    (void)state;
    with_each_server(tells_that_it_cannot);
}

static void it_can_be_aborted(void **state)
{
    (void)state;
    with_each_server(can_be_aborted);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_save_has_all),
        cmocka_unit_test(a_log_is_turned_on),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(it_can_be_aborted),
    };
    process_child_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
