#include "loop/routine.h"

#include "base/mem.h"
#include "base/str.h"
#include "loop/testing.h"

struct trip {
    struct routine routine;
    struct op steps[3];
    struct timer *timer;
    uint32_t stages[8]; /* in the order of their coming */
    enum err errs[8];
    uint32_t count;
    int ended;
    enum err err;
    char text[64];
};

static void on_ended(struct op *op, enum err err)
{
    struct trip *trip = container_of(op, struct trip, routine.op);

    trip->ended++;
    trip->err = err;
    snprintf(trip->text, sizeof trip->text, "%.63s", op->why.text);
    loop_stop(loop);
}

static void note(struct trip *trip, uint32_t stage, enum err err)
{
    assert_true(trip->count < COUNT_OF(trip->stages));
    trip->stages[trip->count] = stage;
    trip->errs[trip->count++] = err;
}

static void go(struct trip *trip,
               enum stage (*run)(struct routine *routine, uint32_t stage, enum err err))
{
    trip->routine.op.done = on_ended;
    routine_start(&trip->routine, loop, run);
    assert_int_equal(trip->count, 0); /* nothing runs inside of the start */
}

static void finish(struct trip *trip)
{
    while (trip->ended == 0)
        loop_run(loop);
    assert_int_equal(trip->ended, 1);
    assert_false(trip->routine.op.is_busy);
}

static enum err later(struct op *op, enum err err)
{
    loop_later(loop, op, err);
    return E_OK;
}

static enum stage three_waits(struct routine *routine, uint32_t stage, enum err err)
{
    struct trip *trip = container_of(routine, struct trip, routine);

    note(trip, stage, err);
    if (stage == 3)
        return routine_end(routine, E_OK);
    return routine_wait(routine, &trip->steps[stage], later(&trip->steps[stage], E_OK));
}

static void turns_come_in_order(void **state)
{
    struct trip trip = {0};

    (void)state;
    world_begin();
    go(&trip, three_waits);
    finish(&trip);
    assert_int_equal(trip.err, E_OK);
    assert_int_equal(trip.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(trip.stages[i], i);
    world_end();
}

static enum stage several_at_once(struct routine *routine, uint32_t stage, enum err err)
{
    struct trip *trip = container_of(routine, struct trip, routine);

    note(trip, stage, err);
    if (stage == 1)
        return routine_end(routine, err);
    (void)cause_set(&trip->steps[1].why, E_IO, "the second");
    routine_wait(routine, &trip->steps[0], later(&trip->steps[0], E_OK));
    routine_wait(routine, &trip->steps[1], later(&trip->steps[1], E_IO));
    return routine_wait(routine, &trip->steps[2], later(&trip->steps[2], E_CLOSED));
}

static void the_first_failure_of_several_counts(void **state)
{
    struct trip trip = {0};

    (void)state;
    world_begin();
    go(&trip, several_at_once);
    finish(&trip);
    assert_int_equal(trip.err, E_IO);
    assert_string_equal(trip.text, "the second");
    assert_int_equal(trip.count, 2);
    world_end();
}

/* What cannot even start is what the next stage gets; a routine may go on, and jump. */
static enum stage goes_on_after_failures(struct routine *routine, uint32_t stage, enum err err)
{
    struct trip *trip = container_of(routine, struct trip, routine);

    note(trip, stage, err);
    switch (stage) {
    case 0:
        return routine_wait(routine, &trip->steps[0],
                            cause_set(&routine->why, E_DENIED, "not today"));
    case 1:
        assert_string_equal(routine->why.text, "not today");
        return routine_go(routine, 5);
    case 5:
        assert_string_equal(routine->why.text, "");
        routine_wait(routine, &trip->steps[0], E_FULL);
        return routine_wait(routine, &trip->steps[1], later(&trip->steps[1], E_OK));
    default:
        return routine_end(routine, E_OK);
    }
}

static void a_failed_start_is_how_the_wait_ended(void **state)
{
    struct trip trip = {0};

    (void)state;
    world_begin();
    go(&trip, goes_on_after_failures);
    finish(&trip);
    assert_int_equal(trip.err, E_OK);
    assert_string_equal(trip.text, "");
    assert_int_equal(trip.count, 4);
    assert_int_equal(trip.errs[1], E_DENIED);
    assert_int_equal(trip.stages[2], 5);
    assert_int_equal(trip.errs[2], E_OK);
    assert_int_equal(trip.stages[3], 6);
    assert_int_equal(trip.errs[3], E_FULL);
    world_end();
}

static enum stage waits_long(struct routine *routine, uint32_t stage, enum err err)
{
    struct trip *trip = container_of(routine, struct trip, routine);

    note(trip, stage, err);
    if (stage == 0) {
        timer_wait(trip->timer, 1000 * DEADLINE_MS, &trip->steps[0]);
        return routine_wait(routine, &trip->steps[0], E_OK);
    }
    if (stage == 1) /* there is something to put back in order */
        return routine_wait(routine, &trip->steps[1], later(&trip->steps[1], E_OK));
    return routine_end(routine, trip->errs[1]);
}

static void an_abort_comes_as_canceled_once(void **state)
{
    struct trip trip = {0};

    (void)state;
    world_begin();
    trip.timer = timer_new(loop, NULL, NULL);
    go(&trip, waits_long);
    turns(3);
    assert_int_equal(trip.count, 1);
    op_abort(&trip.routine.op);
    finish(&trip);
    assert_int_equal(trip.err, E_CANCELED);
    assert_int_equal(trip.count, 3);
    assert_int_equal(trip.errs[1], E_CANCELED);
    assert_int_equal(trip.errs[2], E_OK);
    timer_free(trip.timer);
    world_end();
}

static void an_abort_before_the_first_turn_counts(void **state)
{
    struct trip trip = {0};

    (void)state;
    world_begin();
    go(&trip, several_at_once);
    op_abort(&trip.routine.op);
    finish(&trip);
    assert_int_equal(trip.errs[0], E_CANCELED);
    world_end();
}

struct pair {
    struct routine routine;
    struct trip inner;
};

static enum stage holds_another(struct routine *routine, uint32_t stage, enum err err)
{
    struct pair *pair = container_of(routine, struct pair, routine);

    if (stage == 1)
        return routine_end(routine, err);
    routine_start(&pair->inner.routine, loop, several_at_once);
    return routine_wait(routine, &pair->inner.routine.op, E_OK);
}

static void on_pair_ended(struct op *op, enum err err)
{
    assert_int_equal(err, E_IO);
    assert_string_equal(op->why.text, "the second");
    loop_stop(loop);
}

static void routines_wait_for_routines(void **state)
{
    struct pair pair = {.routine.op.done = on_pair_ended};

    (void)state;
    world_begin();
    routine_start(&pair.routine, loop, holds_another);
    while (pair.routine.op.is_busy)
        loop_run(loop);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_come_in_order),
        cmocka_unit_test(the_first_failure_of_several_counts),
        cmocka_unit_test(a_failed_start_is_how_the_wait_ended),
        cmocka_unit_test(an_abort_comes_as_canceled_once),
        cmocka_unit_test(an_abort_before_the_first_turn_counts),
        cmocka_unit_test(routines_wait_for_routines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
