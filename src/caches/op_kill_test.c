/* The daemon is killed in every step of what moves the primary, and another one goes on. */
#include "caches/op_testing.h"

struct murder {
    const char *kind, *arguments, *event;
    const char *places[7]; /* STEP:before or STEP:after, ended by NULL */
};

static const struct murder *murder;

static void begin_it(void)
{
    struct asked asked;

    wait_for(is_settled, NULL);
    (void)!act(murder->kind, murder->arguments, &asked);
}

/* Its servers live on: what was written is there, and it has ended once. */
static void kill_at(const char *place)
{
    char where[64];

    snprintf(where, sizeof where, "%s.%s", murder->kind, place);
    flush_store();
    world.is_detached = true;
    daemon_begin();
    create(STANDARD);
    ask_client("SET k v", "OK");
    daemon_end();
    daemon_killed_at(where, begin_it);
    daemon_begin();
    wait_for_event(murder->event);
    wait_for(is_idle, NULL);
    ask_client("GET k", "v");
    ask_client("SET k w", "OK");
    assert_int_equal(events_of(murder->event), 1);
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 0);
    assert_int_equal(events_of("Redgrid.Cache.DataLost"), 0);
    assert_int_equal(cache_shard_of(the_cache(), 0)->member_count, 2);
    drop();
    daemon_end();
}

static void kill_everywhere(const struct murder *which)
{
    murder = which;
    for (size_t i = 0; murder->places[i] != NULL; i++)
        kill_at(murder->places[i]);
}

static void a_failover_is_ended_by_the_next_daemon(void **state)
{
    static const struct murder failover = {
        "failover",
        "{}",
        "\"eventType\":\"Redgrid.Cache.FailoverCompleted",
        {"announce:before", "handover:before", "handover:after", "done:after"}};

    (void)state;
    kill_everywhere(&failover);
}

static void a_patch_is_ended_by_the_next_daemon(void **state)
{
    static const struct murder patch = {"patch",
                                        "{}",
                                        "\"eventType\":\"Microsoft.Cache.PatchingCompleted",
                                        {"replicas:before", "replicas:after", "successor:after",
                                         "move:before", "move:after", "rest:after"}};

    (void)state;
    kill_everywhere(&patch);
}

static void a_reboot_is_ended_by_the_next_daemon(void **state)
{
    static const struct murder reboot = {
        "reboot",
        "{\"rebootType\":\"AllNodes\"}",
        "\"eventType\":\"Redgrid.Cache.RebootCompleted",
        {"replicas:before", "replicas:after", "move:before", "move:after", "old:after"}};

    (void)state;
    kill_everywhere(&reboot);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failover_is_ended_by_the_next_daemon, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(a_patch_is_ended_by_the_next_daemon, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(a_reboot_is_ended_by_the_next_daemon, world_begin,
                                        world_end),
    };

    return cmocka_run_group_tests_name("operations, killed", tests, NULL, NULL);
}
