/* Settings that change while the servers run. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "caches/op_testing.h"
#include "loop/authority.h"

#define PREMIUM CACHE_OF("Premium", "P", "1", ",\"enableNonSslPort\":true")

static void assert_config(const char *name, const char *value)
{
    static const char *const members[] = {"n1", "n2"};
    char line[128], expected[256];

    snprintf(line, sizeof line, "CONFIG GET %s", name);
    snprintf(expected, sizeof expected, "[%s %s]", name, value);
    for (size_t i = 0; i < COUNT_OF(members); i++)
        ask_member(members[i], line, expected);
}

static void assert_copies(void)
{
    const struct cache_shard *shard = cache_shard_of(the_cache(), 0);

    for (size_t i = 0; i < shard->member_count; i++)
        assert_true(&shard->members[i] == cache_shard_primary(shard) ||
                    shard->members[i].is_in_sync);
}

static void settings_reach_all_servers_without_a_restart(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    pid_t first = pid_of("n1"), second = pid_of("n2");
    patch_well("{\"redisConfiguration\":{\"maxmemory-policy\":\"allkeys-lru\","
               "\"notify-keyspace-events\":\"KEA\",\"maxmemory-reserved\":\"256\"}}");
    assert_config("maxmemory-policy", "allkeys-lru");
    assert_config("notify-keyspace-events", "AKE");
    assert_config("maxmemory", "50331648"); /* a quarter of 64 MB is reserved */
    assert_int_equal(events_of("Redgrid.Cache.Updated"), 1);
    assert_int_equal(events_of("maxmemory-policy"), 2); /* in Updated, and in OperationStarted */
    patch_well("{\"redisConfiguration\":{\"notify-keyspace-events\":\"\","
               "\"maxmemory-reserved\":null}}");
    assert_config("notify-keyspace-events", "");
    assert_config("maxmemory", "67108864");
    assert_config("maxmemory-policy", "allkeys-lru");
    assert_int_equal(pid_of("n1"), first);
    assert_int_equal(pid_of("n2"), second);
    drop();
    daemon_end();
}

static void persistence_is_turned_on_and_off(void **state)
{
    (void)state;
    daemon_begin();
    create(PREMIUM);
    ask_client("SET k v", "OK");
    patch_well("{\"redisConfiguration\":{\"aof-backup-enabled\":\"true\"}}");
    assert_config("appendonly", "yes");
    patch_well("{\"redisConfiguration\":{\"aof-backup-enabled\":\"false\","
               "\"rdb-backup-enabled\":\"true\",\"rdb-backup-frequency\":\"15\"}}");
    assert_config("appendonly", "no");
    assert_config("save", "900 1");
    patch_well("{\"redisConfiguration\":{\"rdb-backup-enabled\":\"false\"}}");
    assert_config("save", "");
    drop();
    daemon_end();
}

static bool can_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool can = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return can;
}

static const char *const tls_files[] = {AUTHORITY_CA, "ca.key", AUTHORITY_CERTIFICATE,
                                        AUTHORITY_KEY};

static int tls_begin(void **state)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "127.77.0.1", "127.77.0.2", NULL};
    char folder[128];

    (void)world_begin(state);
    world.has_tls = true;
    snprintf(folder, sizeof folder, "%s/tls", world.data);
    assert_int_equal(mkdir(folder, 0700), 0);
    return authority_open(folder, names, NULL) == E_OK ? 0 : -1;
}

static int tls_end(void **state)
{
    char path[192];

    for (size_t i = 0; i < COUNT_OF(tls_files); i++) {
        snprintf(path, sizeof path, "%s/tls/%s", world.data, tls_files[i]);
        (void)unlink(path);
    }
    snprintf(path, sizeof path, "%s/tls", world.data);
    (void)rmdir(path);
    return world_end(state);
}

static void assert_link(uint16_t port)
{
    char expected[16];

    snprintf(expected, sizeof expected, "%u", port == world.port ? (unsigned)port : 0);
    assert_config("port", expected);
    snprintf(expected, sizeof expected, "%u", (unsigned)port);
    ask_member("n2",
               "EVAL return(string.match(redis.call('INFO','replication'),'master_port:(%d+)')) 0",
               expected);
    assert_int_equal(can_connect(world.port), port == world.port);
    assert_true(can_connect((uint16_t)(world.port + 1)));
    assert_copies();
}

static void the_plain_port_goes_and_comes_back(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    pid_t first = pid_of("n1"), second = pid_of("n2");
    struct redis *client = client_open();
    test_ask(loop, client, "SET k v", "OK");
    assert_link(world.port);
    patch_well("{\"enableNonSslPort\":false}");
    assert_link((uint16_t)(world.port + 1));
    wait_for(test_is_down, client); /* what came by it is gone, too */
    patch_well("{\"enableNonSslPort\":true}");
    assert_link(world.port);
    test_ask(loop, client, "GET k", "v");
    redis_close(client);
    assert_int_equal(pid_of("n1"), first);
    assert_int_equal(pid_of("n2"), second);
    assert_int_equal(events_of("Redgrid.Cache.Updated"), 2);
    assert_int_equal(events_of("NodeDown"), 0);
    drop();
    daemon_end();
}

static int take_port(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* Somebody else has the port: all is as it was, the settings that were told before it too. */
static void what_fails_is_taken_back(void **state)
{
    struct asked asked;
    char why[CAUSE_MAX_BYTES];

    (void)state;
    daemon_begin();
    create(STANDARD);
    patch_well("{\"enableNonSslPort\":false}");
    int fd = take_port(world.port);
    (void)!patch("{\"enableNonSslPort\":true,\"redisConfiguration\":{\"maxmemory-policy\":"
                 "\"allkeys-lfu\"}}",
                 &asked);
    assert_false(ended_well(&asked, why));
    assert_non_null(strstr(why, "port"));
    close(fd);
    assert_link((uint16_t)(world.port + 1));
    assert_config("maxmemory-policy", "volatile-lru");
    assert_true(shows("\"enableNonSslPort\":false"));
    assert_true(shows(SUCCEEDED));
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 1);
    assert_int_equal(events_of("Redgrid.Cache.Updated"), 1);
    drop();
    daemon_end();
}

static bool is_refused(void *ctx)
{
    struct test_call call = {0};
    struct buf text;

    if (!redis_is_ready(ctx) || test_send(ctx, "PING", &call) != E_OK)
        return true;
    test_wait(loop, test_call_is_done, &call);
    buf_init(&text, 1024);
    if (call.kept != NULL)
        test_text(call.kept->root, &text);
    bool is = !slice_eq(buf_slice(&text), SLICE("PONG"));
    buf_done(&text);
    reply_unref(call.kept);
    return is;
}

static void keys_are_refused_and_taken_again(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    struct redis *client = client_open();
    test_ask(loop, client, "PING", "PONG");
    patch_well("{\"disableAccessKeyAuthentication\":true}");
    wait_for(is_refused, client);
    redis_close(client);
    patch_well("{\"disableAccessKeyAuthentication\":false}");
    ask_client("PING", "PONG");
    patch_well("{\"redisConfiguration\":{\"authnotrequired\":\"true\"}}");
    char conn[64];
    snprintf(conn, sizeof conn, "127.0.0.1:%u", world.port);
    client = test_open(hub, conn, REDIS_SHARED, NULL);
    test_ask(loop, client, "PING", "PONG");
    redis_close(client);
    patch_well("{\"redisConfiguration\":{\"authnotrequired\":null}}");
    ask_client("PING", "PONG");
    drop();
    daemon_end();
}

/* ---- a daemon that is killed ---- */

static const char *const places[] = {"update.values:before", "update.values:after",
                                     "update.link:before",   "update.link:after",
                                     "update.users:before",  "update.users:after"};

static void ask_for_it(void)
{
    static struct asked asked;

    wait_for(is_settled, NULL);
    (void)!patch("{\"enableNonSslPort\":false,\"redisConfiguration\":"
                 "{\"maxmemory-policy\":\"allkeys-lru\"}}",
                 &asked);
}

static void a_daemon_killed_meanwhile_ends_it_later(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(places); i++) {
        world.is_detached = i % 2 == 0;
        daemon_begin();
        create(STANDARD);
        daemon_end();
        daemon_killed_at(places[i / 2], ask_for_it);
        if (!world.is_detached)
            wait_for_servers_to_end();
        daemon_begin();
        wait_for(is_idle, NULL);
        assert_link((uint16_t)(world.port + 1));
        assert_config("maxmemory-policy", "allkeys-lru");
        assert_int_equal(events_of("Redgrid.Cache.Updated"), i + 1);
        assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 0);
        drop();
        daemon_end();
    }
}

/* ---- what only the record has to know ---- */

static void tags_are_written_down(void **state)
{
    struct asked asked;

    (void)state;
    daemon_begin();
    create(STANDARD);
    ask(&asked);
    assert_int_equal(caches_put(world.caches,
                                &(struct cache_wish){.id = SLICE(CACHE_ID),
                                                     .tags = SLICE("{\"a\":\"b\"}"),
                                                     .is_patch = true},
                                &asked.request),
                     E_OK);
    wait_for(is_over, &asked.ending);
    assert_int_equal(asked.ending.err, E_OK);
    assert_string_equal(asked.request.operation, "");
    wait_shown("{\"a\":\"b\"}");
    patch_well("{\"redisConfiguration\":{\"maxmemory-delta\":\"7\"}}");
    assert_true(shows("\"maxmemory-delta\":\"7\""));
    drop();
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
        cmocka_unit_test_setup_teardown(settings_reach_all_servers_without_a_restart, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(persistence_is_turned_on_and_off, world_begin, world_end),
        cmocka_unit_test_setup_teardown(the_plain_port_goes_and_comes_back, tls_begin, tls_end),
        cmocka_unit_test_setup_teardown(what_fails_is_taken_back, tls_begin, tls_end),
        cmocka_unit_test_setup_teardown(keys_are_refused_and_taken_again, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_daemon_killed_meanwhile_ends_it_later, tls_begin,
                                        tls_end),
        cmocka_unit_test_setup_teardown(tags_are_written_down, world_begin, world_end),
    };
    return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
