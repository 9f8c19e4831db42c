/* The worker machine in a fake world: a virtual clock, and a worker process that is a list of
 * things the test makes it do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "functions/worker.h"

#define RUNS_MAX 16
#define SECOND 1000u

struct fake_run {
    struct invocation run;
    struct world *world;
    int ended;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

struct world {
    struct worker_world worker_world;
    struct launcher launcher;
    struct transport transport;
    struct transport_events events;
    struct arena arena;
    struct buf bytes;
    struct app app;
    struct function function;
    struct worker_function row;
    struct worker_plan plan;
    struct worker *worker;
    char worker_id[ID_LEN + 1];
    const char *abilities; /* letters: c s t x */
    uint64_t now_ms, alarm_at_ms;
    bool wants_settle;
    unsigned sent[RPC_FUNCTION_METADATA_RESPONSE + 1];
    int signal_number; /* the last */
    bool is_stream_ended;
    bool was_told_closed, was_told_exited;
    bool is_stubborn; /* SIGTERM does nothing */
    int loads;
    char load_error[CAUSE_MAX_BYTES];
    int endings;
    enum ending ending;
    struct cause why;
    struct fake_run runs[RUNS_MAX];
    size_t run_count;
    enum err send_err;
};

/* ---- the transport ---- */

static struct world *of_transport(const struct transport *transport)
{
    return (struct world *)((uintptr_t)transport - offsetof(struct world, transport));
}

static enum err fake_send(struct transport *transport, const struct rpc_message *message)
{
    struct world *w = of_transport(transport);
    if (w->send_err)
        return w->send_err;
    w->sent[message->type]++;
    return E_OK;
}

static void fake_end(struct transport *transport)
{
    of_transport(transport)->is_stream_ended = true;
}

static void fake_signal(struct transport *transport, int signal_number)
{
    of_transport(transport)->signal_number = signal_number;
}

static pid_t fake_process(const struct transport *transport)
{
    (void)transport;
    return 1234;
}

static void fake_free(struct transport *transport)
{
    (void)transport;
}

static const struct transport_kind fake_kind = {fake_send, fake_end, fake_signal, fake_process,
                                                fake_free};

static enum err fake_launch(struct launcher *launcher, struct slice worker_id,
                            const struct transport_events *events, struct transport **ret,
                            struct cause *why)
{
    struct world *w = container_of(launcher, struct world, launcher);
    if (w->send_err)
        return cause_set(why, w->send_err, "no such program");
    memcpy(w->worker_id, worker_id.data, ID_LEN);
    w->events = *events;
    *ret = &w->transport;
    return E_OK;
}

/* ---- the world ---- */

static uint64_t fake_now(struct worker_world *world)
{
    return container_of(world, struct world, worker_world)->now_ms;
}

static void fake_soon(struct worker_world *world)
{
    container_of(world, struct world, worker_world)->wants_settle = true;
}

static void on_alarm(void *ctx, uint64_t at_ms)
{
    ((struct world *)ctx)->alarm_at_ms = at_ms;
}

static void on_loaded(void *ctx, struct worker *worker, size_t at, const char *error)
{
    struct world *w = ctx;
    (void)worker;
    assert_int_equal(at, 0);
    w->loads++;
    (void)snprintf(w->load_error, sizeof w->load_error, "%s", error == NULL ? "" : error);
}

static void on_changed(void *ctx, struct worker *worker)
{
    (void)ctx;
    (void)worker;
}

static void on_ended(void *ctx, struct worker *worker, enum ending ending, const struct cause *why)
{
    struct world *w = ctx;
    (void)worker;
    w->endings++;
    w->ending = ending;
    w->why = *why;
}

static void on_run_done(struct op *op, enum err err)
{
    struct fake_run *run = container_of(op, struct fake_run, run.op);
    run->ended++;
    run->err = err;
    (void)snprintf(run->why, sizeof run->why, "%s", op->why.text);
}

static void world_init(struct world *w)
{
    static char runtime[] = "c", name[] = "orders", directory[] = "/app", script[] = "/app/o.so";
    static char category[] = "Function.orders.User";
    memset(w, 0, sizeof *w);
    arena_init(&w->arena, 1 << 20);
    buf_init(&w->bytes, 1 << 20);
    w->abilities = "cstx";
    w->now_ms = 1000000;
    w->transport.kind = &fake_kind;
    w->launcher.launch = fake_launch;
    w->worker_world.launcher = &w->launcher;
    w->worker_world.now_ms = fake_now;
    w->worker_world.soon = fake_soon;
    list_init(&w->worker_world.settled);
    w->app.runtime = runtime;
    w->app.directory = directory;
    w->app.name = name;
    w->app.log_default = LOG_OFF;
    w->app.function_timeout_ms = -1;
    w->function.app = &w->app;
    w->function.name = name;
    w->function.directory = directory;
    w->row.function = &w->function;
    w->row.script_file = script;
    w->row.user_category = category;
    w->plan = (struct worker_plan){.app = &w->app,
                                   .host_version = "4.0.0",
                                   .worker_directory = "/w",
                                   .functions = &w->row,
                                   .function_count = 1,
                                   .is_serial = true,
                                   .arena = &w->arena};
}

static void world_start(struct world *w)
{
    struct worker_events events = {
        .alarm = on_alarm, .loaded = on_loaded, .changed = on_changed, .ended = on_ended, .ctx = w};
    struct cause why = {{0}};
    assert_int_equal(worker_start(&w->plan, &w->worker_world, &events, &w->worker, &why), E_OK);
}

static void settle(struct world *w)
{
    while (w->wants_settle) {
        w->wants_settle = false;
        worker_settle(&w->worker_world);
    }
}

static void world_done(struct world *w)
{
    worker_free(w->worker);
    settle(w);
    arena_done(&w->arena);
    buf_done(&w->bytes);
}

/* Time goes on to a moment, with every alarm on the way. */
static void pass(struct world *w, uint64_t ms)
{
    uint64_t end_ms = w->now_ms + ms;
    while (w->alarm_at_ms != 0 && w->alarm_at_ms <= end_ms) {
        if (w->alarm_at_ms > w->now_ms)
            w->now_ms = w->alarm_at_ms;
        w->alarm_at_ms = 0;
        worker_tick(w->worker);
        settle(w);
    }
    w->now_ms = end_ms;
}

/* ---- what the process does ---- */

static void say(struct world *w, const struct rpc_message *message)
{
    if (w->was_told_closed)
        return;
    buf_clear(&w->bytes);
    rpc_encode(&w->bytes, message);
    w->events.message(w->events.ctx, buf_slice(&w->bytes));
    settle(w);
}

static void say_raw(struct world *w, struct slice bytes)
{
    if (!w->was_told_closed)
        w->events.message(w->events.ctx, bytes);
    settle(w);
}

static void say_start(struct world *w, const char *id)
{
    say(w, &(struct rpc_message){.type = RPC_START_STREAM, .start_stream.worker_id = slice_of(id)});
}

static void say_init(struct world *w, bool is_good)
{
    static const struct {
        char letter;
        const char *name;
    } names[] = {{'c', "TypedDataCollection"},
                 {'s', "WorkerStatus"},
                 {'t', "HandlesWorkerTerminateMessage"},
                 {'x', "HandlesInvocationCancelMessage"}};
    struct rpc_pair pairs[COUNT_OF(names)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strchr(w->abilities, names[i].letter) != NULL)
            pairs[count++] = (struct rpc_pair){slice_of(names[i].name), SLICE("true")};
    struct rpc_message message = {.type = RPC_WORKER_INIT_RESPONSE};
    message.worker_init_response.capabilities = (struct rpc_pairs){pairs, count};
    message.worker_init_response.result.status = is_good ? RPC_SUCCESS : RPC_FAILURE;
    message.worker_init_response.result.exception =
        (struct rpc_exception){.is_set = !is_good, .message = SLICE("no module named x")};
    say(w, &message);
}

static void say_load(struct world *w, const char *id, const char *error)
{
    struct rpc_message message = {.type = RPC_FUNCTION_LOAD_RESPONSE};
    message.function_load_response.function_id = slice_of(id);
    message.function_load_response.result.status = error == NULL ? RPC_SUCCESS : RPC_FAILURE;
    message.function_load_response.result.exception =
        (struct rpc_exception){.is_set = error != NULL, .message = slice_of(error)};
    say(w, &message);
}

static void say_answer(struct world *w, const char *id, enum rpc_status status)
{
    struct rpc_message message = {.type = RPC_INVOCATION_RESPONSE};
    message.invocation_response.invocation_id = slice_of(id);
    message.invocation_response.result.status = status;
    message.invocation_response.result.exception =
        (struct rpc_exception){.is_set = status == RPC_FAILURE, .message = SLICE("it went wrong")};
    message.invocation_response.return_value =
        (struct rpc_data){.kind = RPC_STRING, .text = SLICE("result")};
    say(w, &message);
}

static void say_closed(struct world *w, enum err err)
{
    static const struct cause nothing;
    if (w->was_told_closed)
        return;
    w->was_told_closed = true;
    w->events.closed(w->events.ctx, err, &nothing);
    settle(w);
}

static void exits(struct world *w, int exit_code, int signal_number)
{
    if (!w->was_told_exited) {
        w->was_told_exited = true;
        w->events.exited(w->events.ctx, exit_code, signal_number);
    }
    settle(w);
    say_closed(w, E_CLOSED);
}

static struct fake_run *invoke(struct world *w)
{
    struct fake_run *run = &w->runs[w->run_count++];
    assert_true(w->run_count <= RUNS_MAX);
    run->world = w;
    run->run.op.done = on_run_done;
    run->run.id = id_next();
    run->run.function = &w->function;
    op_begin(&run->run.op, NULL, w);
    worker_invoke(w->worker, &run->run);
    settle(w);
    return run;
}

static void become_ready(struct world *w)
{
    world_start(w);
    say_start(w, w->worker_id);
    say_init(w, true);
    say_load(w, "orders", NULL);
    assert_int_equal(worker_state(w->worker), WORKER_READY);
    assert_true(worker_takes(w->worker));
}

/* ---- single stories ---- */

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

static void a_crash_is_pinned_where_runs_are_serial(void **state)
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
        assert_int_equal(runs[1]->err, E_CRASHED);
        assert_string_equal(runs[1]->why, "worker process 1234 was killed by SIGSEGV");
        assert_int_equal(runs[2]->err, is_serial ? E_CANCELED : E_CRASHED);
        assert_int_equal(runs[2]->run.is_bystander, is_serial);
        assert_int_equal(w.ending, ENDING_ERROR);
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

/* ---- all short scripts ---- */

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
        cmocka_unit_test(the_start_goes_through_its_phases),
        cmocka_unit_test(a_bad_start_kills_the_worker),
        cmocka_unit_test(a_start_that_fails_leaves_nothing),
        cmocka_unit_test(a_function_that_does_not_load_fails_alone),
        cmocka_unit_test(batches_need_a_worker_that_takes_arrays),
        cmocka_unit_test(answers_find_their_run_in_any_order),
        cmocka_unit_test(a_crash_is_pinned_where_runs_are_serial),
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
        cmocka_unit_test(every_script_ends_once_and_settles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
