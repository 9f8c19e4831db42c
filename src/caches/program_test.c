#include "caches/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caches/testing_servers.h"
#include "loop/loop.h"
#include "loop/process.h"

static void versions_are_read(void **state)
{
    static const struct {
        const char *answer;
        enum err err;
        const char *name, *text; /* or, of an error, what stands in it */
        uint32_t version, rdb_version;
    } rows[] = {
        {"Redis server v=7.0.15 sha=00000000:0 malloc=x bits=64\n", E_OK, "redis", "7.0.15",
         0x07000f, 10},
        {"Redis server v=7.2.4 sha=0", E_OK, "redis", "7.2.4", 0x070204, 11},
        {"Redis server v=7.4.0 sha=0", E_OK, "redis", "7.4.0", 0x070400, 12},
        {"Redis server v=8.0.0 sha=0", E_OK, "redis", "8.0.0", 0x080000, 12},
        {"Valkey server v=7.2.5 sha=0", E_OK, "valkey", "7.2.5", 0x070205, 11},
        {"Valkey server v=8.0.1 sha=0", E_OK, "valkey", "8.0.1", 0x080001, 11},
        {"Valkey server v=9.0.0 sha=0", E_OK, "valkey", "9.0.0", 0x090000, 80},
        {"Redis server v=6.2.16 sha=0", E_UNSUPPORTED, NULL, "6.2.16: 7.0 or newer", 0, 0},
        {"Redis server v=x sha=0", E_UNSUPPORTED, NULL, "is no server", 0, 0},
        {"Python 3.11.2\n", E_UNSUPPORTED, NULL, "is no server", 0, 0},
        {"", E_UNSUPPORTED, NULL, "is no server", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct program found = {0};
        struct cause why = {0};
        assert_int_equal(program_read(slice_of(rows[i].answer), &found, &why), rows[i].err);
        assert_int_equal(found.version, rows[i].version);
        assert_int_equal(found.rdb_version, rows[i].rdb_version);
        if (rows[i].err == E_OK) {
            assert_string_equal(found.name, rows[i].name);
            assert_string_equal(found.text, rows[i].text);
        } else if (strstr(why.text, rows[i].text) == NULL) {
            fail_msg("no '%s' in %s", rows[i].text, why.text);
        }
    }
}

static void numbers_are_read(void **state)
{
    (void)state;
    assert_int_equal(program_version(SLICE("7.0.15")), 0x07000f);
    assert_int_equal(program_version(SLICE("8.1")), 0x080100);
    assert_int_equal(program_version(SLICE("255.255.255.7")), 0xffffff);
    assert_int_equal(program_version(SLICE("7.x")), 0);
    assert_int_equal(program_version(SLICE("7.256.0")), 0);
    assert_int_equal(program_version(SLICE("")), 0);
}

/* ---- programs ---- */

static struct loop *loop;

struct wait {
    struct op op;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

static void on_done(struct op *op, enum err err)
{
    struct wait *wait = container_of(op, struct wait, op);

    wait->err = err;
    snprintf(wait->why, sizeof wait->why, "%s", op->why.text);
    loop_stop(loop);
}

static enum err check(const char *path, bool is_aborted, struct program *ret, struct wait *wait)
{
    *wait = (struct wait){.op.done = on_done};
    loop = loop_new();
    program_check(loop, path, ret, &wait->op);
    if (is_aborted)
        op_abort(&wait->op);
    while (wait->op.is_busy)
        loop_run(loop);
    loop_free(loop);
    return wait->err;
}

static void a_server_tells(const char *program)
{
    struct program found = {0};
    struct wait wait;

    if (check(program, false, &found, &wait) != E_OK)
        fail_msg("%s", wait.why);
    assert_true(found.version >= PROGRAM_VERSION_MIN);
    assert_non_null(strstr(program, found.name));
    assert_true(found.has_tls); /* as Debian builds them */
    assert_int_equal(check(program, true, &found, &wait), E_CANCELED);
}

static void real_servers_tell(void **state)
{
    (void)state;
    with_each_server(a_server_tells);
}

static void others_are_refused(void **state)
{
    static const struct {
        const char *script; /* NULL = there is none */
        mode_t mode;
        enum err err;
        const char *text;
    } rows[] = {
        {"#!/bin/sh\necho Redis server v=6.2.7 sha=0\n", 0755, E_UNSUPPORTED,
         "is version 6.2.7: 7.0 or newer is needed"},
        {"#!/bin/sh\necho out of order >&2; exit 7\n", 0755, E_UNSUPPORTED,
         "ended with code 7: out of order"},
        {"#!/bin/sh\n", 0755, E_UNSUPPORTED, "is no server"},
        {"#!/bin/sh\n", 0644, E_DENIED, "not an executable file"},
        {NULL, 0, E_NOT_FOUND, "not found"},
    };
    char folder[] = "/tmp/redgrid-program-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/server", folder);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct program found = {0};
        struct wait wait;
        unlink(path);
        if (rows[i].script != NULL) {
            FILE *file = fopen(path, "we");
            assert_non_null(file);
            fputs(rows[i].script, file);
            assert_int_equal(fchmod(fileno(file), rows[i].mode), 0);
            fclose(file);
        }
        assert_int_equal(check(path, false, &found, &wait), rows[i].err);
        assert_int_equal(found.version, 0);
        if (strstr(wait.why, rows[i].text) == NULL || strncmp(wait.why, path, strlen(path)) != 0)
            fail_msg("no '%s' in %s", rows[i].text, wait.why);
    }
    unlink(path);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_read),
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(real_servers_tell),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
