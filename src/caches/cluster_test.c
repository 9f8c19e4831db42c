#include "caches/cluster.h"

#include "caches/migration.h"
#include "caches/takeover.h"
#include "caches/testing_cluster.h"

#define THREE_SHARDS TEST_SKU_AND("Premium", 1, "\"shardCount\":3")

/* ---- forming ---- */

static void form_shards(const char *program)
{
    struct test_cluster test;
    struct slot_map seen;

    test_cluster_begin(&test, program, THREE_SHARDS);
    test_shards_run(&test, 3, 2);
    test_look(&test, &seen);
    for (size_t i = 0; i < test.cluster.count; i++) {
        const struct cluster_member *member = &test.cluster.members[i];
        assert_true(member->is_ok);
        assert_int_equal(member->is_replica, i % 2 == 1);
        if (member->is_replica)
            assert_string_equal(member->follows, test.cluster.members[i - 1].id);
        assert_ptr_equal(cluster_master(&test.cluster, member->shard),
                         &test.cluster.members[i - i % 2]);
    }
    assert_int_equal(slot_map_count(&seen, 0), 5462);
    assert_int_equal(slot_map_count(&seen, SLOT_NOBODY), 0);
    test_form(&test, NULL); /* is done already */
    test_cluster_end(&test);
}

static void shards_with_replicas_become_a_cluster(void **state)
{
    (void)state;
    with_each_server(form_shards);
}

/* ---- moving slots ---- */

static void move_on(struct test_cluster *test, const struct slot_map *goal)
{
    struct migration *migration = mem_new(struct migration);
    struct slot_map now;

    migration_start(migration, &test->cluster, goal);
    test_ends_well(&migration->routine);
    assert_int_equal(migration->left, 0);
    migration_done(migration);
    free(migration);
    test_look(test, &now);
    assert_memory_equal(&now, goal, sizeof now);
}

/* valkey 8 has each change of a slot acknowledged by replicas, one after the other: so few of them
 * tell as much. */
static void shorten(const char *program, const struct slot_map *now, struct slot_map *goal)
{
    size_t left = strstr(program, "valkey") != NULL ? 40 : CACHE_SLOTS;

    for (size_t slot = 0; slot < CACHE_SLOTS; slot++) {
        if (now->shard[slot] == goal->shard[slot])
            continue;
        if (left == 0)
            goal->shard[slot] = now->shard[slot];
        else
            left--;
    }
}

static void move_to(struct test_cluster *test, const char *program, size_t shards)
{
    static const uint32_t ids[] = {0, 1, 2, 3};
    struct slot_map now, goal;

    test_look(test, &now);
    slot_map_plan(&now, ids, shards, &goal);
    shorten(program, &now, &goal);
    move_on(test, &goal);
}

/* Cut short at its n-th word with a server, for each of the first n: then it is begun again by
 * somebody who knows the goal alone. */
struct cut {
    struct migration *migration;
    size_t after;
};

static void on_cut(void *ctx)
{
    struct cut *cut = ctx;

    if (cut->after-- == 0)
        op_abort(&cut->migration->routine.op);
}

static void cut_short(struct test_cluster *test, const struct slot_map *goal, size_t after)
{
    struct cut cut = {.migration = mem_new(struct migration), .after = after};
    struct timer *timer = timer_new(world.loop, on_cut, &cut);

    timer_every(timer, 1);
    migration_start(cut.migration, &test->cluster, goal);
    struct test_end end = test_ends(&cut.migration->routine);
    assert_true(end.err == E_CANCELED || end.err == E_OK);
    timer_free(timer);
    migration_done(cut.migration);
    free(cut.migration);
}

static void a_move_may_be_cut_short_anywhere(void **state)
{
    struct test_cluster test;
    struct slot_map now, goal;
    char *program = server_find("redis-server");

    (void)state;
    if (program == NULL)
        skip();
    test_cluster_begin(&test, program, THREE_SHARDS);
    test_shards_run(&test, 3, 1);
    struct test_crowd *crowd = test_crowd_start(&test, 1, 1, 4000);
    for (size_t after = 0; after < 60; after++) {
        test_look(&test, &now);
        goal = now; /* some slots go on to the next shard */
        for (size_t i = 0; i < 100; i++) {
            size_t slot = (after * 277 + i * 7) % CACHE_SLOTS;
            goal.shard[slot] = (uint16_t)((now.shard[slot] + 1) % 3);
        }
        cut_short(&test, &goal, after % 12);
        move_on(&test, &goal);
    }
    test_crowd_stop(crowd, "cut short");
    test_form(&test, NULL);
    test_cluster_end(&test);
    free(program);
}

static void reshard(const char *program)
{
    struct test_cluster test;

    test_cluster_begin(&test, program, THREE_SHARDS);
    test_shards_run(&test, 3, 2);
    struct test_crowd *crowd = test_crowd_start(&test, 2, 2, 20000);
    test_shard_run(&test, 6, 2, 3);
    test_form(&test, NULL);
    move_to(&test, program, 4);
    test_crowd_more(crowd);
    move_to(&test, program, 3);
    test.cluster.count = 6; /* the others go */
    test_form(&test, NULL);
    test_stop(test.members[6], STOP_DROP);
    test_stop(test.members[7], STOP_DROP);
    test_crowd_more(crowd);
    test_crowd_stop(crowd, "3 -> 4 -> 3 shards");
    test_form(&test, NULL);
    test_cluster_end(&test);
}

static void slots_move_while_clients_read_and_write(void **state)
{
    (void)state;
    with_each_server(reshard);
}

/* ---- one takes over from another ---- */

struct play {
    struct takeover takeover;
    struct takeover_options options;
    char marks[8]; /* P, D in the order of their coming */
};

static void record(void *ctx, struct takeover *takeover, enum handover_mark mark, struct op *op)
{
    struct play *play = ctx;

    assert_ptr_equal(takeover, &play->takeover);
    play->marks[strlen(play->marks)] = "FPD"[mark];
    loop_later(world.loop, op, E_OK);
}

static void prepare(struct play *play, struct member *from, struct member *to)
{
    *play = (struct play){.options = {.loop = world.loop,
                                      .from = from,
                                      .to = to,
                                      .sync_timeout_ms = TEST_LIMIT_MS,
                                      .record = record,
                                      .ctx = play}};
}

static void assert_taken(const struct play *play, const char *marks)
{
    assert_ptr_equal(play->takeover.opens, play->options.to);
    assert_true(play->takeover.is_open && play->takeover.is_promoted);
    assert_string_equal(play->marks, marks);
}

/* Of shard 0, whose members are 0 and 1. */
static void note_primary(struct test_cluster *test, size_t at)
{
    test->cluster.members[at].is_primary = true;
    test->cluster.members[1 - at].is_primary = false;
}

static void take_over_ten_times(const char *program)
{
    struct test_cluster test;
    struct play play;
    uint64_t longest_us = 0;

    test_cluster_begin(&test, program, THREE_SHARDS);
    test_shards_run(&test, 3, 2);
    struct test_crowd *crowd = test_crowd_start(&test, 1, 6, 1000);
    for (size_t i = 0; i < 10; i++) {
        prepare(&play, test.members[i % 2], test.members[1 - i % 2]);
        takeover_start(&play.takeover, &play.options);
        test_ends_well(&play.takeover.routine);
        assert_taken(&play, "PD");
        assert_true(play.takeover.has_all);
        if (play.takeover.gap_us > longest_us)
            longest_us = play.takeover.gap_us;
        note_primary(&test, 1 - i % 2);
        test_crowd_more(crowd);
    }
    test_crowd_stop(crowd, "10 takeovers");
    print_message("longest %.1f ms\n", (double)longest_us / 1000);
    test_form(&test, NULL);
    test_cluster_end(&test);
}

static void takeovers_lose_nothing(void **state)
{
    (void)state;
    with_each_server(take_over_ten_times);
}

/* The daemon ended at any moment between the two marks. */
static void one_that_was_cut_short_is_finished(void **state)
{
    struct test_cluster test;
    struct play play;
    char *program = server_find("redis-server");

    (void)state;
    if (program == NULL)
        skip();
    test_cluster_begin(&test, program, THREE_SHARDS);
    test_shards_run(&test, 3, 2);
    test_say(test.members[0], "CLIENT PAUSE 5000 WRITE", "OK");
    prepare(&play, test.members[0], test.members[1]); /* not taken yet */
    takeover_resume(&play.takeover, &play.options);
    test_ends_well(&play.takeover.routine);
    assert_taken(&play, "D");
    test_say(test.members[1], "CLIENT PAUSE 5000 WRITE", "OK");
    test_say(test.members[0], "CLUSTER FAILOVER TAKEOVER", "OK"); /* taken, and nobody knows */
    prepare(&play, test.members[1], test.members[0]);
    takeover_resume(&play.takeover, &play.options);
    test_ends_well(&play.takeover.routine);
    assert_taken(&play, "D");
    test_form(&test, NULL);
    test_cluster_end(&test);
    free(program);
}

static void a_replica_takes_over_from_a_dead_primary(void **state)
{
    struct test_cluster test;
    struct play play;
    char *program = server_find("redis-server");

    (void)state;
    if (program == NULL)
        skip();
    test_cluster_begin(&test, program, THREE_SHARDS);
    test_shards_run(&test, 3, 2);
    struct test_crowd *crowd = test_crowd_start(&test, 1, 0, 1000);
    struct test_wait wait = TEST_WAIT;
    member_sync(test.members[1], test.members[0], TEST_LIMIT_MS, &wait.op);
    test_fine(&wait);
    member_kill(test.members[0]);
    TEST_UNTIL(world.downs == 1);
    prepare(&play, test.members[0], test.members[1]);
    takeover_start(&play.takeover, &play.options);
    test_ends_well(&play.takeover.routine);
    assert_taken(&play, "PD");
    note_primary(&test, 1);
    test_run_server(&test, 0, true); /* with its nodes.conf, in which it is the primary */
    test_form(&test, NULL);
    test_crowd_more(crowd);
    test_crowd_stop(crowd, "a primary died");
    test_cluster_end(&test);
    free(program);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_with_replicas_become_a_cluster),
        cmocka_unit_test(slots_move_while_clients_read_and_write),
        cmocka_unit_test(a_move_may_be_cut_short_anywhere),
        cmocka_unit_test(takeovers_lose_nothing),
        cmocka_unit_test(one_that_was_cut_short_is_finished),
        cmocka_unit_test(a_replica_takes_over_from_a_dead_primary),
    };
    process_child_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
