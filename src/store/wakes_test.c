/* Two nodes on one real server: what one tells, the other hears, also after an outage. */
#include "redis/testing.h"

#include "store/wakes.h"

struct node {
    struct redis *redis;
    struct wakes *wakes;
    char heard[4096]; /* "id " .., "all " */
    int all;
};

static struct node a, b;

static void on_woken(void *ctx, struct slice queue)
{
    struct node *node = ctx;
    size_t at = strlen(node->heard);
    snprintf(node->heard + at, sizeof node->heard - at, "%.*s ", SLICE_ARG(queue));
}

static void on_missed(void *ctx)
{
    ((struct node *)ctx)->all++;
}

static bool hears_all(void *ctx)
{
    return ((struct node *)ctx)->all > 0;
}

static void join(struct node *node, const char *name)
{
    *node = (struct node){.redis = test_open(hub, server.conn, REDIS_DEDICATED, name)};
    test_wait(loop, test_is_ready, node->redis);
    node->wakes = wakes_open(&(struct wakes_options){.loop = loop,
                                                     .redis = node->redis,
                                                     .node = name,
                                                     .woken = on_woken,
                                                     .missed = on_missed,
                                                     .ctx = node});
}

static void leave(struct node *node)
{
    wakes_close(node->wakes);
    node->wakes = NULL;
    redis_close(node->redis);
}

static int begin(void **state)
{
    (void)test_begin(state);
    test_server_start(&server, "");
    join(&a, "a");
    join(&b, "b");
    test_wait(loop, hears_all, &a);
    test_wait(loop, hears_all, &b);
    a.all = b.all = 0;
    return 0;
}

static int end(void **state)
{
    leave(&a);
    leave(&b);
    return test_end(state);
}

static bool hears_last(void *ctx)
{
    return strstr(((struct node *)ctx)->heard, "last ") != NULL;
}

static void what_one_tells_the_other_hears_and_not_itself(void **state)
{
    (void)state;
    wakes_tell(a.wakes, SLICE("q1"));
    wakes_tell(a.wakes, SLICE("q1"));
    wakes_tell(NULL, SLICE("q1"));
    wakes_tell(a.wakes, SLICE("last"));
    test_wait(loop, hears_last, &b);
    assert_true(strcmp(b.heard, "q1 last ") == 0 || strcmp(b.heard, "last q1 ") == 0);
    wakes_tell(b.wakes, SLICE("last"));
    test_wait(loop, hears_last, &a);
    assert_string_equal(a.heard, "last ");
    assert_int_equal(a.all + b.all, 0);
}

static void more_than_fit_are_all(void **state)
{
    char queue[16];

    (void)state;
    for (int i = 0; i <= WAKES_QUEUES_MAX; i++) {
        snprintf(queue, sizeof queue, "q%d", i);
        wakes_tell(a.wakes, slice_of(queue));
    }
    test_wait(loop, hears_all, &b);
    assert_string_equal(b.heard, "");
}

static void who_was_cut_off_looks_at_everything(void **state)
{
    (void)state;
    test_ask(loop, a.redis, "CLIENT KILL TYPE pubsub", "2");
    wakes_tell(a.wakes, SLICE("q1")); /* perhaps unheard */
    test_wait(loop, hears_all, &a);
    test_wait(loop, hears_all, &b);
    wakes_tell(a.wakes, SLICE("last"));
    test_wait(loop, hears_last, &b);
}

static bool hears_all_twice(void *ctx)
{
    return ((struct node *)ctx)->all >= 2;
}

static void who_could_not_speak_tells_all_afterwards(void **state)
{
    (void)state;
    test_server_kill(&server);
    test_wait(loop, test_is_down, a.redis);
    wakes_tell(a.wakes, SLICE("q1"));
    test_server_run(&server, "");
    test_wait(loop, hears_all_twice, &b); /* since it is up again, and by what a says */
    wakes_tell(a.wakes, SLICE("last"));
    test_wait(loop, hears_last, &b);
}

/* One who comes late is heard of by the next message, which is not long in coming. */
static void nobody_is_alone_for_long(void **state)
{
    (void)state;
    leave(&b);
    for (int i = 0; i < 5; i++) {
        wakes_tell(a.wakes, SLICE("q1"));
        (void)test_wait_ms(loop, test_never, NULL, 10);
    }
    join(&b, "b");
    test_wait(loop, hears_all, &b);
    wakes_tell(a.wakes, SLICE("last"));
    test_wait(loop, hears_last, &b);
}

static void what_is_to_be_told_at_the_end_is(void **state)
{
    (void)state;
    wakes_tell(a.wakes, SLICE("last"));
    wakes_close(a.wakes);
    a.wakes = NULL;
    test_wait(loop, hears_last, &b);
}

static void who_leaves_may_tell_to_look_at_everything(void **state)
{
    (void)state;
    wakes_tell(a.wakes, SLICE("q1"));
    wakes_tell_all(a.wakes);
    wakes_close(a.wakes);
    a.wakes = NULL;
    test_wait(loop, hears_all, &b);
    assert_string_equal(b.heard, "");
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(what_one_tells_the_other_hears_and_not_itself),
        ROW(more_than_fit_are_all),
        ROW(who_was_cut_off_looks_at_everything),
        ROW(who_could_not_speak_tells_all_afterwards),
        ROW(nobody_is_alone_for_long),
        ROW(what_is_to_be_told_at_the_end_is),
        ROW(who_leaves_may_tell_to_look_at_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
