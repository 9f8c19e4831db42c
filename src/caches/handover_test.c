#include "caches/handover.h"

#include "caches/testing_handover.h"
#include "loop/process.h"

#define TLS_ONLY TEST_SKU_AND("Standard", 0, "\"enableNonSslPort\":false")
#define TWO_REPLICAS TEST_SKU_AND("Premium", 1, "\"replicasPerPrimary\":2")

/* ---- to and fro ---- */

static void swap(struct play *play, const struct test_cache *cache, size_t number,
                 uint64_t *longest_us)
{
    size_t from = number % 2;

    prepare(play, cache, from, 1 - from);
    uint64_t full = test_info(play->options.to, "sync_full");
    hand_over(play);
    assert_handed_over(play);
    assert_string_equal(play->marks, "FPD");
    test_sync(play->options.from, play->options.to);
    assert_int_equal(test_info(play->options.to, "sync_full"), full);
    if (play->handover.gap_us > *longest_us)
        *longest_us = play->handover.gap_us;
}

static void to_and_fro(const char *properties, size_t times, size_t writers)
{
    struct test_cache cache;
    struct play play;
    uint64_t longest_us = 0;

    test_cache_begin(&cache, properties);
    test_members_run(&cache, 2, "redis-server");
    struct test_load *load = fleet_load(&cache, writers, !cache.spec.has_plain_port);
    for (size_t i = 0; i < times; i++) {
        swap(&play, &cache, i, &longest_us);
        test_load_more(load);
    }
    struct test_tally tally = test_load_stop(load, member_redis(play.handover.opens));
    assert_int_equal(tally.lost, 0);
    print_message("%zu times, %zu writers%s: %llu acknowledged, longest gap %.1f ms, of a client "
                  "%.1f ms\n",
                  times, writers, cache.spec.has_plain_port ? "" : " by TLS",
                  (unsigned long long)tally.acked, (double)longest_us / 1000,
                  (double)tally.longest_us / 1000);
    test_cache_end(&cache);
}

static void nothing_is_lost_to_and_fro(void **state)
{
    (void)state;
    to_and_fro(STANDARD, 20, 8);
}

static void nothing_is_lost_by_tls(void **state)
{
    (void)state;
    to_and_fro(TLS_ONLY, 20, 4);
}

static void other_replicas_follow(void **state)
{
    struct test_cache cache;
    struct play play;

    (void)state;
    test_cache_begin(&cache, TWO_REPLICAS);
    test_members_run(&cache, 3, "redis-server");
    struct test_load *load = fleet_load(&cache, 2, false);
    prepare(&play, &cache, 0, 1);
    struct member *const others[] = {test_member(&cache, 2)};
    play.options.others = others;
    play.options.other_count = 1;
    hand_over(&play);
    assert_handed_over(&play);
    test_load_more(load);
    test_sync(others[0], play.options.to);
    test_sync(play.options.from, play.options.to);
    assert_int_equal(test_info(play.options.to, "connected_slaves"), 2);
    assert_int_equal(test_info(play.options.to, "sync_full"), 0);
    assert_int_equal(test_load_stop(load, member_redis(play.options.to)).lost, 0);
    test_cache_end(&cache);
}

static void a_newer_server_takes_over(void **state)
{
    struct test_cache cache;
    struct play play;
    char *newer = server_find("valkey-server");

    (void)state;
    free(newer);
    if (newer == NULL)
        skip();
    test_cache_begin(&cache, STANDARD);
    test_members_run(&cache, 1, "redis-server");
    test_member_make(&cache, 1, "valkey-server");
    test_member_start(&cache, 1, 0);
    struct test_load *load = fleet_load(&cache, 4, false);
    prepare(&play, &cache, 0, 1);
    hand_over(&play);
    assert_handed_over(&play);
    test_load_more(load);
    test_sync(play.options.from, play.options.to); /* as long as the backlog has all of it */
    assert_int_equal(test_load_stop(load, member_redis(play.options.to)).lost, 0);
    test_cache_end(&cache);
}

/* ---- what fails ---- */

static void what_is_not_recorded_is_not_done(void **state)
{
    struct test_cache cache;
    struct play play;

    (void)state;
    test_cache_begin(&cache, STANDARD);
    test_members_run(&cache, 2, "redis-server");
    struct test_load *load = fleet_load(&cache, 4, false);
    for (size_t i = 0; i < 2; i++) {
        prepare(&play, &cache, 0, 1);
        play.refuses = "FP"[i];
        hand_over(&play);
        assert_given_back(&play, E_CLOSED, "hand over from n1 to n2: ");
        test_load_more(load);
    }
    prepare(&play, &cache, 0, 1);
    play.refuses = 'D'; /* it is done all the same */
    hand_over(&play);
    assert_int_equal(play.err, E_CLOSED);
    assert_ptr_equal(play.handover.opens, play.options.to);
    assert_true(play.handover.is_open);
    test_load_more(load);
    assert_int_equal(test_load_stop(load, member_redis(play.options.to)).lost, 0);
    test_cache_end(&cache);
}

static void who_does_not_keep_up_is_not_promoted(void **state)
{
    struct test_cache cache;
    struct play play;

    (void)state;
    test_cache_begin(&cache, STANDARD);
    test_members_run(&cache, 2, "redis-server");
    struct test_load *load = fleet_load(&cache, 4, false);
    prepare(&play, &cache, 0, 1);
    struct member_talk talk = {0}; /* so that the connection is up, and the link is not */
    const struct member_command nowhere[] = {
        COMMAND(SLICE("REPLICAOF"), SLICE("127.0.0.1"), SLICE("1"))};
    member_talk(play.options.to, nowhere, 1, &talk);
    test_ends_well(&talk.op);
    member_talk_done(&talk);
    play.options.sync_timeout_ms = 50;
    hand_over(&play);
    assert_given_back(&play, E_TIMEOUT, "n2");
    assert_string_equal(play.marks, "");

    /* It was in sync when the owner marked it, and is not any more. */
    play.is_done = false;
    handover_resume(&play.handover, &play.options, HANDOVER_FENCE);
    play_to_end(&play);
    assert_given_back(&play, E_TIMEOUT, "after 2000 ms n2 is at ");
    test_load_more(load);
    assert_int_equal(test_load_stop(load, member_redis(play.options.from)).lost, 0);
    test_cache_end(&cache);
}

static void aborts_count_until_the_fence(void **state)
{
    struct test_cache cache;
    struct play play;

    (void)state;
    test_cache_begin(&cache, STANDARD);
    test_members_run(&cache, 2, "redis-server");
    prepare(&play, &cache, 0, 1);
    handover_start(&play.handover, &play.options);
    op_abort(&play.handover.routine.op);
    play_to_end(&play);
    assert_given_back(&play, E_CANCELED, "");
    assert_string_equal(play.marks, "");
    test_cache_end(&cache);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_to_and_fro),
        cmocka_unit_test(nothing_is_lost_by_tls),
        cmocka_unit_test(other_replicas_follow),
        cmocka_unit_test(a_newer_server_takes_over),
        cmocka_unit_test(what_is_not_recorded_is_not_done),
        cmocka_unit_test(who_does_not_keep_up_is_not_promoted),
        cmocka_unit_test(aborts_count_until_the_fence),
    };

    process_child_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
