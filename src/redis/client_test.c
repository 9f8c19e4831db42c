#include "metrics/metrics.h"
#include "redis/testing.h"

#define LARGE_BYTES ((size_t)16 * 1024 * 1024)

static int begin(void **state)
{
    test_begin(state);
    test_server_start(&server, "");
    return 0;
}

static void a_command_is_answered(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, "me");
    struct test_call call = {0};

    assert_int_equal(test_send(redis, "PING", &call), E_CLOSED); /* not yet */
    test_ask(loop, redis, "SET k v", "OK");
    test_ask(loop, redis, "GET k", "v");
    test_ask(loop, redis, "GET none", "nil");
    test_ask(loop, redis, "LPUSH l a b c", "3");
    test_ask(loop, redis, "LRANGE l 0 -1", "[c b a]");
    test_ask(loop, redis, "INCR k", "ERR value is not an integer or out of range");
    test_ask(loop, redis, "CLIENT GETNAME", "me");
    assert_int_equal(redis_version(redis) >> 16, 7);
    assert_int_equal(redis_epoch(redis), 1);
    assert_string_equal(redis_name(redis), server.path);
    redis_close(redis);
    assert_int_equal(lines.count, 0);
}

static void an_error_is_told_with_its_reply(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct test_call call = {0};

    test_wait(loop, test_is_ready, redis);
    assert_int_equal(test_send(redis, "XREADGROUP GROUP g c STREAMS s >", &call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_REDIS);
    assert_true(resp_is_error(call.kept->root, SLICE("NOGROUP")));
    assert_non_null(strstr(call.why, "NOGROUP"));
    assert_true(redis_is_ready(redis));
    reply_unref(call.kept);
    redis_close(redis);
}

#define MANY 2000
static void a_pipeline_keeps_its_order(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct test_call *calls = mem_new_array(MANY, struct test_call);

    test_wait(loop, test_is_ready, redis);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(test_send(redis, "INCR n", &calls[i]), E_OK);
    test_wait(loop, test_call_is_done, &calls[MANY - 1]);
    for (int i = 0; i < MANY; i++) { /* every reply was kept: none was written over */
        assert_int_equal(calls[i].err, E_OK);
        assert_int_equal(calls[i].kept->root->integer, i + 1);
        reply_unref(calls[i].kept);
    }
    free(calls);
    redis_close(redis);
}

static void values_are_binary_and_may_be_large(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct test_call set[3] = {0}, get[3] = {0};
    static const size_t sizes[] = {256, REDIS_COPY_MAX + 1, LARGE_BYTES};
    static const char *const keys[] = {"a", "b", "c"};
    char *value = malloc(LARGE_BYTES);

    assert_non_null(value);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        value[i] = (char)(i * 7 + (i >> 8));
    test_wait(loop, test_is_ready, redis);
    for (int i = 0; i < 3; i++) { /* all in one write, with borrowed parts between copied ones */
        struct slice args[] = {SLICE("SET"), slice_of(keys[i]), {value, sizes[i]}};
        set[i].call.op.done = get[i].call.op.done = test_call_done;
        assert_int_equal(redis_call(redis, args, 3, &set[i].call), E_OK);
        args[0] = SLICE("GET");
        assert_int_equal(redis_call(redis, args, 2, &get[i].call), E_OK);
    }
    test_wait(loop, test_call_is_done, &get[2]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(set[i].err, E_OK);
        assert_true(slice_eq(get[i].kept->root->text, (struct slice){value, sizes[i]}));
        reply_unref(set[i].kept);
        reply_unref(get[i].kept);
    }
    test_ask(loop, redis, "PING", "PONG");
    free(value);
    redis_close(redis);
}

static void a_kept_reply_survives_all_that_follows(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct test_call kept[50] = {0};
    char line[64];

    for (int i = 0; i < 50; i++) { /* some of them lie across the ends of read buffers */
        snprintf(line, sizeof line, "SETRANGE k%d %d end-%d", i, 3000 + i * 400, i);
        test_ask(loop, redis, line, NULL);
        snprintf(line, sizeof line, "GET k%d", i);
        assert_int_equal(test_send(redis, line, &kept[i]), E_OK);
        test_ask(loop, redis, "LRANGE nothing 0 -1", "");
    }
    redis_close(redis);
    for (int i = 0; i < 50; i++) {
        struct slice text = kept[i].kept->root->text;
        int len = snprintf(line, sizeof line, "end-%d", i);
        assert_int_equal(text.len, (size_t)(3000 + i * 400 + len));
        assert_memory_equal(text.data + 3000 + i * 400, line, (size_t)len);
        reply_unref(kept[i].kept);
    }
}

static void kept_replies_of_a_pipeline_are_not_written_over(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct test_call kept[200] = {0};
    char line[64];

    for (int i = 0; i < 200; i++) { /* many more bytes than a read buffer holds */
        snprintf(line, sizeof line, "SETRANGE k%d %d end-%d", i, 1000 + i * 37, i);
        test_ask(loop, redis, line, NULL);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "GET k%d", i);
        assert_int_equal(test_send(redis, line, &kept[i]), E_OK);
    }
    test_wait(loop, test_call_is_done, &kept[199]);
    for (int i = 0; i < 200; i++) {
        struct slice text = kept[i].kept->root->text;
        int len = snprintf(line, sizeof line, "end-%d", i);
        assert_int_equal(text.len, (size_t)(1000 + i * 37 + len));
        assert_int_equal(text.data[0], '\0');
        assert_memory_equal(text.data + 1000 + i * 37, line, (size_t)len);
        reply_unref(kept[i].kept);
    }
    redis_close(redis);
}

static void a_reply_of_many_elements_is_whole(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct slice eval[] = {
        SLICE("EVAL"), SLICE("for i = 1, 100000 do redis.call('RPUSH', 'l', i) end"), SLICE("0")};
    struct test_call call = {.call.op.done = test_call_done};

    test_wait(loop, test_is_ready, redis);
    assert_int_equal(redis_call(redis, eval, 3, &call.call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    reply_unref(call.kept);
    assert_int_equal(test_send(redis, "LRANGE l 0 -1", &call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    const struct resp *root = call.kept->root;
    assert_int_equal(root->count, 100000);
    for (uint32_t i = 1; i <= root->count; i++) {
        int64_t number = 0;
        assert_true(resp_int(&root[i], &number));
        assert_int_equal(number, i);
    }
    reply_unref(call.kept);
    test_ask(loop, redis, "LLEN l", "100000");
    redis_close(redis);
}

static void shared_clients_are_one_and_dedicated_are_not(void **state)
{
    (void)state;
    struct redis *a = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct redis *b = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct redis *c = test_open(hub, server.conn, REDIS_DEDICATED, "f");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    redis_close(a);
    test_ask(loop, b, "PING", "PONG");
    test_ask(loop, c, "CLIENT GETNAME", "f");
    redis_close(b);
    redis_close(c);
}

static bool all_ready(void *ctx)
{
    struct redis **all = ctx;
    return redis_is_ready(all[0]) && redis_is_ready(all[1]) && redis_is_ready(all[2]);
}

static bool none_ready(void *ctx)
{
    struct redis **all = ctx;
    return !redis_is_ready(all[0]) && !redis_is_ready(all[1]) && !redis_is_ready(all[2]);
}

static void an_outage_has_one_line_at_each_end(void **state)
{
    (void)state;
    struct redis *all[3];
    struct test_call blocked = {.call.timeout_ms = 60000}, late = {0};

    for (int i = 0; i < 3; i++)
        all[i] = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    test_wait(loop, all_ready, all);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(test_send(all[0], "BLPOP l 0", &blocked), E_OK);
        test_server_kill(&server);
        test_wait(loop, none_ready, all);
        assert_int_equal(blocked.err, E_CLOSED);
        assert_int_equal(test_send(all[0], "PING", &late), E_CLOSED);
        assert_false(late.is_done);
        assert_int_equal(test_lines_of(&lines, "REDIS-LOST"), round + 1);
        test_wait_ms(loop, test_never, NULL, 150);
        assert_int_equal(test_lines_of(&lines, "REDIS-LOST"), round + 1);
        test_server_run(&server, "");
        test_wait(loop, all_ready, all);
        assert_int_equal(test_lines_of(&lines, "REDIS-RESTORED"), round + 1);
        assert_non_null(strstr(lines.last, "connection restored after"));
    }
    assert_int_equal(lines.count, 4);
    assert_int_equal(redis_reconnects(all[1]), 2);
    assert_int_equal(redis_epoch(all[1]), 3);
    for (int i = 0; i < 3; i++)
        redis_close(all[i]);
}

static bool is_zero(void *ctx)
{
    const struct series *series = ctx;
    return series_value(series) == 0;
}

static void metrics_tell_what_is_up(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    redis_hub_metrics(hub, metrics);
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    const char *labels[] = {redis_name(redis), NULL};
    struct series *up = metrics_series(metrics, METRIC_ID_REDIS_UP, labels);
    const struct series *again = metrics_series(metrics, METRIC_ID_RECONNECTS, labels);

    test_ask(loop, redis, "PING", "PONG");
    assert_true(series_value(up) == 1 && series_value(again) == 0);
    test_server_kill(&server);
    test_wait(loop, is_zero, up);
    test_server_run(&server, "");
    test_ask(loop, redis, "PING", "PONG");
    assert_true(series_value(up) == 1 && series_value(again) == 1);
    redis_close(redis);
    redis_hub_free(hub);
    hub = NULL;
    metrics_free(metrics);
}

static void a_server_that_starts_later_is_found(void **state)
{
    (void)state;
    test_server_kill(&server);
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);

    test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(test_lines_of(&lines, "REDIS-LOST"), 1);
    assert_non_null(strstr(lines.last, "cannot connect"));
    test_server_run(&server, "");
    test_ask(loop, redis, "PING", "PONG");
    assert_int_equal(test_lines_of(&lines, "REDIS-RESTORED"), 1);
    redis_close(redis);
}

static void a_silent_server_is_left(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct test_call slow = {.call.timeout_ms = 60000}, fast = {.call.timeout_ms = 50};

    test_wait(loop, test_is_ready, redis);
    kill(server.pid, SIGSTOP);
    assert_int_equal(test_send(redis, "GET a", &slow), E_OK);
    assert_int_equal(test_send(redis, "GET b", &fast), E_OK);
    test_wait(loop, test_call_is_done, &fast);
    kill(server.pid, SIGCONT);
    assert_int_equal(fast.err, E_TIMEOUT);
    assert_true(slow.is_done);
    assert_int_equal(slow.err, E_CLOSED);
    test_ask(loop, redis, "PING", "PONG");
    assert_int_equal(lines.count, 2);
    redis_close(redis);
}

static void an_idle_connection_is_pinged(void **state)
{
    (void)state;
    char conn[256];
    snprintf(conn, sizeof conn, "%s,keepAlive=1,syncTimeout=100", server.conn);
    struct redis *redis = test_open(hub, conn, REDIS_SHARED, NULL);

    test_wait(loop, test_is_ready, redis);
    kill(server.pid, SIGSTOP);
    void *all[3] = {redis, redis, redis};
    test_wait(loop, none_ready, all); /* though nobody sent anything */
    kill(server.pid, SIGCONT);
    test_ask(loop, redis, "PING", "PONG");
    redis_close(redis);
}

static void an_aborted_call_comes_back_at_once(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    struct redis *other = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    struct test_call blocked = {.call.timeout_ms = 60000}, next = {.call.timeout_ms = 60000};

    test_wait(loop, test_is_ready, redis);
    assert_int_equal(test_send(redis, "BLPOP l 0", &blocked), E_OK);
    assert_int_equal(test_send(redis, "GET k", &next), E_OK);
    test_ask(loop, other, "SET k v", "OK");
    op_abort(&blocked.call.op);
    assert_false(blocked.is_done);
    test_wait(loop, test_call_is_done, &blocked);
    assert_int_equal(blocked.err, E_CANCELED);
    test_ask(loop, other, "LPUSH l x", "1");
    test_wait(loop, test_call_is_done, &next); /* its reply is its own, not that of the aborted */
    assert_true(slice_eq(next.kept->root->text, SLICE("v")));
    reply_unref(next.kept);
    redis_close(redis);
    redis_close(other);
}

static void an_aborted_call_gives_back_what_it_borrowed_after_the_write(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    struct test_call call = {.call.op.done = test_call_done};
    char *value = calloc(1, LARGE_BYTES);
    struct slice args[] = {SLICE("SET"), SLICE("k"), {value, LARGE_BYTES}};

    test_wait(loop, test_is_ready, redis);
    assert_int_equal(redis_call(redis, args, 3, &call.call), E_OK);
    op_abort(&call.call.op);
    test_wait(loop, test_call_is_done, &call);
    free(value); /* nothing may read it from here on */
    assert_true(call.err == E_CANCELED || call.err == E_OK);
    reply_unref(call.kept);
    test_ask(loop, redis, "STRLEN k", "16777216");
    redis_close(redis);
}

static void closing_ends_what_is_under_way(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    struct test_call calls[3] = {{.call.timeout_ms = 60000}};

    test_wait(loop, test_is_ready, redis);
    for (int i = 0; i < 3; i++)
        assert_int_equal(test_send(redis, i == 0 ? "BLPOP l 0" : "PING", &calls[i]), E_OK);
    op_abort(&calls[1].call.op);
    redis_close(redis);
    assert_false(calls[0].is_done);
    test_wait(loop, test_call_is_done, &calls[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(calls[i].err, E_CANCELED);
    assert_int_equal(lines.count, 0);
}

static void closing_works_in_every_state(void **state)
{
    (void)state;
    struct redis *redis[40];

    for (int i = 0; i < 40; i++)
        redis[i] = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
    for (int i = 0; i < 40; i++) { /* each one a little further on its way */
        redis_close(redis[i]);
        test_wait_ms(loop, test_never, NULL, 1);
    }
    struct redis *last = test_open(hub, "!/nowhere", REDIS_DEDICATED, NULL);
    test_wait_ms(loop, test_never, NULL, 20);
    redis_close(last); /* in back-off; the loop is freed right behind */
    redis_close(test_open(hub, server.conn, REDIS_DEDICATED, NULL));
}

static struct redis *closed_inside;
static void close_on_done(struct op *op, enum err err)
{
    test_call_done(op, err);
    redis_close(closed_inside);
}

static void a_callback_may_close_its_client(void **state)
{
    (void)state;
    struct test_call calls[2] = {0};

    for (int round = 0; round < 2; round++) {
        closed_inside = test_open(hub, server.conn, REDIS_DEDICATED, NULL);
        test_wait(loop, test_is_ready, closed_inside);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(test_send(closed_inside, "PING", &calls[i]), E_OK);
            calls[i].call.op.done = i == 0 ? close_on_done : test_call_done;
        }
        if (round == 1)
            test_server_kill(&server);
        test_wait(loop, test_call_is_done, &calls[1]);
        assert_int_equal(calls[0].err, round == 0 ? E_OK : E_CLOSED);
        assert_int_equal(calls[1].err, round == 0 ? E_CANCELED : E_CLOSED);
        reply_unref(calls[0].kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_command_is_answered, begin, test_end),
        cmocka_unit_test_setup_teardown(an_error_is_told_with_its_reply, begin, test_end),
        cmocka_unit_test_setup_teardown(a_pipeline_keeps_its_order, begin, test_end),
        cmocka_unit_test_setup_teardown(values_are_binary_and_may_be_large, begin, test_end),
        cmocka_unit_test_setup_teardown(a_kept_reply_survives_all_that_follows, begin, test_end),
        cmocka_unit_test_setup_teardown(kept_replies_of_a_pipeline_are_not_written_over, begin,
                                        test_end),
        cmocka_unit_test_setup_teardown(a_reply_of_many_elements_is_whole, begin, test_end),
        cmocka_unit_test_setup_teardown(shared_clients_are_one_and_dedicated_are_not, begin,
                                        test_end),
        cmocka_unit_test_setup_teardown(an_outage_has_one_line_at_each_end, begin, test_end),
        cmocka_unit_test_setup_teardown(metrics_tell_what_is_up, begin, test_end),
        cmocka_unit_test_setup_teardown(a_server_that_starts_later_is_found, begin, test_end),
        cmocka_unit_test_setup_teardown(a_silent_server_is_left, begin, test_end),
        cmocka_unit_test_setup_teardown(an_idle_connection_is_pinged, begin, test_end),
        cmocka_unit_test_setup_teardown(an_aborted_call_comes_back_at_once, begin, test_end),
        cmocka_unit_test_setup_teardown(an_aborted_call_gives_back_what_it_borrowed_after_the_write,
                                        begin, test_end),
        cmocka_unit_test_setup_teardown(closing_ends_what_is_under_way, begin, test_end),
        cmocka_unit_test_setup_teardown(closing_works_in_every_state, begin, test_end),
        cmocka_unit_test_setup_teardown(a_callback_may_close_its_client, begin, test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
