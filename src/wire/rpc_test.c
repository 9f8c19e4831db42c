#include "wire/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/protobuf.h"

#define OUT_MAX_BYTES (4 << 20)
#define ARENA_MAX_BYTES (1 << 20)

static struct arena arena;
static struct buf out;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_MAX_BYTES);
    buf_init(&out, OUT_MAX_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    buf_done(&out);
    return 0;
}

#define TEXT(literal) SLICE_INIT(literal)
#define ARRAY(array) (array), COUNT_OF(array)

static const struct rpc_pair pairs[] = {
    {TEXT("WorkerStatus"), TEXT("true")}, {TEXT(""), TEXT("")}, {TEXT("nul\0key"), TEXT("\0")}};
static const struct slice texts[] = {TEXT("one"), TEXT(""), TEXT("t\0wo")};
static const struct slice integers[] = {TEXT("0"), TEXT("-1"), TEXT("9223372036854775807"),
                                        TEXT("-9223372036854775808")};
static const struct slice doubles[] = {TEXT("0.1"), TEXT("-1e+300"), TEXT("3")};
static const struct rpc_named values[] = {
    {TEXT("none"), {.kind = RPC_NONE}},
    {TEXT("string"), {.kind = RPC_STRING, .text = TEXT("with\0nul")}},
    {TEXT("empty"), {.kind = RPC_STRING}},
    {TEXT("json"), {.kind = RPC_JSON, .text = TEXT("{\"a\":1}")}},
    {TEXT("bytes"), {.kind = RPC_BYTES, .text = TEXT("\xff\xfe\0")}},
    {TEXT("int"), {.kind = RPC_INT, .integer = -5}},
    {TEXT("zero"), {.kind = RPC_INT, .integer = 0}},
    {TEXT("min"), {.kind = RPC_INT, .integer = INT64_MIN}},
    {TEXT("double"), {.kind = RPC_DOUBLE, .number = -2.5}},
    {TEXT("strings"), {.kind = RPC_STRINGS, .items = texts, .item_count = 3}},
    {TEXT("bytes list"), {.kind = RPC_BYTES_LIST, .items = texts, .item_count = 3}},
    {TEXT("ints"), {.kind = RPC_INTS, .items = integers, .item_count = 4}},
    {TEXT("doubles"), {.kind = RPC_DOUBLES, .items = doubles, .item_count = 3}},
    {TEXT("no strings"), {.kind = RPC_STRINGS}},
    {TEXT("no ints"), {.kind = RPC_INTS}},
};
static const struct rpc_binding bindings[] = {
    {.name = TEXT("entry"), .type = TEXT("redisListTrigger")},
    {.name = TEXT("out"),
     .type = TEXT("redis"),
     .direction = RPC_OUT,
     .data_type = RPC_TYPE_BINARY,
     .properties = {ARRAY(pairs)}},
    {.name = TEXT("bare")},
};

#define EXCEPTION                                                                                  \
    {                                                                                              \
        .is_set = true, .is_user_exception = true, .message = TEXT("boom"),                        \
        .stack_trace = TEXT("at x"), .source = TEXT("f"), .type = TEXT("E")                        \
    }
#define RESULT                                                                                     \
    {                                                                                              \
        .status = RPC_CANCELLED, .result = TEXT("r"), .exception = EXCEPTION                       \
    }
#define FUNCTION                                                                                   \
    {                                                                                              \
        .function_id = TEXT("id"), .name = TEXT("list"), .directory = TEXT("/a/list"),             \
        .script_file = TEXT("/a/list/run.so"), .entry_point = TEXT("run"), .language = TEXT("c"),  \
        .bindings = bindings, .binding_count = COUNT_OF(bindings), .raw_bindings = texts,          \
        .raw_binding_count = COUNT_OF(texts), .properties = {ARRAY(pairs)}, .retry = {             \
            .is_set = true,                                                                        \
            .max_retry_count = -1,                                                                 \
            .strategy = RPC_RETRY_FIXED,                                                           \
            .delay_interval = {5, 7},                                                              \
            .minimum_interval = {1, 0},                                                            \
            .maximum_interval = {-1, -2}                                                           \
        }                                                                                          \
    }
static const struct rpc_function functions[] = {FUNCTION, {.name = TEXT("bare")}, FUNCTION};

/* Every message, every field of it. */
static const struct rpc_message messages[] = {
    {.type = RPC_START_STREAM, .start_stream = {TEXT("w1")}},
    {.request_id = TEXT("r"),
     .type = RPC_WORKER_INIT_REQUEST,
     .worker_init_request = {.host_version = TEXT("4.1.0"),
                             .capabilities = {ARRAY(pairs)},
                             .worker_directory = TEXT("/w"),
                             .function_app_directory = TEXT("/a")}},
    {.type = RPC_WORKER_INIT_RESPONSE,
     .worker_init_response = {.worker_version = TEXT("1"),
                              .capabilities = {ARRAY(pairs)},
                              .result = RESULT,
                              .metadata = {.runtime_name = TEXT("c"),
                                           .runtime_version = TEXT("17"),
                                           .worker_version = TEXT("2"),
                                           .worker_bitness = TEXT("x86_64"),
                                           .custom = {ARRAY(pairs)}}}},
    {.type = RPC_FUNCTIONS_METADATA_REQUEST, .functions_metadata_request = {TEXT("/a")}},
    {.type = RPC_FUNCTION_METADATA_RESPONSE,
     .function_metadata_response = {.functions = functions,
                                    .function_count = COUNT_OF(functions),
                                    .result = RESULT,
                                    .use_default_metadata_indexing = true}},
    {.type = RPC_FUNCTION_LOAD_REQUEST,
     .function_load_request = {.function_id = TEXT("id"),
                               .function = FUNCTION,
                               .managed_dependency_enabled = true}},
    {.type = RPC_FUNCTION_LOAD_RESPONSE,
     .function_load_response = {.function_id = TEXT("id"), .result = RESULT}},
    {.type = RPC_INVOCATION_REQUEST,
     .invocation_request = {.invocation_id = TEXT("i1"),
                            .function_id = TEXT("id"),
                            .inputs = {ARRAY(values)},
                            .metadata = {ARRAY(values)},
                            .trace = {TEXT("00-ab"), TEXT("s")},
                            .retry = {.is_set = true,
                                      .retry_count = 2,
                                      .max_retry_count = -1,
                                      .exception = EXCEPTION}}},
    {.type = RPC_INVOCATION_RESPONSE,
     .invocation_response = {.invocation_id = TEXT("i1"),
                             .outputs = {ARRAY(values)},
                             .result = RESULT,
                             .return_value = {.kind = RPC_STRING}}},
    {.type = RPC_INVOCATION_CANCEL, .invocation_cancel = {TEXT("i1")}},
    {.type = RPC_LOG,
     .log = {.invocation_id = TEXT("i1"),
             .category = TEXT("Function.f.User"),
             .level = RPC_LEVEL_CRITICAL,
             .message = TEXT("a\0b"),
             .event_id = TEXT("e"),
             .exception = EXCEPTION,
             .properties = TEXT("{}"),
             .log_category = RPC_LOG_SYSTEM}},
    {.type = RPC_WORKER_STATUS_REQUEST},
    {.type = RPC_WORKER_STATUS_RESPONSE},
    {.type = RPC_WORKER_TERMINATE, .worker_terminate = {{5, 0}}},
    {.request_id = TEXT("alone")},
};

static struct slice encode(const struct rpc_message *message)
{
    buf_clear(&out);
    rpc_encode(&out, message);
    assert_int_equal(buf_err(&out), E_OK);
    return buf_slice(&out);
}

static char *encode_copy(const struct rpc_message *message, size_t *ret_len)
{
    struct slice bytes = encode(message);
    *ret_len = bytes.len;
    return mem_dup(bytes.data, bytes.len);
}

/* What was decoded encodes to the same bytes. That the bytes are right, the next test says. */
static void every_message_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct rpc_message back;
        size_t len;
        char *bytes = encode_copy(&messages[i], &len);
        assert_int_equal(rpc_decode((struct slice){bytes, len}, &arena, &back, NULL), E_OK);
        assert_int_equal(back.type, messages[i].type);
        struct slice again = encode(&back);
        assert_int_equal(again.len, len);
        assert_memory_equal(again.data, bytes, len);
        arena_reset(&arena);
        free(bytes);
    }
}

static void every_value_comes_back(void **state)
{
    (void)state;
    struct rpc_message back;
    size_t len;
    char *bytes = encode_copy(&(struct rpc_message){.type = RPC_INVOCATION_REQUEST,
                                                    .invocation_request.inputs = {ARRAY(values)}},
                              &len);

    assert_int_equal(rpc_decode((struct slice){bytes, len}, &arena, &back, NULL), E_OK);
    struct rpc_names got = back.invocation_request.inputs;
    assert_int_equal(got.count, COUNT_OF(values));
    for (size_t i = 0; i < got.count; i++) {
        const struct rpc_data *want = &values[i].data, *have = &got.items[i].data;
        assert_true(slice_eq(got.items[i].name, values[i].name));
        assert_int_equal(have->kind, want->kind);
        assert_true(slice_eq(have->text, want->text));
        assert_int_equal(have->integer, want->integer);
        assert_true(have->number == want->number);
        assert_int_equal(have->item_count, want->item_count);
        for (size_t j = 0; j < want->item_count; j++)
            assert_true(slice_eq(have->items[j], want->items[j]));
    }
    assert_ptr_equal(rpc_names_find(got, SLICE("json")), &got.items[3].data);
    assert_null(rpc_names_find(got, SLICE("jso")));
    free(bytes);
}

/* Written down from the specification: (number << 3 | wire type), length, content. */
static void the_bytes_are_those_of_the_protocol(void **state)
{
    (void)state;
    const struct rpc_named input = {TEXT("entry"), {.kind = RPC_STRING, .text = TEXT("hi")}};
    const struct rpc_named metadata = {TEXT("Count"), {.kind = RPC_INT, .integer = -2}};
    const struct rpc_named output = {TEXT("o"), {.kind = RPC_BYTES, .text = TEXT("\0\xff")}};
    const struct rpc_named empty = {TEXT("e"), {.kind = RPC_STRING}};
    const struct rpc_pair property = {TEXT("k"), TEXT("v")};
    const struct {
        struct rpc_message message;
        struct slice bytes;
    } rows[] = {
        {{.type = RPC_START_STREAM, .start_stream = {TEXT("w1")}},
         TEXT("\xa2\x01\x04" /* 20 */ "\x12\x02w1")},
        {{.type = RPC_WORKER_STATUS_REQUEST}, TEXT("\x62\x00")},
        {{.type = RPC_WORKER_STATUS_RESPONSE}, TEXT("\x6a\x00")},
        {{.request_id = TEXT("r"),
          .type = RPC_INVOCATION_REQUEST,
          .invocation_request = {.invocation_id = TEXT("i1"),
                                 .function_id = TEXT("f1"),
                                 .inputs = {&input, 1},
                                 .metadata = {&metadata, 1},
                                 .trace = {.trace_parent = TEXT("00-ab")},
                                 .retry = {.is_set = true,
                                           .max_retry_count = 3,
                                           .exception = {.is_set = true,
                                                         .message = TEXT("boom")}}}},
         TEXT("\x0a\x01r"
              "\x22\x39" /* 4 */
              "\x0a\x02i1\x12\x02"
              "f1"
              "\x1a\x0d\x0a\x05"
              "entry\x12\x04\x0a\x02hi"          /* 3 */
              "\x22\x0b\x0a\x05"                 /* 4 */
              "Count\x12\x02\x30\x03"            /* 6, zig-zag */
              "\x2a\x07\x0a\x05\x30\x30-ab"      /* 5 */
              "\x32\x0a\x10\x03\x1a\x06\x12\x04" /* 6 */
              "boom")},
        {{.type = RPC_INVOCATION_RESPONSE,
          .invocation_response = {.invocation_id = TEXT("i1"),
                                  .outputs = {&output, 1},
                                  .result = {.status = RPC_SUCCESS},
                                  .return_value = {.kind = RPC_DOUBLE, .number = 1.5}}},
         TEXT("\x2a\x1e\x0a\x02i1\x12\x09\x0a\x01o\x12\x04\x1a\x02\x00\xff\x1a\x02\x20\x01"
              "\x22\x09\x39\x00\x00\x00\x00\x00\x00\xf8\x3f")},
        {{.type = RPC_INVOCATION_RESPONSE, .invocation_response = {.outputs = {&empty, 1}}},
         TEXT("\x2a\x09\x12\x07\x0a\x01"
              "e\x12\x02\x0a\x00")}, /* a chosen member is sent, a failure without reason is not */
        {{.type = RPC_LOG,
          .log = {.invocation_id = TEXT("i1"),
                  .category = TEXT("Function.f.User"),
                  .level = RPC_LEVEL_INFORMATION,
                  .message = TEXT("a\0b")}},
         TEXT("\x12\x1c\x0a\x02i1\x12\x0f"
              "Function.f.User\x18\x02\x22\x03"
              "a\0b")},
        {{.type = RPC_FUNCTION_LOAD_REQUEST,
          .function_load_request = {.function_id = TEXT("f1"),
                                    .function = {.directory = TEXT("/a/f"),
                                                 .script_file = TEXT("/a/f/run.so"),
                                                 .entry_point = TEXT("run"),
                                                 .name = TEXT("f"),
                                                 .bindings = bindings,
                                                 .binding_count = 1,
                                                 .properties = {&property, 1}}}},
         TEXT("\x42\x47\x0a\x02"
              "f1\x12\x41\x0a\x04/a/f\x12\x0b/a/f/run.so\x1a\x03run\x22\x01"
              "f\x32\x1b\x0a\x05"
              "entry\x12\x12\x12\x10redisListTrigger\x82\x01\x06\x0a\x01k\x12\x01v")},
        {{.type = RPC_WORKER_TERMINATE, .worker_terminate = {{5, 0}}},
         TEXT("\x72\x04\x0a\x02\x08\x05")},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice bytes = encode(&rows[i].message);
        assert_int_equal(bytes.len, rows[i].bytes.len);
        assert_memory_equal(bytes.data, rows[i].bytes.data, bytes.len);
    }
}

static void collections_may_be_packed_or_not(void **state)
{
    (void)state;
    /* InvocationResponse { return_value { collection } } */
    static const struct {
        struct slice bytes, first, last;
        enum rpc_kind kind;
        size_t count;
    } rows[] = {
        {TEXT("\x2a\x08\x22\x06\x5a\x04\x0a\x02\x01\x04"), TEXT("-1"), TEXT("2"), RPC_INTS, 2},
        {TEXT("\x2a\x08\x22\x06\x5a\x04\x08\x01\x08\x04"), TEXT("-1"), TEXT("2"), RPC_INTS, 2},
        {TEXT("\x2a\x09\x22\x07\x5a\x05\x08\x01\x0a\x01\x04"), TEXT("-1"), TEXT("2"), RPC_INTS, 2},
        {TEXT("\x2a\x0e\x22\x0c\x52\x0a\x0a\x08\0\0\0\0\0\0\xf8\x3f"), TEXT("1.5"), TEXT("1.5"),
         RPC_DOUBLES, 1},
        {TEXT("\x2a\x0d\x22\x0b\x52\x09\x09\0\0\0\0\0\0\xf8\x3f"), TEXT("1.5"), TEXT("1.5"),
         RPC_DOUBLES, 1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rpc_message back;
        assert_int_equal(rpc_decode(rows[i].bytes, &arena, &back, NULL), E_OK);
        const struct rpc_data *data = &back.invocation_response.return_value;
        assert_int_equal(data->kind, rows[i].kind);
        assert_int_equal(data->item_count, rows[i].count);
        assert_true(slice_eq(data->items[0], rows[i].first));
        assert_true(slice_eq(data->items[rows[i].count - 1], rows[i].last));
    }
}

/* Shorter inputs are other messages or malformed; no byte beyond their end is read, which the
 * sanitizer sees because each lies in memory of its own size. */
static void a_cut_message_does_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        size_t len;
        char *bytes = encode_copy(&messages[i], &len);
        size_t accepted = 0;
        for (size_t cut = 0; cut < len; cut++) {
            struct rpc_message back;
            char *exact = malloc(cut + (cut == 0));
            memcpy(exact, bytes, cut);
            accepted += rpc_decode((struct slice){exact, cut}, &arena, &back, NULL) == E_OK;
            arena_reset(&arena);
            free(exact);
        }
        assert_int_equal(accepted,
                         messages[i].request_id.len == 0 ? 1 : 1 + (messages[i].type != 0));
        free(bytes);
    }
}

static void what_is_unknown_is_skipped(void **state)
{
    (void)state;
    struct rpc_message back;
    /* InvocationCancel with fields of all wire types around the id, and 3 and 5 of today */
    struct slice bytes = SLICE("\xf8\x3f\x01"           /* 1023 varint */
                               "\xaa\x01\x1c"           /* 21 */
                               "\x08\x07"               /* 1 varint */
                               "\x12\x02i1"             /* 2 */
                               "\x19\1\2\3\4\5\6\7\x08" /* 3 64 bit */
                               "\x25\1\2\3\4"           /* 4 32 bit */
                               "\x2a\x04zzzz"           /* 5 bytes */
                               "\x10\x01");             /* 2 in the wrong wire type */

    assert_int_equal(rpc_decode(bytes, &arena, &back, NULL), E_OK);
    assert_int_equal(back.type, RPC_INVOCATION_CANCEL);
    assert_true(slice_eq(back.invocation_cancel.invocation_id, SLICE("i1")));

    assert_int_equal(rpc_decode(SLICE("\x3a\x00"), &arena, &back, NULL), E_OK); /* message 7 */
    assert_int_equal(back.type, RPC_UNKNOWN);
    assert_int_equal(rpc_decode(SLICE(""), &arena, &back, NULL), E_OK);
    assert_int_equal(back.type, RPC_UNKNOWN);
}

static void the_last_counts_and_messages_merge(void **state)
{
    (void)state;
    struct rpc_message back;

    /* two members of the oneof */
    assert_int_equal(rpc_decode(SLICE("\x12\x04\x0a\x02i1\x62\x00"), &arena, &back, NULL), E_OK);
    assert_int_equal(back.type, RPC_WORKER_STATUS_REQUEST);
    /* TypedData { string "a", int 1 } */
    assert_int_equal(rpc_decode(SLICE("\x2a\x07\x22\x05\x0a\x01\x61\x30\x02"), &arena, &back, NULL),
                     E_OK);
    assert_int_equal(back.invocation_response.return_value.kind, RPC_INT);
    assert_int_equal(back.invocation_response.return_value.text.len, 0);
    /* the same message twice: parts of a list are joined, a scalar is replaced */
    assert_int_equal(rpc_decode(SLICE("\x2a\x0e\x0a\x02i1\x12\x03\x0a\x01\x61\x12\x03\x0a\x01\x62"
                                      "\x2a\x09\x0a\x02i2\x12\x03\x0a\x01\x63"),
                                &arena, &back, NULL),
                     E_OK);
    assert_true(slice_eq(back.invocation_response.invocation_id, SLICE("i2")));
    assert_int_equal(back.invocation_response.outputs.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(back.invocation_response.outputs.items[i].name.data[0], 'a' + i);
    /* an absent status is a failure, and so is one that nobody knows */
    assert_int_equal(rpc_decode(SLICE("\x2a\x02\x1a\x00"), &arena, &back, NULL), E_OK);
    assert_int_equal(back.invocation_response.result.status, RPC_FAILURE);
    assert_int_equal(rpc_decode(SLICE("\x2a\x04\x1a\x02\x20\x09"), &arena, &back, NULL), E_OK);
    assert_int_equal(back.invocation_response.result.status, RPC_FAILURE);
}

static void malformed_bytes_are_refused(void **state)
{
    (void)state;
    static const struct slice rows[] = {
        TEXT("\x0a"),                                             /* no length */
        TEXT("\x0a\x02r"),                                        /* too long */
        TEXT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),     /* 2^64 - 1 long */
        TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* varint of 12 bytes */
        TEXT("\x02\x00"),                                         /* field 0 */
        TEXT("\xf8\xff\xff\xff\x7f\x00"),                         /* field above 2^29 - 1 */
        TEXT("\x0b\x0c"),                                         /* group */
        TEXT("\x0f"),                                             /* wire type 7 */
        TEXT("\x08"),                                             /* varint without value */
        TEXT("\x09\x01"),                                         /* half a 64 bit number */
        TEXT("\x0d\x01"),                                         /* half a 32 bit number */
        TEXT("\x2a\x02\x0a\x05"),                             /* nested: longer than its parent */
        TEXT("\x2a\x05\x22\x03\x5a\x01\x0a"),                 /* in a collection */
        TEXT("\x2a\x07\x22\x05\x5a\x03\x0a\x01\x80"),         /* in a packed number */
        TEXT("\x2a\x09\x22\x07\x52\x05\x0a\x03\x01\x02\x03"), /* in a packed double */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rpc_message back = {.type = RPC_LOG};
        struct cause why = {0};
        assert_int_equal(rpc_decode(rows[i], &arena, &back, &why), E_BAD_WIRE);
        assert_true(strlen(why.text) > 0);
        assert_int_equal(back.type, RPC_LOG);
    }
}

static void nesting_costs_nothing(void **state)
{
    (void)state;
    struct rpc_message back;
    struct pb_nested open[512];

    buf_clear(&out);
    for (size_t i = 0; i < COUNT_OF(open); i++)
        open[i] = pb_begin(&out, i == 0 ? RPC_INVOCATION_RESPONSE : i % 2 == 0 ? 4 : 99, 0);
    for (size_t i = COUNT_OF(open); i > 0; i--)
        pb_end(&out, open[i - 1]);
    assert_int_equal(rpc_decode(buf_slice(&out), &arena, &back, NULL), E_OK);
    assert_int_equal(back.type, RPC_INVOCATION_RESPONSE);
    assert_int_equal(arena.used, 0);
}

static void many_parts_meet_the_arenas_limit(void **state)
{
    (void)state;
    struct rpc_message back = {.type = RPC_LOG};
    struct cause why = {0};

    buf_clear(&out);
    struct pb_nested response = pb_begin(&out, RPC_INVOCATION_RESPONSE, 0);
    for (size_t i = 0; i < ARENA_MAX_BYTES / sizeof(struct rpc_named) + 1; i++)
        pb_write_bytes(&out, 2, SLICE_NONE);
    pb_end(&out, response);
    assert_int_equal(rpc_decode(buf_slice(&out), &arena, &back, &why), E_LIMIT);
    assert_string_equal(why.text, "RPC_INVOCATION_RESPONSE has too many parts");
    assert_int_equal(back.type, RPC_LOG);
}

/* Lengths of all widths: what is guessed and what is not gives the same bytes. */
static void large_payloads_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,     100,   110,     119,     120,    121,
                                   126,   127,   128,   129,     16000,   16270,  16300,
                                   16383, 16384, 16385, 2097151, 2097152, 3000000};
    char *payload = mem_zeroed(3000000, 1);

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct rpc_message back;
        struct rpc_named named = {TEXT("n"), {.kind = RPC_BYTES, .text = {payload, sizes[i]}}};
        struct rpc_message message = {.type = RPC_INVOCATION_REQUEST,
                                      .invocation_request.inputs = {&named, 1}};
        assert_int_equal(rpc_decode(encode(&message), &arena, &back, NULL), E_OK);
        assert_int_equal(back.invocation_request.inputs.items[0].data.text.len, sizes[i]);
        size_t guessed = out.len;
        message = (struct rpc_message){.type = RPC_LOG, .log.message = {payload, sizes[i]}};
        assert_int_equal(rpc_decode(encode(&message), &arena, &back, NULL), E_OK);
        assert_int_equal(back.log.message.len, sizes[i]);
        assert_true(guessed - out.len <= 20); /* lengths are as short as they can be */
    }
    free(payload);
}

static void the_limit_of_the_buf_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        size_t len = encode(&messages[i]).len;
        for (size_t max_bytes = 0; max_bytes < len; max_bytes++) {
            struct buf small;
            buf_init(&small, max_bytes);
            rpc_encode(&small, &messages[i]);
            assert_int_equal(buf_err(&small), E_LIMIT);
            assert_true(small.len <= max_bytes);
            buf_done(&small);
        }
    }
}

static void frames_are_found_at_any_split(void **state)
{
    (void)state;
    for (enum rpc_framing framing = RPC_FRAME_PLAIN; framing <= RPC_FRAME_GRPC; framing++) {
        buf_clear(&out);
        buf_add(&out, SLICE("before"));
        rpc_frame_add(&out, framing, &messages[1]);
        struct slice frame = slice_from(buf_slice(&out), 6);
        size_t head = framing == RPC_FRAME_PLAIN ? 4 : 5;
        for (size_t len = 0; len < frame.len; len++) {
            struct slice got;
            size_t used;
            assert_int_equal(rpc_frame_next(slice_first(frame, len), framing, 1000, &got, &used),
                             E_MORE);
            assert_int_equal(used, len < head ? 0 : frame.len);
        }
        struct slice got;
        size_t used;
        assert_int_equal(rpc_frame_next(frame, framing, 1000, &got, &used), E_OK);
        assert_int_equal(used, frame.len);
        assert_ptr_equal(got.data, frame.data + head);
        assert_int_equal(got.len, frame.len - head);
        assert_int_equal(rpc_frame_next(frame, framing, got.len - 1, &got, &used), E_LIMIT);
    }
}

static void frame_heads_are_checked(void **state)
{
    (void)state;
    struct slice got;
    size_t used;

    assert_int_equal(rpc_frame_next(SLICE("\xff\xff\xff\xff"), RPC_FRAME_PLAIN,
                                    RPC_MESSAGE_MAX_BYTES, &got, &used),
                     E_LIMIT);
    assert_int_equal(rpc_frame_next(SLICE("\0\0\0\0"), RPC_FRAME_PLAIN, 10, &got, &used), E_OK);
    assert_int_equal(got.len, 0);
    assert_int_equal(used, 4);
    assert_int_equal(rpc_frame_next(SLICE("\1"), RPC_FRAME_GRPC, 10, &got, &used), E_UNSUPPORTED);
    assert_int_equal(rpc_frame_next(SLICE("\2"), RPC_FRAME_GRPC, 10, &got, &used), E_BAD_WIRE);
}

static void a_frame_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    struct buf small;

    buf_init(&small, 40);
    rpc_frame_add(&small, RPC_FRAME_PLAIN, &messages[0]);
    size_t len = small.len;
    rpc_frame_add(&small, RPC_FRAME_PLAIN, &messages[1]);
    assert_int_equal(buf_err(&small), E_LIMIT);
    assert_int_equal(small.len, len);
    buf_done(&small);
}

static void pairs_are_found_from_the_end(void **state)
{
    (void)state;
    static const struct rpc_pair twice[] = {{TEXT("a"), TEXT("1")}, {TEXT("a"), TEXT("2")}};
    struct rpc_pairs found = {twice, 2};

    assert_true(slice_eq(rpc_pairs_find(found, SLICE("a")), SLICE("2")));
    assert_null(rpc_pairs_find(found, SLICE("b")).data);
    assert_string_equal(rpc_type_name(RPC_START_STREAM), "RPC_START_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_message_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_value_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_bytes_are_those_of_the_protocol, set_up, tear_down),
        cmocka_unit_test_setup_teardown(collections_may_be_packed_or_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_message_does_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_unknown_is_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_counts_and_messages_merge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_bytes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nesting_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_parts_meet_the_arenas_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_payloads_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_limit_of_the_buf_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_are_found_at_any_split, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frame_heads_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_that_does_not_fit_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test(pairs_are_found_from_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
