/* Two nodes on one real server take the events that a third put there. */
#include "redis/testing.h"

#include "store/outbox.h"

static struct redis *redis;

static int begin(void **state)
{
    (void)test_begin(state);
    test_server_start(&server, "");
    redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
    return 0;
}

static int end(void **state)
{
    redis_close(redis);
    return test_end(state);
}

static void put(const char *scope, const char *event)
{
    char line[256];

    snprintf(line, sizeof line, "XADD " OUTBOX_KEY " * scope %s event %s", scope, event);
    test_ask(loop, redis, line, NULL);
}

static char id[64]; /* of the last that came */

/* "scope=event " of all that comes. */
static void expect(enum err (*take)(struct redis *redis, struct slice node,
                                    struct redis_call *call),
                   const char *node, const char *expected)
{
    struct test_call call = {.call.op.done = test_call_done};
    struct outbox_entry entry;
    uint32_t at = 0;
    struct buf text;

    assert_int_equal(take(redis, slice_of(node), &call.call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_OK);
    buf_init(&text, 4096);
    while (outbox_next(call.kept, &at, &entry)) {
        buf_addf(&text, "%.*s=%.*s ", SLICE_ARG(entry.scope), SLICE_ARG(entry.event));
        snprintf(id, sizeof id, "%.*s", SLICE_ARG(entry.id));
    }
    assert_string_equal(buf_text(&text), expected);
    buf_done(&text);
    reply_unref(call.kept);
}

static void done(void)
{
    struct test_call call = {.call.op.done = test_call_done};

    assert_int_equal(outbox_done(redis, slice_of(id), &call.call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_int_equal(call.err, E_OK);
    reply_unref(call.kept);
}

static void each_event_is_one_nodes(void **state)
{
    (void)state;
    expect(outbox_take, "a", "");
    put("/c", "{1}");
    put("/d", "{2}");
    expect(outbox_take, "a", "/c={1} /d={2} ");
    expect(outbox_take, "b", "");
    put("/c", "{3}");
    expect(outbox_take, "b", "/c={3} ");
    done();
    test_ask(loop, redis, "XLEN " OUTBOX_KEY, "2");
}

static void what_was_put_before_anybody_looked_comes_too(void **state)
{
    (void)state;
    put("/c", "{1}");
    expect(outbox_adopt, "a", ""); /* nobody has had it */
    expect(outbox_take, "a", "/c={1} ");
    done();
    test_ask(loop, redis, "XLEN " OUTBOX_KEY, "0");
    expect(outbox_take, "a", "");
}

static void what_somebody_has_had_for_long_is_taken_over(void **state)
{
    char line[160];

    (void)state;
    put("/c", "{1}");
    expect(outbox_take, "a", "/c={1} ");
    expect(outbox_adopt, "b", "");
    snprintf(line, sizeof line, "XCLAIM " OUTBOX_KEY " redgrid a 0 %s IDLE %d", id, OUTBOX_IDLE_MS);
    test_ask(loop, redis, line, NULL);
    expect(outbox_adopt, "b", "/c={1} ");
    expect(outbox_adopt, "b", ""); /* its time begins anew */
    done();
    snprintf(line, sizeof line, "XPENDING " OUTBOX_KEY " redgrid");
    test_ask(loop, redis, line, "[0 nil nil nil]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_event_is_one_nodes, begin, end),
        cmocka_unit_test_setup_teardown(what_was_put_before_anybody_looked_comes_too, begin, end),
        cmocka_unit_test_setup_teardown(what_somebody_has_had_for_long_is_taken_over, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
