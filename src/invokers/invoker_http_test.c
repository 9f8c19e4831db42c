/* The custom handler, with a handler that does what each message tells it. */
#include <fcntl.h>

#include "invokers/handler_message.h"
#include "invokers/invoker_fixture.h"
#include "json/json.h"

/* ---- the bodies ---- */

static void write_request(struct buf *out, const struct rpc_data *data, struct rpc_named *metadata,
                          size_t metadata_count)
{
    static char name[] = "F";
    struct function function = {.name = name};
    struct rpc_named input = {SLICE("entry"), *data};
    struct invocation run = {.function = &function,
                             .inputs = &input,
                             .input_count = 1,
                             .metadata = metadata,
                             .metadata_count = metadata_count};
    buf_init(out, 1 << 20);
    handler_write_request(out, &run);
    assert_int_equal(buf_err(out), E_OK);
}

/* The table of functions.md 14.1. */
static void values_are_encoded_twice_but_objects_and_bytes(void **state)
{
    static const struct slice items[] = {SLICE_INIT("1"), SLICE_INIT("2")};
    static const struct slice texts[] = {SLICE_INIT("a"), SLICE_INIT("\"")};
    static const struct {
        struct rpc_data data;
        const char *wire;
    } rows[] = {
        {{.kind = RPC_STRING, .text = SLICE_INIT("hello")}, "\"\\\"hello\\\"\""},
        {{.kind = RPC_STRING,
          .text = SLICE_INIT("{\"Trigger\":\"listTest\",\"Message\":\"hello\"}")},
         "\"\\\"{\\\\\\\"Trigger\\\\\\\":\\\\\\\"listTest\\\\\\\",\\\\\\\"Message\\\\\\\":"
         "\\\\\\\"hello\\\\\\\"}\\\"\""},
        {{.kind = RPC_INT, .integer = 5}, "\"5\""},
        {{.kind = RPC_DOUBLE, .number = 1.5}, "\"1.5\""},
        {{.kind = RPC_INTS, .items = items, .item_count = 2}, "\"[1,2]\""},
        {{.kind = RPC_STRINGS, .items = texts, .item_count = 2},
         "\"[\\\"a\\\",\\\"\\\\\\\"\\\"]\""},
        {{.kind = RPC_JSONS, .items = items, .item_count = 2}, "\"[1,2]\""},
        {{.kind = RPC_JSON, .text = SLICE_INIT("{\"a\":\"b\"}")}, "{\"a\":\"b\"}"},
        {{.kind = RPC_JSON, .text = SLICE_INIT("[1]")}, "\"[1]\""},
        {{.kind = RPC_BYTES, .text = SLICE_INIT("\x00\xff\xfe")}, "\"AP/+\""},
        {{.kind = RPC_NONE}, "\"null\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        char expected[512];
        write_request(&out, &rows[i].data, NULL, 0);
        (void)snprintf(expected, sizeof expected,
                       "{\"Data\":{\"entry\":%s},\"Metadata\":{\"sys\":", rows[i].wire);
        assert_memory_equal(out.data, expected, strlen(expected));
        buf_done(&out);
    }
}

static void metadata_leaves_out_nulls_and_triggers(void **state)
{
    struct rpc_named metadata[] = {
        {SLICE("Key"), {.kind = RPC_STRING, .text = SLICE("streamTest")}},
        {SLICE("Trigger"), {.kind = RPC_STRING, .text = SLICE("streamTest")}},
        {SLICE("RedisTRIGGER"), {.kind = RPC_STRING, .text = SLICE("x")}},
        {SLICE("Nothing"), {.kind = RPC_NONE}},
        {SLICE("Sys"), {.kind = RPC_STRING, .text = SLICE("of the message")}},
        {SLICE("retryContext"), {.kind = RPC_STRING, .text = SLICE("of the message")}},
        {SLICE("Null"), {.kind = RPC_JSON, .text = SLICE("null")}},
        {SLICE("Values"), {.kind = RPC_JSON, .text = SLICE("{\"a\":\"b\"}")}},
    };
    struct rpc_data data = {.kind = RPC_STRING};
    struct buf out;
    json_t *root;
    (void)state;
    write_request(&out, &data, metadata, COUNT_OF(metadata));
    assert_non_null(
        strstr(buf_text(&out), ",\"Key\":\"\\\"streamTest\\\"\",\"Values\":{\"a\":\"b\"}}}"));
    assert_int_equal(jx_parse(buf_slice(&out), NULL, NULL, &root, NULL), E_OK);
    json_t *sys = jx_member(jx_member(root, "Metadata"), "sys");
    assert_true(slice_eq(jx_slice(jx_member(sys, "MethodName")), SLICE("F")));
    assert_int_equal(jx_slice(jx_member(sys, "RandGuid")).len, ID_LEN);
    assert_int_equal(jx_slice(jx_member(sys, "UtcNow")).len,
                     strlen("2023-05-24T12:00:00.0000000Z"));
    json_decref(root);
    assert_null(strstr(buf_text(&out), "of the message"));
    buf_done(&out);
}

static void answers_are_read(void **state)
{
    static const struct {
        const char *body, *type;
        enum err err;
        size_t outputs;
        enum rpc_kind kind; /* of the return value */
        const char *text;
    } rows[] = {
        {"", NULL, E_OK, 0, RPC_NONE, ""},
        {"  ", "text/plain", E_OK, 0, RPC_NONE, ""},
        {"null", "application/json", E_OK, 0, RPC_NONE, ""},
        {"{}", "application/json; charset=utf-8", E_OK, 0, RPC_NONE, ""},
        {"{\"returnvalue\":\"x\"}", "application/JSON", E_OK, 0, RPC_STRING, "x"},
        {"{\"ReturnValue\":{\"a\":[1]}}", NULL, E_OK, 0, RPC_JSON, "{\"a\":[1]}"},
        {"{\"ReturnValue\":true}", NULL, E_OK, 0, RPC_JSON, "true"},
        {"{\"ReturnValue\":7}", NULL, E_OK, 0, RPC_INT, ""},
        {"{\"OUTPUTS\":{\"a\":\"aGk=\",\"b\":[1,2]},\"ReturnValue\":null}", NULL, E_OK, 2, RPC_NONE,
         ""},
        {"{}", "text/html", E_FAILED, 0, RPC_NONE, ""},
        {"no json", "application/json", E_FAILED, 0, RPC_NONE, ""},
        {"[1]", "application/json", E_FAILED, 0, RPC_NONE, ""},
        {"\"x\"", "application/json", E_FAILED, 0, RPC_NONE, ""},
    };
    struct function function = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handler_answer answer = {0};
        struct cause why = {{0}};
        assert_int_equal(handler_read_answer(slice_of(rows[i].body), slice_of(rows[i].type),
                                             &function, &answer, &why),
                         rows[i].err);
        assert_int_equal(answer.output_count, rows[i].outputs);
        assert_int_equal(answer.return_value.kind, rows[i].kind);
        assert_true(slice_eq(answer.return_value.text, slice_of(rows[i].text)));
        if (rows[i].outputs == 2) { /* looks like base64, and is text all the same */
            assert_int_equal(answer.outputs[0].data.kind, RPC_STRING);
            assert_true(slice_eq(answer.outputs[0].data.text, SLICE("aGk=")));
            assert_true(slice_eq(answer.outputs[1].data.text, SLICE("[1,2]")));
        }
        if (rows[i].err)
            assert_string_equal(why.text, "Invalid HttpResponseMessage");
        else
            handler_answer_done(&answer);
    }
}

static void binary_outputs_are_decoded(void **state)
{
    static char name[] = "out";
    struct redis_binding binding = {
        .name = name, .direction = DIRECTION_OUT, .data_type = DATA_BINARY};
    struct function function = {.bindings = &binding, .binding_count = 1};
    struct handler_answer answer = {0};
    (void)state;
    assert_int_equal(handler_read_answer(SLICE("{\"Outputs\":{\"out\":\"AP/+\"}}"), SLICE_NONE,
                                         &function, &answer, NULL),
                     E_OK);
    assert_int_equal(answer.outputs[0].data.kind, RPC_BYTES);
    assert_true(slice_eq(answer.outputs[0].data.text, SLICE("\x00\xff\xfe")));
    handler_answer_done(&answer);
}

/* ---- a real handler ---- */

static const char script[] =
    "#!/usr/bin/env python3\n"
    "import json, os, signal, socket, sys, threading, time\n"
    "from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer\n"
    "class Handler(BaseHTTPRequestHandler):\n"
    "    protocol_version = 'HTTP/1.1'\n"
    "    def log_message(self, *args): pass\n"
    "    def answer(self, status, body, kind='application/json'):\n"
    "        data = body.encode()\n"
    "        self.send_response(status)\n"
    "        if kind: self.send_header('Content-Type', kind)\n"
    "        if status != 204: self.send_header('Content-Length', str(len(data)))\n"
    "        self.end_headers()\n"
    "        if status != 204: self.wfile.write(data)\n"
    "    def do_GET(self): self.answer(404, '')\n"
    "    def do_POST(self):\n"
    "        raw = self.rfile.read(int(self.headers['Content-Length'])).decode()\n"
    "        m = json.loads(json.loads(raw)['Data']['entry'])\n"
    "        if m == 'echo':\n"
    "            head = self.path + ' ' + self.headers['Content-Type'] + ' ' + "
    "self.headers['User-Agent'] + ' ' + str(len(self.headers['X-Azure-Functions-InvocationId']))\n"
    "            return self.answer(200, json.dumps({'ReturnValue': head}))\n"
    "        if m == 'env':\n"
    "            return self.answer(200, json.dumps({'ReturnValue': ' '.join([os.getcwd(), "
    "os.environ['FUNCTIONS_APP_ROOT_PATH'], os.environ['FUNCTIONS_WORKER_RUNTIME'], "
    "str(os.environ['FUNCTIONS_HTTPWORKER_PORT'] == os.environ['FUNCTIONS_CUSTOMHANDLER_PORT']), "
    "str(len(os.environ['FUNCTIONS_HTTPWORKER_ID']))] + sys.argv[1:])}))\n"
    "        if m == 'full':\n"
    "            print('printed', flush=True)\n"
    "            return self.answer(200, json.dumps({'outputs': {'a': 'aGk=', 'b': {'x': 1}}, "
    "'logs': ['one', 'two'], 'returnValue': 5}))\n"
    "        if m == 'failfull': return self.answer(500, json.dumps({'Outputs': {'a': 'x'}}))\n"
    "        if m.startswith('status'): return self.answer(int(m[6:]), '')\n"
    "        if m == 'null': return self.answer(200, 'null')\n"
    "        if m == 'text': return self.answer(200, 'plain words', 'text/plain')\n"
    "        if m == 'close': return self.connection.shutdown(socket.SHUT_RDWR)\n"
    "        if m.startswith('exit'): os._exit(int(m[4:]))\n"
    "        if m == 'crash': signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)\n"
    "        if m == 'hang': time.sleep(100)\n"
    "        self.answer(200, json.dumps({'ReturnValue': m}))\n"
    "class Server(ThreadingHTTPServer):\n"
    "    request_queue_size = 128\n"
    "time.sleep(float(os.environ.get('HANDLER_LATE', '0')))\n"
    "Server(('127.0.0.1', int(os.environ['FUNCTIONS_CUSTOMHANDLER_PORT'])), "
    "Handler).serve_forever()\n";

static void put_app(struct fixture *f, const char *rest_of_host_json)
{
    char path[300], text[600];
    fixture_init(f);
    (void)snprintf(text, sizeof text,
                   "{\"version\":\"2.0\",\"customHandler\":{\"description\":{"
                   "\"defaultExecutablePath\":\"handler\",\"arguments\":[\"--x\",\"%%ARG%%\"]}%s",
                   rest_of_host_json);
    fixture_put(f, "app/host.json", text);
    fixture_put(f, "app/local.settings.json",
                "{\"Values\":{\"FUNCTIONS_WORKER_RUNTIME\":\"custom\",\"ARG\":\"word\"}}");
    fixture_put_function(f, "F", NULL);
    fixture_put(f, "app/handler", script);
    (void)snprintf(path, sizeof path, "%s/app/handler", f->folder);
    assert_int_equal(chmod(path, 0700), 0);
}

static void start(struct fixture *f)
{
    put_app(f, "}}");
    fixture_start_ready(f, 1, 1);
}

static void run(struct fixture *f, struct fixture_run *r, const char *message)
{
    fixture_call(f, r, "F", message);
}

static void requests_and_environment_are_as_documented(void **state)
{
    struct fixture f;
    struct fixture_run r;
    char expected[700];
    (void)state;
    start(&f);
    assert_int_equal(f.loaded, 1);
    run(&f, &r, "echo");
    assert_int_equal(r.err, E_OK);
    assert_string_equal(r.result,
                        "/F application/json; charset=utf-8 Azure-Functions-Host/4.0.0 36");
    run(&f, &r, "env");
    (void)snprintf(expected, sizeof expected, "%s/app %s/app custom True 36 --x word", f.folder,
                   f.folder);
    assert_string_equal(r.result, expected);
    run(&f, &r, "\"quoted\" \xc3\xa4 text");
    assert_string_equal(r.result, "\"quoted\" \xc3\xa4 text");
    fixture_stop(&f);
    assert_false(fixture_logged(&f, "WORKER-EXITED"));
    fixture_done(&f);
}

static void answers_decide_the_outcome(void **state)
{
    static const struct {
        const char *message;
        enum err err;
        const char *why;
    } rows[] = {
        {"status204", E_OK, ""},
        {"status200", E_OK, ""},
        {"null", E_OK, ""},
        {"status500", E_FAILED, "the handler answered with status 500"},
        {"status302", E_FAILED, "the handler answered with status 302"},
        {"text", E_FAILED, "Invalid HttpResponseMessage"},
        {"close", E_FAILED, ""},
        {"failfull", E_FAILED, "the handler answered with status 500: {\"Outputs\""},
    };
    struct fixture f;
    struct fixture_run r;
    (void)state;
    start(&f);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        run(&f, &r, rows[i].message);
        assert_int_equal(r.err, rows[i].err);
        assert_int_equal(strncmp(r.why, rows[i].why, strlen(rows[i].why)), 0);
        assert_string_equal(r.outputs, "");
    }
    assert_true(fixture_logged(&f, "[F] plain words"));
    run(&f, &r, "full");
    assert_string_equal(r.outputs, "a=aGk=;b={\"x\":1};");
    assert_int_equal(r.kind, RPC_INT);
    assert_string_equal(r.result, "5");
    assert_true(fixture_logged(&f, "2  Function.F.User [F] one"));
    assert_true(fixture_logged(&f, "2  Function.F.User [F] two"));
    fixture_end(&f);
}

static void exits_are_followed_by_a_restart(void **state)
{
    static const struct {
        const char *message, *why;
    } rows[] = {
        {"exit0", "exited with code 0"},
        {"exit200", "exited with code 200"},
        {"exit1", "exited with code 1"},
        {"crash", "was killed by SIGSEGV"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        struct fixture_run r;
        start(&f);
        run(&f, &r, rows[i].message);
        assert_int_equal(r.err, E_CRASHED);
        assert_non_null(strstr(r.why, rows[i].why));
        run(&f, &r, "after"); /* waits for the next process */
        assert_int_equal(r.err, E_OK);
        assert_true(f.states & 1u << INVOKER_DOWN);
        fixture_end(&f);
    }
}

static bool has_two_in_flight(void *ctx)
{
    const struct fixture *f = ctx;
    struct invoker_stats stats;
    f->invoker->kind->stats(f->invoker, &stats);
    return stats.in_flight == 2;
}

static void a_crash_with_several_runs_is_pinned_by_running_them_alone(void **state)
{
    struct fixture f;
    struct fixture_run bad, other, after;
    (void)state;
    start(&f);
    fixture_invoke(&f, &other, "F", "hang");
    fixture_invoke(&f, &bad, "F", "crash");
    assert_true(has_two_in_flight(&f));
    fixture_await(&f, &other);
    fixture_await(&f, &bad);
    const struct fixture_run *both[] = {&bad, &other};
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        assert_int_equal(both[i]->err, E_CANCELED);
        assert_true(both[i]->run.is_bystander);
        assert_true(both[i]->run.is_suspect);
        assert_non_null(strstr(both[i]->why, "was killed by SIGSEGV"));
    }
    other.input.data.text = SLICE("x");
    fixture_invoke(&f, &after, "F", "x");
    fixture_invoke_again(&f, &bad);
    fixture_invoke_again(&f, &other);
    fixture_await(&f, &bad);
    assert_int_equal(bad.err, E_CRASHED);
    assert_int_equal(other.ended + after.ended, 0);
    fixture_await(&f, &other);
    assert_int_equal(other.err, E_OK);
    assert_false(other.run.is_suspect);
    fixture_await(&f, &after);
    assert_int_equal(after.err, E_OK);
    fixture_invoke_again(&f, &after);
    other.run.is_suspect = true;
    fixture_invoke_again(&f, &other);
    fixture_stop(&f);
    assert_int_equal(other.err, E_CANCELED);
    fixture_done(&f);
}

static void three_errors_make_it_unhealthy(void **state)
{
    struct fixture f;
    (void)state;
    put_app(&f, "}}");
    fixture_put(&f, "app/handler", "#!/bin/sh\necho cannot start\nexit 1\n");
    fixture_start(&f, 1, 1);
    fixture_until(&f, fixture_is_unhealthy, &f);
    assert_true(fixture_logged(&f, "cannot start"));
    assert_true(fixture_logged(&f, "exited with code 1; starting another in 60000 ms"));
    fixture_end(&f);
}

static void a_run_past_its_time_restarts_the_process(void **state)
{
    struct fixture f;
    struct fixture_run hung, other, next;
    (void)state;
    put_app(&f, "},\"functionTimeout\":\"00:00:01\"}");
    fixture_start_ready(&f, 1, 1);
    fixture_invoke(&f, &hung, "F", "hang");
    uint64_t started_ms = clock_now_ms();
    while (clock_now_ms() < started_ms + 300) { /* so that the other one is younger */
        fixture_call(&f, &other, "F", "x");
    }
    fixture_invoke(&f, &other, "F", "hang");
    fixture_await(&f, &hung);
    assert_int_equal(hung.err, E_TIMEOUT);
    fixture_await(&f, &other);
    assert_int_equal(other.err, E_CANCELED);
    assert_true(other.run.is_bystander);
    assert_true(fixture_logged(&f, "Timeout value of 00:00:01 exceeded by function"));
    run(&f, &next, "x");
    assert_int_equal(next.err, E_OK);
    fixture_end(&f);
}

static bool has_waited(void *ctx)
{
    return fixture_logged(ctx, "FUNCTIONS_CUSTOMHANDLER_PORT) within 300 ms");
}

static void a_handler_may_be_late_but_not_too_late(void **state)
{
    struct fixture f;
    struct fixture_run r;
    (void)state;
    put_app(&f, "}}");
    fixture_put(&f, "app/local.settings.json",
                "{\"Values\":{\"FUNCTIONS_WORKER_RUNTIME\":\"custom\",\"HANDLER_LATE\":\"1\"}}");
    fixture_start(&f, 1, 1);
    run(&f, &r, "waits");
    assert_int_equal(r.err, E_OK);
    fixture_end(&f);

    put_app(&f, ",\"initializationTimeout\":\"00:00:00.300\"}}");
    fixture_put(&f, "app/local.settings.json",
                "{\"Values\":{\"FUNCTIONS_WORKER_RUNTIME\":\"custom\",\"HANDLER_LATE\":\"9\"}}");
    fixture_start(&f, 1, 1);
    fixture_until(&f, has_waited, &f);
    fixture_end(&f);
}

static void free_is_possible_at_any_time(void **state)
{
    struct fixture f;
    struct fixture_run r[3];
    (void)state;
    put_app(&f, "}}");
    fixture_start(&f, 1, 1);
    fixture_invoke(&f, &r[0], "F", "waits");
    fixture_done(&f);
    assert_int_equal(r[0].err, E_CANCELED);

    start(&f);
    for (size_t i = 0; i < COUNT_OF(r); i++)
        fixture_invoke(&f, &r[i], "F", "hang");
    op_abort(&r[1].run.op);
    fixture_await(&f, &r[1]);
    assert_int_equal(r[1].err, E_CANCELED);
    fixture_done(&f);
    assert_int_equal(r[0].err, E_CANCELED);
    assert_int_equal(r[2].err, E_CANCELED);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_DEBUG, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_encoded_twice_but_objects_and_bytes),
        cmocka_unit_test(metadata_leaves_out_nulls_and_triggers),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(binary_outputs_are_decoded),
        cmocka_unit_test(requests_and_environment_are_as_documented),
        cmocka_unit_test(answers_decide_the_outcome),
        cmocka_unit_test(exits_are_followed_by_a_restart),
        cmocka_unit_test(a_crash_with_several_runs_is_pinned_by_running_them_alone),
        cmocka_unit_test(three_errors_make_it_unhealthy),
        cmocka_unit_test(a_run_past_its_time_restarts_the_process),
        cmocka_unit_test(a_handler_may_be_late_but_not_too_late),
        cmocka_unit_test(free_is_possible_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
