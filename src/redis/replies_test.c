/* Replies that a real server gives rarely or never, from one that says what it is told. */
#include "redis/testing_fake.h"

#define DRIP_MS 30
#define PATIENCE_MS 400 /* many drips, so that a busy machine does not fail us */

static struct fake_server fake;

static int begin(void **state)
{
    test_begin(state);
    fake_start(&fake);
    return 0;
}

static int end(void **state)
{
    fake_stop(&fake);
    return test_end(state);
}

/* Sends a command that the server answers with these bytes. */
static void send_fake(struct redis *redis, const char *bytes, uint32_t timeout_ms,
                      struct test_call *call)
{
    struct slice args[] = {SLICE("FAKE")};

    fake_once(&fake, "FAKE", bytes);
    *call = (struct test_call){.call.op.done = test_call_done, .call.timeout_ms = timeout_ms};
    test_wait(loop, test_is_ready, redis);
    size_t heard = fake_heard(&fake, "FAKE");
    assert_int_equal(redis_call(redis, args, 1, &call->call), E_OK);
    fake_await(&fake, "FAKE", heard + 1);
}

static void ask(struct redis *redis, const char *bytes, struct test_call *call)
{
    send_fake(redis, bytes, 0, call);
    test_wait(loop, test_call_is_done, call);
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
        struct redis *redis = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
        struct test_call call;
        ask(redis, rows[i].bytes, &call);
        if (call.err != rows[i].err || strcmp(call.why, rows[i].why) != 0)
            fail_msg("%s: %s %s", rows[i].bytes, err_name(call.err), call.why);
        assert_true((call.kept != NULL) == (call.err == E_OK || call.err == E_REDIS));
        reply_unref(call.kept);
        if (rows[i].is_break) {
            test_wait(loop, test_is_down, redis);
            assert_int_equal(test_lines_of(&lines, "REDIS-LOST"), 1);
        }
        ask(redis, "+fine\r\n", &call); /* after it all goes on */
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
    struct redis *a = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
    struct redis *b = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
    struct test_call call;

    test_wait(loop, test_is_ready, b);
    ask(a, "?\r\n", &call);
    test_wait(loop, test_is_ready, a);
    assert_int_equal(lines.count, 2);
    ask(b, "?\r\n", &call); /* its connection is from before that outage */
    assert_false(redis_is_ready(b));
    test_wait(loop, test_is_ready, b);
    assert_int_equal(lines.count, 2);
    ask(b, "?\r\n", &call);
    assert_int_equal(lines.count, 3);
    redis_close(a);
    redis_close(b);
}

static void deep_replies_are_refused(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
    struct test_call call;

    ask(redis,
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
        "*1\r\n*1\r\n:1\r\n",
        &call);
    assert_int_equal(call.err, E_OK);
    reply_unref(call.kept);
    ask(redis,
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
        "*1\r\n*1\r\n*1\r\n:1\r\n",
        &call);
    assert_int_equal(call.err, E_LIMIT);
    redis_close(redis);
}

static void a_server_that_accepts_and_is_silent_is_left(void **state)
{
    (void)state;
    char conn[256];

    snprintf(conn, sizeof conn, "%s,connectTimeout=50", fake.place.conn);
    fake.is_silent = true;
    struct redis *redis = test_open(hub, conn, REDIS_DEDICATED, NULL);
    test_wait_line("REDIS-LOST");
    assert_non_null(strstr(lines.last, "no answer to the handshake within 50 ms"));
    fake.is_silent = false;
    test_wait(loop, test_is_ready, redis);
    redis_close(redis);
}

/* ---- patience ---- */

static void drip(struct redis *redis, const char *bytes, struct test_call *call)
{
    fake.drip_ms = DRIP_MS;
    send_fake(redis, bytes, PATIENCE_MS, call);
}

static void a_reply_that_still_arrives_is_waited_for(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
    struct test_call slow, behind;
    uint64_t began_ms = clock_now_ms();

    drip(redis, "$40\r\n0123456789012345678901234567890123456789\r\n", &slow);
    drip(redis, "+OK\r\n", &behind); /* the server has not come to it yet */
    test_wait(loop, test_call_is_done, &behind);
    assert_true(clock_now_ms() - began_ms > 2 * PATIENCE_MS);
    assert_int_equal(slow.err, E_OK);
    assert_int_equal(slow.kept->root->text.len, 40);
    assert_int_equal(behind.err, E_OK);
    assert_int_equal(lines.count, 0);
    reply_unref(slow.kept);
    reply_unref(behind.kept);
    redis_close(redis);
}

static void a_reply_that_stops_arriving_is_not(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
    struct test_call call;

    drip(redis, "$40\r\n0123\r\n", &call);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_TIMEOUT);
    redis_close(redis);
}

static void messages_are_no_sign_that_a_call_goes_on(void **state)
{
    (void)state;
    static const char *const floods[] = {">2\r\n+a\r\n+b\r\n", ">1\r\n$9999\r\n"};

    for (size_t i = 0; i < COUNT_OF(floods); i++) {
        struct redis *redis = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
        struct test_call call;
        fake.is_flooding = true;
        drip(redis, floods[i], &call);
        test_wait(loop, test_call_is_done, &call);
        assert_int_equal(call.err, E_TIMEOUT);
        redis_close(redis);
    }
}

/* The loop does something else for so long that the other call is late when it looks again. */
static void stall(struct op *op, enum err err)
{
    uint64_t end_ms = clock_now_ms() + (uint64_t)2 * PATIENCE_MS;

    test_call_done(op, err);
    while (clock_now_ms() < end_ms) {
        fake_serve(&fake);
        test_nap();
    }
}

static void what_came_while_we_were_busy_counts(void **state)
{
    (void)state;
    struct redis *one = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
    struct redis *other = test_open(hub, fake.place.conn, REDIS_DEDICATED, NULL);
    struct test_call busy, call;

    test_wait(loop, test_is_ready, one);
    drip(other, "+OK and a little more than that\r\n", &call);
    drip(one, "+OK\r\n", &busy);
    busy.call.op.done = stall;
    test_wait(loop, test_call_is_done, &call);
    assert_true(busy.is_done);
    assert_int_equal(call.err, E_OK);
    reply_unref(busy.kept);
    reply_unref(call.kept);
    redis_close(one);
    redis_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(errors_end_the_call_and_some_the_connection, begin, end),
        cmocka_unit_test_setup_teardown(who_notices_late_tells_nothing, begin, end),
        cmocka_unit_test_setup_teardown(deep_replies_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_accepts_and_is_silent_is_left, begin, end),
        cmocka_unit_test_setup_teardown(a_reply_that_still_arrives_is_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(a_reply_that_stops_arriving_is_not, begin, end),
        cmocka_unit_test_setup_teardown(messages_are_no_sign_that_a_call_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(what_came_while_we_were_busy_counts, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
