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
#include "caches/rdb.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/timer.h"

#define DEADLINE_MS 60000

/* Key "k" with value "v" in database 0; a checksum of zeroes is not checked. */
#define SMALL_RDB "REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0"

static struct loop *loop;
static struct timer *deadline;
static char folder[] = "/tmp/rdb-test-XXXXXX";
static char file[64], script[64];

static void heads_are_read(void **state)
{
    static const struct row {
        struct slice head;
        uint32_t version; /* 0 = refused */
    } rows[] = {
        {SLICE_INIT("REDIS0011"), 11},   {SLICE_INIT("REDIS0006\xfa"), 6},
        {SLICE_INIT("REDIS9999"), 9999}, {SLICE_INIT("REDIS0000"), 0},
        {SLICE_INIT("REDIS001"), 0},     {SLICE_INIT("REDIS00x1"), 0},
        {SLICE_INIT("REDIS+011"), 0},    {SLICE_INIT("redis0011"), 0},
        {SLICE_INIT("VALKEY080"), 0},    {SLICE_INIT(""), 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        uint32_t version = 0;
        enum err err = rdb_version_read(rows[i].head, &version, &why);
        assert_int_equal(err, rows[i].version > 0 ? E_OK : E_BAD_INPUT);
        assert_int_equal(version, rows[i].version);
        assert_int_equal(why.text[0] == '\0', err == E_OK);
    }
}

struct waiting {
    struct op op;
    enum err err;
    struct cause why;
    bool is_ended;
};

static void on_checked(struct op *op, enum err err)
{
    struct waiting *waiting = container_of(op, struct waiting, op);

    waiting->err = err;
    waiting->why = op->why;
    waiting->is_ended = true;
    loop_stop(loop);
}

static void write_file(const char *path, const char *bytes, size_t count)
{
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, count, to), count);
    fclose(to);
}

static struct waiting check(const char *program, uint32_t version_max, bool aborts)
{
    const struct rdb_check what = {loop, program, file, version_max};
    struct waiting waiting = {.op.done = on_checked};

    rdb_check(&what, &waiting.op);
    if (aborts)
        op_abort(&waiting.op);
    while (!waiting.is_ended)
        loop_run(loop);
    return waiting;
}

static void the_program_judges_a_file(void **state)
{
    static const char broken[] = "REDIS0009\xfe\x00\x00\x01k\x05v";

    (void)state;
    write_file(file, SMALL_RDB, sizeof SMALL_RDB - 1);
    struct waiting good = check("redis-server", 10, false);
    if (good.err != E_OK)
        fail_msg("%s: %s", err_name(good.err), good.why.text);
    write_file(file, broken, sizeof broken - 1);
    struct waiting bad = check("redis-server", 10, false);
    assert_int_equal(bad.err, E_BAD_INPUT);
    if (strstr(bad.why.text, "redis-check-rdb: [offset ") == NULL)
        fail_msg("%s", bad.why.text);
}

static void a_head_that_is_wrong_is_told_without_the_program(void **state)
{
    (void)state;
    write_file(file, "REDIS0012.....", 14);
    struct waiting newer = check("/no/such/program", 11, false);
    assert_int_equal(newer.err, E_BAD_INPUT);
    assert_string_equal(newer.why.text, "has RDB version 12, and the server reads up to 11");
    write_file(file, "dir /etc\n", 9);
    assert_int_equal(check("/no/such/program", 11, false).err, E_BAD_INPUT);
    unlink(file);
    assert_int_equal(check("redis-server", 11, false).err, E_NOT_FOUND);
}

static void a_program_that_does_not_do_its_work_is_told(void **state)
{
    static const char dies[] = "#!/bin/sh\nkill -ABRT $$\n";
    static const char hangs[] = "#!/bin/sh\nwhile :; do :; done\n";

    (void)state;
    write_file(file, SMALL_RDB, sizeof SMALL_RDB - 1);
    assert_int_equal(check("/no/such/program", 11, false).err, E_NOT_FOUND);
    write_file(script, dies, sizeof dies - 1);
    assert_int_equal(chmod(script, 0700), 0);
    assert_int_equal(check(script, 11, false).err, E_CRASHED);
    write_file(script, hangs, sizeof hangs - 1);
    assert_int_equal(check(script, 11, true).err, E_CANCELED);
}

static void on_deadline(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "the test waits for something that does not come\n");
    abort();
}

static int begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/dump.rdb", folder);
    snprintf(script, sizeof script, "%s/program", folder);
    loop = loop_new();
    deadline = timer_new(loop, on_deadline, NULL);
    timer_set(deadline, DEADLINE_MS);
    return 0;
}

static int end(void **state)
{
    (void)state;
    timer_free(deadline);
    loop_free(loop);
    unlink(file);
    unlink(script);
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read),
        cmocka_unit_test(the_program_judges_a_file),
        cmocka_unit_test(a_head_that_is_wrong_is_told_without_the_program),
        cmocka_unit_test(a_program_that_does_not_do_its_work_is_told),
    };
    process_child_main(argc, argv);
    return cmocka_run_group_tests(tests, begin, end);
}
