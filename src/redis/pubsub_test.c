#include "redis/pubsub.h"

#include "redis/testing.h"

struct watch {
    struct buf got; /* "channel:payload " */
    struct reply *kept[8];
    size_t count, ups, downs;
    uint64_t gap_ms;
    enum err err;
    struct redis_pubsub *close; /* close it at the first message */
};

static int begin(void **state)
{
    test_begin(state);
    test_server_start(&server, "--notify-keyspace-events AKE");
    return 0;
}

static void on_message(void *ctx, struct slice channel, struct slice payload, struct reply *reply)
{
    struct watch *watch = ctx;
    buf_add(&watch->got, channel);
    buf_add_byte(&watch->got, ':');
    buf_add(&watch->got, payload);
    buf_add_byte(&watch->got, ' ');
    if (watch->count < COUNT_OF(watch->kept))
        watch->kept[watch->count] = reply_ref(reply);
    watch->count++;
    if (watch->close != NULL)
        redis_pubsub_close(watch->close);
}

static void on_up(void *ctx, uint64_t gap_ms)
{
    struct watch *watch = ctx;
    watch->ups++;
    watch->gap_ms = gap_ms;
}

static void on_down(void *ctx, enum err err, const struct cause *why)
{
    struct watch *watch = ctx;
    assert_true(why->text[0] != '\0');
    watch->downs++;
    watch->err = err;
}

static struct redis_pubsub *watch_open(struct watch *watch, const char *more, const char *channel,
                                       bool is_pattern)
{
    struct redis_options *options;
    char conn[512];

    snprintf(conn, sizeof conn, "%s%s", server.conn, more);
    assert_int_equal(redis_options_parse(slice_of(conn), &options, NULL), E_OK);
    *watch = (struct watch){0};
    buf_init(&watch->got, 1 << 20);
    struct redis_pubsub *pubsub =
        redis_pubsub_open(hub, &(struct redis_pubsub_options){.options = options,
                                                              .client_name = "watcher",
                                                              .channel = slice_of(channel),
                                                              .is_pattern = is_pattern,
                                                              .message = on_message,
                                                              .up = on_up,
                                                              .down = on_down,
                                                              .ctx = watch});
    redis_options_unref(options);
    return pubsub;
}

static void watch_done(struct watch *watch)
{
    for (size_t i = 0; i < COUNT_OF(watch->kept); i++)
        reply_unref(watch->kept[i]);
    buf_done(&watch->got);
}

static bool is_up(void *ctx)
{
    return ((struct watch *)ctx)->ups > 0;
}

static bool is_down(void *ctx)
{
    return ((struct watch *)ctx)->downs > 0;
}

static bool is_refused(void *ctx)
{
    const struct watch *watch = ctx;
    return watch->downs > 1 && watch->err == E_REDIS;
}

static bool got_one(void *ctx)
{
    return ((struct watch *)ctx)->count >= 1;
}

static bool got_two(void *ctx)
{
    return ((struct watch *)ctx)->count >= 2;
}

static void messages_come_in_order_and_whole(void **state)
{
    (void)state;
    static const struct {
        const char *more, *channel;
        bool is_pattern;
        const char *publish[3];
        const char *got;
    } rows[] = {
        {"", "c", false, {"PUBLISH c one", "PUBLISH cx no", "PUBLISH c two"}, "c:one c:two "},
        {",protocol=resp3", "c", false, {"PUBLISH c 1", "PUBLISH x 1", "PUBLISH c 2"}, "c:1 c:2 "},
        {"", "c*", true, {"PUBLISH c one", "PUBLISH xc no", "PUBLISH cx two"}, "c:one cx:two "},
        {",protocol=resp3",
         "c*",
         true,
         {"PUBLISH c 1", "PUBLISH x 1", "PUBLISH cx 2"},
         "c:1 cx:2 "},
        {"", "c*", false, {"PUBLISH c no", "PUBLISH c* 1", "PUBLISH c* 2"}, "c*:1 c*:2 "},
        {",channelPrefix=p:",
         "c",
         false,
         {"PUBLISH c no", "PUBLISH p:c 1", "PUBLISH p:c 2"},
         "c:1 c:2 "},
        {",channelPrefix=p:",
         "*",
         true,
         {"PUBLISH c no", "PUBLISH p:c 1", "PUBLISH p:d 2"},
         "c:1 d:2 "},
        {",channelPrefix=p:",
         "__keyspace@0__:k",
         true,
         {"SET k v", "GET k", "DEL k"},
         "__keyspace@0__:k:set __keyspace@0__:k:del "},
        {",channelPrefix=p:",
         "__keyevent@0__:set",
         true,
         {"SET k v", "GET k", "SET l v"},
         "__keyevent@0__:set:k __keyevent@0__:set:l "},
    };
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct watch watch;
        struct redis_pubsub *pubsub =
            watch_open(&watch, rows[i].more, rows[i].channel, rows[i].is_pattern);
        test_wait(loop, is_up, &watch);
        assert_int_equal(watch.gap_ms, 0);
        for (int j = 0; j < 3; j++)
            test_ask(loop, redis, rows[i].publish[j], NULL);
        test_wait(loop, got_two, &watch);
        test_ask(loop, redis, "PING", "PONG");
        assert_string_equal(buf_text(&watch.got), rows[i].got);
        redis_pubsub_close(pubsub);
        watch_done(&watch);
    }
    redis_close(redis);
    assert_int_equal(lines.count, 0);
}

static void a_kept_message_stays(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct watch watch;
    struct redis_pubsub *pubsub = watch_open(&watch, "", "c", false);

    test_wait(loop, is_up, &watch);
    test_ask(loop, redis, "PUBLISH c one", "1");
    test_ask(loop, redis, "PUBLISH c two", "1");
    test_wait(loop, got_two, &watch);
    redis_pubsub_close(pubsub);
    assert_true(slice_eq(resp_child(watch.kept[0]->root, 2)->text, SLICE("one")));
    assert_true(slice_eq(resp_child(watch.kept[1]->root, 2)->text, SLICE("two")));
    watch_done(&watch);
    redis_close(redis);
}

static void the_gap_of_an_outage_is_told(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct watch watch;
    struct redis_pubsub *pubsub = watch_open(&watch, "", "c", false);

    test_wait(loop, is_up, &watch);
    test_server_kill(&server);
    test_wait(loop, is_down, &watch);
    assert_int_equal(watch.err, E_CLOSED);
    watch.ups = 0;
    test_wait_ms(loop, test_never, NULL, 200);
    assert_int_equal(watch.downs, 1); /* told once, however often it fails */
    test_server_run(&server, "");
    test_wait(loop, is_up, &watch);
    assert_true(watch.gap_ms >= 200 && watch.gap_ms < TEST_DEADLINE_MS);
    test_ask(loop, redis, "PUBLISH c again", "1");
    test_wait(loop, got_one, &watch);
    assert_string_equal(buf_text(&watch.got), "c:again ");
    assert_int_equal(test_lines_of(&lines, "REDIS-LOST"), 1);
    assert_int_equal(test_lines_of(&lines, "REDIS-RESTORED"), 1);
    redis_pubsub_close(pubsub);
    redis_close(redis);
    watch_done(&watch);
}

static void a_silent_server_is_noticed(void **state)
{
    (void)state;
    struct watch watch;
    struct redis_pubsub *pubsub = watch_open(&watch, ",keepAlive=1,syncTimeout=200", "c", false);

    test_wait(loop, is_up, &watch);
    watch.ups = 0;
    kill(server.pid, SIGSTOP);
    test_wait(loop, is_down, &watch);
    kill(server.pid, SIGCONT);
    assert_int_equal(watch.err, E_TIMEOUT);
    test_wait(loop, is_up, &watch);
    redis_pubsub_close(pubsub);
    watch_done(&watch);
}

static void an_idle_subscription_lives(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct watch two, three;
    struct redis_pubsub *a = watch_open(&two, ",keepAlive=1", "c", false);
    struct redis_pubsub *b = watch_open(&three, ",keepAlive=1,protocol=resp3", "c", false);

    test_wait(loop, is_up, &two);
    test_wait(loop, is_up, &three);
    test_wait_ms(loop, test_never, NULL, 2500); /* pinged meanwhile */
    test_ask(loop, redis, "PUBLISH c m", "2");
    test_wait(loop, got_one, &two);
    test_wait(loop, got_one, &three);
    assert_int_equal(two.downs + three.downs, 0);
    redis_pubsub_close(a);
    redis_pubsub_close(b);
    redis_close(redis);
    watch_done(&two);
    watch_done(&three);
}

static void a_refused_subscription_is_no_outage(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct watch watch;

    test_ask(loop, redis, "ACL SETUSER u on >p ~* +@all resetchannels", "OK");
    struct redis_pubsub *pubsub = watch_open(&watch, ",user=u,password=p", "c", false);
    test_wait(loop, is_down, &watch);
    assert_int_equal(watch.err, E_REDIS);
    test_wait_ms(loop, test_never, NULL, 300);
    assert_int_equal(watch.downs, 1);
    test_ask(loop, redis, "ACL SETUSER u allchannels", "OK");
    test_wait(loop, is_up, &watch);
    assert_int_equal(lines.count, 0);
    test_ask(loop, redis, "ACL SETUSER u resetchannels", "OK"); /* the server cuts it off */
    test_wait(loop, is_refused, &watch);
    assert_int_equal(watch.downs, 3); /* the refusal is told although the cut was */
    redis_pubsub_close(pubsub);
    redis_close(redis);
    watch_done(&watch);
}

static void it_may_be_closed_in_a_callback_and_before_it_is_up(void **state)
{
    (void)state;
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    struct watch watch;

    redis_pubsub_close(watch_open(&watch, "", "c", false));
    watch_done(&watch);
    watch.close = NULL;
    struct redis_pubsub *pubsub = watch_open(&watch, "", "c", false);
    watch.close = pubsub;
    test_wait(loop, is_up, &watch);
    test_ask(loop, redis, "PUBLISH c m", "1");
    test_wait(loop, got_one, &watch);
    test_ask(loop, redis, "PING", "PONG");
    test_ask(loop, redis, "PUBLISH c m", "0");
    redis_close(redis);
    watch_done(&watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_come_in_order_and_whole, begin, test_end),
        cmocka_unit_test_setup_teardown(a_kept_message_stays, begin, test_end),
        cmocka_unit_test_setup_teardown(the_gap_of_an_outage_is_told, begin, test_end),
        cmocka_unit_test_setup_teardown(a_silent_server_is_noticed, begin, test_end),
        cmocka_unit_test_setup_teardown(an_idle_subscription_lives, begin, test_end),
        cmocka_unit_test_setup_teardown(a_refused_subscription_is_no_outage, begin, test_end),
        cmocka_unit_test_setup_teardown(it_may_be_closed_in_a_callback_and_before_it_is_up, begin,
                                        test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
