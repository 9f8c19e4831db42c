/* Whatever a worker process does, in whatever order: it ends once, and so does each of its runs. */
#include "invokers/worker_fake.h"

static const char letters[] = "silLrRFugmcx0tvaSD";

static struct fake_run *flying(struct world *w, bool newest)
{
    struct fake_run *found = NULL;
    for (size_t i = 0; i < w->run_count; i++)
        if (w->runs[i].ended == 0 && (found == NULL || newest))
            found = &w->runs[i];
    return found;
}

static void answer(struct world *w, bool newest, enum rpc_status status)
{
    struct fake_run *run = flying(w, newest);
    if (run != NULL)
        say_answer(w, run->run.id.text, status);
}

static void next_alarm(struct world *w)
{
    if (w->alarm_at_ms > w->now_ms)
        pass(w, w->alarm_at_ms - w->now_ms);
}

static void abort_one(struct world *w)
{
    struct fake_run *run = flying(w, true);
    if (run != NULL && run->run.worker != NULL)
        worker_abort(w->worker, &run->run);
    settle(w);
}

static void act_process(struct world *w, char letter)
{
    switch (letter) {
    case 's':
        say_start(w, w->worker_id);
        break;
    case 'i':
        say_init(w, true);
        break;
    case 'l':
    case 'L':
        say_load(w, "orders", letter == 'l' ? NULL : "bad");
        break;
    case 'r':
    case 'R':
        answer(w, letter == 'R', RPC_SUCCESS);
        break;
    case 'F':
        answer(w, false, RPC_FAILURE);
        break;
    case 'u':
        say_answer(w, "01234567-89ab-4cde-8f01-23456789abcd", RPC_SUCCESS);
        break;
    case 'g':
        say(w, &(struct rpc_message){.type = RPC_LOG, .log.message = SLICE("hello")});
        break;
    case 'm':
        say_raw(w, SLICE("\x0f\xff\xff"));
        break;
    case 'c':
        say_closed(w, E_CLOSED);
        break;
    case 'x':
    case '0':
        exits(w, 0, letter == 'x' ? SIGSEGV : 0);
        break;
    default:
        fail();
    }
}

static void act(struct world *w, char letter)
{
    if (letter == 't') {
        next_alarm(w);
    } else if (letter == 'v') {
        if (worker_takes(w->worker))
            invoke(w);
    } else if (letter == 'a') {
        abort_one(w);
    } else if (letter == 'S') {
        worker_stop(w->worker);
        settle(w);
    } else if (letter == 'D') {
        worker_drain(w->worker);
    } else if (!w->was_told_exited) {
        act_process(w, letter);
    }
}

/* Whatever happened: once it is told to stop, and obeys SIGKILL at the latest, the worker ends
 * once, and each run has ended once. */
static void finish_and_check(struct world *w, const char *script)
{
    worker_stop(w->worker);
    settle(w);
    for (int i = 0; i < 20 && w->endings == 0; i++) {
        if (w->signal_number == SIGKILL || w->was_told_exited)
            exits(w, 0, SIGKILL);
        next_alarm(w);
    }
    bool is_good = w->endings == 1 && worker_state(w->worker) == WORKER_EXITED &&
                   worker_in_flight(w->worker) == 0;
    for (size_t i = 0; i < w->run_count; i++)
        is_good = is_good && w->runs[i].ended == 1;
    if (!is_good)
        fail_msg("script '%s': %d endings", script, w->endings);
}

static void run_script(const char *prefix, const char *script, bool is_serial)
{
    struct world w;
    world_init(&w);
    w.plan.is_serial = is_serial;
    w.app.function_timeout_ms = 1000;
    world_start(&w);
    for (const char *at = prefix; *at != '\0'; at++)
        act(&w, *at);
    for (const char *at = script; *at != '\0'; at++)
        act(&w, *at);
    finish_and_check(&w, script);
    world_done(&w);
}

static void run_all_scripts(const char *prefix, size_t len, bool is_serial)
{
    char script[8] = "";
    size_t digits[8] = {0};
    size_t base = sizeof letters - 1;
    for (;;) {
        for (size_t i = 0; i < len; i++)
            script[i] = letters[digits[i]];
        run_script(prefix, script, is_serial);
        size_t at = 0;
        while (at < len && ++digits[at] == base)
            digits[at++] = 0;
        if (at == len)
            return;
    }
}

static void every_script_ends_once_and_settles(void **state)
{
    (void)state;
    run_all_scripts("", 4, true);
    run_all_scripts("silvv", 3, true);
    run_all_scripts("silvv", 3, false);
    run_all_scripts("silvvt", 3, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_ends_once_and_settles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
