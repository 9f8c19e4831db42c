/* What a client says to a server before it is ready, and what it learns. */
#include "redis/testing.h"

static struct redis *open_with(const char *more)
{
    char conn[512];
    snprintf(conn, sizeof conn, "%s%s", server.conn, more);
    return test_open(hub, conn, REDIS_DEDICATED, "Functions.some name");
}

static void a_name_is_given_and_a_database_chosen(void **state)
{
    (void)state;
    test_server_start(&server, "");
    struct redis *plain = open_with("");
    struct redis *named = open_with(",name=mine,defaultDatabase=3");

    test_ask(loop, plain, "CLIENT GETNAME", "Functions.some_name");
    test_ask(loop, named, "CLIENT GETNAME", "mine");
    test_ask(loop, named, "SET k v", "OK");
    test_ask(loop, plain, "EXISTS k", "0");
    test_ask(loop, plain, "SELECT 3", "OK");
    test_ask(loop, plain, "GET k", "v");
    redis_close(plain);
    redis_close(named);
    assert_int_equal(lines.count, 0);
}

static void a_database_that_is_not_there_is_told(void **state)
{
    (void)state;
    test_server_start(&server, "--databases 2");
    struct redis *redis = open_with(",defaultDatabase=2");

    test_wait_line("REDIS-LOST");
    assert_non_null(strstr(lines.last, "DB index is out of range"));
    redis_close(redis);
}

static void users_and_passwords_are_used(void **state)
{
    (void)state;
    test_server_start(&server, "--requirepass root --user u on >p ~* +@all");
    struct redis *old = open_with(",password=root");
    struct redis *user = open_with(",user=u,password=p");
    struct redis *three = open_with(",user=u,password=p,protocol=resp3");

    test_ask(loop, old, "ACL WHOAMI", "default");
    test_ask(loop, user, "ACL WHOAMI", "u");
    test_ask(loop, three, "ACL WHOAMI", "u");
    test_ask(loop, three, "HSET h f v", "1");
    test_ask(loop, three, "HGETALL h", "[f v]");
    assert_int_equal(lines.count, 0);
    redis_close(old);
    redis_close(user);
    redis_close(three);
}

static void a_password_too_many_does_no_harm(void **state)
{
    (void)state;
    test_server_start(&server, "");
    struct redis *redis = open_with(",password=needless");
    test_ask(loop, redis, "PING", "PONG");
    redis_close(redis);
}

static void a_wrong_password_is_an_error_once_and_may_be_mended(void **state)
{
    (void)state;
    test_server_start(&server, "--requirepass secret");
    struct redis *root = open_with(",password=secret");
    struct redis *wrong = open_with(",password=later");
    struct redis *none = open_with("");

    test_wait(loop, test_is_ready, root);
    test_wait_ms(loop, test_never, NULL, 400);                  /* several attempts */
    assert_int_equal(test_lines_of(&lines, "REDIS-DENIED"), 2); /* one for each */
    assert_int_equal(lines.count, 2);
    assert_null(strstr(lines.last, "later"));
    test_ask(loop, root, "CONFIG SET requirepass later", "OK");
    test_ask(loop, wrong, "PING", "PONG");
    assert_int_equal(test_lines_of(&lines, "REDIS-RESTORED"), 1);
    test_ask(loop, root, "CONFIG SET requirepass ''", "OK");
    redis_close(root);
    redis_close(wrong);
    redis_close(none);
}

static unsigned features_of(const struct redis *redis)
{
    unsigned bits = 0;
    for (int i = 0; i < REDIS_FEATURE_COUNT; i++)
        bits |= (unsigned)redis_can(redis, (enum redis_feature)i) << i;
    return bits;
}

static bool test_can_run_scripts(void *ctx)
{
    return redis_is_ready(ctx) && redis_can(ctx, REDIS_SCRIPTS);
}

#define BIT(feature) (1u << (feature))
#define ALL (BIT(REDIS_FEATURE_COUNT) - 1)
#define USUAL (ALL & ~BIT(REDIS_CLUSTER))

static void a_server_tells_what_it_can(void **state)
{
    (void)state;
    static const struct {
        const char *args, *options;
        unsigned features;
    } rows[] = {
        {"", "", USUAL},
        {"", ",proxy=twemproxy", USUAL & ~BIT(REDIS_BLOCK)},
        {"", ",protocol=resp3", USUAL},
        {"--rename-command LMOVE ''", "", USUAL & ~BIT(REDIS_LMOVE)},
        {"--rename-command BLMOVE ''", "", USUAL & ~BIT(REDIS_LMOVE)},
        {"--rename-command BLMPOP ''", "", USUAL & ~BIT(REDIS_LMPOP)},
        {"--rename-command XREADGROUP ''", "", USUAL & ~BIT(REDIS_STREAMS)},
        {"--rename-command XAUTOCLAIM ''", "", USUAL & ~BIT(REDIS_XAUTOCLAIM)},
        {"--rename-command EVAL ''", "", USUAL & ~BIT(REDIS_SCRIPTS)},
        {"--rename-command LPOP ''", "", USUAL & ~BIT(REDIS_POP_COUNT)},
        {"--rename-command EVAL run", ",$EVAL=run", USUAL},
        {"", ",$XADD=", USUAL & ~BIT(REDIS_STREAMS)},
        {"--cluster-enabled yes", "", ALL},
        {"--rename-command COMMAND ''", "", USUAL},
        {"--rename-command COMMAND '' --rename-command INFO ''", "",
         BIT(REDIS_SCRIPTS) | BIT(REDIS_BLOCK)},
        {"--rename-command COMMAND '' --rename-command INFO ''", ",version=6.2",
         USUAL & ~BIT(REDIS_LMPOP)},
        {"", ",$COMMAND=,$INFO=,$PING=,$CLIENT=,version=5.0",
         BIT(REDIS_SCRIPTS) | BIT(REDIS_BLOCK) | BIT(REDIS_STREAMS)},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_server_start(&server, rows[i].args);
        struct redis *redis = open_with(rows[i].options);
        test_wait(loop, test_is_ready, redis);
        if (features_of(redis) != rows[i].features)
            fail_msg("%s %s: %x, not %x", rows[i].args, rows[i].options, features_of(redis),
                     rows[i].features);
        redis_cannot(redis, REDIS_BLOCK);
        assert_false(redis_can(redis, REDIS_BLOCK));
        redis_close(redis);
        test_server_stop(&server);
    }
    assert_int_equal(lines.count, 0);
    test_server_start(&server, "");
}

/* Whether our user may run scripts is found out by trying, again with every connection. */
static void who_may_not_run_scripts_is_told_once(void **state)
{
    (void)state;
    test_server_start(&server, "--user u on >p ~* &* +@all -@scripting");
    char conn[256];
    snprintf(conn, sizeof conn, "%s,user=u,password=p", server.conn);
    struct redis *other = open_with("");
    struct redis *redis = test_open(hub, conn, REDIS_SHARED, NULL);

    test_wait(loop, test_is_ready, redis);
    assert_false(redis_can(redis, REDIS_SCRIPTS));
    test_ask(loop, other, "CLIENT KILL USER u", "1");
    test_wait_line("REDIS-RESTORED");
    test_wait(loop, test_is_ready, redis);
    assert_false(redis_can(redis, REDIS_SCRIPTS));
    assert_int_equal(test_lines_of(&lines, "REDIS-NO-SCRIPTS"), 1);
    test_ask(loop, other, "ACL SETUSER u +@all", "OK");
    test_ask(loop, other, "CLIENT KILL USER u", "1");
    test_wait(loop, test_can_run_scripts, redis);
    test_ask(loop, redis, "EVAL return{1} 0", "[1]");
    test_ask(loop, other, "ACL SETUSER u -eval", "OK");
    test_ask(loop, redis, "EVAL return{1} 0", NULL);
    assert_false(redis_can(redis, REDIS_SCRIPTS));
    redis_close(other);
    redis_close(redis);
}

static void renamed_commands_are_sent_by_their_alias(void **state)
{
    (void)state;
    test_server_start(&server, "--rename-command GET fetch");
    struct redis *redis = open_with(",$get=fetch,$SET=");
    struct test_call call = {0};

    test_ask(loop, redis, "MSET k v", "OK");
    test_ask(loop, redis, "GET k", "v");
    assert_int_equal(test_send(redis, "set k v", &call), E_UNSUPPORTED);
    redis_close(redis);
}

static void a_loading_server_is_waited_for(void **state)
{
    (void)state;
    test_server_start(&server, "--loading-process-events-interval-bytes 1024");
    struct redis *redis = open_with("");
    for (int i = 0; i < 50; i++) {
        char line[64];
        snprintf(line, sizeof line, "SETRANGE k%d 3000 x", i);
        test_ask(loop, redis, line, "3001");
    }
    test_ask(loop, redis, "SAVE", "OK");
    test_server_kill(&server);
    test_wait(loop, test_is_down, redis);
    test_server_run(&server, "--rdbcompression no --loading-process-events-interval-bytes 1024 "
                             "--key-load-delay 10000");
    uint64_t start_ms = clock_now_ms();
    test_ask(loop, redis, "EXISTS k49", "1");
    assert_true(clock_now_ms() - start_ms > 100); /* it did load for a while */
    assert_int_equal(test_lines_of(&lines, "REDIS-LOST"), 1);
    assert_int_equal(test_lines_of(&lines, "REDIS-RESTORED"), 1);
    redis_close(redis);
}

static void a_replica_is_left_when_it_refuses_a_write(void **state)
{
    (void)state;
    test_server_start(&server, "");
    struct redis *redis = open_with("");
    struct redis *control = open_with(",name=control");
    struct test_call call = {0};

    test_ask(loop, redis, "SET k v", "OK");
    test_ask(loop, control, "REPLICAOF 127.0.0.1 1", "OK");
    assert_int_equal(test_send(redis, "SET k w", &call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_REDIS);
    assert_true(resp_is_error(call.kept->root, SLICE("READONLY")));
    reply_unref(call.kept);
    test_wait_ms(loop, test_never, NULL, 500); /* several attempts: it is still a replica */
    assert_false(redis_is_ready(redis));
    assert_int_equal(lines.count, 1);
    test_ask(loop, control, "REPLICAOF NO ONE", "OK");
    test_ask(loop, redis, "SET k w", "OK");
    assert_int_equal(test_lines_of(&lines, "REDIS-RESTORED"), 1);
    redis_close(redis);
    redis_close(control);
}

static void the_primary_of_several_endpoints_is_found(void **state)
{
    (void)state;
    struct test_server replica;
    char conn[512];

    test_server_start(&server, "");
    test_server_start(&replica, "--replicaof 127.0.0.1 1");
    snprintf(conn, sizeof conn, "!/nowhere,%s,%s", replica.conn, server.conn);
    struct redis *redis = test_open(hub, conn, REDIS_SHARED, NULL);
    test_ask(loop, redis, "SET k v", "OK");
    redis_close(redis);
    snprintf(conn, sizeof conn, "%s,!/nowhere", replica.conn);
    redis = test_open(hub, conn, REDIS_SHARED, NULL);
    test_wait_ms(loop, test_never, NULL, 300);
    assert_false(redis_is_ready(redis)); /* one replica and one unknown: perhaps the primary */
    redis_close(redis);
    snprintf(conn, sizeof conn, "%s,%s", replica.conn, replica.conn);
    redis = test_open(hub, conn, REDIS_SHARED, NULL);
    test_ask(loop, redis, "GET k", "nil"); /* nothing but replicas: better than nothing */
    redis_close(redis);
    test_server_stop(&replica);
}

static void a_cluster_that_is_down_is_told(void **state)
{
    (void)state;
    test_server_start(&server, "--cluster-enabled yes");
    struct redis *redis = open_with("");
    struct test_call call = {0};

    test_wait(loop, test_is_ready, redis);
    assert_int_equal(test_send(redis, "GET k", &call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_REDIS);
    assert_non_null(strstr(call.why, "CLUSTERDOWN"));
    assert_false(redis_is_ready(redis));
    reply_unref(call.kept);
    test_wait(loop, test_is_ready, redis);
    redis_close(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_is_given_and_a_database_chosen, test_begin,
                                        test_end),
        cmocka_unit_test_setup_teardown(a_database_that_is_not_there_is_told, test_begin, test_end),
        cmocka_unit_test_setup_teardown(users_and_passwords_are_used, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_password_too_many_does_no_harm, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_wrong_password_is_an_error_once_and_may_be_mended,
                                        test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_server_tells_what_it_can, test_begin, test_end),
        cmocka_unit_test_setup_teardown(who_may_not_run_scripts_is_told_once, test_begin, test_end),
        cmocka_unit_test_setup_teardown(renamed_commands_are_sent_by_their_alias, test_begin,
                                        test_end),
        cmocka_unit_test_setup_teardown(a_loading_server_is_waited_for, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_replica_is_left_when_it_refuses_a_write, test_begin,
                                        test_end),
        cmocka_unit_test_setup_teardown(the_primary_of_several_endpoints_is_found, test_begin,
                                        test_end),
        cmocka_unit_test_setup_teardown(a_cluster_that_is_down_is_told, test_begin, test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
