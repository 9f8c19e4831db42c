#include "redis/testing.h"

static char dir[] = "/tmp/redgrid-test-tls-XXXXXX";
static uint16_t port;

/* A CA, a server and a client certificate of it. */
static const char make_certificates[] =
    "exec >out 2>&1; ln -s client.key key\n"
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \\\n"
    "  -out ca.pem -subj /CN=ca -days 2\n"
    "for name in server client; do\n"
    "  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key \\\n"
    "    -out $name.csr -subj /CN=$name\n"
    "  echo subjectAltName=DNS:redis.test >ext\n"
    "  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \\\n"
    "    -extfile ext -out $name.pem\n"
    "done\n";

static int make_files(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    return chdir(dir) != 0 ? -1 : system(make_certificates);
}

static int remove_files(void **state)
{
    char script[128];
    (void)state;
    snprintf(script, sizeof script, "rm -r '%s'", dir);
    return system(script);
}

static int begin(void **state)
{
    char args[512];

    test_begin(state);
    port = test_port();
    snprintf(args, sizeof args,
             "--tls-port %u --tls-cert-file %s/server.pem --tls-key-file %s/server.key "
             "--tls-ca-cert-file %s/ca.pem --tls-auth-clients yes --requirepass p",
             port, dir, dir, dir);
    test_server_start(&server, args);
    return 0;
}

static void a_tls_server_is_used(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "sslHost=redis.test,caFile=ca.pem,certFile=client.pem,keyFile=client.key",
        "sslHost=redis.test,sslProtocols=tls12,caFile=ca.pem,certFile=client.pem,keyFile=key",
        "tlsInsecure=yes,certFile=client.pem,keyFile=client.key",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char conn[512];
        struct test_call set = {.call.op.done = test_call_done};
        size_t len = 4 * 1024 * 1024;
        char *value = calloc(1, len);
        struct slice args[] = {SLICE("SET"), SLICE("k"), {value, len}};
        snprintf(conn, sizeof conn, "127.0.0.1:%u,ssl=true,password=p,%s", port, rows[i]);
        struct redis *redis = test_open(hub, conn, REDIS_SHARED, "me");
        test_ask(loop, redis, "CLIENT GETNAME", "me");
        assert_int_equal(redis_call(redis, args, 3, &set.call), E_OK);
        test_wait(loop, test_call_is_done, &set);
        reply_unref(set.kept);
        test_ask(loop, redis, "STRLEN k", "4194304");
        assert_int_equal(test_send(redis, "GET k", &set), E_OK);
        test_wait(loop, test_call_is_done, &set);
        assert_int_equal(set.kept->root->text.len, len);
        reply_unref(set.kept);
        redis_close(redis);
        free(value);
    }
    assert_int_equal(lines.count, 0);
}

static void a_certificate_of_somebody_else_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "sslHost=other.test,caFile=ca.pem,certFile=client.pem,keyFile=client.key",
        "sslHost=redis.test,certFile=client.pem,keyFile=client.key",
        "sslHost=redis.test,caFile=none.pem",
        "sslHost=redis.test,caFile=ca.pem", /* the server asks for a certificate of ours */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char conn[512];
        snprintf(conn, sizeof conn, "127.0.0.1:%u,ssl=true,password=p,%s", port, rows[i]);
        struct redis *redis = test_open(hub, conn, REDIS_SHARED, NULL);
        lines.count = 0;
        test_wait_line("REDIS-LOST");
        assert_false(redis_is_ready(redis));
        redis_close(redis);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tls_server_is_used, begin, test_end),
        cmocka_unit_test_setup_teardown(a_certificate_of_somebody_else_is_refused, begin, test_end),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
