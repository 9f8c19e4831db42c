/* The daemon is killed in front of and behind each step of an import and an export. */
#include "caches/op_transfer_testing.h"

static char import_arguments[256], export_arguments[256];

static void begin_it(const char *kind, const char *arguments)
{
    struct asked asked;

    wait_for(is_settled, NULL);
    act(kind, arguments, &asked);
}

static void begin_import(void)
{
    begin_it("import", import_arguments);
}

static void begin_export(void)
{
    begin_it("export", export_arguments);
}

static void prepare(void)
{
    daemon_begin();
    create(PREMIUM("\"aof-backup-enabled\":\"true\""));
    say("SET k v", "OK");
    export_as("a");
    daemon_end();
    snprintf(import_arguments, sizeof import_arguments, "{\"files\":[\"file://%s/a.rdb\"]}", dir);
    snprintf(export_arguments, sizeof export_arguments,
             "{\"prefix\":\"b\",\"container\":\"file://%s\"}", dir);
}

/* By turns the servers outlive the daemon, and end with it. Each operation ends well, with one
 * event, and the cache is whole. */
static void kill_at_each(const char *const *places, size_t count, void (*begin_operation)(void))
{
    for (size_t i = 0; i < count; i++) {
        world.is_detached = i % 2 == 1;
        daemon_killed_at(places[i], begin_operation);
        daemon_begin();
        wait_for(is_settled, NULL);
        say("GET k", "v");
        say("DBSIZE", "1");
        check_members(2);
        daemon_end();
    }
}

/* All of them together; and the cache's end. */
static void check_events(size_t imports, size_t exports)
{
    daemon_begin();
    wait_for(is_settled, NULL);
    assert_int_equal(events_of("ImportRDBCompleted\",\"eventType\""), imports);
    assert_int_equal(events_of("ExportRDBCompleted\",\"eventType\""), exports);
    assert_int_equal(events_of("\"status\":\"Failed\""), 0);
    assert_int_equal(events_of("Redgrid.Cache.DataLost"), 0);
    delete ();
    daemon_end();
}

static void an_import_goes_on_after_every_step(void **state)
{
    static const char *const places[] = {
        "import.fetch:after", "import.fetch:before", "import.load:after",  "import.check:after",
        "import.copy:after",  "import.fit:after",    "import.swap:before", "import.swap:after",
        "import.done:after",  "import.done:before",
    };

    (void)state;
    prepare();
    kill_at_each(places, COUNT_OF(places), begin_import);
    check_events(COUNT_OF(places), 1);
}

static void an_export_goes_on_after_every_step(void **state)
{
    static const char *const places[] = {
        "export.save:before",   "export.save:after",   "export.upload:after",
        "export.commit:before", "export.commit:after", "export.done:after",
    };

    (void)state;
    prepare();
    kill_at_each(places, COUNT_OF(places), begin_export);
    check_events(0, 1 + COUNT_OF(places));
    assert_int_equal(files_there(), 2);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    char *program = server_find(NULL);
    if (program == NULL)
        return 77; /* skipped */
    free(program);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_import_goes_on_after_every_step, begin, end),
        cmocka_unit_test_setup_teardown(an_export_goes_on_after_every_step, begin, end),
    };
    return cmocka_run_group_tests_name("transfers killed", tests, NULL, NULL);
}
