#include "functions/slots.h"

#include "functions/listener_fixture.h"

#define JOBS 5

static struct slots slots;
static struct job jobs[JOBS];
static struct buf ended; /* "0+ 1c " */

static void on_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    struct job *job = container_of(delivery, struct job, delivery);

    (void)why;
    slots_ended(&slots, job);
    buf_addf(&ended, "%d%c ", (int)(job - jobs), err == E_OK ? '+' : err == E_CANCELED ? 'c' : '-');
}

static int begin(void **state)
{
    world_begin(state);
    world.outcome = '.';
    trigger()->type = TRIGGER_LIST;
    dispatcher_init(&world.dispatcher, loop, &world.function, &world.invoker, world.metrics);
    slots_init(&slots, 2);
    buf_init(&ended, 1000);
    for (size_t i = 0; i < JOBS; i++) {
        char value[] = {(char)('0' + i), '\0'};
        jobs[i] = (struct job){.delivery = {.dispatcher = &world.dispatcher, .done = on_done}};
        message_init(&jobs[i].delivery.message, 1000);
        assert_int_equal(message_set_list(&jobs[i].delivery.message, &world.function.trigger,
                                          SLICE("q"), slice_of(value), 1),
                         E_OK);
    }
    return 0;
}

static int end(void **state)
{
    while (slots_take_waiting(&slots) != NULL)
        ;
    slots_abort(&slots);
    while (!slots_are_idle(&slots))
        test_wait_ms(loop, test_never, NULL, 1);
    for (size_t i = 0; i < JOBS; i++) {
        delivery_release(&jobs[i].delivery);
        message_done(&jobs[i].delivery.message);
    }
    buf_done(&ended);
    return world_end(state);
}

static void run_all(void)
{
    for (size_t i = 0; i < JOBS; i++)
        slots_run(&slots, &jobs[i]);
}

static void only_so_many_run_at_once_and_the_others_in_order(void **state)
{
    (void)state;
    assert_int_equal(slots_free(&slots), 2);
    assert_true(slots_are_idle(&slots));
    slots_run(&slots, &jobs[0]);
    assert_int_equal(slots_free(&slots), 1);
    for (size_t i = 1; i < JOBS; i++)
        slots_run(&slots, &jobs[i]);
    assert_int_equal(slots_free(&slots), 0);
    world_assert_runs("0\n1\n");
    world_end_run(E_OK);
    assert_int_equal(slots_free(&slots), 0); /* for those that wait */
    slots_fill(&slots);
    world_assert_runs("0\n1\n2\n");
    world_end_run(E_FAILED);
    world_end_run(E_OK);
    slots_fill(&slots);
    world_assert_runs("0\n1\n2\n3\n4\n");
    world_end_run(E_OK);
    world_end_run(E_OK);
    assert_string_equal(buf_text(&ended), "0+ 1- 2+ 3+ 4+ ");
    assert_true(slots_are_idle(&slots));
    assert_int_equal(slots_free(&slots), 2);
}

static void nobody_overtakes_those_that_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        slots_run(&slots, &jobs[i]);
    world_end_run(E_OK);
    slots_run(&slots, &jobs[3]);
    world_assert_runs("0\n1\n");
    slots_fill(&slots);
    world_assert_runs("0\n1\n2\n");
}

static void a_shut_one_starts_nothing(void **state)
{
    (void)state;
    slots.is_shut = true;
    slots_run(&slots, &jobs[0]);
    slots_fill(&slots);
    assert_int_equal(world.run_count, 0);
    assert_false(slots_are_idle(&slots));
    assert_ptr_equal(slots_take_waiting(&slots), &jobs[0]);
    assert_null(slots_take_waiting(&slots));
    assert_true(slots_are_idle(&slots));
}

static void what_runs_may_be_aborted(void **state)
{
    (void)state;
    run_all();
    slots_abort(&slots);
    while (slots.running_count > 0)
        test_wait_ms(loop, test_never, NULL, 1);
    assert_int_equal(slots.waiting_count, 3);
    assert_int_equal(ended.len, sizeof "0c 1c " - 1);
    assert_non_null(strstr(buf_text(&ended), "0c "));
    assert_non_null(strstr(buf_text(&ended), "1c "));
}

static bool one_waits_for_its_next_attempt(void *ctx)
{
    (void)ctx;
    return delivery_is_waiting(&jobs[0].delivery);
}

static void waits_for_another_attempt_may_be_ended_alone(void **state)
{
    (void)state;
    world.function.retry =
        (struct retry_policy){.strategy = RETRY_FIXED, .max_retries = 3, .delay_ms = 60000};
    slots_run(&slots, &jobs[0]);
    slots_run(&slots, &jobs[1]);
    world_end_run(E_FAILED);
    test_wait(loop, one_waits_for_its_next_attempt, NULL);
    slots_end_retries(&slots);
    while (slots.running_count > 1)
        test_wait_ms(loop, test_never, NULL, 1);
    assert_string_equal(buf_text(&ended), "0c ");
    assert_int_equal(world.held_count, 1); /* the other runs on */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(only_so_many_run_at_once_and_the_others_in_order),
        TEST(nobody_overtakes_those_that_wait),
        TEST(a_shut_one_starts_nothing),
        TEST(what_runs_may_be_aborted),
        TEST(waits_for_another_attempt_may_be_ended_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
