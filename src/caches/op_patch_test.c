/* Failing over on request, patching and rebooting, with real servers and the engine. */
#include "caches/op_testing.h"
#include "caches/testing_load.h"

static void assert_primary(const char *name)
{
    assert_string_equal(cache_primary(the_cache(), 0)->name, name);
}

static void a_replica_takes_over_on_request(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    ask_client("SET k v", "OK");
    for (size_t i = 0; i < 4; i++) {
        act_to_end("failover", "{\"shardId\":0}");
        assert_primary(i % 2 == 0 ? "n2" : "n1");
        ask_client("GET k", "v");
    }
    assert_int_equal(the_cache()->state.epoch, 5);
    assert_int_equal(events_of("Redgrid.Cache.FailoverCompleted"), 4);
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 0);
    drop();
    daemon_end();
}

/* ---- under load ---- */

static void does_not_lose(const char *properties, size_t writers, const char *const *kinds,
                          size_t count)
{
    daemon_begin();
    create(properties);
    const struct test_place place = {.address = "127.0.0.1", .key = test_key(), .port = world.port};
    struct test_load *load = test_load_start(&place, writers);
    for (size_t i = 0; i < count; i++) {
        act_to_end(kinds[i],
                   strcmp(kinds[i], "reboot") == 0 ? "{\"rebootType\":\"AllNodes\"}" : "{}");
        test_load_more(load);
    }
    struct redis *client = client_open();
    struct test_tally tally = test_load_stop(load, client);
    redis_close(client);
    assert_int_equal(tally.lost, 0);
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 0);
    print_message(
        "%zu operations, %zu writers: %llu acknowledged, longest gap of a client %.1f ms\n", count,
        writers, (unsigned long long)tally.acked, (double)tally.longest_us / 1000);
    drop();
    daemon_end();
}

static void nothing_is_lost_under_load(void **state)
{
    static const char *const kinds[] = {"failover", "patch",    "reboot", "failover",
                                        "patch",    "failover", "reboot", "failover"};

    (void)state;
    does_not_lose(STANDARD, 8, kinds, COUNT_OF(kinds));
}

static void nothing_is_lost_of_basic_under_load(void **state)
{
    static const char *const kinds[] = {"patch", "reboot", "patch"};

    (void)state;
    does_not_lose(BASIC, 1, kinds, COUNT_OF(kinds));
}

static void without_a_replica_it_is_refused(void **state)
{
    struct asked asked;

    (void)state;
    daemon_begin();
    create(BASIC);
    assert_int_equal(act("failover", "{}", &asked), E_BAD_INPUT);
    assert_string_equal(asked.ending.why,
                        "Basic has no replica that could take over; Standard has");
    assert_int_equal(act("failover", "{\"shardId\":1}", &asked), E_BAD_INPUT);
    assert_non_null(strstr(asked.ending.why, "shardId"));
    assert_int_equal(events_of("FailoverCompleted"), 0);
    drop();
    daemon_end();
}

/* Whoever of the two dies meanwhile, the other serves, with all there was. */
static void a_death_meanwhile_is_repaired(void **state)
{
    static const char *const victims[] = {"n1", "n2"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(victims); i++) {
        struct asked asked;
        daemon_begin();
        create(STANDARD);
        ask_client("SET k v", "OK");
        assert_int_equal(act("failover", "{}", &asked), E_OK);
        wait_for(has_operation, NULL);
        kill(member_pid(cache_server(the_cache(), victims[i])), SIGKILL);
        wait_for(is_idle, NULL);
        ask_client("GET k", "v");
        assert_int_equal(events_of("Redgrid.Cache.NodeUp"), i + 1);
        drop();
        daemon_end();
    }
}

/* ---- patch ---- */

static void assert_members(size_t count, const char *const *names)
{
    const struct cache_shard *shard = cache_shard_of(the_cache(), 0);

    assert_int_equal(shard->member_count, count);
    for (size_t i = 0; i < count; i++)
        assert_non_null(cache_state_find(&the_cache()->state, slice_of(names[i])));
}

static void a_patch_replaces_all_and_keeps_the_data(void **state)
{
    static const char *const names[] = {"n3", "n4"};

    (void)state;
    daemon_begin();
    create(STANDARD);
    ask_client("SET k v", "OK");
    act_to_end("patch", "{}");
    ask_client("GET k", "v");
    assert_members(2, names);
    assert_primary("n3");
    assert_int_equal(events_of("Microsoft.Cache.PatchingCompleted"), 1);
    assert_int_equal(events_of("Failed"), 0);
    assert_int_equal(events_of("Redgrid.Cache.FailoverCompleted"), 1);
    drop();
    daemon_end();
}

static void a_patch_of_basic_keeps_the_data(void **state)
{
    static const char *const names[] = {"n2"};

    (void)state;
    daemon_begin();
    create(BASIC);
    ask_client("SET k v", "OK");
    act_to_end("patch", "{}");
    ask_client("GET k", "v");
    assert_members(1, names);
    assert_primary("n2");
    drop();
    daemon_end();
}

static void a_patch_to_a_newer_server_cannot_be_taken_back(void **state)
{
    char *newer = server_find("valkey-server"), *older = server_find("redis-server");
    char body[512];
    struct asked asked;

    (void)state;
    if (newer == NULL || older == NULL) {
        free(newer);
        free(older);
        skip();
    }
    daemon_begin();
    snprintf(body, sizeof body,
             "{\"sku\":{\"name\":\"Standard\",\"family\":\"C\",\"capacity\":1},"
             "\"enableNonSslPort\":true,\"redisConfiguration\":{\"redgrid-server-path\":\"%s\"}}",
             older);
    create(body);
    ask_client("SET k v", "OK");
    snprintf(body, sizeof body, "{\"serverPath\":\"%s\"}", newer);
    act_to_end("patch", body);
    ask_client("GET k", "v");
    const struct cache_shard *shard = cache_shard_of(the_cache(), 0);
    for (size_t i = 0; i < shard->member_count; i++)
        assert_string_equal(shard->members[i].program, newer);
    snprintf(body, sizeof body, "{\"serverPath\":\"%s\"}", older);
    assert_int_equal(act("patch", body, &asked), E_BAD_INPUT);
    assert_non_null(strstr(asked.ending.why, "there is no way back"));
    assert_int_equal(events_of("Microsoft.Cache.PatchingCompleted"), 1);
    free(newer);
    free(older);
    drop();
    daemon_end();
}

/* It says which server it is, has TLS, and never serves. */
static void make_bad_program(char path[128])
{
    char *good = server_find(NULL);
    char text[1024];

    snprintf(path, 128, "%s/bad-server", world.data);
    int len = snprintf(text, sizeof text,
                       "#!/bin/sh\nfor word in \"$@\"; do\n  if [ \"$word\" != - ]; then exec %s "
                       "\"$@\"; fi\ndone\n[ -f lock ] && echo it cannot be >> log\nexit 3\n",
                       good);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0700);
    assert_int_equal(write(fd, text, (size_t)len), len);
    close(fd);
    free(good);
}

static void a_patch_that_fails_leaves_all_as_it_was(void **state)
{
    static const char *const names[] = {"n1", "n2"};
    char path[128], body[256];

    (void)state;
    daemon_begin();
    create(STANDARD);
    ask_client("SET k v", "OK");
    make_bad_program(path);
    snprintf(body, sizeof body, "{\"serverPath\":\"%s\"}", path);
    act_to_end("patch", body);
    ask_client("GET k", "v");
    assert_members(2, names);
    assert_primary("n1");
    assert_int_equal(events_of("Microsoft.Cache.PatchingCompleted"), 1);
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 1);
    assert_int_equal(events_of("FailoverCompleted"), 0);
    unlink(path);
    drop();
    daemon_end();
}

static void without_room_for_one_more_it_is_patched_in_place(void **state)
{
    static const char *const names[] = {"n1", "n2"};
    static const char *const specs[] = {BASIC, STANDARD};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        world.budget_bytes = (i + 1) * 64 * CACHE_MB;
        daemon_begin();
        create(specs[i]);
        ask_client("SET k v", "OK");
        pid_t pid = member_pid(cache_server(the_cache(), "n1"));
        act_to_end("patch", "{}");
        ask_client("GET k", "v");
        assert_members(i + 1, names);
        assert_int_not_equal(member_pid(cache_server(the_cache(), "n1")), pid);
        assert_int_equal(events_of("Microsoft.Cache.PatchingCompleted"), i + 1);
        assert_int_equal(events_of("Failed"), 0);
        drop();
        daemon_end();
    }
}

static void a_patch_in_place_that_fails_starts_the_old_program(void **state)
{
    char path[128], body[256];

    (void)state;
    world.budget_bytes = 64 * CACHE_MB;
    daemon_begin();
    create(BASIC);
    ask_client("SET k v", "OK");
    make_bad_program(path);
    snprintf(body, sizeof body, "{\"serverPath\":\"%s\"}", path);
    act_to_end("patch", body);
    ask_client("GET k", "v");
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 1);
    assert_int_equal(events_of("DataLost"), 0);
    unlink(path);
    drop();
    daemon_end();
}

/* ---- reboot ---- */

static void reboot(const char *type)
{
    char body[64];

    snprintf(body, sizeof body, "{\"rebootType\":\"%s\"}", type);
    act_to_end("reboot", body);
    ask_client("GET k", "v");
}

static void a_reboot_starts_servers_anew_and_keeps_the_data(void **state)
{
    static const char *const names[] = {"n1", "n2"};

    (void)state;
    daemon_begin();
    create(STANDARD);
    ask_client("SET k v", "OK");
    pid_t first = pid_of("n1"), second = pid_of("n2");
    reboot("secondarynode");
    assert_int_equal(pid_of("n1"), first);
    assert_int_not_equal(pid_of("n2"), second);
    assert_primary("n1");
    second = pid_of("n2");
    reboot("PrimaryNode");
    assert_int_not_equal(pid_of("n1"), first);
    assert_int_equal(pid_of("n2"), second);
    assert_primary("n2");
    first = pid_of("n1");
    reboot("AllNodes");
    assert_int_not_equal(pid_of("n1"), first);
    assert_int_not_equal(pid_of("n2"), second);
    assert_primary("n1");
    assert_members(2, names);
    assert_int_equal(events_of("Redgrid.Cache.RebootCompleted"), 3);
    assert_int_equal(events_of("NodeDown"), 0);
    drop();
    daemon_end();
}

static void a_reboot_of_basic_keeps_the_data(void **state)
{
    static const char *const types[] = {"PrimaryNode", "SecondaryNode", "AllNodes"};
    struct asked asked;

    (void)state;
    daemon_begin();
    create(BASIC);
    ask_client("SET k v", "OK");
    for (size_t i = 0; i < COUNT_OF(types); i++)
        reboot(types[i]);
    assert_primary("n4");
    assert_int_equal(act("reboot", "{}", &asked), E_BAD_INPUT);
    assert_int_equal(act("reboot", "{\"rebootType\":\"Some\"}", &asked), E_BAD_INPUT);
    drop();
    daemon_end();
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_replica_takes_over_on_request, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_death_meanwhile_is_repaired, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_patch_replaces_all_and_keeps_the_data, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(a_patch_of_basic_keeps_the_data, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_patch_to_a_newer_server_cannot_be_taken_back, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(a_patch_that_fails_leaves_all_as_it_was, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(without_room_for_one_more_it_is_patched_in_place,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_patch_in_place_that_fails_starts_the_old_program,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_reboot_starts_servers_anew_and_keeps_the_data,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_reboot_of_basic_keeps_the_data, world_begin, world_end),
        cmocka_unit_test_setup_teardown(nothing_is_lost_under_load, world_begin, world_end),
        cmocka_unit_test_setup_teardown(nothing_is_lost_of_basic_under_load, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(without_a_replica_it_is_refused, world_begin, world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
