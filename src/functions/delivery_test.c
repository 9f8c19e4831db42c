#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "functions/delivery.h"
#include "functions/slots.h"
#include "loop/loop.h"

#define SCRIPT_MAX 4
#define NEVER (-1)

/* A fake world: an invoker that ends each attempt as the next letter of a script says. + well, -
 * badly, ! does not start, b ends because of a neighbour. After the script every attempt ends well.
 */
static struct world {
    struct loop *loop;
    struct metrics *metrics;
    const char *script;
    int attempts;
    int stop_at; /* stop the delivery while this attempt (from 0) runs */
    int ended;
    enum err result;
    int32_t retry_count; /* as the last attempt was told */
    struct app app;
    struct function function;
    struct invoker invoker;
    struct dispatcher dispatcher;
    struct delivery delivery;
    struct invocation *running;
} w;

static char letter(int attempt)
{
    return attempt < (int)strlen(w.script) ? w.script[attempt] : '+';
}

static void on_abort(struct op *op)
{
    op->abort = NULL;
    op_end(op, E_CANCELED);
}

static enum err fake_invoke(struct invoker *invoker, struct invocation *invocation)
{
    int attempt = w.attempts++;

    (void)invoker;
    w.retry_count = invocation->retry_count;
    if (letter(attempt) == '!')
        return cause_set(&invocation->op.why, E_LIMIT, "no room");
    if (attempt == w.stop_at) {
        op_begin(&invocation->op, on_abort, &w);
        w.running = invocation;
        return E_OK;
    }
    invocation->is_bystander = letter(attempt) == 'b';
    loop_later(w.loop, &invocation->op,
               letter(attempt) == '+'   ? E_OK
               : letter(attempt) == 'b' ? E_CANCELED
                                        : E_FAILED);
    return E_OK;
}

static const struct invoker_kind fake_kind = {.name = "fake", .invoke = fake_invoke};

static void on_done(struct delivery *delivery, enum err err, const struct cause *why)
{
    (void)delivery;
    (void)why;
    w.ended++;
    w.result = err;
    loop_stop(w.loop);
}

static void begin(const char *script, int32_t max_retries, int stop_at)
{
    static char app_name[] = "app", name[] = "f", parameter[] = "entry";

    w = (struct world){.script = script, .stop_at = stop_at};
    w.loop = loop_new();
    w.metrics = metrics_new();
    w.app = (struct app){.name = app_name, .log_default = LOG_OFF};
    w.function = (struct function){.app = &w.app, .name = name};
    w.function.trigger.type = TRIGGER_LIST;
    w.function.trigger.name = parameter;
    if (max_retries != 0)
        w.function.retry =
            (struct retry_policy){.strategy = RETRY_FIXED, .max_retries = max_retries};
    w.invoker.kind = &fake_kind;
    dispatcher_init(&w.dispatcher, w.loop, &w.function, &w.invoker, w.metrics);
    w.delivery.dispatcher = &w.dispatcher;
    w.delivery.done = on_done;
    message_init(&w.delivery.message, 1 << 20);
    assert_int_equal(
        message_set_list(&w.delivery.message, &w.function.trigger, SLICE("q"), SLICE("x"), 1),
        E_OK);
}

static void stop_when_running(struct turn *turn)
{
    if (w.running != NULL) {
        w.running = NULL;
        delivery_stop(&w.delivery);
        return;
    }
    if (w.ended == 0)
        loop_at_turn_end(w.loop, turn);
}

static void run(void)
{
    struct turn turn = {.run = stop_when_running};

    if (w.stop_at != NEVER)
        loop_at_turn_end(w.loop, &turn);
    delivery_start(&w.delivery);
    loop_run(w.loop);
    turn_cancel(&turn);
}

static void end(void)
{
    delivery_release(&w.delivery);
    message_done(&w.delivery.message);
    dispatcher_done(&w.dispatcher);
    metrics_free(w.metrics);
    loop_free(w.loop);
}

/* What the policy promises for a script: the model that the machine is held against. */
static void expect(const char *script, int32_t max_retries, int stop_at, int *ret_attempts,
                   enum err *ret_result)
{
    int failures = 0;

    for (int i = 0;; i++) {
        char c = i < (int)strlen(script) ? script[i] : '+';
        *ret_attempts = i + 1;
        if (i == stop_at && c != '!') {
            *ret_result = E_CANCELED;
            return;
        }
        if (c == '+') {
            *ret_result = E_OK;
            return;
        }
        if (c == 'b')
            continue;
        if (failures++ == max_retries) {
            *ret_result = c == '!' ? E_LIMIT : E_FAILED;
            return;
        }
    }
}

static void check(const char *script, int32_t max_retries, int stop_at)
{
    int attempts;
    enum err result;

    expect(script, max_retries, stop_at, &attempts, &result);
    begin(script, max_retries, stop_at);
    run();
    if (w.ended != 1 || w.result != result || w.attempts != attempts)
        fail_msg("script '%s', %d retries, stop at %d: ended %d times with %s after %d attempts, "
                 "expected %s after %d",
                 script, max_retries, stop_at, w.ended, err_name(w.result), w.attempts,
                 err_name(result), attempts);
    assert_int_equal(w.dispatcher.running, 0);
    assert_int_equal(w.dispatcher.succeeded, result == E_OK);
    assert_int_equal(w.dispatcher.failed, result != E_OK && result != E_CANCELED);
    end();
}

static void check_all(char *script, size_t len)
{
    for (int32_t retries = 0; retries <= 2; retries++)
        for (int stop_at = NEVER; stop_at < SCRIPT_MAX; stop_at++)
            check(script, retries, stop_at);
    if (len == SCRIPT_MAX)
        return;
    for (const char *c = "+-!b"; *c != '\0'; c++) {
        script[len] = *c;
        script[len + 1] = '\0';
        check_all(script, len + 1);
    }
    script[len] = '\0';
}

static void every_script_ends_once_as_the_policy_says(void **state)
{
    char script[SCRIPT_MAX + 1] = "";

    (void)state;
    check_all(script, 0);
}

static void an_attempt_is_told_how_many_came_before(void **state)
{
    (void)state;
    begin("-b-", 4, NEVER);
    run();
    assert_int_equal(w.result, E_OK);
    assert_int_equal(w.attempts, 4);
    assert_int_equal(w.retry_count, 2); /* the neighbour's fault does not count */
    assert_int_equal(w.dispatcher.retried, 2);
    end();
}

static void a_run_by_hand_has_no_second_attempt(void **state)
{
    (void)state;
    begin("-", 5, NEVER);
    w.delivery.is_once = true;
    run();
    assert_int_equal(w.result, E_FAILED);
    assert_int_equal(w.attempts, 1);
    end();
}

static void neighbours_do_not_keep_a_run_busy_for_ever(void **state)
{
    (void)state;
    begin("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 0, NEVER);
    run();
    assert_int_equal(w.ended, 1);
    assert_int_not_equal(w.result, E_OK);
    assert_in_range(w.attempts, 2, 20);
    end();
}

static void stop_when_waiting(struct turn *turn)
{
    if (delivery_is_waiting(&w.delivery))
        delivery_stop(&w.delivery);
    else
        loop_at_turn_end(w.loop, turn);
}

static void a_stop_ends_the_wait_for_the_next_attempt(void **state)
{
    struct turn turn = {.run = stop_when_waiting};

    (void)state;
    begin("-", 1, NEVER);
    w.function.retry.delay_ms = 3600 * (int64_t)1000;
    loop_at_turn_end(w.loop, &turn);
    delivery_start(&w.delivery);
    loop_run(w.loop);
    assert_int_equal(w.ended, 1);
    assert_int_equal(w.result, E_CANCELED); /* the message is given back, not counted as failed */
    assert_int_equal(w.attempts, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_ends_once_as_the_policy_says),
        cmocka_unit_test(an_attempt_is_told_how_many_came_before),
        cmocka_unit_test(a_run_by_hand_has_no_second_attempt),
        cmocka_unit_test(neighbours_do_not_keep_a_run_busy_for_ever),
        cmocka_unit_test(a_stop_ends_the_wait_for_the_next_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
