#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/timer.h"

struct probe {
    struct loop *loop;
    struct timer *timer;
    struct op op;
    int fired;
    int stop_after; /* clear the timer at that count; 0 = never */
    int ended;
    enum err err;
};

static void on_fired(void *ctx)
{
    struct probe *probe = ctx;
    probe->fired++;
    if (probe->fired == probe->stop_after)
        timer_clear(probe->timer);
}

static void on_done(struct op *op, enum err err)
{
    struct probe *probe = container_of(op, struct probe, op);
    probe->ended++;
    probe->err = err;
}

static int set_up(void **state)
{
    struct probe *probe = mem_new(struct probe);
    probe->loop = loop_new();
    probe->timer = timer_new(probe->loop, on_fired, probe);
    probe->op.done = on_done;
    *state = probe;
    return 0;
}

static int tear_down(void **state)
{
    struct probe *probe = *state;
    timer_free(probe->timer);
    timer_free(NULL);
    loop_free(probe->loop);
    free(probe);
    return 0;
}

static void it_fires_once_and_not_early(void **state)
{
    struct probe *probe = *state;

    for (uint64_t until_ms = clock_now_ms() + 30; clock_now_ms() < until_ms;)
        ; /* the turn began long ago when the timer is set */
    uint64_t start_ms = clock_now_ms();
    timer_set(probe->timer, 500);
    timer_set(probe->timer, 20);
    assert_true(timer_is_set(probe->timer));
    loop_run(probe->loop);
    assert_int_equal(probe->fired, 1);
    assert_true(clock_now_ms() - start_ms >= 20);
    assert_true(clock_now_ms() - start_ms < 400);
    assert_false(timer_is_set(probe->timer));
}

static void it_fires_again_and_again_until_cleared(void **state)
{
    struct probe *probe = *state;
    probe->stop_after = 3;
    timer_every(probe->timer, 1);
    loop_run(probe->loop);
    assert_int_equal(probe->fired, 3);
}

static void a_wait_ends_its_op(void **state)
{
    struct probe *probe = *state;
    timer_wait(probe->timer, 5, &probe->op);
    loop_run(probe->loop);
    assert_int_equal(probe->ended, 1);
    assert_int_equal(probe->err, E_OK);
    assert_int_equal(probe->fired, 0);
}

static void an_aborted_wait_ends_later_and_canceled(void **state)
{
    struct probe *probe = *state;
    timer_wait(probe->timer, 60000, &probe->op);
    op_abort(&probe->op);
    op_abort(&probe->op);
    assert_int_equal(probe->ended, 0);
    loop_run(probe->loop);
    assert_int_equal(probe->ended, 1);
    assert_int_equal(probe->err, E_CANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_fires_once_and_not_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_fires_again_and_again_until_cleared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wait_ends_its_op, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_aborted_wait_ends_later_and_canceled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
