/* With each server program that there is. */
#include "caches/member.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "caches/member_testing.h"
#include "loop/pid_watch.h"
#include "loop/process.h"

#define BIG "0123456789012345678901234567890123456789012345678901234567890123456789"

/* ---- start ---- */

static void assert_no_secret(const char *path)
{
    static const char *const secrets[] = {TEST_PASSWORD, TEST_REPLICATION, "key1", "key2"};
    struct buf text;

    buf_init(&text, 1 << 20);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while (fd >= 0 && (got = read(fd, buf_reserve(&text, 4096), 4096)) > 0)
        buf_grow(&text, (size_t)got);
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        if (slice_find(buf_slice(&text), slice_of(secrets[i])) < text.len)
            fail_msg("%s holds %s", path, secrets[i]);
    buf_done(&text);
}

static void starts_closed(const char *program)
{
    static const char *const files[] = {"log", "pid", "lock"};
    char path[256];
    struct stat found;

    world_begin(program);
    struct member *member = test_started(1, NULL);
    assert_true(member_is_up(member));
    assert_false(member_was_adopted(member));
    assert_true(member_version(member) >= 0x070000);
    assert_true(strlen(member_version_text(member)) >= 5);
    assert_int_equal(member_start_time(member), pid_start_time(member_pid(member)));
    assert_string_equal(member_name(member), "test/n1");
    assert_int_equal(stat(member_record(member)->dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    test_say(member, "ACL WHOAMI", "redgrid");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", member_record(member)->dir, files[i]);
        assert_int_equal(access(path, F_OK), 0);
        assert_no_secret(path);
    }
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)member_pid(member));
    assert_no_secret(path);
    snprintf(path, sizeof path, "/proc/%d/environ", (int)member_pid(member));
    assert_no_secret(path);
    test_stop(member, STOP_DROP);
    assert_int_equal(member_pid(member), 0);
    assert_null(member_redis(member));
    assert_int_equal(world.downs, 0);
    struct test_wait wait = TEST_WAIT;
    member_remove_files(member, &wait.op);
    test_fine(&wait);
    assert_int_equal(access(member_record(member)->dir, F_OK), -1);
    wait = TEST_WAIT;
    member_remove_files(member, &wait.op); /* again */
    test_fine(&wait);
    member_free(member);
    world_end();
}

static void a_long_path_is_no_matter(const char *program)
{
    char dir[256];
    struct test_wait wait;

    world_begin(program);
    snprintf(dir, sizeof dir, "%s/" BIG BIG "/n1", world.folder);
    struct cache_member record = *test_record(1);
    record.dir = dir;
    struct member *member = member_new(&(struct member_options){.loop = world.loop,
                                                                .hub = world.hub,
                                                                .cache = "test",
                                                                .record = &record,
                                                                .password = TEST_PASSWORD,
                                                                .hang_ms = TEST_HANG_MS});
    test_start(member, NULL, false, &wait);
    test_fine(&wait);
    test_say(member, "SET a b", "OK");
    test_gone(member);
    world_end();
}

static void write_script(const char *name, const char *text, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", world.folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fchmod(fileno(file), 0755), 0);
    fclose(file);
}

static void what_cannot_start_says_why(void **state)
{
    static const struct {
        const char *script;
        enum err err;
        const char *text;
    } rows[] = {
        {"#!/bin/sh\necho no luck >&2\nexit 3\n", E_CRASHED, "ended with code 3; it said: no luck"},
        {"#!/bin/sh\nkill -9 $$\n", E_CRASHED, "ended by signal 9"},
        {"#!/bin/sh\nsleep 1000\n", E_TIMEOUT, "said nothing for 300 ms"},
        {NULL, E_NOT_FOUND, "/stand-in: not found"},
    };
    char path[128];

    (void)state;
    world_begin("");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct test_wait wait;
        snprintf(path, sizeof path, "%s/stand-in", world.folder);
        if (rows[i].script != NULL)
            write_script("stand-in", rows[i].script, path, sizeof path);
        else
            unlink(path);
        world.program = path;
        world.hang_ms = rows[i].err == E_TIMEOUT ? 300 : TEST_HANG_MS;
        struct member *member = test_member(1);
        test_start(member, NULL, false, &wait);
        assert_int_equal(test_end(&wait), rows[i].err);
        if (strstr(wait.why, rows[i].text) == NULL || strncmp(wait.why, "test/n1: ", 9) != 0)
            fail_msg("no '%s' in %s", rows[i].text, wait.why);
        assert_int_equal(member_pid(member), 0);
        test_gone(member); /* nothing is left */
    }
    assert_int_equal(world.downs, 0);
    world_end();
}

static void a_bad_configuration_is_told(const char *program)
{
    struct test_wait wait = TEST_WAIT;

    world_begin(program);
    struct member *member = test_member(1);
    member_start(member, SLICE("port 0\nno-such-word 1\n"), false, &wait.op);
    assert_int_equal(test_end(&wait), E_CRASHED);
    assert_non_null(strstr(wait.why, "no-such-word"));
    test_gone(member);
    world_end();
}

static void a_start_can_be_aborted(const char *program)
{
    struct test_wait wait;

    world_begin(program);
    struct member *member = test_member(1);
    for (int turns = 0; turns < 40; turns += 3) {
        test_start(member, NULL, false, &wait);
        for (int i = 0; i < turns && !wait.is_done; i++) {
            struct test_wait turn = TEST_WAIT;
            loop_later(world.loop, &turn.op, E_OK);
            test_fine(&turn);
        }
        op_abort(&wait.op);
        enum err err = test_end(&wait);
        assert_true(err == E_CANCELED || err == E_OK);
        test_stop(member, STOP_DROP);
    }
    member_free(member);
    world_end();
}

/* ---- adoption ---- */

static void outlives_us(const char *program)
{
    struct test_wait wait = TEST_WAIT;

    world_begin(program);
    world.is_detached = true;
    struct member *member = test_started(1, NULL);
    pid_t pid = member_pid(member);
    uint64_t start_time = member_start_time(member);
    test_say(member, "SET a b", "OK");
    member_free(member);
    member = test_member(1);
    member_adopt(member, &wait.op);
    test_fine(&wait);
    assert_true(member_was_adopted(member));
    assert_int_equal(member_pid(member), pid);
    assert_int_equal(member_start_time(member), start_time);
    test_say(member, "GET a", "b");
    member_free(member);
    member = test_member(1);
    test_start(member, NULL, false, &wait); /* a start finds it too */
    test_fine(&wait);
    assert_true(member_was_adopted(member));
    test_say(member, "GET a", "b");
    assert_int_equal(kill(pid, SIGKILL), 0);
    TEST_UNTIL(world.downs == 1);
    assert_int_equal(world.end.exit_code, -1);
    assert_false(world.end.is_hang);
    assert_non_null(strstr(world.end.last_words, "eady to accept connections"));
    wait = TEST_WAIT;
    member_adopt(member, &wait.op);
    assert_int_equal(test_end(&wait), E_NOT_FOUND);
    member_free(member);
    world_end();
}

static void a_stop_ends_what_nobody_adopted(const char *program)
{
    world_begin(program);
    world.is_detached = true;
    struct member *member = test_started(1, NULL);
    pid_t pid = member_pid(member);
    member_free(member);
    member = test_member(1);
    struct test_wait wait = TEST_WAIT;
    member_remove_files(member, &wait.op);
    assert_int_equal(test_end(&wait), E_EXISTS);
    test_stop(member, STOP_DROP);
    TEST_UNTIL(pid_start_time(pid) == 0);
    member_free(member);
    world_end();
}

static void a_hung_leftover_is_killed(const char *program)
{
    struct test_wait wait = TEST_WAIT;

    world_begin(program);
    world.is_detached = true;
    struct member *member = test_started(1, NULL);
    pid_t pid = member_pid(member);
    member_free(member);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    world.hang_ms = 300;
    member = test_member(1);
    member_adopt(member, &wait.op);
    assert_int_equal(test_end(&wait), E_NOT_FOUND);
    assert_int_equal(pid_start_time(pid), 0);
    member_free(member);
    world_end();
}

static void a_lock_of_another_is_respected(void **state)
{
    struct test_wait wait;
    char path[256];

    (void)state;
    world_begin("/bin/true");
    world.hang_ms = 300;
    struct member *member = test_member(1);
    snprintf(path, sizeof path, "%s/lock", member_record(member)->dir);
    assert_int_equal(mkdir(member_record(member)->dir, 0700), 0);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    test_start(member, NULL, false, &wait);
    assert_int_equal(test_end(&wait), E_EXISTS);
    assert_non_null(strstr(wait.why, "in use by another process"));
    close(fd);
    member_free(member);
    world_end();
}

/* ---- ends ---- */

static void a_crash_is_told(const char *program)
{
    world_begin(program);
    struct member *member = test_started(1, NULL);
    struct test_talk talk = TEST_TALK;
    const struct member_command wait[] = {
        COMMAND(SLICE("BLPOP"), SLICE("none"), SLICE("0")),
    };
    member_talk(member, wait, 1, &talk.talk);
    assert_int_equal(kill(member_pid(member), SIGSEGV), 0);
    TEST_UNTIL(world.downs == 1);
    assert_int_equal(world.end.signal, SIGSEGV);
    assert_int_equal(world.end.exit_code, 0);
    assert_non_null(strstr(world.end.last_words, "crashed by signal: 11"));
    assert_false(member_is_up(member));
    assert_int_equal(test_talked(&talk), E_CLOSED);
    assert_true(strncmp(talk.why, "test/n1: ", 9) == 0);
    member_talk_done(&talk.talk);
    struct test_wait again;
    test_start(member, NULL, false, &again);
    test_fine(&again);
    member_kill(member);
    TEST_UNTIL(world.downs == 2);
    assert_int_equal(world.end.signal, SIGKILL);
    member_free(member);
    world_end();
}

static void a_hang_is_a_crash(const char *program)
{
    world_begin(program);
    world.hang_ms = 3000;
    struct member *member = test_started(1, NULL);
    assert_int_equal(kill(member_pid(member), SIGSTOP), 0);
    TEST_UNTIL(world.downs == 1);
    assert_true(world.end.is_hang);
    assert_int_equal(world.end.signal, SIGKILL);
    member_free(member);
    world_end();
}

static void what_is_saved_is_loaded(const char *program)
{
    struct test_wait wait;

    world_begin(program);
    struct member *member = test_started(1, NULL);
    test_say(member, "SET a b", "OK");
    test_stop(member, STOP_SAVE);
    test_stop(member, STOP_SAVE); /* again */
    test_start(member, NULL, true, &wait);
    test_fine(&wait);
    test_say(member, "GET a", "b");
    test_stop(member, STOP_SYNC);
    test_start(member, NULL, false, &wait); /* a leftover dump.rdb would be loaded */
    test_fine(&wait);
    test_say(member, "EXISTS a", "0");
    test_gone(member);
    world_end();
}

static void one_that_cannot_save_runs_on(const char *program)
{
    char path[256];

    world_begin(program);
    struct member *member = test_started(1, NULL);
    snprintf(path, sizeof path, "%s/dump.rdb", member_record(member)->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    test_say(member, "SET a b", "OK");
    struct test_wait wait = TEST_WAIT;
    member_stop(member, STOP_SAVE, &wait.op);
    assert_int_equal(test_end(&wait), E_REDIS);
    assert_non_null(strstr(wait.why, "SHUTDOWN"));
    assert_true(member_is_up(member));
    test_say(member, "GET a", "b");
    test_gone(member);
    world_end();
}

static void a_stopped_one_is_killed_in_the_end(const char *program)
{
    world_begin(program);
    struct member *member = test_started(1, NULL);
    struct test_wait wait = TEST_WAIT;
    assert_int_equal(kill(member_pid(member), SIGSTOP), 0);
    member_stop(member, STOP_DROP, &wait.op);
    op_abort(&wait.op); /* nobody waits for 10 s here */
    test_fine(&wait);
    assert_int_equal(world.downs, 0);
    member_free(member);
    world_end();
}

/* ---- each of them ---- */

#define WITH_EACH(test)                                                                            \
    static void real_##test(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        with_each_server(test);                                                                    \
    }

WITH_EACH(starts_closed)
WITH_EACH(a_long_path_is_no_matter)
WITH_EACH(a_bad_configuration_is_told)
WITH_EACH(a_start_can_be_aborted)
WITH_EACH(outlives_us)
WITH_EACH(a_stop_ends_what_nobody_adopted)
WITH_EACH(a_hung_leftover_is_killed)
WITH_EACH(a_crash_is_told)
WITH_EACH(a_hang_is_a_crash)
WITH_EACH(what_is_saved_is_loaded)
WITH_EACH(one_that_cannot_save_runs_on)
WITH_EACH(a_stopped_one_is_killed_in_the_end)

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_starts_closed),
        cmocka_unit_test(real_a_long_path_is_no_matter),
        cmocka_unit_test(what_cannot_start_says_why),
        cmocka_unit_test(real_a_bad_configuration_is_told),
        cmocka_unit_test(real_a_start_can_be_aborted),
        cmocka_unit_test(real_outlives_us),
        cmocka_unit_test(real_a_stop_ends_what_nobody_adopted),
        cmocka_unit_test(real_a_hung_leftover_is_killed),
        cmocka_unit_test(a_lock_of_another_is_respected),
        cmocka_unit_test(real_a_crash_is_told),
        cmocka_unit_test(real_a_hang_is_a_crash),
        cmocka_unit_test(real_what_is_saved_is_loaded),
        cmocka_unit_test(real_one_that_cannot_save_runs_on),
        cmocka_unit_test(real_a_stopped_one_is_killed_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
