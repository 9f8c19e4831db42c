/* All keys go, and none that was written afterwards. */
#include "caches/op_testing.h"

#define PREMIUM                                                                                    \
    CACHE_OF("Premium", "P", "1", ",\"redisConfiguration\":{\"rdb-backup-enabled\":\"true\"}")

static void all_keys_go(void **state)
{
    struct asked asked;
    char why[CAUSE_MAX_BYTES];

    (void)state;
    daemon_begin();
    create(STANDARD);
    for (size_t i = 0; i < 2; i++) { /* the second one counts from what the first one left */
        ask_client("SET k v", "OK");
        (void)!act("flush", "{}", &asked);
        assert_true(ended_well(&asked, why));
        ask_client("DBSIZE", "0");
        assert_int_equal(events_of("Redgrid.Cache.FlushCompleted"), i + 1);
    }
    drop();
    daemon_end();
}

static void ask_for_it(void)
{
    static struct asked asked;

    wait_for(is_settled, NULL);
    (void)!act("flush", "{}", &asked);
}

static const char *const places[] = {"flush.count:before", "flush.count:after",
                                     "flush.flush:before", "flush.flush:after"};

/* The servers outlive the daemon, and clients write while there is none. */
static void a_killed_flush_removes_nothing_newer(void **state)
{
    char conn[512];

    (void)state;
    world.is_detached = true;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        daemon_begin();
        create(STANDARD);
        ask_client("SET old v", "OK");
        snprintf(conn, sizeof conn, "127.0.0.1:%u,password=%s", world.port, test_key());
        daemon_end();
        daemon_killed_at(places[i], ask_for_it);
        struct redis *client = test_open(hub, conn, REDIS_SHARED, NULL);
        bool was_flushed = i + 1 == COUNT_OF(places);
        test_ask(loop, client, "SET new v", "OK");
        daemon_begin();
        wait_for(is_idle, NULL);
        test_ask(loop, client, "EXISTS old", "0");
        test_ask(loop, client, "EXISTS new", was_flushed ? "1" : "0");
        redis_close(client);
        assert_int_equal(events_of("Redgrid.Cache.FlushCompleted"), i + 1);
        drop();
        daemon_end();
    }
}

/* Servers that ended with the daemon have lost count: what they hold is kept, and the flush says
 * that it failed. */
static void a_flush_that_lost_count_removes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        daemon_begin();
        create(PREMIUM);
        ask_client("SET old v", "OK");
        daemon_end();
        daemon_killed_at(places[i], ask_for_it);
        wait_for_servers_to_end();
        daemon_begin();
        wait_for(is_idle, NULL);
        ask_client("EXISTS old", i == 2 ? "1" : "0");
        assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), i >= 2 ? 1 : 0);
        drop();
        daemon_end();
    }
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    char *program = server_find(NULL);
    if (program == NULL)
        return 77; /* skipped */
    free(program);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_keys_go, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_killed_flush_removes_nothing_newer, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(a_flush_that_lost_count_removes_nothing, world_begin,
                                        world_end),
    };
    return cmocka_run_group_tests_name("flush", tests, NULL, NULL);
}
