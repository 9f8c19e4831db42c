#include "functions/backlog.h"

#include "redis/testing_fake.h"

static struct fake_server fake;
static struct trigger trigger;
static struct backlog *backlog;
static size_t sampled;

static void on_sampled(void *ctx)
{
    assert_ptr_equal(ctx, &fake);
    sampled++;
}

static bool has_sampled(void *ctx)
{
    (void)ctx;
    return sampled > 0;
}

static int begin(void **state)
{
    static char one[] = "s", two[] = "t", group[] = "f", *keys[] = {one, two};

    test_begin(state);
    fake_start(&fake);
    sampled = 0;
    trigger = (struct trigger){.type = TRIGGER_STREAM, .keys = keys, .key_count = 1};
    trigger.consumer_group = group;
    fake_on(&fake, "XINFO STREAM", "[length :0]");
    fake_on(&fake, "XINFO GROUPS", "[]");
    fake_on(&fake, "XPENDING", "[:0 nil nil nil]");
    return 0;
}

static int end(void **state)
{
    backlog_free(backlog);
    backlog = NULL;
    fake_stop(&fake);
    return test_end(state);
}

/* Begins to ask, as soon as the server can be asked. */
static void ask(void)
{
    struct redis_options *options;

    assert_int_equal(redis_options_parse(slice_of(fake.place.conn), &options, NULL), E_OK);
    struct redis *redis = redis_open(hub, options, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
    backlog = backlog_new(loop, hub, options, &trigger, on_sampled, &fake);
    redis_close(redis);
    redis_options_unref(options);
    backlog_sample(backlog);
}

static const struct backlog_sample *sample(void)
{
    ask();
    test_wait(loop, has_sampled, NULL);
    assert_int_equal(sampled, 1);
    return backlog_last(backlog);
}

static void the_lengths_of_all_lists_are_added(void **state)
{
    (void)state;
    trigger.type = TRIGGER_LIST;
    trigger.key_count = 2;
    fake_on(&fake, "LLEN s", ":3");
    fake_on(&fake, "LLEN t", ":4");
    const struct backlog_sample *last = sample();
    assert_int_equal(last->remaining, 7);
    assert_int_equal(last->pending, 0);
    assert_int_equal(last->oldest_age_ms, 0);
}

#define STREAM                                                                                     \
    "[length :100 last-generated-id 2000-0 groups :1 first-entry [1000-0 [a 1]] last-entry nil]"

static void what_the_group_has_not_read_remains(void **state)
{
    static const struct {
        const char *stream, *groups;
        uint64_t remaining, pending;
    } rows[] = {
        /* no group: all of it */
        {STREAM, "[]", 100, 0},
        {STREAM, "[[name other pending :9 last-delivered-id 2000-0 lag :0]]", 100, 0},
        /* the server tells */
        {STREAM, "[[name f pending :2 last-delivered-id 0-0 entries-read :1 lag :42]]", 42, 2},
        /* it cannot tell (nil), or is too old to (absent): guessed by time, */
        {STREAM, "[[name f pending :2 last-delivered-id 1500-0 entries-read nil lag nil]]", 50, 2},
        {STREAM, "[[name f consumers :1 pending :2 last-delivered-id 1250-7]]", 75, 2},
        /* and within one millisecond by sequence */
        {STREAM, "[[name f pending :2 last-delivered-id 2000-0]]", 0, 2},
        {"[length :9 last-generated-id 7-9 first-entry [7-1 [a 1]]]",
         "[[name f pending :0 last-delivered-id 7-5]]", 4, 0},
        /* an error is nothing */
        {"-ERR no such key", "-ERR no such key", 0, 0},
        {"-WRONGTYPE Operation", "-WRONGTYPE Operation", 0, 0},
        {"+OK", ":5", 0, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fake_on(&fake, "XINFO STREAM s", rows[i].stream);
        fake_on(&fake, "XINFO GROUPS s", rows[i].groups);
        const struct backlog_sample *last = sample();
        if (last->remaining != rows[i].remaining || last->pending != rows[i].pending)
            fail_msg("row %zu: %llu and %llu", i, (unsigned long long)last->remaining,
                     (unsigned long long)last->pending);
        end(state);
        begin(state);
    }
}

static void several_streams_are_added(void **state)
{
    (void)state;
    trigger.key_count = 2;
    fake_on(&fake, "XINFO GROUPS s", "[[name f pending :2 last-delivered-id 1-0 lag :10]]");
    fake_on(&fake, "XINFO GROUPS t", "[[name f pending :3 last-delivered-id 1-0 lag :5]]");
    fake_on(&fake, "XINFO STREAM", STREAM);
    const struct backlog_sample *last = sample();
    assert_int_equal(last->remaining, 15);
    assert_int_equal(last->pending, 5);
}

static void the_oldest_that_is_pending_tells_its_age(void **state)
{
    char young[128], old[128];
    uint64_t now = clock_unix_ms();

    (void)state;
    snprintf(young, sizeof young, "[:2 %llu-0 %llu-5 [[n1 2]]]", (unsigned long long)now - 5000,
             (unsigned long long)now);
    snprintf(old, sizeof old, "[:1 %llu-7 %llu-7 [[n1 1]]]", (unsigned long long)now - 60000,
             (unsigned long long)now - 60000);
    trigger.key_count = 2;
    fake_on(&fake, "XPENDING s f", young);
    fake_on(&fake, "XPENDING t f", old);
    const struct backlog_sample *last = sample();
    assert_in_range(last->oldest_age_ms, 60000, 60000 + TEST_DEADLINE_MS);
}

static void ids_of_the_future_have_no_age(void **state)
{
    (void)state;
    fake_on(&fake, "XPENDING s f", "[:1 9999999999999-0 9999999999999-0 [[n1 1]]]");
    assert_int_equal(sample()->oldest_age_ms, 0);
}

static void a_lost_connection_leaves_nothing(void **state)
{
    (void)state;
    fake_on(&fake, "XINFO STREAM s", STREAM);
    fake_once(&fake, "XINFO GROUPS", FAKE_DROP); /* and with it all answers */
    assert_int_equal(sample()->remaining, 0);
    sampled = 0;
    backlog_sample(backlog); /* not connected: at once */
    assert_int_equal(sampled, 1);
    assert_int_equal(backlog_last(backlog)->remaining, 0);
}

static void one_question_at_a_time(void **state)
{
    (void)state;
    fake_on(&fake, "XINFO STREAM s", FAKE_WAIT);
    ask();
    fake_await(&fake, "XINFO STREAM s", 1);
    backlog_sample(backlog);
    fake_say(&fake, "XINFO STREAM s", STREAM);
    test_wait(loop, has_sampled, NULL);
    assert_false(test_wait_ms(loop, test_never, NULL, 10));
    assert_int_equal(sampled, 1);
    assert_int_equal(fake_heard(&fake, "XINFO STREAM s"), 1);
}

static void answers_to_one_that_is_gone_are_dropped(void **state)
{
    (void)state;
    fake_on(&fake, "XINFO STREAM s", FAKE_WAIT);
    ask();
    fake_await(&fake, "XINFO STREAM s", 1);
    backlog_free(backlog);
    backlog = NULL;
    assert_false(test_wait_ms(loop, test_never, NULL, 10));
    assert_int_equal(sampled, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_lengths_of_all_lists_are_added),
        TEST(what_the_group_has_not_read_remains),
        TEST(several_streams_are_added),
        TEST(the_oldest_that_is_pending_tells_its_age),
        TEST(ids_of_the_future_have_no_age),
        TEST(a_lost_connection_leaves_nothing),
        TEST(one_question_at_a_time),
        TEST(answers_to_one_that_is_gone_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
