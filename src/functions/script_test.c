#include "functions/script.h"

#include "redis/testing.h"

#define WITHOUT ",$EVAL="

static struct redis *redis;

static void open_redis(const char *options)
{
    char conn[256];

    snprintf(conn, sizeof conn, "%s%s", server.conn, options);
    redis = test_open(hub, conn, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
}

static int begin(void **state)
{
    test_begin(state);
    test_server_start(&server, "");
    return 0;
}

static int end(void **state)
{
    redis_close(redis);
    return test_end(state);
}

/* --- the programs of these tests --- */

static size_t steps; /* how often the program was called */

/* Sums its ARGV and what the first two keys hold, over three rounds. */
static void sum(struct plain *p)
{
    int64_t number, *total = p->own;

    switch (steps++) {
    case 0:
        p->own = plain_memory(p, 1, sizeof *total);
        PLAIN_ASK(p, SLICE("GET"), p->keys[0]);
        PLAIN_ASK(p, SLICE("GET"), p->keys[1]);
        return;
    case 1:
        for (size_t i = 0; i < 2; i++)
            if (resp_int(plain_reply(p, i), &number))
                *total += number;
        plain_forget(p);
        PLAIN_ASK(p, SLICE("ECHO"), p->args[0]);
        return;
    case 2:
        if (resp_int(plain_reply(p, 0), &number))
            *total += number;
        PLAIN_ASK(p, SLICE("SET"), p->keys[2], plain_number(p, *total));
        plain_end(p, *total); /* as soon as that is done */
        return;
    }
    fail_msg("called after its end");
}

static void judge_an_error(struct plain *p)
{
    if (steps++ == 0) {
        PLAIN_ASK(p, SLICE("INCR"), p->keys[0]);
        PLAIN_ASK(p, SLICE("LLEN"), p->keys[0]);
        p->takes_errors = true;
        return;
    }
    assert_int_equal(plain_reply(p, 0)->integer, 1);
    assert_true(resp_is_error(plain_reply(p, 1), SLICE("WRONGTYPE")));
    plain_end_with(p, plain_reply(p, 1));
}

static void meet_an_error(struct plain *p)
{
    assert_int_equal(steps++, 0);
    PLAIN_ASK(p, SLICE("LLEN"), p->keys[0]);
    PLAIN_ASK(p, SLICE("INCR"), p->keys[0]);
    PLAIN_ASK(p, SLICE("RPUSH"), p->keys[0], SLICE("x"));
}

static void fail_at_once(struct plain *p)
{
    plain_fail(p, E_UNSUPPORTED, "not here");
}

static void fail_later(struct plain *p)
{
    if (steps++ == 0)
        PLAIN_ASK(p, SLICE("PING"));
    else
        plain_fail(p, E_LIMIT, "not now");
}

static void be_cut_off(struct plain *p)
{
    assert_int_equal(steps++, 0);
    PLAIN_ASK(p, SLICE("PING"));
    PLAIN_ASK(p, SLICE("CLIENT"), SLICE("KILL"), SLICE("TYPE"), SLICE("normal"), SLICE("SKIPME"),
              SLICE("no"));
    PLAIN_ASK(p, SLICE("PING"));
}

/* --- the tests --- */

static struct {
    struct redis_call call;
    size_t done_calls;
    enum err err;
    char answer[256], why[CAUSE_MAX_BYTES];
} watch;

static void on_done(struct op *op, enum err err)
{
    struct buf text;

    buf_init(&text, sizeof watch.answer);
    if (watch.call.reply != NULL)
        test_text(watch.call.reply->root, &text);
    snprintf(watch.answer, sizeof watch.answer, "%s", buf_text(&text));
    snprintf(watch.why, sizeof watch.why, "%s", op->why.text);
    buf_done(&text);
    watch.err = err;
    watch.done_calls++;
}

static bool is_done(void *ctx)
{
    (void)ctx;
    return watch.done_calls > 0;
}

static enum err take(const struct script *script)
{
    const struct slice keys[] = {SLICE("a"), SLICE("b"), SLICE("sum")};
    char arg[] = "30";
    struct slice args[] = {{arg, 2}};

    steps = 0;
    watch.done_calls = 0;
    watch.call.op.done = on_done;
    enum err err = script_call(redis, script, keys, COUNT_OF(keys), args, 1, &watch.call);
    assert_int_equal(watch.done_calls, 0);
    memset(arg, '?', 2); /* it has been copied */
    return err;
}

static void expect(const struct script *script, enum err err, const char *answer)
{
    assert_int_equal(take(script), E_OK);
    test_wait(loop, is_done, NULL);
    assert_int_equal(watch.done_calls, 1);
    assert_int_equal(watch.err, err);
    assert_string_equal(watch.answer, answer);
}

static void a_script_is_lua_where_it_may_be(void **state)
{
    static const struct script script = {"return KEYS[2] .. ARGV[1]", sum};

    (void)state;
    open_redis("");
    expect(&script, E_OK, "b30");
    assert_int_equal(steps, 0);
}

static void a_program_goes_in_rounds(void **state)
{
    static const struct script script = {"return 7", sum};

    (void)state;
    open_redis(WITHOUT);
    assert_int_equal(test_lines_of(&lines, "REDIS-NO-SCRIPTS"), 1);
    test_ask(loop, redis, "MSET a 1 b 2", "OK");
    expect(&script, E_OK, "33");
    assert_int_equal(steps, 3);
    test_ask(loop, redis, "GET sum", "33");
}

static void an_error_ends_a_program_unless_it_takes_it(void **state)
{
    static const struct script meets = {"", meet_an_error}, judges = {"", judge_an_error};

    (void)state;
    open_redis(WITHOUT);
    expect(&judges, E_REDIS, "WRONGTYPE Operation against a key holding the wrong kind of value");
    assert_non_null(strstr(watch.why, "WRONGTYPE"));
    assert_int_equal(steps, 2);
    expect(&meets, E_REDIS, "WRONGTYPE Operation against a key holding the wrong kind of value");
    test_ask(loop, redis, "GET a", "2"); /* the others of the round were done */
}

static void what_cannot_be_done_is_said(void **state)
{
    static const struct script none = {"", NULL}, at_once = {"", fail_at_once},
                               later = {"", fail_later};

    (void)state;
    open_redis(WITHOUT);
    assert_int_equal(take(&none), E_UNSUPPORTED);
    assert_non_null(strstr(watch.call.op.why.text, "scripts"));
    assert_int_equal(take(&at_once), E_UNSUPPORTED);
    assert_string_equal(watch.call.op.why.text, "not here");
    expect(&later, E_LIMIT, "");
    assert_string_equal(watch.why, "not now");
}

static void a_broken_connection_ends_it(void **state)
{
    static const struct script script = {"", be_cut_off};

    (void)state;
    open_redis(WITHOUT);
    expect(&script, E_CLOSED, "");
    assert_false(redis_is_ready(redis));
    assert_int_equal(take(&script), E_CLOSED);
}

static void what_it_asks_is_cancelled_with_its_client(void **state)
{
    static const struct script script = {"", fail_later};

    (void)state;
    open_redis(WITHOUT);
    assert_int_equal(take(&script), E_OK);
    redis_close(redis);
    test_wait(loop, is_done, NULL);
    assert_int_equal(watch.err, E_CANCELED);
    open_redis("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_script_is_lua_where_it_may_be),
        TEST(a_program_goes_in_rounds),
        TEST(an_error_ends_a_program_unless_it_takes_it),
        TEST(what_cannot_be_done_is_said),
        TEST(a_broken_connection_ends_it),
        TEST(what_it_asks_is_cancelled_with_its_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
