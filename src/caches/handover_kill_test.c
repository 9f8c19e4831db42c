/* Handovers in which somebody dies: one of the servers, or the daemon. */
#include "caches/testing_handover.h"
#include "loop/process.h"

/* ---- one of them dies ---- */

static void kill_at_stage(struct turn *turn)
{
    struct play *play = container_of(turn, struct play, turn);

    if (play->is_done)
        return;
    if (play->handover.routine.stage > play->kills_at && play->victim != NULL) {
        kill(-member_pid(play->victim), SIGKILL);
        play->victim = NULL;
    }
    play->stage = play->handover.routine.stage;
    loop_at_turn_end(loop, turn);
}

static bool has_ended(void *ctx)
{
    return ((const struct test_member *)ctx)->ends > 0;
}

/* With stage + 1 being the next to come, it waits for what `stage` began. */
static void one_dies(uint32_t stage, size_t victim)
{
    struct test_cache cache;
    struct play play;

    test_cache_begin(&cache, STANDARD);
    test_members_run(&cache, 2, "redis-server");
    struct test_load *load = fleet_load(&cache, 4, false);
    prepare(&play, &cache, 0, 1);
    play.kills_at = stage;
    play.victim = test_member(&cache, victim);
    play.turn.run = kill_at_stage;
    handover_start(&play.handover, &play.options);
    loop_at_turn_end(loop, &play.turn);
    play_to_end(&play);
    turn_cancel(&play.turn);
    struct member *survivor = test_member(&cache, 1 - victim);
    if (play.victim != NULL) /* it was over before */
        assert_handed_over(&play);
    else if (play.handover.is_open && play.handover.opens == test_member(&cache, victim))
        play.handover = (struct handover){.opens = survivor}; /* died after it, as at any time */
    else
        assert_ptr_equal(play.handover.opens, survivor);
    if (play.victim == NULL) /* so that the address is free */
        test_until(has_ended, &cache.members[victim]);
    bool has_all = play.handover.has_all;
    obey(&play, &cache);
    test_load_more(load);
    struct test_tally tally = test_load_stop(load, member_redis(play.handover.opens));
    if (has_all)
        assert_int_equal(tally.lost, 0);
    test_cache_end(&cache);
}

static void whoever_dies_one_of_them_serves(void **state)
{
    (void)state;
    for (uint32_t stage = 1; stage < 16; stage++)
        for (size_t victim = 0; victim < 2; victim++)
            one_dies(stage, victim);
}

/* ---- after a restart of the daemon ---- */

static void close_door(struct member *member)
{
    struct member_talk talk = {0};

    member_shut(member, &talk);
    test_ends_well(&talk.op);
    member_talk_done(&talk);
}

struct resumption {
    enum handover_mark marked;
    bool is_shut; /* `from` */
    bool is_open; /* `to` */
    bool is_dead; /* `from` */
    bool is_lost; /* `to` */
    enum err err;
    bool gives_back;
};

static const struct resumption resumptions[] = {
    {.marked = HANDOVER_FENCE},
    {.marked = HANDOVER_FENCE, .is_shut = true},
    {.marked = HANDOVER_FENCE,
     .is_shut = true,
     .is_lost = true,
     .err = E_CLOSED,
     .gives_back = true},
    {.marked = HANDOVER_PROMOTE, .is_shut = true},
    {.marked = HANDOVER_PROMOTE, .is_shut = true, .is_open = true},
    {.marked = HANDOVER_PROMOTE, .is_shut = true, .is_dead = true},
};

static void it_goes_on_where_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(resumptions); i++) {
        const struct resumption *row = &resumptions[i];
        struct test_cache cache;
        struct play play;
        test_cache_begin(&cache, STANDARD);
        test_members_run(&cache, 2, "redis-server");
        struct test_load *load = fleet_load(&cache, 4, false);
        prepare(&play, &cache, 0, 1);
        if (row->is_shut) {
            close_door(play.options.from);
            test_sync(play.options.to, play.options.from);
        }
        if (row->is_open)
            test_admit(&cache, play.options.to);
        if (row->is_dead || row->is_lost) {
            struct op op = {0};
            member_stop(row->is_dead ? play.options.from : play.options.to, STOP_DROP, &op);
            test_ends_well(&op);
        }
        if (row->is_dead)
            play.options.from = NULL;
        handover_resume(&play.handover, &play.options, row->marked);
        play_to_end(&play);
        if (row->gives_back)
            assert_given_back(&play, row->err, "");
        else
            assert_handed_over(&play);
        test_load_more(load);
        assert_int_equal(test_load_stop(load, member_redis(play.handover.opens)).lost, 0);
        test_cache_end(&cache);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_dies_one_of_them_serves),
        cmocka_unit_test(it_goes_on_where_it_was),
    };

    process_child_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
