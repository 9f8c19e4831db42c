#include "redis/testing.h"

static struct test_server primary, replica, sentinel;
static uint16_t primary_port, replica_port, sentinel_port;

/* Sentinel writes into its configuration file and takes no options but this one. */
static void start_sentinel(void)
{
    char file[128];

    test_server_place(&sentinel);
    snprintf(file, sizeof file, "%s/conf", sentinel.dir);
    FILE *conf = fopen(file, "w");
    assert_non_null(conf);
    fprintf(conf,
            "port %u\ndir %s\nunixsocket %s\nlogfile %s/log\nrequirepass sp\n"
            "sentinel monitor m 127.0.0.1 %u 1\nsentinel down-after-milliseconds m 300\n"
            "sentinel failover-timeout m 3000\nsentinel auth-pass m pp\n",
            sentinel_port, sentinel.dir, sentinel.path, sentinel.dir, primary_port);
    fclose(conf);
    sentinel.pid = fork();
    assert_true(sentinel.pid >= 0);
    if (sentinel.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", file, "--sentinel", (char *)NULL);
        _exit(127);
    }
    uint64_t end_ms = clock_now_ms() + TEST_DEADLINE_MS;
    while (!test_knock(sentinel.path)) {
        assert_true(clock_now_ms() < end_ms);
        test_nap();
    }
}

static int begin(void **state)
{
    char args[256];

    test_begin(state);
    primary_port = test_port();
    replica_port = test_port();
    sentinel_port = test_port();
    snprintf(args, sizeof args, "--port %u --requirepass pp --masterauth pp", primary_port);
    test_server_start(&primary, args);
    snprintf(args, sizeof args,
             "--port %u --requirepass pp --masterauth pp --repl-diskless-sync-delay 0 "
             "--replicaof 127.0.0.1 %u",
             replica_port, primary_port);
    test_server_start(&replica, args);
    return 0;
}

static int end(void **state)
{
    test_end(state); /* the clients first: nobody notices that their servers go */
    test_server_stop(&sentinel);
    test_server_stop(&replica);
    test_server_stop(&primary);
    return 0;
}

/* The connection string names Sentinels only: one that is not there, and ours. */
static struct redis *open_group(const char *group)
{
    char conn[256];
    snprintf(conn, sizeof conn,
             "!/nowhere,127.0.0.1:%u,serviceName=%s,sentinelPassword=sp,password=pp", sentinel_port,
             group);
    return test_open(hub, conn, REDIS_SHARED, NULL);
}

struct asking {
    struct redis *redis;
    struct test_call call;
};

static bool replica_has_it(void *ctx)
{
    struct asking *asking = ctx;
    if (asking->call.is_done && asking->call.kept->root->integer == 1)
        return true;
    if (asking->call.is_done)
        asking->call.kept = reply_unref(asking->call.kept);
    if (asking->call.is_done || asking->call.call.op.done == NULL)
        assert_int_equal(test_send(asking->redis, "EXISTS k", &asking->call), E_OK);
    return false;
}

static void a_failover_is_followed(void **state)
{
    (void)state;
    char conn[256];

    snprintf(conn, sizeof conn, "%s,password=pp", replica.conn);
    struct asking asking = {.redis = test_open(hub, conn, REDIS_SHARED, NULL)};
    snprintf(conn, sizeof conn, "%s,password=pp", primary.conn);
    struct redis *first = test_open(hub, conn, REDIS_SHARED, NULL);
    test_ask(loop, first, "SET k v", "OK");
    redis_close(first);
    test_wait(loop, test_is_ready, asking.redis);
    test_wait(loop, replica_has_it, &asking);
    reply_unref(asking.call.kept);
    redis_close(asking.redis);

    start_sentinel();
    struct redis *redis = open_group("m");
    test_ask(loop, redis, "GET k", "v");
    assert_int_equal(lines.count, 0);
    test_server_kill(&primary);
    test_wait_line("REDIS-LOST");
    test_wait_line("REDIS-RESTORED");
    test_ask(loop, redis, "SET k w", "OK"); /* the replica is the primary now */
    test_ask(loop, redis, "GET k", "w");
    assert_int_equal(lines.count, 2);
    redis_close(redis);
}

static void an_unknown_group_is_told(void **state)
{
    (void)state;
    start_sentinel();
    struct redis *redis = open_group("other");
    test_wait_line("REDIS-LOST");
    assert_non_null(strstr(lines.last, "knows no group 'other'"));
    redis_close(redis);
    for (int i = 0; i < 10; i++) { /* closed at every stage of asking */
        redis = open_group("m");
        test_wait_ms(loop, test_never, NULL, (uint64_t)i / 3);
        redis_close(redis);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failover_is_followed, begin, end),
        cmocka_unit_test_setup_teardown(an_unknown_group_is_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
