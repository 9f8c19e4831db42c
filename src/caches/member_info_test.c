/* What INFO says, read from texts; and what only two real servers show: when they are in sync. */
#include "caches/member.h"

#include "caches/member_testing.h"
#include "loop/process.h"

static void a_primary_is_read(void **state)
{
    struct member_info info;

    (void)state;
    member_info_read(SLICE("# Clients\r\nconnected_clients:3\r\n# Memory\r\nused_memory:1048576\r\n"
                           "used_memory_human:1.00M\r\nmaxmemory:2097152\r\n# Persistence\r\n"
                           "loading:0\r\nasync_loading:0\r\nrdb_bgsave_in_progress:1\r\n"
                           "rdb_last_save_time:1700000000\r\nrdb_last_bgsave_status:ok\r\n"
                           "aof_enabled:1\r\naof_rewrite_in_progress:0\r\n"
                           "aof_rewrite_scheduled:1\r\naof_last_bgrewrite_status:ok\r\n"
                           "# Stats\r\nevicted_keys:7\r\n# Replication\r\nrole:master\r\n"
                           "connected_slaves:2\r\n"
                           "slave0:ip=127.77.0.2,port=6379,state=online,offset=140,lag=0\r\n"
                           "slave1:ip=127.77.0.3,port=6380,state=wait_bgsave,offset=0,lag=0\r\n"
                           "master_replid:8371445ee47bae09e6c5c6a0e4e0b1aefd4c4b4d\r\n"
                           "master_repl_offset:154\r\n# Commandstats\r\n"
                           "cmdstat_flushall:calls=2,usec=9,usec_per_call=4.50\r\n# Cluster\r\n"
                           "cluster_enabled:1\r\n# Keyspace\r\ndb0:keys=5,expires=0,avg_ttl=0\r\n"
                           "db11:keys=10,expires=1,avg_ttl=0\r\n"),
                     &info);
    assert_true(info.is_primary);
    assert_false(info.is_loading);
    assert_int_equal(info.offset, 154);
    assert_string_equal(info.replid, "8371445ee47bae09e6c5c6a0e4e0b1aefd4c4b4d");
    assert_int_equal(info.replica_count, 2);
    assert_string_equal(info.replicas[0].address, "127.77.0.2");
    assert_int_equal(info.replicas[0].port, 6379);
    assert_true(info.replicas[0].is_online);
    assert_int_equal(info.replicas[0].offset, 140);
    assert_false(info.replicas[1].is_online);
    assert_int_equal(info.used_bytes, 1048576);
    assert_int_equal(info.maxmemory_bytes, 2097152);
    assert_int_equal(info.evicted_keys, 7);
    assert_int_equal(info.keys, 15);
    assert_int_equal(info.clients, 3);
    assert_true(info.is_saving && info.is_save_ok && info.has_aof && info.is_rewriting);
    assert_true(info.is_rewrite_ok && info.is_cluster);
    assert_int_equal(info.saved_unix_s, 1700000000);
    assert_int_equal(info.flush_calls, 2);
}

static void a_replica_is_read(void **state)
{
    struct member_info info;

    (void)state;
    member_info_read(SLICE("loading:0\r\nasync_loading:1\r\nrdb_last_bgsave_status:err\r\n"
                           "role:slave\r\nmaster_host:127.77.0.1\r\nmaster_port:6379\r\n"
                           "master_link_status:up\r\nmaster_sync_in_progress:0\r\n"
                           "slave_repl_offset:84\r\nslave_read_only:1\r\n"
                           "master_repl_offset:80\r\ndatabases:1\r\n"),
                     &info);
    assert_false(info.is_primary);
    assert_true(info.is_loading && info.is_link_up);
    assert_false(info.is_syncing || info.is_save_ok || info.has_aof);
    assert_string_equal(info.primary_address, "127.77.0.1");
    assert_int_equal(info.primary_port, 6379);
    assert_int_equal(info.offset, 84);
    assert_int_equal(info.replica_count, 0);
    assert_int_equal(info.keys, 0);
}

/* ---- real ones ---- */

static struct member_info ask(struct member *member)
{
    struct test_wait wait = TEST_WAIT;
    struct member_info info;

    member_info(member, &info, &wait.op);
    test_fine(&wait);
    return info;
}

static void a_server_tells_of_itself(const char *program)
{
    world_begin(program);
    struct member *member = test_started(1, NULL);
    test_say(member, "SET a b", "OK");
    test_say(member, "FLUSHALL", "OK");
    test_say(member, "SET a b", "OK");
    struct member_info info = ask(member);
    assert_true(info.is_primary && info.is_save_ok);
    assert_false(info.is_cluster || info.has_aof || info.is_loading);
    assert_int_equal(info.keys, 1);
    assert_int_equal(info.flush_calls, 1);
    assert_int_equal(info.maxmemory_bytes, 262144000);
    assert_true(info.used_bytes > 0 && info.saved_unix_s > 0 && strlen(info.replid) == 40);
    struct test_wait wait = TEST_WAIT;
    member_info(member, &info, &wait.op);
    op_abort(&wait.op);
    assert_int_equal(test_end(&wait), E_CANCELED);
    test_gone(member);
    world_end();
}

static enum err sync_with(struct member *replica, struct member *primary, uint64_t limit_ms,
                          struct test_wait *wait)
{
    *wait = TEST_WAIT;
    member_sync(replica, primary, limit_ms, &wait->op);
    return test_end(wait);
}

/* As soon as it is said to be in sync the primary dies: nothing that was there may be missing. */
static void in_sync_is_in_sync(const char *program)
{
    struct test_wait wait;

    world_begin(program);
    for (int i = 0; i < 5; i++) {
        struct member *primary = test_started(1, NULL);
        test_say(primary, "SET before 1", "OK");
        struct member *replica = test_started(2, primary);
        test_say(primary, "SET meanwhile 2", "OK");
        if (sync_with(replica, primary, DEADLINE_MS, &wait) != E_OK)
            fail_msg("%s", wait.why);
        member_kill(primary);
        TEST_UNTIL(!member_is_up(primary));
        struct test_talk talk = TEST_TALK;
        const struct member_door door = {test_addresses, COUNT_OF(test_addresses), false};
        member_admit(replica, &door, &talk.talk);
        test_talked_fine(&talk);
        member_talk_done(&talk.talk);
        test_say(replica, "GET before", "1");
        test_say(replica, "GET meanwhile", "2");
        member_free(primary);
        test_gone(replica);
    }
    world_end();
}

static void what_does_not_follow_is_not_in_sync(const char *program)
{
    struct test_wait wait;

    world_begin(program);
    struct member *primary = test_started(1, NULL), *other = test_started(2, NULL);
    struct member *replica = test_started(3, primary);
    assert_int_equal(sync_with(replica, primary, DEADLINE_MS, &wait), E_OK);
    assert_int_equal(sync_with(other, primary, 50, &wait), E_TIMEOUT);
    assert_non_null(strstr(wait.why, "test/n2: not in sync with test/n1 in time: link down"));
    assert_int_equal(sync_with(replica, other, 50, &wait), E_TIMEOUT); /* another history */
    struct test_talk talk = TEST_TALK;
    member_follow(other, member_record(primary)->address, member_record(primary)->port, &talk.talk);
    test_talked_fine(&talk);
    member_talk_done(&talk.talk);
    assert_int_equal(sync_with(other, primary, DEADLINE_MS, &wait), E_OK);
    assert_int_equal(ask(primary).replica_count, 2);
    wait = TEST_WAIT;
    assert_int_equal(kill(member_pid(primary), SIGSTOP), 0);
    member_sync(replica, primary, DEADLINE_MS, &wait.op);
    op_abort(&wait.op);
    assert_int_equal(test_end(&wait), E_CANCELED);
    member_kill(primary);
    TEST_UNTIL(!member_is_up(primary));
    assert_int_equal(sync_with(replica, primary, DEADLINE_MS, &wait), E_CLOSED);
    member_free(primary);
    test_gone(replica);
    test_gone(other);
    world_end();
}

static void real_a_server_tells_of_itself(void **state)
{
    (void)state;
    with_each_server(a_server_tells_of_itself);
}

static void real_in_sync_is_in_sync(void **state)
{
    (void)state;
    with_each_server(in_sync_is_in_sync);
}

static void real_what_does_not_follow_is_not_in_sync(void **state)
{
    (void)state;
    with_each_server(what_does_not_follow_is_not_in_sync);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_primary_is_read),
        cmocka_unit_test(a_replica_is_read),
        cmocka_unit_test(real_a_server_tells_of_itself),
        cmocka_unit_test(real_in_sync_is_in_sync),
        cmocka_unit_test(real_what_does_not_follow_is_not_in_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
