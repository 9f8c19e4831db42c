#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "loop/loop.h"
#include "loop/timer.h"

static struct loop *loop;
static struct buf seen; /* what happened, one letter each */

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    buf_init(&seen, 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    buf_done(&seen);
    return 0;
}

struct step {
    struct op op;
    struct turn turn;
    char letter;
    enum err err;
    struct step *next; /* queued by this one when it ends */
    int again;         /* how often the hook asks again */
};

static void on_step(struct op *op, enum err err)
{
    struct step *step = container_of(op, struct step, op);
    step->err = err;
    buf_add_byte(&seen, step->letter);
    if (step->next != NULL) {
        loop_later(loop, &step->next->op, E_OK);
        buf_add_byte(&seen, '.'); /* after loop_later, before its op */
    }
}

static void on_turn(struct turn *turn)
{
    struct step *step = container_of(turn, struct step, turn);
    buf_add_byte(&seen, step->letter);
    if (step->again-- > 0)
        loop_at_turn_end(loop, turn);
}

static void ops_end_later_in_order_and_never_inside(void **state)
{
    (void)state;
    struct step c = {.op.done = on_step, .letter = 'c'};
    struct step a = {.op.done = on_step, .letter = 'a', .next = &c};
    struct step b = {.op.done = on_step, .letter = 'b'};

    (void)cause_set(&b.op.why, E_FAILED, "because");
    loop_later(loop, &a.op, E_OK);
    loop_later(loop, &b.op, E_FAILED);
    op_abort(&b.op); /* changes nothing: it ends anyway */
    assert_true(a.op.is_busy);
    assert_int_equal(seen.len, 0);
    loop_run(loop);
    assert_string_equal(buf_text(&seen), "a.bc");
    assert_int_equal(b.err, E_FAILED);
    assert_string_equal(b.op.why.text, "because");
    assert_false(a.op.is_busy);
}

static void hooks_run_after_the_events_and_again_when_they_ask(void **state)
{
    (void)state;
    struct step op = {.op.done = on_step, .letter = 'a'};
    struct step hook = {.turn.run = on_turn, .letter = 'h', .again = 2};
    struct step forgotten = {.turn.run = on_turn, .letter = 'x'};

    loop_at_turn_end(loop, &hook.turn);
    loop_at_turn_end(loop, &hook.turn); /* once is enough */
    loop_at_turn_end(loop, &forgotten.turn);
    loop_later(loop, &op.op, E_OK);
    turn_cancel(&forgotten.turn);
    turn_cancel(&forgotten.turn);
    loop_run(loop); /* would not return if a hook let the loop sleep or end */
    assert_string_equal(buf_text(&seen), "ahhh");
}

static void canceled_ops_end_when_the_loop_is_freed(void **state)
{
    (void)state;
    struct loop *other = loop_new();
    struct step a = {.op.done = on_step, .letter = 'a'};

    loop_later(other, &a.op, E_CANCELED);
    loop_free(other);
    assert_string_equal(buf_text(&seen), "a");
    assert_int_equal(a.err, E_CANCELED);
}

static struct wake *wake;

static void on_woken(void *ctx)
{
    buf_add_byte(&seen, *(char *)ctx);
    wake_free(wake);
}

static void *wake_from_thread(void *ctx)
{
    (void)ctx;
    wake_send(wake);
    return NULL;
}

static void a_thread_wakes_the_loop(void **state)
{
    (void)state;
    char letter = 'w';
    pthread_t thread;

    wake = wake_new(loop, on_woken, &letter);
    assert_int_equal(pthread_create(&thread, NULL, wake_from_thread, NULL), 0);
    loop_run(loop);
    pthread_join(thread, NULL);
    assert_string_equal(buf_text(&seen), "w");
}

static enum err fail_with_text(void *ctx, struct cause *why)
{
    *(int *)ctx += 1;
    return cause_set(why, E_NOT_FOUND, "no such thing");
}

static void work_runs_elsewhere_and_brings_its_cause(void **state)
{
    (void)state;
    struct step a = {.op.done = on_step, .letter = 'a'};
    int runs = 0;

    assert_int_equal(work_run(loop, fail_with_text, &runs, &a.op), E_OK);
    loop_run(loop);
    assert_int_equal(runs, 1);
    assert_int_equal(a.err, E_NOT_FOUND);
    assert_string_equal(a.op.why.text, "no such thing");
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static enum err pass_the_gate(void *ctx, struct cause *why)
{
    (void)why;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    __atomic_add_fetch((int *)ctx, 1, __ATOMIC_SEQ_CST);
    return E_OK;
}

static void on_gate_step(struct op *op, enum err err)
{
    if (err == E_CANCELED) /* the one that never began: let the others go */
        pthread_mutex_unlock(&gate);
    on_step(op, err);
}

static void work_that_has_not_begun_can_be_aborted(void **state)
{
    (void)state;
    struct step steps[64] = {0}; /* more than the pool has threads, whatever its size is */
    int runs = 0;

    pthread_mutex_lock(&gate);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        steps[i] = (struct step){.op.done = on_gate_step, .letter = 'a'};
        assert_int_equal(work_run(loop, pass_the_gate, &runs, &steps[i].op), E_OK);
    }
    op_abort(&steps[COUNT_OF(steps) - 1].op);
    loop_run(loop);
    assert_int_equal(runs, COUNT_OF(steps) - 1);
    assert_int_equal(steps[COUNT_OF(steps) - 1].err, E_CANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ops_end_later_in_order_and_never_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hooks_run_after_the_events_and_again_when_they_ask, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(canceled_ops_end_when_the_loop_is_freed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thread_wakes_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(work_runs_elsewhere_and_brings_its_cause, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(work_that_has_not_begun_can_be_aborted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
