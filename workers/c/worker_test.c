/* The worker program, driven as the host drives it. Arguments: the program, then the modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_host.h"

#define TEXT(literal) SLICE_INIT(literal)

static const char *worker_path, *functions_path, *stranger_path, *old_path;
static char **sample_paths; /* NULL-terminated: ".../ListTrigger.so" */
static struct fake_host host;

static struct rpc_message hear(enum rpc_type type)
{
    struct rpc_message message;

    assert_true(fake_host_hear(&host, &message));
    assert_string_equal(rpc_type_name(message.type), rpc_type_name(type));
    return message;
}

static void start(const char *threads)
{
    fake_host_start(&host, worker_path, threads);
    struct rpc_message message = hear(RPC_START_STREAM);
    assert_true(slice_eq(message.start_stream.worker_id, SLICE("w1")));
    assert_true(slice_eq(message.request_id, SLICE("r1")));
}

static int set_up(void **state)
{
    (void)state;
    start(NULL);
    return 0;
}

static int set_up_threads(void **state)
{
    (void)state;
    start("2");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_done(&host);
    return 0;
}

static void load(const char *name)
{
    struct rpc_result result = fake_host_load(&host, functions_path, name, name);
    assert_int_equal(result.status, RPC_SUCCESS);
}

static void invoke(const char *id, const char *function, struct slice text)
{
    const struct rpc_named input = {SLICE("entry"), {.kind = RPC_STRING, .text = text}};
    fake_host_say(&host,
                  &(struct rpc_message){.type = RPC_INVOCATION_REQUEST,
                                        .invocation_request = {.invocation_id = slice_of(id),
                                                               .function_id = slice_of(function),
                                                               .inputs = {&input, 1}}});
}

static struct rpc_invocation_response hear_response(const char *id)
{
    struct rpc_invocation_response response = hear(RPC_INVOCATION_RESPONSE).invocation_response;
    assert_true(slice_eq(response.invocation_id, slice_of(id)));
    return response;
}

static void assert_returns(struct rpc_invocation_response response, const char *text)
{
    assert_int_equal(response.result.status, RPC_SUCCESS);
    assert_int_equal(response.return_value.kind, RPC_STRING);
    assert_true(slice_eq(response.return_value.text, slice_of(text)));
}

static void assert_fails(struct rpc_invocation_response response, const char *text)
{
    assert_int_equal(response.result.status, RPC_FAILURE);
    assert_true(response.result.exception.is_set);
    assert_true(slice_eq(response.result.exception.message, slice_of(text)));
}

static void ask_status(void)
{
    fake_host_say(&host, &(struct rpc_message){.type = RPC_WORKER_STATUS_REQUEST});
}

static void terminate(int32_t grace_ms)
{
    struct rpc_duration grace = {grace_ms / 1000, grace_ms % 1000 * 1000000};
    fake_host_say(&host,
                  &(struct rpc_message){.type = RPC_WORKER_TERMINATE, .worker_terminate = {grace}});
}

/* All of its standard output until it ends. */
static void read_output(char *to, size_t size)
{
    size_t len = 0;
    for (ssize_t n; (n = read(host.output_fd, to + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    to[len] = '\0';
}

static void it_starts_as_the_protocol_says(void **state)
{
    (void)state;
    static const char *const capabilities[] = {"TypedDataCollection", "WorkerStatus",
                                               "HandlesWorkerTerminateMessage",
                                               "HandlesInvocationCancelMessage"};

    fake_host_say(&host,
                  &(struct rpc_message){.request_id = TEXT("r2"),
                                        .type = RPC_WORKER_INIT_REQUEST,
                                        .worker_init_request = {.host_version = TEXT("4.1.0")}});
    struct rpc_message message = hear(RPC_WORKER_INIT_RESPONSE);
    assert_true(slice_eq(message.request_id, SLICE("r2")));
    assert_int_equal(message.worker_init_response.result.status, RPC_SUCCESS);
    assert_true(slice_eq(message.worker_init_response.metadata.runtime_name, SLICE("c")));
    for (size_t i = 0; i < COUNT_OF(capabilities); i++)
        assert_true(
            rpc_pairs_find(message.worker_init_response.capabilities, slice_of(capabilities[i]))
                .len > 0);

    fake_host_say(&host, &(struct rpc_message){.type = RPC_FUNCTIONS_METADATA_REQUEST});
    message = hear(RPC_FUNCTION_METADATA_RESPONSE);
    assert_true(message.function_metadata_response.use_default_metadata_indexing);
}

static void the_default_symbol_is_the_functions_name(void **state)
{
    (void)state;
    assert_int_equal(fake_host_load(&host, functions_path, "", "echo").status, RPC_SUCCESS);
    assert_int_equal(fake_host_load(&host, functions_path, "", "no-c-name").status, RPC_SUCCESS);
    invoke("1", "echo", SLICE("hi"));
    assert_returns(hear_response("1"), "hi");
    invoke("2", "no-c-name", SLICE("hi"));
    assert_returns(hear_response("2"), "default");
    /* A name that the C library has too: our `run` is meant. */
    assert_int_equal(fake_host_load(&host, functions_path, "", "getpid").status, RPC_SUCCESS);
    invoke("3", "getpid", SLICE("hi"));
    assert_returns(hear_response("3"), "default");
}

static void a_load_that_fails_says_why(void **state)
{
    (void)state;
    const struct {
        const char *file, *entry_point, *part;
    } rows[] = {
        {functions_path, "absent", "has no function 'absent'"},
        {"/nowhere/run.so", "run", "/nowhere/run.so: cannot open"},
        {"", "run", "scriptFile: is missing"},
        {worker_path, "run", "scriptFile: "},
        {stranger_path, "run", "does not include <redgrid/function.h>"},
        {old_path, "run", "compile it again"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rpc_result result = fake_host_load(&host, rows[i].file, rows[i].entry_point, "f");
        assert_int_equal(result.status, RPC_FAILURE);
        struct slice text = result.exception.message;
        assert_true(slice_find(text, slice_of(rows[i].part)) < text.len);
    }
    invoke("1", "f", SLICE("hi"));
    assert_fails(hear_response("1"), "the function is not loaded");
}

static void functions_succeed_and_fail(void **state)
{
    (void)state;
    load("echo"), load("fail"), load("number"), load("empty");
    invoke("1", "echo", SLICE("with\0nul"));
    struct rpc_invocation_response response = hear_response("1");
    assert_int_equal(response.return_value.text.len, 8);
    assert_memory_equal(response.return_value.text.data, "with\0nul", 8);
    invoke("2", "echo", SLICE("\xff"));
    assert_int_equal(hear_response("2").return_value.kind, RPC_BYTES);
    invoke("3", "fail", SLICE("luck"));
    assert_fails(hear_response("3"), "no luck");
    invoke("4", "fail", SLICE("\xff"));
    assert_fails(hear_response("4"), "no \xef\xbf\xbd");
    invoke("5", "number", SLICE(""));
    assert_fails(hear_response("5"), "the function returned 3");
    invoke("6", "empty", SLICE(""));
    response = hear_response("6");
    assert_int_equal(response.result.status, RPC_SUCCESS);
    assert_int_equal(response.return_value.kind, RPC_NONE);
}

static void a_function_sees_all_of_its_request(void **state)
{
    (void)state;
    static const struct slice messages[] = {TEXT("a"), TEXT(""), TEXT("c")};
    const struct rpc_named inputs[] = {
        {TEXT("entry"), {.kind = RPC_STRINGS, .items = messages, .item_count = 3}},
        {TEXT("value"), {.kind = RPC_BYTES, .text = TEXT("\xff\0")}},
    };
    const struct rpc_named metadata = {TEXT("Key"), {.kind = RPC_STRING, .text = TEXT("orders")}};
    static const struct rpc_data want[] = {
        {.kind = RPC_STRING, .text = TEXT("orders")}, {.kind = RPC_BYTES, .text = TEXT("\xff\0")},
        {.kind = RPC_STRING, .text = TEXT("i1")},     {.kind = RPC_STRING, .text = TEXT("tell")},
        {.kind = RPC_STRING, .text = TEXT("2 3")},
    };

    const struct rpc_message request = {
        .type = RPC_INVOCATION_REQUEST,
        .invocation_request = {.invocation_id = TEXT("i1"),
                               .function_id = TEXT("tell"),
                               .inputs = {inputs, 2},
                               .metadata = {&metadata, 1},
                               .retry = {.is_set = true, .retry_count = 2}}};

    load("tell");
    fake_host_say(&host, &request);
    hear_response("i1");
    fake_host_say(&host, &request); /* nothing is left of the first */
    struct rpc_invocation_response response = hear_response("i1");
    assert_int_equal(response.result.status, RPC_SUCCESS);
    assert_int_equal(response.outputs.count, COUNT_OF(want) + 1);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_int_equal(response.outputs.items[i].data.kind, want[i].kind);
        assert_true(slice_eq(response.outputs.items[i].data.text, want[i].text));
    }
    const struct rpc_data *all = rpc_names_find(response.outputs, SLICE("messages"));
    assert_int_equal(all->kind, RPC_STRINGS);
    assert_int_equal(all->item_count, 4); /* and an absent one behind the end */
    assert_true(slice_eq(all->items[2], SLICE("c")));
}

static void logs_come_before_the_response(void **state)
{
    (void)state;
    load("chatty");
    invoke("1", "chatty", SLICE(""));
    struct rpc_log log = hear(RPC_LOG).log;
    assert_int_equal(log.level, RPC_LEVEL_WARNING);
    assert_true(slice_eq(log.message, SLICE("one 1")));
    assert_true(slice_eq(log.category, SLICE("Function.chatty.User")));
    assert_true(slice_eq(log.invocation_id, SLICE("1")));
    assert_int_equal(log.log_category, RPC_LOG_USER);
    log = hear(RPC_LOG).log;
    assert_int_equal(log.level, RPC_LEVEL_ERROR);
    assert_int_equal(log.message.len, 3000);
    assert_true(slice_eq(hear(RPC_LOG).log.message, SLICE("bad \xef\xbf\xbd utf-8")));
    assert_int_equal(hear_response("1").result.status, RPC_SUCCESS);
}

/* A host that does not read holds the function up, and loses nothing. */
static void a_flood_of_logs_waits(void **state)
{
    (void)state;
    char line[16], text[8];

    load("flood");
    invoke("1", "flood", SLICE(""));
    assert_true(read(host.output_fd, line, sizeof line) > 0); /* 10 MB are under way */
    for (int i = 0; i < 40000; i++) {
        struct slice message = hear(RPC_LOG).log.message;
        int len = snprintf(text, sizeof text, "%d ", i);
        assert_int_equal(message.len, len + 1000);
        assert_true(slice_has_prefix(message, (struct slice){text, (size_t)len}));
    }
    assert_int_equal(hear_response("1").result.status, RPC_SUCCESS);
}

static void a_function_may_answer_later(void **state)
{
    (void)state;
    load("later"), load("at_once");
    for (int i = 0; i < 100; i++) {
        invoke("1", "later", i % 2 == 0 ? SLICE("good") : SLICE("bad"));
        assert_int_equal(hear(RPC_LOG).log.level, RPC_LEVEL_DEBUG);
        if (i % 2 == 0)
            assert_returns(hear_response("1"), "good");
        else
            assert_fails(hear_response("1"), "late failure");
    }
    invoke("2", "at_once", SLICE(""));
    assert_int_equal(hear_response("2").result.status, RPC_SUCCESS);
}

static void it_answers_while_a_function_blocks(void **state)
{
    (void)state;
    load("block"), load("echo");
    invoke("1", "echo", SLICE("before")); /* in one batch with the one that blocks, or not */
    invoke("2", "block", SLICE(""));
    invoke("3", "echo", SLICE("after"));
    assert_returns(hear_response("1"), "before");
    ask_status();
    hear(RPC_WORKER_STATUS_RESPONSE);
    assert_int_equal(fake_host_load(&host, functions_path, "run", "new").status, RPC_SUCCESS);
    fake_host_say(&host, &(struct rpc_message){.type = RPC_INVOCATION_CANCEL,
                                               .invocation_cancel = {TEXT("2")}});
    assert_int_equal(hear_response("2").result.status, RPC_CANCELLED);
    assert_returns(hear_response("3"), "after");
}

/* In one write, so that they are one batch: the fast ones must not wait for the slow one behind
 * them, however the threads sleep and wake meanwhile. */
static void a_result_does_not_wait_for_a_slow_function_behind_it(void **state)
{
    (void)state;
    struct buf batch;

    load("block"), load("spin");
    buf_init(&batch, 1 << 20);
    for (int fast = 1; fast < 40; fast++) {
        buf_clear(&batch);
        for (int i = 0; i <= fast; i++)
            rpc_frame_add(
                &batch, RPC_FRAME_PLAIN,
                &(struct rpc_message){
                    .type = RPC_INVOCATION_REQUEST,
                    .invocation_request = {.invocation_id = i < fast ? SLICE("1") : SLICE("2"),
                                           .function_id = slice_of(i < fast ? "spin" : "block")}});
        fake_host_write(&host, buf_slice(&batch));
        for (int i = 0; i < fast; i++)
            assert_int_equal(hear_response("1").result.status, RPC_SUCCESS);
        fake_host_say(&host, &(struct rpc_message){.type = RPC_INVOCATION_CANCEL,
                                                   .invocation_cancel = {TEXT("2")}});
        assert_int_equal(hear_response("2").result.status, RPC_CANCELLED);
    }
    buf_done(&batch);
}

static void functions_run_one_after_another(void **state)
{
    (void)state;
    char text[16];

    load("count");
    for (int i = 0; i < 5000; i++)
        invoke("1", "count", SLICE(""));
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "%d", i + 1);
        assert_returns(hear_response("1"), text);
    }
}

static void or_on_as_many_threads_as_asked(void **state)
{
    (void)state;
    load("meet");
    invoke("1", "meet", SLICE(""));
    invoke("2", "meet", SLICE(""));
    for (int i = 0; i < 2; i++)
        assert_int_equal(hear(RPC_INVOCATION_RESPONSE).invocation_response.result.status,
                         RPC_SUCCESS);
}

static void large_messages_pass(void **state)
{
    (void)state;
    const size_t len = 48u << 20;
    char *bytes = mem_zeroed(len, 1);

    load("echo"), load("large");
    invoke("1", "echo", (struct slice){bytes, len});
    assert_int_equal(hear_response("1").return_value.text.len, len);
    invoke("2", "echo", SLICE("small"));
    assert_returns(hear_response("2"), "small");
    invoke("3", "large", SLICE("268435456")); /* 256 MiB and its head is too much */
    assert_fails(hear_response("3"), "the outputs are larger than 256 MiB");
    free(bytes);
}

static void frames_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct buf frame;

    load("echo");
    buf_init(&frame, 4096);
    buf_add(&frame, SLICE("\0\0\0\0")); /* an empty message is ignored */
    const struct rpc_named input = {TEXT("e"), {.kind = RPC_STRING, .text = TEXT("hi")}};
    rpc_frame_add(&frame, RPC_FRAME_PLAIN,
                  &(struct rpc_message){.type = RPC_INVOCATION_REQUEST,
                                        .invocation_request = {.invocation_id = TEXT("1"),
                                                               .function_id = TEXT("echo"),
                                                               .inputs = {&input, 1}}});
    for (size_t i = 0; i < frame.len; i++)
        fake_host_write(&host, (struct slice){frame.data + i, 1});
    assert_returns(hear_response("1"), "hi");
    buf_done(&frame);
}

static void the_end_of_the_stream_ends_it(void **state)
{
    (void)state;
    load("block");
    invoke("1", "block", SLICE(""));
    assert_int_equal(shutdown(host.fd, SHUT_WR), 0);
    int status = fake_host_wait(&host);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void an_end_within_a_message_is_an_error(void **state)
{
    (void)state;
    fake_host_write(&host, SLICE("\0\0\0\x09\x62"));
    assert_int_equal(shutdown(host.fd, SHUT_WR), 0);
    int status = fake_host_wait(&host);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void malformed_and_oversized_messages_end_it(void **state)
{
    (void)state;
    static const struct slice rows[] = {TEXT("\0\0\0\2\x0b\x0c"), TEXT("\x10\0\0\1")};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rpc_message message;
        if (i > 0) {
            fake_host_done(&host);
            start(NULL);
        }
        fake_host_write(&host, rows[i]);
        assert_false(fake_host_hear(&host, &message));
        int status = fake_host_wait(&host);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    }
}

static void terminate_waits_for_what_runs(void **state)
{
    (void)state;
    char output[256];
    struct rpc_message message;

    load("block"), load("print");
    invoke("1", "print", SLICE("hi"));
    assert_int_equal(hear_response("1").result.status, RPC_SUCCESS);
    invoke("2", "block", SLICE(""));
    terminate(FAKE_HOST_TIMEOUT_MS);
    ask_status();
    hear(RPC_WORKER_STATUS_RESPONSE);
    fake_host_say(&host, &(struct rpc_message){.type = RPC_INVOCATION_CANCEL,
                                               .invocation_cancel = {TEXT("2")}});
    assert_int_equal(hear_response("2").result.status, RPC_CANCELLED);
    assert_false(fake_host_hear(&host, &message));
    int status = fake_host_wait(&host);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    read_output(output, sizeof output);
    assert_string_equal(output, "printed hi\ngoodbye\n"); /* exit handlers ran */
}

static void terminate_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct rpc_message message;

    load("block");
    invoke("1", "block", SLICE(""));
    terminate(50);
    assert_false(fake_host_hear(&host, &message));
    int status = fake_host_wait(&host);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void the_samples_log_their_message(void **state)
{
    (void)state;
    for (char **path = sample_paths; *path != NULL; path++) {
        const char *file = strrchr(*path, '/') + 1;
        char *name = mem_dup(file, strlen(file) - strlen(".so"));
        struct rpc_result result = fake_host_load(&host, *path, "", name);
        assert_int_equal(result.status, RPC_SUCCESS);
        invoke("1", name, SLICE("hello"));
        struct rpc_log log = hear(RPC_LOG).log;
        assert_int_equal(log.level, RPC_LEVEL_INFORMATION);
        assert_true(slice_has_prefix(log.message, SLICE("hello")));
        assert_int_equal(hear_response("1").result.status, RPC_SUCCESS);
        free(name);
    }
}

static void started_by_hand_it_says_what_it_is(void **state)
{
    (void)state;
    unsetenv("REDGRID_RPC_FD");
    char *command = NULL;
    assert_true(asprintf(&command, "%s 2>/dev/null", worker_path) > 0);
    int status = system(command);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    free(command);
}

#define WITH_WORKER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_WORKER(it_starts_as_the_protocol_says),
        WITH_WORKER(the_default_symbol_is_the_functions_name),
        WITH_WORKER(a_load_that_fails_says_why),
        WITH_WORKER(functions_succeed_and_fail),
        WITH_WORKER(a_function_sees_all_of_its_request),
        WITH_WORKER(logs_come_before_the_response),
        WITH_WORKER(a_flood_of_logs_waits),
        WITH_WORKER(a_function_may_answer_later),
        WITH_WORKER(it_answers_while_a_function_blocks),
        WITH_WORKER(a_result_does_not_wait_for_a_slow_function_behind_it),
        WITH_WORKER(functions_run_one_after_another),
        cmocka_unit_test_setup_teardown(or_on_as_many_threads_as_asked, set_up_threads, tear_down),
        WITH_WORKER(large_messages_pass),
        WITH_WORKER(frames_may_come_byte_by_byte),
        WITH_WORKER(the_end_of_the_stream_ends_it),
        WITH_WORKER(an_end_within_a_message_is_an_error),
        WITH_WORKER(malformed_and_oversized_messages_end_it),
        WITH_WORKER(terminate_waits_for_what_runs),
        WITH_WORKER(terminate_does_not_wait_for_ever),
        WITH_WORKER(the_samples_log_their_message),
        cmocka_unit_test(started_by_hand_it_says_what_it_is),
    };

    if (argc < 6)
        return EXIT_FAILURE;
    worker_path = argv[1];
    functions_path = argv[2];
    stranger_path = argv[3];
    old_path = argv[4];
    sample_paths = argv + 5;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
