#include "functions/lease.h"

#include "redis/testing_fake.h"

#define TTL_MS 300

static struct fake_server fake;
static struct redis *redis;
static struct lease *lease;
static struct op release;
static bool has_released;
static const char *dead;
static struct watch {
    size_t won, lost, refused;
    uint64_t lost_at_ms;
} watch;

static void on_changed(void *ctx, bool is_held)
{
    assert_ptr_equal(ctx, &watch);
    assert_int_equal(lease_is_held(lease), is_held);
    watch.won += is_held;
    watch.lost += !is_held;
    watch.lost_at_ms = clock_now_ms();
}

static void on_answered(void *ctx, enum err err, const struct cause *why)
{
    (void)ctx;
    watch.refused += err == E_REDIS && strstr(why->text, "OOM") != NULL;
}

static bool is_dead(void *ctx, struct slice node_id)
{
    (void)ctx;
    return dead != NULL && slice_eq(node_id, slice_of(dead));
}

static void on_released(struct op *op, enum err err)
{
    (void)op;
    assert_int_equal(err, E_OK);
    has_released = true;
}

static bool is_released(void *ctx)
{
    (void)ctx;
    return has_released;
}

static void take(void)
{
    lease = lease_new(&(struct lease_options){
        .loop = loop,
        .redis = redis,
        .key = SLICE("redgrid:lease:app:f"),
        .holder = SLICE("n1"),
        .ttl_ms = TTL_MS,
        .peers = {.is_dead = is_dead},
        .changed = on_changed,
        .answered = on_answered,
        .ctx = &watch,
    });
}

static int begin(void **state)
{
    test_begin(state);
    fake_start(&fake);
    fake_on(&fake, "EVAL:SET 1 redgrid:lease:app:f n1 300 ", "n1");
    fake_on(&fake, "EVAL:DEL 1 redgrid:lease:app:f n1", ":1");
    redis = test_open(hub, fake.place.conn, REDIS_SHARED, NULL);
    watch = (struct watch){0};
    dead = NULL;
    has_released = false;
    release = (struct op){.done = on_released};
    return 0;
}

static void give_up(void)
{
    lease_release(lease, &release);
    test_wait(loop, is_released, NULL);
    lease_free(lease);
    lease = NULL;
}

static int end(void **state)
{
    if (lease != NULL)
        give_up();
    redis_close(redis);
    fake_stop(&fake);
    return test_end(state);
}

static bool has_changed(void *ctx)
{
    return *(const size_t *)ctx > 0;
}

static void it_is_won_renewed_and_given_up(void **state)
{
    (void)state;
    take();
    assert_false(lease_is_held(lease));
    uint64_t began_ms = clock_now_ms();
    fake_await(&fake, "EVAL:SET", 4);
    assert_true(clock_now_ms() - began_ms >= TTL_MS - 10); /* every third of its life */
    assert_int_equal(watch.won, 1);
    assert_int_equal(watch.lost, 0);
    assert_true(lease_is_held(lease));
    give_up();
    assert_int_equal(fake_heard(&fake, "EVAL:DEL"), 1);
    assert_int_equal(watch.lost, 0);
}

static void anothers_is_asked_for_until_it_is_free(void **state)
{
    (void)state;
    fake_once(&fake, "EVAL:SET", "n2");
    fake_once(&fake, "EVAL:SET", "n2");
    take();
    test_wait(loop, has_changed, &watch.lost);
    assert_false(lease_is_held(lease));
    test_wait(loop, has_changed, &watch.won);
    assert_int_equal(watch.lost, 1); /* told once */
    assert_int_equal(fake_heard(&fake, "EVAL:SET"), 3);
}

static void a_dead_holder_is_replaced_at_once(void **state)
{
    (void)state;
    dead = "n2";
    fake_once(&fake, "EVAL:SET 1 redgrid:lease:app:f n1 300 ", "n2");
    take();
    test_wait(loop, has_changed, &watch.won);
    assert_int_equal(fake_heard(&fake, "EVAL:SET 1 redgrid:lease:app:f n1 300 n2"), 1);
}

static void a_death_is_followed_up_without_waiting(void **state)
{
    (void)state;
    fake_on(&fake, "EVAL:SET", "n2");
    take();
    fake_await(&fake, "EVAL:SET", 1);
    test_wait(loop, has_changed, &watch.lost);
    uint64_t told_ms = clock_now_ms();
    lease_hurry(lease);
    fake_await(&fake, "EVAL:SET", 2);
    assert_true(clock_now_ms() - told_ms < TTL_MS / 10);
}

static void it_ends_before_another_can_have_it(void **state)
{
    (void)state;
    take();
    test_wait(loop, has_changed, &watch.won);
    uint64_t won_ms = clock_now_ms();
    fake_on(&fake, "EVAL:SET", "-OOM command not allowed");
    test_wait(loop, has_changed, &watch.lost);
    assert_true(watch.lost_at_ms - won_ms <= TTL_MS);
    assert_true(watch.lost_at_ms - won_ms >= TTL_MS / 2);
    assert_true(watch.refused >= 2);
    fake_on(&fake, "EVAL:SET", "n1");
    watch.won = 0;
    test_wait(loop, has_changed, &watch.won);
}

static void an_outage_ends_it_in_time(void **state)
{
    (void)state;
    take();
    test_wait(loop, has_changed, &watch.won);
    uint64_t won_ms = clock_now_ms();
    fake.is_silent = true;
    fake_cut(&fake);
    test_wait(loop, has_changed, &watch.lost);
    assert_true(watch.lost_at_ms - won_ms <= TTL_MS);
    fake.is_silent = false;
    watch.won = 0;
    test_wait(loop, has_changed, &watch.won);
}

static bool was_held;

static void on_got(struct op *op, enum err err)
{
    was_held = lease_is_held(lease);
    test_call_done(op, err);
}

/* The answer to GET leaves, and is read when the process goes on, ahead of all timers. */
static void stand_still(void *ctx)
{
    uint64_t end_ms = clock_now_ms() + TTL_MS + 1;

    (void)ctx;
    fake_serve(&fake);
    while (clock_now_ms() < end_ms)
        test_nap();
}

/* As after SIGSTOP: nobody could tell us that it ended. */
static void a_process_that_stood_still_knows(void **state)
{
    struct timer *timer = timer_new(loop, stand_still, NULL);
    struct test_call call = {0};

    (void)state;
    take();
    test_wait(loop, has_changed, &watch.won);
    fake_once(&fake, "GET", FAKE_WAIT);
    assert_int_equal(test_send(redis, "GET k", &call), E_OK);
    call.call.op.done = on_got;
    fake_say(&fake, "GET", "nil");
    timer_set(timer, 0);
    was_held = true;
    test_wait(loop, test_call_is_done, &call);
    assert_false(was_held);
    reply_unref(call.kept);
    timer_free(timer);
}

static void what_is_won_while_giving_up_is_given_up_too(void **state)
{
    (void)state;
    fake_once(&fake, "EVAL:SET", FAKE_WAIT);
    take();
    fake_await(&fake, "EVAL:SET", 1);
    lease_release(lease, &release);
    fake_say(&fake, "EVAL:SET", "n1");
    test_wait(loop, is_released, NULL);
    assert_int_equal(fake_heard(&fake, "EVAL:DEL"), 1);
    assert_int_equal(watch.won, 0);
    lease_free(lease);
    lease = NULL;
}

static void what_was_not_held_is_not_given_up(void **state)
{
    (void)state;
    fake_on(&fake, "EVAL:SET", "n2");
    take();
    test_wait(loop, has_changed, &watch.lost);
    give_up();
    assert_int_equal(fake_heard(&fake, "EVAL:DEL"), 0);
}

static void it_may_be_given_up_during_an_outage(void **state)
{
    (void)state;
    fake.is_silent = true;
    take();
    assert_false(test_wait_ms(loop, test_never, NULL, 20));
    give_up();
    fake.is_silent = false;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(it_is_won_renewed_and_given_up),     TEST(anothers_is_asked_for_until_it_is_free),
        TEST(a_dead_holder_is_replaced_at_once),  TEST(a_death_is_followed_up_without_waiting),
        TEST(it_ends_before_another_can_have_it), TEST(an_outage_ends_it_in_time),
        TEST(a_process_that_stood_still_knows),   TEST(what_is_won_while_giving_up_is_given_up_too),
        TEST(what_was_not_held_is_not_given_up),  TEST(it_may_be_given_up_during_an_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
