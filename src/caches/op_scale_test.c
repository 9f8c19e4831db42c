/* Another size, another tier, more replicas and fewer. */
#include "caches/op_testing.h"

#define BASIC_OF(size) CACHE_OF("Basic", "C", size, ",\"enableNonSslPort\":true")
#define STANDARD_OF(size) CACHE_OF("Standard", "C", size, ",\"enableNonSslPort\":true")
#define PREMIUM_OF(size, replicas)                                                                 \
    CACHE_OF("Premium", "P", size, ",\"replicasPerPrimary\":" replicas)

static size_t copies(void)
{
    const struct cache_shard *shard = cache_shard_of(the_cache(), 0);
    size_t count = 0;

    for (size_t i = 0; i < shard->member_count; i++)
        count += &shard->members[i] != cache_shard_primary(shard) && shard->members[i].is_in_sync &&
                 cache_is_up(the_cache(), shard->members[i].name);
    return count;
}

static void assert_member_config(const char *member, const char *name, const char *value)
{
    char line[128], expected[256];

    snprintf(line, sizeof line, "CONFIG GET %s", name);
    snprintf(expected, sizeof expected, "[%s %s]", name, value);
    ask_member(member, line, expected);
}

static void a_size_changes_in_place(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD_OF("1"));
    pid_t first = pid_of("n1"), second = pid_of("n2");
    patch_well(STANDARD_OF("2"));
    assert_member_config("n1", "maxclients", "2000");
    patch_well(STANDARD_OF("1"));
    assert_member_config("n2", "maxclients", "1000");
    patch_well(PREMIUM_OF("1", "1"));
    assert_member_config("n1", "maxclients", "7500");
    assert_member_config("n2", "maxclients", "7500");
    assert_int_equal(pid_of("n1"), first);
    assert_int_equal(pid_of("n2"), second);
    assert_int_equal(events_of("Microsoft.Cache.ScalingCompleted"), 3);
    assert_int_equal(events_of("NodeDown"), 0);
    drop();
    daemon_end();
}

static void basic_gets_its_replica(void **state)
{
    (void)state;
    daemon_begin();
    create(BASIC_OF("1"));
    struct redis *client = client_open();
    test_ask(loop, client, "SET k v", "OK");
    pid_t first = pid_of("n1");
    patch_well(STANDARD_OF("1"));
    assert_int_equal(copies(), 1);
    assert_int_equal(pid_of("n1"), first);
    test_ask(loop, client, "GET k", "v"); /* by the connection that there was */
    ask_member("n2", "GET k", "v");
    redis_close(client);
    drop();
    daemon_end();
}

static void replicas_come_and_go(void **state)
{
    (void)state;
    daemon_begin();
    create(PREMIUM_OF("1", "1"));
    ask_client("SET k v", "OK");
    patch_well(PREMIUM_OF("1", "3"));
    assert_int_equal(copies(), 3);
    patch_well(PREMIUM_OF("1", "2"));
    assert_int_equal(copies(), 2);
    assert_int_equal(cache_shard_of(the_cache(), 0)->member_count, 3);
    patch_well(PREMIUM_OF("1", "1"));
    assert_int_equal(copies(), 1);
    assert_int_equal(cache_shard_of(the_cache(), 0)->member_count, 2);
    ask_client("GET k", "v");
    assert_int_equal(events_of("NodeDown"), 0);
    drop();
    daemon_end();
}

/* ---- what cannot be ---- */

static void assert_refused(const char *properties, const char *part)
{
    struct asked asked;

    assert_int_equal(patch(properties, &asked), E_BAD_INPUT);
    if (strstr(asked.ending.why, part) == NULL)
        fail_msg("%s: %s", properties, asked.ending.why);
}

static void what_cannot_be_is_refused_before(void **state)
{
    (void)state;
    daemon_begin();
    create(BASIC_OF("2"));
    assert_refused(PREMIUM_OF("1", "1"), "sku.name");
    assert_refused(STANDARD_OF("1"), "sku.capacity");
    assert_refused(BASIC_OF("0"), "sku.capacity");
    patch_well(STANDARD_OF("2"));
    assert_refused(BASIC_OF("2"), "sku.name");
    assert_refused(STANDARD_OF("0"), "sku.capacity");
    patch_well(PREMIUM_OF("1", "1"));
    assert_refused(STANDARD_OF("2"), "sku.name");
    assert_refused(CACHE_OF("Premium", "P", "2", ",\"shardCount\":2"), "shardCount");
    assert_int_equal(events_of("Microsoft.Cache.ScalingCompleted"), 2);
    assert_int_equal(events_of("Redgrid.Cache.OperationStarted"), 3);
    drop();
    daemon_end();
}

static void fill(size_t megabytes)
{
    struct redis *client = client_open();

    for (size_t i = 0; i < megabytes; i++) {
        char line[64];
        snprintf(line, sizeof line, "SETRANGE k%zu 1048575 x", i);
        test_ask(loop, client, line, "1048576");
    }
    redis_close(client);
}

#define WITH_MEMORY(text, policy)                                                                  \
    "{\"redisConfiguration\":{\"redgrid-max-memory\":\"" text "\",\"maxmemory-policy\":\"" policy  \
    "\"}}"

static void what_is_in_use_must_fit(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD_OF("1"));
    fill(24);
    assert_refused(WITH_MEMORY("16mb", "noeviction"), "are in use");
    patch_well(WITH_MEMORY("16mb", "allkeys-lru"));
    assert_member_config("n1", "maxmemory", "16777216");
    assert_member_config("n2", "maxmemory", "16777216");
    ask_client("SET k v", "OK");
    drop();
    daemon_end();
}

static void the_memory_must_be_there(void **state)
{
    (void)state;
    world.budget_bytes = 2 * 64 * CACHE_MB;
    daemon_begin();
    create(BASIC_OF("1"));
    patch_well(STANDARD_OF("1"));
    patch_well(PREMIUM_OF("1", "1"));
    assert_refused(PREMIUM_OF("1", "2"), "64 MB more are needed, 128 MB of the 128 MB");
    assert_int_equal(cache_shard_of(the_cache(), 0)->member_count, 2);
    drop();
    daemon_end();
}

/* ---- what fails ---- */

/* The replica cannot be started: what was told to the primary before is taken back. */
static void what_fails_is_undone(void **state)
{
    struct asked asked;
    char why[CAUSE_MAX_BYTES], program[128];
    FILE *file;

    (void)state;
    daemon_begin();
    snprintf(program, sizeof program, "%s/redis-server", world.data);
    file = fopen(program, "w");
    assert_non_null(file);
    assert_true(fputs("#!/bin/sh\necho it is broken\nexit 1\n", file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(program, 0700), 0);
    create(BASIC_OF("1"));
    ask_client("SET k v", "OK");
    char *path = slice_dup(slice_of(getenv("PATH")));
    setenv("PATH", world.data, 1);
    (void)!patch("{\"sku\":{\"name\":\"Standard\",\"family\":\"C\",\"capacity\":1},"
                 "\"redisConfiguration\":{\"maxmemory-policy\":\"allkeys-lru\"}}",
                 &asked);
    assert_false(ended_well(&asked, why));
    setenv("PATH", path, 1);
    free(path);
    unlink(program);
    assert_member_config("n1", "maxmemory-policy", "volatile-lru");
    assert_int_equal(cache_shard_of(the_cache(), 0)->member_count, 1);
    assert_true(shows("\"Basic\""));
    assert_true(shows(SUCCEEDED));
    ask_client("GET k", "v");
    assert_int_equal(events_of("Microsoft.Cache.ScalingCompleted"), 1);
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 1);
    drop();
    daemon_end();
}

/* Whoever of the two dies meanwhile, it is ended well, with all there was. */
static void a_death_meanwhile_is_repaired(void **state)
{
    static const char *const victims[] = {"n1", "n2"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(victims); i++) {
        struct asked asked;
        char why[CAUSE_MAX_BYTES];
        daemon_begin();
        create(PREMIUM_OF("1", "1"));
        ask_client("SET k v", "OK");
        assert_int_equal(patch(PREMIUM_OF("2", "2"), &asked), E_OK);
        wait_for(has_operation, NULL);
        kill(pid_of(victims[i]), SIGKILL);
        assert_true(ended_well(&asked, why));
        assert_int_equal(copies(), 2);
        assert_int_equal(cache_shard_of(the_cache(), 0)->member_count, 3);
        assert_member_config("n1", "maxclients", "15000");
        assert_member_config("n2", "maxclients", "15000");
        ask_client("GET k", "v");
        assert_int_equal(events_of("Microsoft.Cache.ScalingCompleted"), i + 1);
        drop();
        daemon_end();
    }
}

/* ---- a daemon that is killed ---- */

static const char *const places[] = {
    "scale.values:before", "scale.values:after", "scale.link:before",     "scale.link:after",
    "scale.users:before",  "scale.users:after",  "scale.replicas:before", "scale.replicas:after",
    "scale.done:before",   "scale.done:after",
};

static void ask_for_more(void)
{
    static struct asked asked;

    wait_for(is_settled, NULL);
    (void)!patch(PREMIUM_OF("2", "2"), &asked);
}

static void ask_for_less(void)
{
    static struct asked asked;

    wait_for(is_settled, NULL);
    (void)!patch(PREMIUM_OF("1", "1"), &asked);
}

static void a_daemon_killed_meanwhile_ends_it_later(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(places); i++) {
        bool has_more = i % 4 < 2;
        world.is_detached = i % 2 == 0;
        daemon_begin();
        create(has_more ? PREMIUM_OF("1", "1") : PREMIUM_OF("2", "2"));
        daemon_end();
        daemon_killed_at(places[i / 2], has_more ? ask_for_more : ask_for_less);
        if (!world.is_detached)
            wait_for_servers_to_end();
        daemon_begin();
        wait_for(is_idle, NULL);
        assert_int_equal(copies(), has_more ? 2 : 1);
        assert_int_equal(cache_shard_of(the_cache(), 0)->member_count, has_more ? 3 : 2);
        assert_member_config(cache_primary(the_cache(), 0)->name, "maxclients",
                             has_more ? "15000" : "7500");
        assert_int_equal(events_of("Microsoft.Cache.ScalingCompleted"), i + 1);
        assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 0);
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
        cmocka_unit_test_setup_teardown(a_size_changes_in_place, world_begin, world_end),
        cmocka_unit_test_setup_teardown(basic_gets_its_replica, world_begin, world_end),
        cmocka_unit_test_setup_teardown(replicas_come_and_go, world_begin, world_end),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused_before, world_begin, world_end),
        cmocka_unit_test_setup_teardown(what_is_in_use_must_fit, world_begin, world_end),
        cmocka_unit_test_setup_teardown(the_memory_must_be_there, world_begin, world_end),
        cmocka_unit_test_setup_teardown(what_fails_is_undone, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_death_meanwhile_is_repaired, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_daemon_killed_meanwhile_ends_it_later, world_begin,
                                        world_end),
    };
    return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
