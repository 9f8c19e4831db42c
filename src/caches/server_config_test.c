#include "caches/server_config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caches/testing_servers.h"
#include "loop/authority.h"

#define KEY_HASH_1 "#8174099687a26621f4e2cdd7cc03b3dacedb3fb962255b1aafd033cabe831530"
#define KEY_HASH_2 "#b10253764c8b233fb37542e23401c7b450e5a6f9751f3b5a014f6f67e8bc999d"
#define ADMIN_HASH "#8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918"
#define REPL_HASH "#c9764206c496f4b45fcf3dca1510b6fbf69bba43dd95d8eb72126cfad5588e74"

static char admin_text[] = "admin", replication_text[] = "re\"pl";

static struct cache_secrets secrets_of_test(void)
{
    return (struct cache_secrets){
        .keys = {.text = {"key1", "key2"}}, .admin = admin_text, .replication = replication_text};
}

static void check(const struct server_config *config, const char *expected)
{
    struct buf out;

    buf_init(&out, SERVER_CONFIG_MAX_BYTES);
    server_config_write(&out, config);
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void hashes_are_those_of_the_servers(void **state)
{
    char hash[SERVER_HASH_TEXT_BYTES];

    (void)state;
    server_secret_hash(SLICE("admin"), hash);
    assert_string_equal(hash, ADMIN_HASH);
    server_secret_hash(SLICE_NONE, hash); /* as sha256sum says of nothing */
    assert_string_equal(hash, "#e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* ---- the text ---- */

static char n1_name[] = "n1", n1_address[] = "127.77.0.1", n1_dir[] = "/data/my caches/n1";
static char n2_address[] = "127.77.0.2", n2_dir[] = "/n2";

#define USERS(default_state, after)                                                                \
    "user redgrid on " ADMIN_HASH " ~* &* +@all\n"                                                 \
    "user redgrid-repl on " REPL_HASH " resetkeys resetchannels -@all +psync +replconf +ping\n"    \
    "user default " default_state " " KEY_HASH_1 " " KEY_HASH_2 after " " CACHE_CLIENT_RIGHTS "\n"

static void a_primary_of_its_own(void **state)
{
    struct cache_spec spec =
        test_spec(&test_host, TEST_SKU_AND("Standard", 1,
                                           "\"redisConfiguration\":{\"notify-keyspace-events\":"
                                           "\"Kg$\",\"maxmemory-policy\":\"allkeys-lfu\"}"));
    struct cache_secrets secrets = secrets_of_test();
    const struct cache_member member = {
        .name = n1_name, .address = n1_address, .port = 6379, .tls_port = 6380, .dir = n1_dir};
    const struct server_config config = {
        .spec = &spec, .host = &test_host, .member = &member, .secrets = &secrets};

    (void)state;
    check(&config,
          "dir \"/data/my caches/n1\"\nlogfile log\npidfile pid\ndaemonize no\n"
          "bind 127.77.0.1\nport 6379\nunixsocket s\nunixsocketperm 700\nprotected-mode no\n"
          "databases 16\nmaxmemory 1073741824\nmaxmemory-policy \"allkeys-lfu\"\nmaxclients 1000\n"
          "notify-keyspace-events \"Kg$\"\nenable-debug-command no\n"
          "save \"\"\nappendonly no\nappendfsync everysec\nrdb-del-sync-files yes\n"
          "shutdown-on-sigterm nosave now\nshutdown-timeout 10\n"
          "replica-announce-ip 127.77.0.1\nmasteruser redgrid-repl\nmasterauth \"re\\\"pl\"\n"
          "repl-diskless-sync no\nrepl-diskless-load on-empty-db\nrepl-backlog-size 67108864\n"
          "repl-backlog-ttl 0\n" USERS("off", ""));
    cache_spec_done(&spec);
}

static const struct server_tls test_tls = {"/c.crt", "/c.key", "/ca.crt"};

static void a_replica_by_tls(void **state)
{
    struct cache_spec spec = test_spec(
        &test_host,
        TEST_SKU_AND("Premium", 1,
                     "\"enableNonSslPort\":false,\"redisConfiguration\":{\"rdb-backup-enabled\":"
                     "true,\"rdb-backup-frequency\":15,\"redgrid-max-memory\":\"16mb\","
                     "\"authnotrequired\":true,\"databases\":4}"));
    struct cache_secrets secrets = secrets_of_test();
    const struct cache_member primary = {.address = n1_address, .port = 6379, .tls_port = 6380};
    const struct cache_member member = {
        .address = n2_address, .port = 6379, .tls_port = 6380, .dir = n2_dir};
    const struct server_config config = {.spec = &spec,
                                         .host = &test_host,
                                         .member = &member,
                                         .primary = &primary,
                                         .secrets = &secrets,
                                         .tls = &test_tls};

    (void)state;
    check(&config,
          "dir \"/n2\"\nlogfile log\npidfile pid\ndaemonize no\n"
          "bind 127.77.0.2\nport 0\nunixsocket s\nunixsocketperm 700\nprotected-mode no\n"
          "tls-port 6380\ntls-cert-file \"/c.crt\"\ntls-key-file \"/c.key\"\n"
          "tls-ca-cert-file \"/ca.crt\"\ntls-auth-clients no\ntls-protocols \"TLSv1.2 TLSv1.3\"\n"
          "tls-replication yes\n"
          "databases 4\nmaxmemory 16777216\nmaxmemory-policy \"volatile-lru\"\nmaxclients 7500\n"
          "notify-keyspace-events \"\"\nenable-debug-command no\n"
          "save 900 1\nappendonly no\nappendfsync everysec\nrdb-del-sync-files yes\n"
          "shutdown-on-sigterm save now\nshutdown-timeout 10\n"
          "replica-announce-ip 127.77.0.2\nmasteruser redgrid-repl\nmasterauth \"re\\\"pl\"\n"
          "repl-diskless-sync no\nrepl-diskless-load on-empty-db\nrepl-backlog-size 1048576\n"
          "repl-backlog-ttl 0\nreplicaof 127.77.0.1 6380\n" USERS("off", " nopass"));
    cache_spec_done(&spec);
}

static void a_server_of_a_cluster(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    const struct cache_host host = {.addresses = addresses, .address_count = 2, .has_tls = true};
    struct cache_spec spec =
        test_spec(&host, TEST_SKU_AND("Premium", 1, "\"shardCount\":2,\"enableNonSslPort\":true"));
    struct cache_secrets secrets = secrets_of_test();
    const struct cache_member member = {
        .address = n2_address, .port = 7000, .tls_port = 7001, .bus_port = 7002, .dir = n2_dir};
    const struct server_config config = {.spec = &spec,
                                         .host = &host,
                                         .member = &member,
                                         .primary = &member,
                                         .secrets = &secrets,
                                         .tls = &test_tls};

    (void)state;
    check(&config,
          "dir \"/n2\"\nlogfile log\npidfile pid\ndaemonize no\n"
          "bind 127.0.0.1 ::1\nport 7000\nunixsocket s\nunixsocketperm 700\nprotected-mode no\n"
          "tls-port 7001\ntls-cert-file \"/c.crt\"\ntls-key-file \"/c.key\"\n"
          "tls-ca-cert-file \"/ca.crt\"\ntls-auth-clients no\ntls-protocols \"TLSv1.2 TLSv1.3\"\n"
          "tls-replication yes\ntls-cluster yes\n"
          "databases 1\nmaxmemory 6442450944\nmaxmemory-policy \"volatile-lru\"\nmaxclients 7500\n"
          "notify-keyspace-events \"\"\nenable-debug-command no\n"
          "save \"\"\nappendonly no\nappendfsync everysec\nrdb-del-sync-files yes\n"
          "shutdown-on-sigterm nosave now\nshutdown-timeout 10\n"
          "replica-announce-ip 127.0.0.1\nmasteruser redgrid-repl\nmasterauth \"re\\\"pl\"\n"
          "repl-diskless-sync no\nrepl-diskless-load on-empty-db\nrepl-backlog-size 67108864\n"
          "repl-backlog-ttl 0\n" USERS(
              "on", "") "cluster-enabled yes\ncluster-port 7002\n"
                        "cluster-announce-ip 127.0.0.1\ncluster-announce-port 7000\n"
                        "cluster-announce-tls-port 7001\ncluster-announce-bus-port 7002\n"
                        "cluster-node-timeout 5000\ncluster-replica-no-failover yes\n"
                        "cluster-allow-replica-migration no\n"
                        "cluster-require-full-coverage no\n");
    cache_spec_done(&spec);
}

/* ---- real servers ---- */

struct real {
    const char *program;
    pid_t pid;
    char dir[64];
    struct cache_member member;
};

/* What a server answers to all of the commands, which end with QUIT; false if it is not there. */
static bool talk(int family, const struct sockaddr *address, socklen_t len, const char *commands,
                 struct buf *ret)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t got = -1;
    size_t sent = strlen(commands);

    buf_clear(ret);
    if (connect(fd, address, len) == 0 && send(fd, commands, sent, MSG_NOSIGNAL) == (ssize_t)sent)
        while ((got = read(fd, buf_reserve(ret, 4096), 4096)) > 0)
            buf_grow(ret, (size_t)got);
    close(fd);
    return got == 0 && ret->len > 0;
}

static bool ask(const struct real *real, const char *commands, struct buf *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", real->dir);
    return talk(AF_UNIX, (struct sockaddr *)&address, sizeof address, commands, ret);
}

static bool ask_port(const struct real *real, const char *commands, struct buf *ret)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(real->member.port)};

    assert_int_equal(inet_pton(AF_INET, real->member.address, &address.sin_addr), 1);
    return talk(AF_INET, (struct sockaddr *)&address, sizeof address, commands, ret);
}

#define AS_ADMIN "AUTH redgrid admin\r\n"
#define QUIT "QUIT\r\n"

static void assert_answer(struct buf *answer, const char *part)
{
    if (strstr(buf_text(answer), part) == NULL)
        fail_msg("no '%s' in %s", part, buf_text(answer));
}

static void wait_for(const struct real *real, const char *commands, const char *part)
{
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;
    struct buf answer;

    buf_init(&answer, 1 << 20);
    while (!ask(real, commands, &answer) || strstr(buf_text(&answer), part) == NULL) {
        if (clock_now_ms() > end_ms || waitpid(real->pid, NULL, WNOHANG) != 0)
            fail_msg("%s/log: no '%s' in %s", real->dir, part, buf_text(&answer));
        nap();
    }
    buf_done(&answer);
}

static void prepare(struct real *real, const char *program, char *address, uint16_t port)
{
    *real = (struct real){.program = program};
    snprintf(real->dir, sizeof real->dir, "/tmp/redgrid-test-XXXXXX");
    assert_non_null(mkdtemp(real->dir));
    real->member = (struct cache_member){.address = address,
                                         .port = port,
                                         .tls_port = (uint16_t)(port + 1),
                                         .bus_port = (uint16_t)(port + 2),
                                         .dir = real->dir};
}

static void start(struct real *real, struct server_config config)
{
    int ends[2];
    struct buf text;

    config.member = &real->member;
    buf_init(&text, SERVER_CONFIG_MAX_BYTES);
    server_config_write(&text, &config);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text.data, text.len), text.len); /* a pipe holds as much */
    close(ends[1]);
    buf_done(&text);
    real->pid = fork();
    assert_true(real->pid >= 0);
    if (real->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        dup2(ends[0], STDIN_FILENO);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        execlp(real->program, real->program, "-", NULL);
        _exit(127);
    }
    close(ends[0]);
    wait_for(real, AS_ADMIN "PING\r\n" QUIT, "+PONG");
}

/* With the child that saves, which may still be writing into the folder. */
static void stop(struct real *real)
{
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;
    char command[128];

    if (real->pid > 0) {
        kill(-real->pid, SIGKILL);
        waitpid(real->pid, NULL, 0);
    }
    snprintf(command, sizeof command, "rm -rf %s 2>/dev/null", real->dir);
    while (system(command) != 0) {
        assert_true(clock_now_ms() < end_ms);
        nap();
    }
}

static void clients_come_when_it_opens(const char *program)
{
    struct cache_spec spec = test_spec(&test_host, TEST_SKU("Basic", 0));
    struct cache_secrets secrets = secrets_of_test();
    struct real real;
    struct buf answer;

    buf_init(&answer, 1 << 20);
    prepare(&real, program, n1_address, a_port());
    start(&real, (struct server_config){.spec = &spec, .host = &test_host, .secrets = &secrets});
    assert_true(ask(&real, AS_ADMIN "CONFIG GET *\r\n" QUIT, &answer));
    assert_answer(&answer, "$9\r\nmaxmemory\r\n$9\r\n262144000\r\n");
    assert_answer(&answer, "$10\r\nmaxclients\r\n$3\r\n256\r\n");
    assert_true(ask_port(&real, "AUTH key1\r\n" QUIT, &answer));
    assert_answer(&answer, "-WRONGPASS");
    assert_true(ask(&real, AS_ADMIN "ACL SETUSER default on\r\n" QUIT, &answer));
    assert_true(ask_port(&real,
                         "AUTH key2\r\nAUTH key1\r\nSET a b\r\nACL WHOAMI\r\nCONFIG GET *\r\n"
                         "SHUTDOWN\r\nREPLICAOF no one\r\nACL SETUSER x\r\nMODULE LIST\r\n"
                         "PSYNC a 1\r\nDEBUG SLEEP 0\r\nCLUSTER INFO\r\n" QUIT,
                         &answer));
    assert_answer(&answer, "+OK\r\n+OK\r\n+OK\r\n$7\r\ndefault\r\n-NOPERM");
    assert_answer(&answer, "-ERR DEBUG command not allowed");
    size_t refused = 0;
    for (const char *at = buf_text(&answer); (at = strstr(at, "-NOPERM")) != NULL; at++)
        refused++;
    assert_int_equal(refused, 6);
    stop(&real);
    cache_spec_done(&spec);
    buf_done(&answer);
}

static struct server_tls make_tls(const char *dir, char room[3][128])
{
    static const char *const names[] = {"localhost", "127.77.0.1", "127.77.0.2", NULL};
    struct cause why = {0};

    if (authority_open(dir, names, &why) != E_OK)
        fail_msg("%s", why.text);
    snprintf(room[0], sizeof room[0], "%s/%s", dir, AUTHORITY_CERTIFICATE);
    snprintf(room[1], sizeof room[1], "%s/%s", dir, AUTHORITY_KEY);
    snprintf(room[2], sizeof room[2], "%s/%s", dir, AUTHORITY_CA);
    return (struct server_tls){room[0], room[1], room[2]};
}

static void replicas_follow(const char *program)
{
    static const char *const specs[] = {
        TEST_SKU("Standard", 0),
        TEST_SKU_AND("Premium", 1,
                     "\"enableNonSslPort\":false,\"redisConfiguration\":{\"aof-backup-enabled\":"
                     "true}"),
        TEST_SKU_AND("Premium", 1, "\"redisConfiguration\":{\"rdb-backup-enabled\":true}"),
    };

    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct cache_spec spec = test_spec(&test_host, specs[i]);
        struct cache_secrets secrets = secrets_of_test();
        struct real primary, replica;
        char files[3][128];
        uint16_t port = a_port();
        prepare(&primary, program, n1_address, port);
        prepare(&replica, program, n2_address, port);
        const struct server_tls tls = make_tls(primary.dir, files);
        struct server_config config = {
            .spec = &spec, .host = &test_host, .secrets = &secrets, .tls = &tls};
        start(&primary, config);
        config.primary = &primary.member;
        start(&replica, config);
        wait_for(&replica, AS_ADMIN "INFO replication\r\n" QUIT, "master_link_status:up");
        wait_for(&primary, AS_ADMIN "INFO replication\r\n" QUIT, "ip=127.77.0.2,");
        stop(&replica);
        stop(&primary);
        cache_spec_done(&spec);
    }
}

static void clusters_and_side_servers_start(const char *program)
{
    struct cache_spec spec = test_spec(
        &test_host, TEST_SKU_AND("Premium", 1, "\"shardCount\":2,\"enableNonSslPort\":false"));
    struct cache_secrets secrets = secrets_of_test();
    struct real real;
    struct buf answer;
    char files[3][128];

    buf_init(&answer, 1 << 20);
    prepare(&real, program, n1_address, a_port());
    const struct server_tls tls = make_tls(real.dir, files);
    struct server_config config = {
        .spec = &spec, .host = &test_host, .secrets = &secrets, .tls = &tls};
    start(&real, config);
    assert_true(ask(&real, "AUTH key1\r\nCLUSTER INFO\r\n" QUIT, &answer));
    assert_answer(&answer, "cluster_known_nodes:1");
    stop(&real);
    prepare(&real, program, n1_address, a_port());
    real.member.is_side = true;
    config.tls = NULL;
    start(&real, config);
    assert_true(ask(&real,
                    AS_ADMIN "DEBUG SLEEP 0\r\nCONFIG GET maxmemory\r\n"
                             "CLUSTER INFO\r\n" QUIT,
                    &answer));
    assert_answer(&answer, "+OK\r\n+OK\r\n*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n"
                           "-ERR This instance has cluster ");
    stop(&real);
    cache_spec_done(&spec);
    buf_done(&answer);
}

static void real_clients_come_when_it_opens(void **state)
{
    (void)state;
    with_each_server(clients_come_when_it_opens);
}

static void real_replicas_follow(void **state)
{
    (void)state;
    with_each_server(replicas_follow);
}

static void real_clusters_and_side_servers_start(void **state)
{
    (void)state;
    with_each_server(clusters_and_side_servers_start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_servers),
        cmocka_unit_test(a_primary_of_its_own),
        cmocka_unit_test(a_replica_by_tls),
        cmocka_unit_test(a_server_of_a_cluster),
        cmocka_unit_test(real_clients_come_when_it_opens),
        cmocka_unit_test(real_replicas_follow),
        cmocka_unit_test(real_clusters_and_side_servers_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
