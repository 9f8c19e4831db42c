/* Exports and imports of caches with real servers, by files of a directory. */
#include "caches/op_transfer_testing.h"
#include "caches/transfer_ways.h"

static void what_is_exported_is_imported(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    say("SET both first", "OK");
    say("SET one 1", "OK");
    export_as("a");
    assert_int_equal(files_there(), 1);
    say("SET both second", "OK");
    say("DEL one", "1");
    say("SET two 2", "OK");
    export_as("b");
    assert_int_equal(files_there(), 2);
    assert_int_equal(events_of("ExportRDBCompleted\",\"eventType\""), 2);
    say("SET old 1", "OK");
    import_of("a", "b");
    say("DBSIZE", "3");
    say("GET one", "1");
    say("GET two", "2");
    say("GET both", "second");
    check_members(2);
    import_of("b", "a");
    say("GET both", "first");
    say("SET more 1", "OK");
    check_members(2);
    assert_int_equal(events_of("\"status\":\"Succeeded\""), 4);
    assert_int_equal(events_of("\"status\":\"Failed\""), 0);
    delete ();
    daemon_end();
}

#define HEAD "REDIS0009"
#define TAIL "\xff\0\0\0\0\0\0\0\0"

static void a_failed_import_changes_nothing(void **state)
{
    static const char garbage[] = "hello";
    static const char newer[] = "REDIS9998" TAIL;
    static const char broken[] = HEAD "\xfe\x00\x00\x01k\x05v";
    static const char good[] = HEAD "\xfe\x00\x00\x01k\x01v" TAIL;
    static const char far[] = HEAD "\xfe\x3e\x00\x01k\x01v" TAIL; /* database 62 */

    (void)state;
    daemon_begin();
    create(STANDARD);
    say("SET old 1", "OK");
    write_file("garbage.rdb", garbage, sizeof garbage - 1);
    write_file("newer.rdb", newer, sizeof newer - 1);
    write_file("broken.rdb", broken, sizeof broken - 1);
    write_file("good.rdb", good, sizeof good - 1);
    write_file("far.rdb", far, sizeof far - 1);
    static const struct row {
        const char *first, *second, *why;
    } rows[] = {
        {"garbage", NULL, "files[0]: is no RDB file"},
        {"newer", NULL, "files[0]: has RDB version 9998"},
        {"good", "broken", "files[1]: redis-check-rdb: "},
        {"far", NULL, "configured to handle more than 16 databases"},
        {"good", "far", "configured to handle more than 16 databases"},
        {"none", NULL, "files[0]: 'file://"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        import_of(rows[i].first, rows[i].second);
        const char *why = the_cache()->state.error_text;
        if (why == NULL || strstr(why, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].first, why);
        say("DBSIZE", "1");
        say("GET old", "1");
        check_members(2);
        assert_string_equal(cache_primary(the_cache(), 0)->name, "n1");
    }
    assert_int_equal(events_of("\"status\":\"Failed\""), COUNT_OF(rows));
    assert_int_equal(events_of("Redgrid.Cache.NodeDown"), 0);
    delete ();
    daemon_end();
}

static void what_cannot_be_is_refused_before(void **state)
{
    static const struct row {
        const char *kind, *arguments, *why;
    } rows[] = {
        {"export", "{\"prefix\":\"a\"}", "container: is missing"},
        {"export", "{\"container\":\"file:///tmp\"}", "prefix: is missing"},
        {"export", "{\"prefix\":\"a\",\"container\":\"file:///etc\"}",
         "container: 'file:///etc': is not in a directory of the setting caches.file_dirs"},
        {"export", "{\"prefix\":\"a\",\"container\":\"https://a.b/c?sig=geheim\",\"format\":\"X\"}",
         "format: "},
        {"import", "{}", "files: is not an array of 1 to 32"},
        {"import", "{\"files\":[1]}", "files: item 0 is not a URL"},
        {"import", "{\"files\":[\"https://a.b/c?sig=geheim\",\"ftp://x/y?sig=geheim\"]}",
         "files[1]: 'ftp://x/y': the scheme must be"},
        {"import", "[]", "the body is no"},
    };
    struct asked asked;

    (void)state;
    daemon_begin();
    create(STANDARD);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        act(rows[i].kind, rows[i].arguments, &asked);
        if (asked.ending.err == E_OK || strstr(asked.ending.why, rows[i].why) == NULL ||
            strstr(asked.ending.why, "geheim") != NULL)
            fail_msg("%s: %s", rows[i].arguments, asked.ending.why);
    }
    assert_int_equal(events_of("Redgrid.Cache.OperationStarted"), 1);
    delete ();
    daemon_end();
}

static bool is_noticed(void *ctx)
{
    const struct cache_shard *shard = cache_shard_of(the_cache(), 0);
    const pid_t *pid = ctx;

    for (size_t i = 0; i < shard->member_count; i++)
        if (member_pid(cache_server(the_cache(), shard->members[i].name)) == *pid)
            return false;
    return true;
}

static void kill_members(bool only_primary)
{
    const struct cache_shard *shard = cache_shard_of(the_cache(), 0);
    pid_t pids[CACHE_SHARD_MEMBERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < shard->member_count; i++)
        if (!only_primary || &shard->members[i] == cache_shard_primary(shard))
            pids[count++] = member_pid(cache_server(the_cache(), shard->members[i].name));
    for (size_t i = 0; i < count; i++) {
        assert_true(pids[i] > 1);
        kill(pids[i], SIGKILL);
    }
    for (size_t i = 0; i < count; i++)
        wait_for(is_noticed, &pids[i]);
}

static void what_is_imported_survives_all_servers(void **state)
{
    static const char *const persistence[] = {
        PREMIUM("\"aof-backup-enabled\":\"true\""),
        PREMIUM("\"rdb-backup-enabled\":\"true\",\"rdb-backup-frequency\":\"15\""),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(persistence); i++) {
        daemon_begin();
        create(persistence[i]);
        say("SET k v", "OK");
        export_as("a");
        say("SET old 1", "OK");
        import_of("a", NULL);
        say("GET k", "v");
        say("DBSIZE", "1");
        check_members(2);
        kill_members(false);
        wait_for(is_settled, NULL);
        say("GET k", "v");
        delete ();
        assert_int_equal(events_of("Redgrid.Cache.DataLost"), 0);
        daemon_end();
    }
}

static void start(const char *arguments, struct asked *asked)
{
    act("import", arguments, asked);
    if (asked->ending.err)
        fail_msg("%s", asked->ending.why);
}

static bool has_reached(void *ctx)
{
    const struct operation *operation = the_cache()->operation;

    return is_settled(NULL) || (operation != NULL && operation->record.step != NULL &&
                                strcmp(operation->record.step, ctx) == 0);
}

static char step_names[][8] = {"fetch", "check", "load", "fit", "copy", "swap", "done"};

/* Whatever comes of the import, the key that both have is there, and the cache is whole. */
static void a_primary_that_dies_meanwhile_is_replaced(void **state)
{
    char arguments[128];
    struct asked asked;

    (void)state;
    daemon_begin();
    create(STANDARD);
    say("SET k v", "OK");
    export_as("a");
    snprintf(arguments, sizeof arguments, "{\"files\":[\"file://%s/a.rdb\"]}", dir);
    for (size_t i = 0; i < COUNT_OF(step_names); i++) {
        start(arguments, &asked);
        wait_for(has_reached, step_names[i]);
        kill_members(true);
        wait_for(is_idle, asked.request.operation);
        wait_for(is_settled, NULL);
        say("GET k", "v");
        check_members(2);
    }
    assert_int_equal(events_of("ImportRDBCompleted\",\"eventType\""), COUNT_OF(step_names));
    assert_int_equal(events_of("Redgrid.Cache.DataLost"), 0);
    delete ();
    daemon_end();
}

static void another_daemon_goes_on_with_an_import(void **state)
{
    char arguments[128];
    struct asked asked;

    (void)state;
    world.is_detached = true;
    daemon_begin();
    create(STANDARD);
    say("SET k v", "OK");
    export_as("a");
    snprintf(arguments, sizeof arguments, "{\"files\":[\"file://%s/a.rdb\"]}", dir);
    for (size_t i = 0; i < COUNT_OF(step_names); i++) {
        say("SET old 1", "OK");
        start(arguments, &asked);
        wait_for(has_reached, step_names[i]);
        daemon_end();
        daemon_begin();
        wait_for(is_settled, NULL);
        say("DBSIZE", "1");
        say("GET k", "v");
        check_members(2);
    }
    assert_int_equal(events_of("\"status\":\"Succeeded\""), 1 + COUNT_OF(step_names));
    assert_int_equal(events_of("\"status\":\"Failed\""), 0);
    delete ();
    daemon_end();
}

/* What may be told of a request has no signature. */
static void urls_are_told_without_their_signatures(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    transfer_write_shown(&out, SLICE("{\"prefix\":\"a?b\",\"container\":\"https://h/c?sig=x\","
                                     "\"files\":[\"HTTP://h/c?sig=x\",1,\"file:///a?b\"]}"));
    assert_string_equal(buf_text(&out), "{\"prefix\":\"a?b\",\"container\":\"https://h/c\","
                                        "\"files\":[\"HTTP://h/c\",1,\"file:///a?b\"]}");
    buf_done(&out);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    char *program = server_find(NULL);
    if (program == NULL)
        return 77; /* skipped */
    free(program);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_told_without_their_signatures),
        cmocka_unit_test_setup_teardown(what_is_exported_is_imported, begin, end),
        cmocka_unit_test_setup_teardown(a_failed_import_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused_before, begin, end),
        cmocka_unit_test_setup_teardown(what_is_imported_survives_all_servers, begin, end),
        cmocka_unit_test_setup_teardown(a_primary_that_dies_meanwhile_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(another_daemon_goes_on_with_an_import, begin, end),
    };
    return cmocka_run_group_tests_name("transfers", tests, NULL, NULL);
}
