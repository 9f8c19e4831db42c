/* Caches from their creation to their end, with real servers. */
#include "caches/caches_testing.h"

#define STANDARD                                                                                   \
    "{\"sku\":{\"name\":\"Standard\",\"family\":\"C\",\"capacity\":1},"                            \
    "\"enableNonSslPort\":true}"
#define BASIC                                                                                      \
    "{\"sku\":{\"name\":\"Basic\",\"family\":\"C\",\"capacity\":0},"                               \
    "\"enableNonSslPort\":true}"
#define SUCCEEDED "\"provisioningState\":\"Succeeded\""

static void create(const char *properties)
{
    struct asked asked;

    put(properties, &asked);
    if (asked.ending.err)
        fail_msg("%s", asked.ending.why);
    assert_true(asked.request.is_new);
    assert_int_equal(strlen(asked.request.operation), ID_LEN);
    wait_shown(SUCCEEDED);
    wait_for(is_settled, NULL);
}

static bool is_gone(void *ctx)
{
    (void)ctx;
    return the_cache() == NULL && !shows("c1");
}

static void delete (void)
{
    struct asked asked;

    ask(&asked);
    assert_int_equal(caches_delete(world.caches, SLICE(CACHE_ID), &asked.request), E_OK);
    wait_for(is_over, &asked.ending);
    assert_int_equal(asked.ending.err, E_OK);
    wait_for(is_gone, NULL);
    assert_false(shows("c1"));
}

static void kill_member(const char *name)
{
    kill(member_pid(cache_server(the_cache(), name)), SIGKILL);
}

static void a_cache_serves_until_it_is_deleted(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    struct redis *client = client_open();
    test_ask(loop, client, "SET k v", "OK");
    redis_close(client);
    assert_int_equal(events_of("Redgrid.Cache.Created"), 1);
    assert_int_equal(events_of("Redgrid.Cache.OperationStarted"), 1);
    delete ();
    daemon_end();
}

static void a_dead_primary_is_replaced(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    struct redis *client = client_open();
    test_ask(loop, client, "SET k v", "OK");
    kill_member("n1");
    wait_shown("\"epoch\":2");
    wait_for(is_settled, NULL);
    test_ask(loop, client, "GET k", "v");
    redis_close(client);
    assert_int_equal(events_of("Redgrid.Cache.FailoverCompleted"), 1);
    assert_int_equal(events_of("Redgrid.Cache.NodeDown"), 1);
    assert_int_equal(events_of("Redgrid.Cache.NodeUp"), 1);
    assert_string_equal(cache_primary(the_cache(), 0)->name, "n2");
    delete ();
    daemon_end();
}

static void a_lost_cache_comes_back_empty_and_says_so(void **state)
{
    (void)state;
    daemon_begin();
    create(BASIC);
    kill_member("n1");
    wait_for_event("Redgrid.Cache.DataLost");
    wait_for(is_settled, NULL);
    struct redis *client = client_open();
    test_ask(loop, client, "DBSIZE", "0");
    redis_close(client);
    assert_int_equal(events_of("Redgrid.Cache.DataLost"), 1);
    delete ();
    daemon_end();
}

static void another_daemon_adopts_what_lives(void **state)
{
    (void)state;
    world.is_detached = true;
    daemon_begin();
    create(STANDARD);
    pid_t pid = member_pid(cache_server(the_cache(), "n1"));
    daemon_end();
    daemon_begin();
    wait_for(is_settled, NULL);
    assert_int_equal(member_pid(cache_server(the_cache(), "n1")), pid);
    assert_int_equal(events_of("Redgrid.Cache.NodeDown"), 0);
    delete ();
    daemon_end();
}

static void a_key_is_made_anew(void **state)
{
    struct asked asked;
    char old[256];

    (void)state;
    daemon_begin();
    create(BASIC);
    snprintf(old, sizeof old, "%s", test_key());
    ask(&asked);
    assert_int_equal(caches_regenerate(world.caches, SLICE(CACHE_ID), 0, true, &asked.request),
                     E_OK);
    wait_for(is_over, &asked.ending);
    assert_int_equal(asked.ending.err, E_OK);
    assert_string_not_equal(test_key(), old);
    struct redis *client = client_open();
    test_ask(loop, client, "PING", "PONG");
    redis_close(client);
    assert_int_equal(events_of("Redgrid.Cache.KeysRegenerated"), 1);
    delete ();
    daemon_end();
}

static void ask_for_it(void)
{
    struct asked asked;
    put(STANDARD, &asked);
}

static void ask_for_its_end(void)
{
    static struct asked asked;

    ask(&asked);
    (void)!caches_delete(world.caches, SLICE(CACHE_ID), &asked.request);
}

static void a_daemon_killed_in_a_creation_ends_it_later(void **state)
{
    static const char *const places[] = {"create.primary:before", "create.primary:after",
                                         "create.replicas:before", "create.replicas:after"};

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(places); i++) {
        flush_store();
        world.is_detached = i % 2 == 0;
        daemon_killed_at(places[i / 2], ask_for_it);
        daemon_begin();
        wait_shown(SUCCEEDED);
        wait_for(is_settled, NULL);
        assert_int_equal(events_of("Redgrid.Cache.Created"), 1);
        delete ();
        daemon_end();
    }
}

static void a_daemon_killed_in_a_removal_ends_it_later(void **state)
{
    static const char *const places[] = {"delete.servers:before", "delete.servers:after",
                                         "delete.topics:before", "delete.files:after"};

    (void)state;
    world.is_detached = true;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        daemon_begin();
        create(STANDARD);
        daemon_end();
        daemon_killed_at(places[i], ask_for_its_end);
        daemon_begin();
        wait_for(is_gone, NULL);
        assert_false(shows("c1"));
        daemon_end();
    }
}

static void let_its_primary_die(void)
{
    create(STANDARD);
    kill_member("n1");
}

static void a_failover_is_told_by_the_next_daemon(void **state)
{
    (void)state;
    world.is_detached = true;
    daemon_killed_at("crash.open:after", let_its_primary_die);
    daemon_begin();
    wait_for_event("Redgrid.Cache.FailoverCompleted");
    wait_for(is_settled, NULL);
    assert_int_equal(events_of("Redgrid.Cache.FailoverCompleted"), 1);
    assert_int_equal(events_of("Redgrid.Cache.DataLost"), 0);
    assert_string_equal(cache_primary(the_cache(), 0)->name, "n2");
    delete ();
    daemon_end();
}

static void let_all_of_it_die(void)
{
    create(BASIC);
    kill_member("n1");
}

static void a_loss_is_told_by_the_next_daemon(void **state)
{
    (void)state;
    world.is_detached = true;
    daemon_killed_at("crash.open:after", let_all_of_it_die);
    daemon_begin();
    wait_for_event("Redgrid.Cache.DataLost");
    wait_for(is_settled, NULL);
    assert_int_equal(events_of("Redgrid.Cache.DataLost"), 1);
    delete ();
    daemon_end();
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    char *program = server_find(NULL);
    if (program == NULL)
        return 77; /* skipped */
    free(program);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cache_serves_until_it_is_deleted, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_dead_primary_is_replaced, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_lost_cache_comes_back_empty_and_says_so, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(another_daemon_adopts_what_lives, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_key_is_made_anew, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_failover_is_told_by_the_next_daemon, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(a_loss_is_told_by_the_next_daemon, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_daemon_killed_in_a_creation_ends_it_later, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(a_daemon_killed_in_a_removal_ends_it_later, world_begin,
                                        world_end),
    };
    return cmocka_run_group_tests_name("caches", tests, NULL, NULL);
}
