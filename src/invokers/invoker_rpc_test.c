/* Real worker processes over a real socketpair: the built-in worker for C. */
#include "invokers/invoker_fixture.h"

#include <fcntl.h>
#include <signal.h>

static const char source[] =
    "#include <redgrid/function.h>\n"
    "#include <poll.h>\n"
    "#include <signal.h>\n"
    "#include <stdio.h>\n"
    "#include <unistd.h>\n"
    "int Echo(struct redgrid_invocation *run)\n"
    "{\n"
    "    struct redgrid_slice m = redgrid_message(run);\n"
    "    if (redgrid_is(m, \"crash\")) { signal(SIGSEGV, SIG_DFL); raise(SIGSEGV); }\n"
    "    if (redgrid_is(m, \"exit\")) _exit(3);\n"
    "    if (redgrid_is(m, \"hang\")) for (;;) pause();\n"
    "    if (redgrid_is(m, \"fail\")) return redgrid_fail(run, \"no luck\");\n"
    "    if (redgrid_is(m, \"pid\")) {\n"
    "        poll(NULL, 0, 5);\n" /* slow enough to be spread */
    "        char text[32];\n"
    "        snprintf(text, sizeof text, \"%d\", (int)getpid());\n"
    "        redgrid_return(run, redgrid_text(text));\n"
    "        return REDGRID_OK;\n"
    "    }\n"
    "    if (redgrid_is(m, \"print\")) puts(\"printed\");\n"
    "    redgrid_log(run, REDGRID_WARNING, \"got %.*s\", REDGRID_ARG(m));\n"
    "    redgrid_output(run, \"out\", m);\n"
    "    redgrid_return(run, m);\n"
    "    return REDGRID_OK;\n"
    "}\n";

static void put_c_app(struct fixture *f, const char *host_json)
{
    fixture_init(f);
    fixture_put(f, "app/host.json", host_json);
    fixture_put(f, "app/local.settings.json", "{\"Values\":{\"FUNCTIONS_WORKER_RUNTIME\":\"c\"}}");
    fixture_put_function(f, "Echo", "echo.c");
    fixture_put(f, "app/Echo/echo.c", source);
}

static void start_c(struct fixture *f, const char *host_json, uint32_t processes)
{
    put_c_app(f, host_json);
    fixture_start_ready(f, processes, processes + 3);
}

#define PLAIN "{\"version\":\"2.0\"}"

static void a_c_source_is_compiled_and_runs(void **state)
{
    struct fixture f;
    struct fixture_run run;
    (void)state;
    start_c(&f, PLAIN, 1);
    assert_int_equal(f.loaded, 1);
    assert_string_equal(f.load_error, "");
    fixture_call(&f, &run, "Echo", "hello");
    assert_int_equal(run.err, E_OK);
    assert_string_equal(run.result, "hello");
    assert_string_equal(run.outputs, "out=hello;");
    assert_true(fixture_logged(&f, "Function.Echo.User [Echo] got hello"));
    fixture_call(&f, &run, "Echo", "fail");
    assert_int_equal(run.err, E_FAILED);
    assert_string_equal(run.why, "no luck");
    fixture_stop(&f);
    assert_false(fixture_logged(&f, "WORKER-EXITED"));
    fixture_done(&f);
}

static bool has_printed(void *ctx)
{
    return fixture_logged(ctx, "Host.Function.Console [] printed") ||
           fixture_logged(ctx, "Host.Function.Console [Echo] printed");
}

static void printed_lines_are_logged(void **state)
{
    struct fixture f;
    struct fixture_run run;
    (void)state;
    start_c(&f, PLAIN, 1);
    fixture_call(&f, &run, "Echo", "print");
    fixture_until(&f, has_printed, &f);
    fixture_done(&f);
}

static void assert_suspect(const struct fixture_run *r)
{
    assert_int_equal(r->err, E_CANCELED);
    assert_true(r->run.is_bystander);
    assert_true(r->run.is_suspect);
}

static void a_crash_names_the_signal_and_spares_the_others(void **state)
{
    static const struct {
        const char *message, *why;
    } rows[] = {{"crash", "was killed by SIGSEGV"}, {"exit", "exited with code 3"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        struct fixture_run bad, other, after;
        struct invoker_stats stats;
        start_c(&f, PLAIN, 1);
        fixture_invoke(&f, &bad, "Echo", rows[i].message);
        fixture_invoke(&f, &other, "Echo", "hello");
        fixture_await(&f, &bad);
        fixture_await(&f, &other);
        assert_suspect(&bad);
        assert_suspect(&other);
        assert_non_null(strstr(other.why, rows[i].why));
        fixture_invoke(&f, &after, "Echo", "hello"); /* waits for the next process */
        fixture_invoke_again(&f, &bad);
        fixture_invoke_again(&f, &other);
        f.invoker->kind->stats(f.invoker, &stats);
        assert_int_equal(stats.in_flight, 0);
        fixture_await(&f, &bad); /* first, and alone: the others never met it */
        assert_int_equal(bad.err, E_CRASHED);
        assert_non_null(strstr(bad.why, rows[i].why));
        assert_int_equal(other.ended + after.ended, 0);
        fixture_await(&f, &other);
        assert_int_equal(other.err, E_OK);
        assert_false(other.run.is_suspect);
        fixture_await(&f, &after);
        assert_int_equal(after.err, E_OK);
        assert_true(f.states & 1u << INVOKER_DOWN);
        f.invoker->kind->stats(f.invoker, &stats);
        assert_int_equal(stats.restarts, 2);
        fixture_end(&f);
    }
}

/* Work goes on beside a suspect, but not in its worker; and a stop ends those that wait. */
static void a_suspect_has_a_worker_for_itself(void **state)
{
    struct fixture f;
    struct fixture_run suspect, second, run;
    (void)state;
    start_c(&f, PLAIN, 1);
    fixture_invoke(&f, &suspect, "Echo", "crash");
    fixture_call(&f, &second, "Echo", "hello");
    suspect.input.data.text = SLICE("hang");
    fixture_invoke_again(&f, &suspect);
    fixture_invoke_again(&f, &second);
    fixture_invoke(&f, &run, "Echo", "hello");
    f.invoker->kind->scale(f.invoker, 2);
    fixture_await(&f, &run); /* by the second process */
    assert_int_equal(run.err, E_OK);
    fixture_await(&f, &second);
    assert_int_equal(second.err, E_OK);
    assert_int_equal(suspect.ended, 0);
    second.run.is_suspect = true;
    fixture_invoke(&f, &run, "Echo", "hang");
    fixture_invoke_again(&f, &second);
    fixture_stop(&f);
    assert_int_equal(run.err, E_CANCELED);
    assert_int_equal(second.err, E_CANCELED);
    assert_int_equal(suspect.err, E_CANCELED);
    fixture_done(&f);
}

static void a_hung_run_times_out_and_the_next_succeeds(void **state)
{
    struct fixture f;
    struct fixture_run bad, next;
    (void)state;
    put_c_app(&f, "{\"version\":\"2.0\",\"functionTimeout\":\"00:00:01\"}");
    fixture_start_ready(&f, 1, 1);
    uint64_t started_ms = clock_now_ms();
    fixture_call(&f, &bad, "Echo", "hang");
    assert_int_equal(bad.err, E_TIMEOUT);
    assert_true(clock_now_ms() - started_ms < 3000);
    assert_true(fixture_logged(&f, "Timeout value of 00:00:01 exceeded by function "
                                   "'Functions.Echo' (Id: '"));
    fixture_call(&f, &next, "Echo", "hello");
    assert_int_equal(next.err, E_OK);
    fixture_end(&f);
}

static void compile_errors_are_the_functions(void **state)
{
    struct fixture f;
    (void)state;
    put_c_app(&f, PLAIN);
    fixture_put_function(&f, "Bad", "bad.c");
    fixture_put(&f, "app/Bad/bad.c", "int Bad(void)\n{\n    return x;\n}\n");
    fixture_start_ready(&f, 1, 1);
    assert_int_equal(f.loaded, 2);
    assert_non_null(strstr(f.load_error, "it does not compile: "));
    assert_non_null(strstr(f.load_error, "bad.c:3:12: error: "));
    assert_true(fixture_logged(&f, "4 FUNCTION-COMPILE  [Bad] "));
    struct fixture_run run;
    fixture_call(&f, &run, "Bad", "x");
    assert_int_equal(run.err, E_FAILED);
    fixture_call(&f, &run, "Echo", "x");
    assert_int_equal(run.err, E_OK);
    fixture_done(&f);
}

struct count {
    struct fixture *f;
    uint32_t processes;
};

static bool has_processes(void *ctx)
{
    const struct count *count = ctx;
    struct invoker_stats stats;
    count->f->invoker->kind->stats(count->f->invoker, &stats);
    return stats.processes == count->processes;
}

static bool are_several(const struct fixture_run *runs, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(runs[i].result, runs[0].result) != 0)
            return true;
    return false;
}

static void processes_follow_the_scale(void **state)
{
    struct fixture f;
    struct fixture_run runs[8];
    (void)state;
    start_c(&f, PLAIN, 1);
    f.invoker->kind->scale(f.invoker, 3);
    fixture_until(&f, has_processes, &(struct count){&f, 3});
    for (int spread = 0; !spread;) { /* until more than one is ready */
        for (size_t i = 0; i < COUNT_OF(runs); i++)
            fixture_invoke(&f, &runs[i], "Echo", "pid");
        for (size_t i = 0; i < COUNT_OF(runs); i++)
            fixture_await(&f, &runs[i]);
        spread = are_several(runs, COUNT_OF(runs));
    }
    f.invoker->kind->scale(f.invoker, 0);
    fixture_until(&f, has_processes, &(struct count){&f, 1});
    assert_false(fixture_logged(&f, "WORKER-EXITED"));
    fixture_end(&f);
}

static bool is_bad(void *ctx)
{
    const struct fixture *f = ctx;
    return f->state == INVOKER_DOWN && f->why[0] != '\0';
}

static void a_missing_worker_is_told(void **state)
{
    struct fixture f;
    (void)state;
    put_c_app(&f, PLAIN);
    (void)snprintf(f.worker_dir, sizeof f.worker_dir, "/nowhere");
    fixture_start(&f, 1, 1);
    fixture_until(&f, is_bad, &f);
    assert_non_null(strstr(f.why, "/nowhere/c/redgrid-worker-c"));
    fixture_end(&f);
}

static void a_worker_that_keeps_failing_is_unhealthy(void **state)
{
    struct fixture f;
    char path[600];
    (void)state;
    put_c_app(&f, PLAIN);
    (void)snprintf(f.worker_dir, sizeof f.worker_dir, "%s/workers", f.folder);
    fixture_put(&f, "workers/c/redgrid-worker-c", "#!/bin/sh\necho cannot start >&2\nexit 1\n");
    (void)snprintf(path, sizeof path, "%s/c/redgrid-worker-c", f.worker_dir);
    assert_int_equal(chmod(path, 0700), 0);
    fixture_start(&f, 1, 1);
    fixture_until(&f, fixture_is_unhealthy, &f);
    assert_non_null(strstr(f.why, "exited with code 1"));
    assert_true(fixture_logged(&f, "cannot start"));
    assert_true(fixture_logged(&f, "exited with code 1; starting another in 2000 ms"));
    assert_true(fixture_logged(&f, "exited with code 1; starting another in 60000 ms"));
    assert_true(f.states & 1u << INVOKER_DOWN);
    fixture_end(&f);
}

static void a_worker_killed_from_outside_is_replaced(void **state)
{
    struct fixture f;
    struct fixture_run run;
    (void)state;
    start_c(&f, PLAIN, 1);
    fixture_call(&f, &run, "Echo", "pid");
    pid_t pid = (pid_t)atoi(run.result); /* NOLINT(retired): our own number */
    assert_int_equal(kill(pid, SIGKILL), 0);
    char before[32];
    (void)snprintf(before, sizeof before, "%.31s", run.result);
    do {
        fixture_call(&f, &run, "Echo", "pid");
    } while (run.err != E_OK || strcmp(run.result, before) == 0);
    assert_true(fixture_logged(&f, "was killed by SIGKILL"));
    fixture_end(&f);
}

static void stop_cancels_and_free_is_possible_at_any_time(void **state)
{
    struct fixture f;
    struct fixture_run waiting, hung;
    (void)state;
    put_c_app(&f, PLAIN);
    fixture_start(&f, 1, 1);
    fixture_invoke(&f, &waiting, "Echo", "x");
    fixture_stop(&f); /* in the middle of the compilation */
    assert_int_equal(waiting.err, E_CANCELED);
    fixture_done(&f);

    start_c(&f, PLAIN, 1);
    fixture_invoke(&f, &hung, "Echo", "hang");
    fixture_stop(&f);
    assert_int_equal(hung.err, E_CANCELED);
    fixture_done(&f);

    start_c(&f, PLAIN, 1);
    fixture_invoke(&f, &hung, "Echo", "hang");
    fixture_done(&f);
    assert_int_equal(hung.err, E_CANCELED);
}

static void unknown_runtimes_are_answered_with_the_known(void **state)
{
    char runtime[] = "cobol";
    struct app app = {.runtime = runtime};
    struct invoker *invoker = NULL;
    struct cause why = {{0}};
    (void)state;
    assert_int_equal(invoker_start(&(struct invoker_options){.app = &app}, &invoker, &why),
                     E_UNSUPPORTED);
    assert_non_null(strstr(why.text, "'cobol' is not known; it is one of: custom, c, python"));
    assert_null(invoker);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_DEBUG, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_c_source_is_compiled_and_runs),
        cmocka_unit_test(printed_lines_are_logged),
        cmocka_unit_test(a_crash_names_the_signal_and_spares_the_others),
        cmocka_unit_test(a_suspect_has_a_worker_for_itself),
        cmocka_unit_test(a_hung_run_times_out_and_the_next_succeeds),
        cmocka_unit_test(compile_errors_are_the_functions),
        cmocka_unit_test(processes_follow_the_scale),
        cmocka_unit_test(a_missing_worker_is_told),
        cmocka_unit_test(a_worker_that_keeps_failing_is_unhealthy),
        cmocka_unit_test(a_worker_killed_from_outside_is_replaced),
        cmocka_unit_test(stop_cancels_and_free_is_possible_at_any_time),
        cmocka_unit_test(unknown_runtimes_are_answered_with_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
