/* Replies that a real server gives rarely or never, from one that says what it is told. */
#include "redis/testing.h"

static struct test_server server;
static struct loop *loop;
static struct redis_hub *hub;
static struct test_lines lines;

/* Answers `FAKE bytes` with the bytes as they are, and everything else with OK. */
static void serve(int fd)
{
    struct resp_parser parser = {0};
    struct buf in;
    size_t used;

    buf_init(&in, 1 << 20);
    for (;;) {
        char *room = buf_reserve(&in, 4096);
        ssize_t got = read(fd, room, 4096);
        if (got <= 0)
            _exit(0);
        buf_grow(&in, (size_t)got);
        struct resp_limits limits = {1 << 20, 100, 2};
        while (resp_parse(&parser, buf_slice(&in), &limits, &used, NULL) == E_OK) {
            const struct resp *name = &parser.nodes[1];
            struct slice answer =
                slice_eq(name->text, SLICE("FAKE")) ? name[1].text : SLICE("+OK\r\n");
            for (size_t at = 0; at < answer.len; at++) /* in as many pieces as there can be */
                if (write(fd, answer.data + at, 1) != 1)
                    _exit(0);
            resp_parser_next(&parser);
            buf_consume(&in, used);
        }
    }
}

static void serve_all(int listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(fd);
        }
        close(fd);
    }
}

static int begin(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    lines = (struct test_lines){0};
    log_tap(test_tap, &lines);
    loop = loop_new();
    hub = redis_hub_new(loop);
    snprintf(server.dir, sizeof server.dir, "/tmp/redgrid-test-XXXXXX");
    assert_non_null(mkdtemp(server.dir));
    snprintf(server.path, sizeof server.path, "%s/s", server.dir);
    snprintf(server.conn, sizeof server.conn, "!%s", server.path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server.path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 10), 0);
    server.pid = fork();
    if (server.pid == 0)
        serve_all(listener);
    close(listener);
    return 0;
}

static int end(void **state)
{
    (void)state;
    redis_hub_free(hub);
    loop_free(loop);
    test_server_stop(&server);
    log_tap(NULL, NULL);
    return 0;
}

static void fake(struct redis *redis, const char *bytes, struct test_call *call)
{
    struct slice args[] = {SLICE("FAKE"), slice_of(bytes)};

    *call = (struct test_call){.call.op.done = test_call_done};
    test_wait(loop, test_is_ready, redis);
    assert_int_equal(redis_call(redis, args, 2, &call->call), E_OK);
    test_wait(loop, test_call_is_done, call);
}

static bool is_down(void *ctx)
{
    return !redis_is_ready(ctx);
}

static void errors_end_the_call_and_some_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum err err;
        const char *why;
        bool is_break; /* the connection is made anew */
    } rows[] = {
        {"-OOM command not allowed\r\n", E_REDIS, "OOM command not allowed", false},
        {"-MISCONF Redis is configured\r\n", E_REDIS, "MISCONF Redis is configured", false},
        {"-UNBLOCKED the stream key no longer exists\r\n", E_REDIS,
         "UNBLOCKED the stream key no longer exists", false},
        {"-NOGROUP No such key\r\n", E_REDIS, "NOGROUP No such key", false},
        {"-NOPERM this user\r\n", E_REDIS, "NOPERM this user", false},
        {"-MOVED 3999 127.0.0.1:6381\r\n", E_REDIS,
         "slot 3999 of the cluster is served by 127.0.0.1:6381: MOVED 3999 127.0.0.1:6381", false},
        {"!9\r\nERR a\r\nbc\r\n", E_REDIS, "ERR a\r\nbc", false},
        {">2\r\n+invalidate\r\n*0\r\n+OK\r\n", E_OK, "", false},
        {"|1\r\n+ttl\r\n:1\r\n+OK\r\n", E_OK, "", false},
        {"-LOADING Redis is loading\r\n", E_REDIS, "LOADING Redis is loading", true},
        {"-MASTERDOWN Link is down\r\n", E_REDIS, "MASTERDOWN Link is down", true},
        {"-CLUSTERDOWN Hash slot\r\n", E_REDIS, "CLUSTERDOWN Hash slot", true},
        {"-TRYAGAIN Multiple keys\r\n", E_REDIS, "TRYAGAIN Multiple keys", true},
        {"?what\r\n", E_CLOSED, "malformed reply: an unknown type at byte 0", true},
        {"$9999999999\r\n", E_LIMIT, "reply over the limit: a bulk at byte 13", true},
        {"*4194304\r\n", E_LIMIT, "reply over the limit: the number of elements at byte 10", true},
        {"+OK\r\n+twice\r\n", E_OK, "", true},
        {"+OK\r\n-ERR go away\r\n", E_OK, "", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct redis *redis = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
        struct test_call call;
        fake(redis, rows[i].bytes, &call);
        if (call.err != rows[i].err || strcmp(call.why, rows[i].why) != 0)
            fail_msg("%s: %s %s", rows[i].bytes, err_name(call.err), call.why);
        assert_true((call.kept != NULL) == (call.err == E_OK || call.err == E_REDIS));
        reply_unref(call.kept);
        if (rows[i].is_break) {
            test_wait(loop, is_down, redis);
            assert_int_equal(test_lines_of(&lines, "REDIS-LOST"), 1);
        }
        fake(redis, "+fine\r\n", &call); /* after it all goes on */
        assert_int_equal(call.err, E_OK);
        reply_unref(call.kept);
        assert_int_equal(redis_epoch(redis), rows[i].is_break ? 2 : 1);
        assert_int_equal(lines.count, rows[i].is_break ? 2 : 0);
        lines.count = 0;
        redis_close(redis);
    }
}

static void who_notices_late_tells_nothing(void **state)
{
    (void)state;
    struct redis *a = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    struct redis *b = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    struct test_call call;

    test_wait(loop, test_is_ready, b);
    fake(a, "?", &call);
    test_wait(loop, test_is_ready, a);
    assert_int_equal(lines.count, 2);
    fake(b, "?", &call); /* its connection is from before that outage */
    assert_false(redis_is_ready(b));
    test_wait(loop, test_is_ready, b);
    assert_int_equal(lines.count, 2);
    fake(b, "?", &call);
    assert_int_equal(lines.count, 3);
    redis_close(a);
    redis_close(b);
}

static void deep_replies_are_refused(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    struct test_call call;

    fake(redis,
         "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
         "*1\r\n*1\r\n:1\r\n",
         &call);
    assert_int_equal(call.err, E_OK);
    reply_unref(call.kept);
    fake(redis,
         "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
         "*1\r\n*1\r\n*1\r\n:1\r\n",
         &call);
    assert_int_equal(call.err, E_LIMIT);
    redis_close(redis);
}

static bool has_line(void *ctx)
{
    (void)ctx;
    return lines.count > 0;
}

static void a_server_that_accepts_and_is_silent_is_left(void **state)
{
    (void)state;
    char conn[256];

    snprintf(conn, sizeof conn, "%s,connectTimeout=50", server.conn);
    kill(server.pid, SIGSTOP);
    struct redis *redis = test_open(hub, conn, REDIS_DEDICATED, NULL);
    test_wait(loop, has_line, NULL);
    assert_non_null(strstr(lines.last, "no answer to the handshake within 50 ms"));
    kill(server.pid, SIGCONT);
    test_wait(loop, test_is_ready, redis);
    redis_close(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(errors_end_the_call_and_some_the_connection, begin, end),
        cmocka_unit_test_setup_teardown(who_notices_late_tells_nothing, begin, end),
        cmocka_unit_test_setup_teardown(deep_replies_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_accepts_and_is_silent_is_left, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
