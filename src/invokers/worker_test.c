/* Stories of one worker process. */
#include "invokers/worker_fake.h"

static void the_start_goes_through_its_phases(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_start(&w);
    assert_int_equal(worker_state(w.worker), WORKER_STREAM);
    assert_false(worker_takes(w.worker));
    pass(&w, 59 * SECOND);
    say_start(&w, w.worker_id);
    assert_int_equal(w.sent[RPC_WORKER_INIT_REQUEST], 1);
    pass(&w, 9 * SECOND);
    say_init(&w, true);
    assert_int_equal(w.sent[RPC_FUNCTION_LOAD_REQUEST], 1);
    say_load(&w, "ORDERS", NULL); /* ids ignore case */
    assert_int_equal(worker_state(w.worker), WORKER_READY);
    assert_int_equal(w.loads, 1);
    assert_string_equal(w.load_error, "");
    assert_int_equal(w.endings, 0);
    world_done(&w);
}

/* What goes wrong before the worker is ready, and the text that says so. */
static void a_bad_start_kills_the_worker(void **state)
{
    static const struct {
        const char *script; /* see act() */
        uint64_t pass_ms;
        const char *why;
    } rows[] = {
        {"", 60 * SECOND, "it did not open its stream within 60 s"},
        {"w", 0, "it opened the stream with the id of another worker"},
        {"i", 0, "its first message is not StartStream"},
        {"s", 10 * SECOND, "it did not initialize within 10 s"},
        {"sf", 0, "it could not be initialized: no module named x"},
        {"si", 60 * SECOND, "it did not load its functions within 60 s"},
        {"sm", 0, "it sent a malformed message: "},
        {"sc", 1 * SECOND, "it closed its stream"},
        {"sb", 1 * SECOND, "it closed its stream"},
        {"sB", 0, "it broke its stream: over the limit"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        world_init(&w);
        world_start(&w);
        for (const char *at = rows[i].script; *at != '\0'; at++) {
            if (*at == 's')
                say_start(&w, w.worker_id);
            else if (*at == 'w')
                say_start(&w, "00000000-0000-0000-0000-000000000000");
            else if (*at == 'i' || *at == 'f')
                say_init(&w, *at == 'i');
            else if (*at == 'm')
                say_raw(&w, SLICE("\x0f\xff\xff"));
            else
                say_closed(&w, *at == 'c' ? E_CLOSED : *at == 'b' ? E_BAD_WIRE : E_LIMIT);
        }
        pass(&w, rows[i].pass_ms);
        assert_int_equal(w.signal_number, SIGKILL);
        exits(&w, 0, SIGKILL);
        assert_int_equal(w.endings, 1);
        assert_int_equal(w.ending, ENDING_ERROR);
        assert_non_null(strstr(w.why.text, rows[i].why));
        assert_non_null(strstr(w.why.text, "worker process 1234 was killed: "));
        world_done(&w);
    }
}

static void a_start_that_fails_leaves_nothing(void **state)
{
    struct world w;
    struct cause why = {{0}};
    struct worker_events events = {.alarm = on_alarm, .ctx = &w};
    (void)state;
    world_init(&w);
    w.send_err = E_NOT_FOUND;
    assert_int_equal(worker_start(&w.plan, &w.worker_world, &events, &w.worker, &why), E_NOT_FOUND);
    assert_string_equal(why.text, "no such program");
    assert_null(w.worker);
    world_done(&w);
}

static void a_function_that_does_not_load_fails_alone(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_start(&w);
    say_start(&w, w.worker_id);
    say_init(&w, true);
    say_load(&w, "other", NULL); /* nobody asked */
    assert_int_equal(worker_state(w.worker), WORKER_LOAD);
    say_load(&w, "orders", "no symbol 'orders'");
    assert_int_equal(worker_state(w.worker), WORKER_READY);
    assert_string_equal(w.load_error, "no symbol 'orders'");
    struct fake_run *run = invoke(&w);
    assert_int_equal(run->ended, 1);
    assert_int_equal(run->err, E_FAILED);
    assert_string_equal(run->why, "the function could not be loaded: no symbol 'orders'");
    assert_int_equal(w.sent[RPC_INVOCATION_REQUEST], 0);
    world_done(&w);
}

static void batches_need_a_worker_that_takes_arrays(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.abilities = "";
    w.function.trigger.is_batch = true;
    world_start(&w);
    say_start(&w, w.worker_id);
    say_init(&w, true);
    assert_int_equal(worker_state(w.worker), WORKER_READY);
    assert_int_equal(w.sent[RPC_FUNCTION_LOAD_REQUEST], 0);
    assert_non_null(strstr(w.load_error, "cardinality"));
    world_done(&w);
}

static void answers_find_their_run_in_any_order(void **state)
{
    struct world w;
    struct fake_run *runs[8];
    (void)state;
    world_init(&w);
    become_ready(&w);
    for (size_t i = 0; i < COUNT_OF(runs); i++)
        runs[i] = invoke(&w);
    assert_int_equal(worker_in_flight(w.worker), 8);
    for (size_t i = COUNT_OF(runs); i-- > 0;) {
        say_answer(&w, runs[i]->run.id.text, i % 2 == 0 ? RPC_SUCCESS : RPC_FAILURE);
        assert_int_equal(runs[i]->ended, 1);
        assert_int_equal(runs[i]->err, i % 2 == 0 ? E_OK : E_FAILED);
        say_answer(&w, runs[i]->run.id.text, RPC_SUCCESS); /* once more: dropped */
        assert_int_equal(runs[i]->ended, 1);
    }
    assert_string_equal(runs[1]->why, "it went wrong");
    say_answer(&w, "", RPC_SUCCESS);
    say_answer(&w, "123", RPC_SUCCESS);
    assert_int_equal(worker_in_flight(w.worker), 0);
    assert_true(worker_takes(w.worker));
    world_done(&w);
}

static void a_crash_is_pinned_on_a_run_that_was_alone(void **state)
{
    (void)state;
    for (int is_serial = 0; is_serial < 2; is_serial++) {
        struct world w;
        world_init(&w);
        w.plan.is_serial = is_serial;
        become_ready(&w);
        struct fake_run *done = invoke(&w);
        struct fake_run *last = invoke(&w);
        say_answer(&w, done->run.id.text, RPC_SUCCESS);
        assert_int_equal(w.idles, 0);
        exits(&w, 0, SIGSEGV);
        assert_int_equal(w.idles, 1);
        assert_int_equal(done->err, E_OK);
        assert_int_equal(last->err, E_CRASHED);
        assert_false(last->run.is_bystander);
        assert_true(last->run.is_suspect); /* a retry is alone too */
        assert_string_equal(last->why, "worker process 1234 was killed by SIGSEGV");
        world_done(&w);
    }
}

static void a_crash_with_several_runs_makes_them_suspects(void **state)
{
    (void)state;
    for (int is_serial = 0; is_serial < 2; is_serial++) {
        struct world w;
        struct fake_run *runs[3];
        world_init(&w);
        w.plan.is_serial = is_serial;
        become_ready(&w);
        for (size_t i = 0; i < COUNT_OF(runs); i++)
            runs[i] = invoke(&w);
        say_answer(&w, runs[0]->run.id.text, RPC_SUCCESS);
        exits(&w, 0, SIGSEGV);
        assert_int_equal(runs[0]->err, E_OK);
        assert_false(runs[0]->run.is_suspect);
        for (size_t i = 1; i < COUNT_OF(runs); i++) {
            assert_int_equal(runs[i]->err, E_CANCELED);
            assert_true(runs[i]->run.is_bystander);
            assert_true(runs[i]->run.is_suspect);
            assert_int_equal(runs[i]->run.crash, 1);
            assert_string_equal(runs[i]->why, "worker process 1234 was killed by SIGSEGV");
        }
        assert_int_equal(w.ending, ENDING_ERROR);
        world_done(&w);
    }
}

/* The culprit of such a crash runs again alone, and crashes its worker once more. */
static void a_crash_that_was_counted_is_not_counted_again(void **state)
{
    static const struct {
        uint64_t crash; /* of three that were, the second is explained */
        enum ending ending;
    } rows[] = {{3, ENDING_REPEAT}, {2, ENDING_ERROR}, {0, ENDING_ERROR}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        world_init(&w);
        w.worker_world.blame = (struct blame){.crashes = 3, .explained = 2};
        w.runs[0].run.is_suspect = true;
        w.runs[0].run.crash = rows[i].crash;
        become_ready(&w);
        struct fake_run *run = invoke(&w);
        exits(&w, 0, SIGSEGV);
        assert_int_equal(run->err, E_CRASHED);
        assert_int_equal(w.ending, rows[i].ending);
        world_done(&w);
    }
}

static void a_suspect_that_answers_is_none_any_more(void **state)
{
    static const enum rpc_status answers[] = {RPC_SUCCESS, RPC_FAILURE};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct world w;
        world_init(&w);
        w.runs[0].run.is_suspect = true;
        w.runs[0].run.crash = 1;
        become_ready(&w);
        assert_false(worker_has_suspect(w.worker));
        struct fake_run *run = invoke(&w);
        assert_true(worker_has_suspect(w.worker));
        say_answer(&w, run->run.id.text, answers[i]);
        assert_false(worker_has_suspect(w.worker));
        assert_false(run->run.is_suspect);
        assert_int_equal(run->run.crash, 0);
        world_done(&w);
    }
}

static void exit_codes_have_their_meaning(void **state)
{
    static const struct {
        int exit_code, signal_number;
        enum ending ending;
        const char *why;
    } rows[] = {
        {0, 0, ENDING_CLEAN, "worker process 1234 exited with code 0"},
        {1, 0, ENDING_ERROR, "worker process 1234 exited with code 1"},
        {200, 0, ENDING_AGAIN, "worker process 1234 exited with code 200"},
        {0, SIGABRT, ENDING_ERROR, "worker process 1234 was killed by SIGABRT"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        world_init(&w);
        become_ready(&w);
        struct fake_run *run = invoke(&w);
        exits(&w, rows[i].exit_code, rows[i].signal_number);
        assert_int_equal(w.ending, rows[i].ending);
        assert_int_equal(run->err, E_CRASHED);
        assert_string_equal(run->why, rows[i].why);
        world_done(&w);
    }
}

/* The exit can be seen before the last bytes of the stream are read. */
static void answers_behind_the_exit_still_count(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    become_ready(&w);
    struct fake_run *run = invoke(&w);
    w.was_told_exited = true;
    w.events.exited(w.events.ctx, 0, 0);
    assert_int_equal(w.endings, 0);
    assert_false(worker_takes(w.worker));
    say_answer(&w, run->run.id.text, RPC_SUCCESS);
    assert_int_equal(run->err, E_OK);
    pass(&w, SECOND); /* a child of the worker holds the stream open */
    assert_int_equal(w.endings, 1);
    world_done(&w);
}

static void a_run_past_its_time_is_canceled_then_killed(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.app.function_timeout_ms = 1000;
    become_ready(&w);
    struct fake_run *hung = invoke(&w);
    struct fake_run *next = invoke(&w);
    pass(&w, 999);
    assert_int_equal(hung->ended, 0);
    pass(&w, 1);
    assert_int_equal(hung->err, E_TIMEOUT);
    assert_int_equal(w.sent[RPC_INVOCATION_CANCEL], 1);
    assert_false(worker_takes(w.worker));
    pass(&w, 4999); /* the next one only waits behind it: its clock stands */
    assert_int_equal(next->ended, 0);
    assert_int_equal(w.signal_number, 0);
    pass(&w, 1);
    assert_int_equal(w.signal_number, SIGKILL);
    exits(&w, 0, SIGKILL);
    assert_int_equal(next->err, E_CANCELED);
    assert_true(next->run.is_bystander);
    assert_false(next->run.is_suspect);
    assert_int_equal(w.ending, ENDING_AGAIN);
    world_done(&w);
}

static void a_canceled_run_that_ends_spares_the_worker(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.app.function_timeout_ms = 1000;
    become_ready(&w);
    struct fake_run *slow = invoke(&w);
    struct fake_run *next = invoke(&w);
    pass(&w, 2000);
    assert_int_equal(slow->err, E_TIMEOUT);
    say_answer(&w, slow->run.id.text, RPC_CANCELLED);
    assert_true(worker_takes(w.worker));
    pass(&w, 999); /* from now on it has its own second */
    assert_int_equal(next->ended, 0);
    say_answer(&w, next->run.id.text, RPC_SUCCESS);
    assert_int_equal(next->err, E_OK);
    pass(&w, 20 * SECOND);
    assert_int_equal(w.endings, 0);
    world_done(&w);
}

static void without_cancel_it_is_killed_at_once(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.abilities = "c";
    w.plan.is_serial = false;
    w.app.function_timeout_ms = 1000;
    become_ready(&w);
    struct fake_run *hung = invoke(&w);
    pass(&w, 500);
    struct fake_run *other = invoke(&w);
    pass(&w, 500);
    assert_int_equal(hung->err, E_TIMEOUT);
    assert_int_equal(w.sent[RPC_INVOCATION_CANCEL], 0);
    assert_int_equal(w.signal_number, SIGKILL);
    say_answer(&w, other->run.id.text, RPC_SUCCESS); /* it was under way already */
    assert_int_equal(other->err, E_OK);
    exits(&w, 0, SIGKILL);
    assert_int_equal(w.endings, 1);
    world_done(&w);
}

static void silence_is_noticed(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    become_ready(&w);
    for (int i = 0; i < 5; i++) {
        pass(&w, 10 * SECOND);
        say(&w, &(struct rpc_message){.type = RPC_WORKER_STATUS_RESPONSE});
    }
    assert_int_equal(w.sent[RPC_WORKER_STATUS_REQUEST], 5);
    pass(&w, 39 * SECOND);
    assert_int_equal(w.signal_number, 0);
    pass(&w, SECOND);
    assert_int_equal(w.signal_number, SIGKILL);
    exits(&w, 0, SIGKILL);
    assert_non_null(strstr(w.why.text, "did not answer 3 status requests"));
    world_done(&w);
}

static void stop_goes_from_kind_to_forceful(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    become_ready(&w);
    struct fake_run *run = invoke(&w);
    worker_stop(w.worker);
    settle(&w);
    assert_int_equal(run->err, E_CANCELED);
    assert_false(run->run.is_bystander);
    assert_int_equal(w.sent[RPC_WORKER_TERMINATE], 1);
    pass(&w, 5 * SECOND);
    assert_int_equal(w.signal_number, SIGTERM);
    assert_true(w.is_stream_ended);
    pass(&w, 2 * SECOND);
    assert_int_equal(w.signal_number, SIGKILL);
    exits(&w, 0, SIGKILL);
    assert_int_equal(w.ending, ENDING_ASKED);
    world_done(&w);
}

static void drain_waits_for_the_runs(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.abilities = "";
    become_ready(&w);
    struct fake_run *first = invoke(&w);
    struct fake_run *run = invoke(&w);
    worker_drain(w.worker);
    assert_false(worker_takes(w.worker));
    say_answer(&w, first->run.id.text, RPC_SUCCESS);
    assert_int_equal(w.signal_number, 0);
    say_answer(&w, run->run.id.text, RPC_SUCCESS);
    assert_int_equal(run->err, E_OK);
    assert_int_equal(w.sent[RPC_WORKER_TERMINATE], 0); /* it was not announced */
    assert_int_equal(w.signal_number, SIGTERM);
    exits(&w, 0, SIGTERM);
    assert_int_equal(w.ending, ENDING_ASKED);
    world_done(&w);
}

static void an_aborted_run_ends_later_and_once(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    become_ready(&w);
    struct fake_run *run = invoke(&w);
    worker_abort(w.worker, &run->run);
    assert_int_equal(run->ended, 0);
    settle(&w);
    assert_int_equal(run->err, E_CANCELED);
    assert_int_equal(w.sent[RPC_INVOCATION_CANCEL], 1);
    say_answer(&w, run->run.id.text, RPC_SUCCESS);
    assert_int_equal(run->ended, 1);
    world_done(&w);
}

static void what_cannot_be_sent_fails(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    become_ready(&w);
    w.send_err = E_LIMIT;
    assert_int_equal(invoke(&w)->err, E_FAILED);
    w.send_err = E_CLOSED;
    struct fake_run *run = invoke(&w);
    assert_int_equal(run->err, E_CANCELED);
    assert_true(run->run.is_bystander);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_goes_through_its_phases),
        cmocka_unit_test(a_bad_start_kills_the_worker),
        cmocka_unit_test(a_start_that_fails_leaves_nothing),
        cmocka_unit_test(a_function_that_does_not_load_fails_alone),
        cmocka_unit_test(batches_need_a_worker_that_takes_arrays),
        cmocka_unit_test(answers_find_their_run_in_any_order),
        cmocka_unit_test(a_crash_is_pinned_on_a_run_that_was_alone),
        cmocka_unit_test(a_crash_with_several_runs_makes_them_suspects),
        cmocka_unit_test(a_crash_that_was_counted_is_not_counted_again),
        cmocka_unit_test(a_suspect_that_answers_is_none_any_more),
        cmocka_unit_test(exit_codes_have_their_meaning),
        cmocka_unit_test(answers_behind_the_exit_still_count),
        cmocka_unit_test(a_run_past_its_time_is_canceled_then_killed),
        cmocka_unit_test(a_canceled_run_that_ends_spares_the_worker),
        cmocka_unit_test(without_cancel_it_is_killed_at_once),
        cmocka_unit_test(silence_is_noticed),
        cmocka_unit_test(stop_goes_from_kind_to_forceful),
        cmocka_unit_test(drain_waits_for_the_runs),
        cmocka_unit_test(an_aborted_run_ends_later_and_once),
        cmocka_unit_test(what_cannot_be_sent_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
