#include "functions/binding.h"

#include "redis/testing_fake.h"

#define BINDINGS_MAX 4

static struct fake_server fake;
static struct app app;
static struct redis_binding bindings[BINDINGS_MAX];
static struct function function;
static struct binding_set *set;
static struct binding_call *call;
static struct op op;
static bool has_ended;
static enum err result;
static char why[CAUSE_MAX_BYTES];

static void on_done(struct op *done, enum err err)
{
    assert_false(has_ended);
    has_ended = true;
    result = err;
    snprintf(why, sizeof why, "%s", done->why.text);
}

static bool is_over(void *ctx)
{
    (void)ctx;
    return has_ended;
}

static int begin(void **state)
{
    static char name[] = "f";

    test_begin(state);
    fake_start(&fake);
    app = (struct app){.name = name};
    function = (struct function){.app = &app, .name = name, .bindings = bindings};
    op = (struct op){.done = on_done};
    has_ended = false;
    return 0;
}

static int end(void **state)
{
    binding_call_free(call);
    binding_set_free(set);
    call = NULL;
    set = NULL;
    for (size_t i = 0; i < function.binding_count; i++) {
        free(bindings[i].name);
        free(bindings[i].command);
    }
    fake_stop(&fake);
    return test_end(state);
}

static struct redis_binding *add(const char *name, const char *command, enum direction direction)
{
    struct redis_binding *binding = &bindings[function.binding_count++];

    assert_true(function.binding_count <= BINDINGS_MAX);
    *binding = (struct redis_binding){.name = slice_dup(slice_of(name)),
                                      .connection = fake.place.conn,
                                      .command = slice_dup(slice_of(command)),
                                      .direction = direction};
    return binding;
}

/* Connects what was added. */
static void bind_all(const char *fallback)
{
    struct redis_options *options;

    assert_int_equal(binding_set_new(hub, &function, fallback, &set, NULL), E_OK);
    call = binding_call_new(set);
    assert_int_equal(redis_options_parse(slice_of(fake.place.conn), &options, NULL), E_OK);
    struct redis *redis = redis_open(hub, options, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
    redis_close(redis);
    redis_options_unref(options);
}

static enum err await(enum err started)
{
    if (started != E_OK) {
        snprintf(why, sizeof why, "%s", op.why.text);
        return started;
    }
    test_wait(loop, is_over, NULL);
    has_ended = false;
    return result;
}

static enum err read_with(const struct rpc_named *metadata, size_t count)
{
    return await(binding_read(call, metadata, count, &op));
}

#define TEXT(value) ((struct rpc_data){.kind = RPC_STRING, .text = SLICE(value)})

static enum err write_returned(const struct rpc_data *value)
{
    return await(binding_write(call, NULL, 0, value, &op));
}

/* --- connections --- */

static void a_function_without_bindings_has_no_set(void **state)
{
    (void)state;
    assert_int_equal(binding_set_new(hub, &function, NULL, &set, NULL), E_OK);
    assert_null(set);
    assert_false(binding_set_has_inputs(set));
    assert_false(binding_set_has_outputs(set));
    binding_set_free(set);
    binding_call_free(NULL);
}

static void a_bad_connection_is_told_with_its_binding(void **state)
{
    static char bad[] = "localhost,sslx=true";
    struct cause cause = {0};

    (void)state;
    add("good", "GET a", DIRECTION_IN);
    add("value", "GET a", DIRECTION_IN)->connection = bad;
    assert_int_equal(binding_set_new(hub, &function, NULL, &set, &cause), E_BAD_INPUT);
    assert_null(set);
    assert_string_equal(cause.text, "binding 'value': Keyword 'sslx' is not supported.");
}

static void a_name_without_a_setting_leads_to_the_fallback(void **state)
{
    static char name[] = "cache";

    (void)state;
    add("value", "GET a", DIRECTION_IN)->connection = name;
    fake_on(&fake, "GET a", "x");
    bind_all(fake.place.conn);
    assert_int_equal(read_with(NULL, 0), E_OK);
}

static void without_a_connection_it_fails_at_once(void **state)
{
    (void)state;
    add("value", "GET a", DIRECTION_IN);
    add("$return", "DEL", DIRECTION_OUT);
    assert_int_equal(binding_set_new(hub, &function, NULL, &set, NULL), E_OK);
    call = binding_call_new(set);
    assert_int_equal(read_with(NULL, 0), E_CLOSED);
    assert_non_null(strstr(why, "binding 'value': "));
    assert_non_null(strstr(why, fake.place.path));
    assert_int_equal(write_returned(&TEXT("a")), E_CLOSED);
    assert_non_null(strstr(why, "binding '$return': "));
}

/* --- inputs --- */

static void every_kind_of_reply_becomes_a_value(void **state)
{
    static const struct {
        const char *reply;
        enum data_type type;
        enum rpc_kind kind;
        struct slice text;
    } rows[] = {
        {"nil", DATA_STRING, RPC_NONE, SLICE_INIT("")},
        {"nil", DATA_BINARY, RPC_NONE, SLICE_INIT("")},
        {"+OK", DATA_STRING, RPC_STRING, SLICE_INIT("OK")},
        {":42", DATA_STRING, RPC_STRING, SLICE_INIT("42")},
        {"text", DATA_STRING, RPC_STRING, SLICE_INIT("text")},
        {"$3\r\n\xff\n!\r\n", DATA_BINARY, RPC_BYTES, SLICE_INIT("\xff\n!")},
        {"$0\r\n\r\n", DATA_STRING, RPC_STRING, SLICE_INIT("")},
        {",1.5\r\n", DATA_STRING, RPC_STRING, SLICE_INIT("1.5")},
    };
    const struct rpc_named *inputs;

    (void)state;
    struct redis_binding *binding = add("value", "GET a", DIRECTION_IN);
    bind_all(NULL);
    assert_true(binding_set_has_inputs(set));
    assert_false(binding_set_has_outputs(set));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        binding->data_type = rows[i].type;
        fake_once(&fake, "GET a", rows[i].reply);
        assert_int_equal(read_with(NULL, 0), E_OK);
        assert_int_equal(binding_inputs(call, &inputs), 1);
        assert_true(slice_eq(inputs[0].name, SLICE("value")));
        if (inputs[0].data.kind != rows[i].kind || !slice_eq(inputs[0].data.text, rows[i].text))
            fail_msg("row %zu: kind %d, '%.*s'", i, (int)inputs[0].data.kind,
                     SLICE_ARG(inputs[0].data.text));
    }
}

static void what_is_no_value_fails_the_run(void **state)
{
    static const struct {
        const char *reply;
        enum err err;
        const char *why;
    } rows[] = {
        {"-WRONGTYPE Operation against a key", E_REDIS,
         "binding 'value': WRONGTYPE Operation against a key"},
        {"[a b]", E_UNSUPPORTED,
         "binding 'value': the command answers with an array, which is not supported"},
        {FAKE_DROP, E_CLOSED, "binding 'value': "},
    };

    (void)state;
    add("value", "GET a", DIRECTION_IN);
    bind_all(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fake_once(&fake, "GET a", rows[i].reply);
        assert_int_equal(read_with(NULL, 0), rows[i].err);
        if (strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("row %zu: %s", i, why);
    }
}

static void a_value_with_spaces_stays_one_argument(void **state)
{
    const struct rpc_named metadata[] = {{SLICE("Message"), TEXT("a b  c")},
                                         {SLICE("Key"), TEXT("k")}};

    (void)state;
    add("value", "HGET {Key} {Message}", DIRECTION_IN);
    bind_all(NULL);
    fake_on(&fake, "HGET k a b  c", "x");
    assert_int_equal(read_with(metadata, 2), E_OK);
    assert_int_equal(fake.words, 3); /* in a line they cannot be told apart */
}

static void commands_that_may_write_are_refused(void **state)
{
    (void)state;
    add("value", "SET a b", DIRECTION_IN);
    bind_all(NULL);
    assert_int_equal(read_with(NULL, 0), E_UNSUPPORTED);
    assert_string_equal(why,
                        "binding 'value': Command 'SET' not supported for Redis Input Binding.");
    assert_int_equal(fake.heard.len, 0);
}

static void all_are_asked_at_once_and_keep_their_order(void **state)
{
    const struct rpc_named *inputs;

    (void)state;
    add("one", "GET a", DIRECTION_IN);
    add("out", "DEL", DIRECTION_OUT);
    add("two", "GET b", DIRECTION_IN);
    fake_on(&fake, "GET a", "1");
    fake_on(&fake, "GET b", "2");
    bind_all(NULL);
    for (int i = 0; i < 2; i++) { /* and again, for the next attempt */
        assert_int_equal(read_with(NULL, 0), E_OK);
        assert_int_equal(binding_inputs(call, &inputs), 2);
        assert_true(slice_eq(inputs[0].name, SLICE("one")));
        assert_true(slice_eq(inputs[0].data.text, SLICE("1")));
        assert_true(slice_eq(inputs[1].name, SLICE("two")));
        assert_true(slice_eq(inputs[1].data.text, SLICE("2")));
    }
}

static void the_first_error_is_told_when_all_have_ended(void **state)
{
    (void)state;
    add("one", "GET a", DIRECTION_IN);
    add("two", "GET b", DIRECTION_IN);
    fake_on(&fake, "GET a", "-ERR first");
    fake_on(&fake, "GET b", "-ERR second");
    bind_all(NULL);
    assert_int_equal(read_with(NULL, 0), E_REDIS);
    assert_string_equal(why, "binding 'one': ERR first");
    assert_int_equal(fake_heard(&fake, "GET"), 2);
}

/* --- outputs --- */

static void what_is_given_out_becomes_commands(void **state)
{
    const struct rpc_named outputs[] = {{SLICE("OTHER"), TEXT("x 1")},
                                        {SLICE("unknown"), TEXT("y")}};
    const struct rpc_data returned = {.kind = RPC_JSON, .text = SLICE("[\"s 1-0\",\"s 2-0\"]")};

    (void)state;
    add("$return", "XDEL", DIRECTION_OUT);
    add("other", "SET", DIRECTION_OUT);
    fake_on(&fake, "XDEL", ":1");
    fake_on(&fake, "SET", "+OK");
    bind_all(NULL);
    assert_true(binding_set_has_outputs(set));
    assert_int_equal(await(binding_write(call, outputs, 2, &returned, &op)), E_OK);
    assert_string_equal(buf_text(&fake.heard), "XDEL s 1-0\nXDEL s 2-0\nSET x 1\n");
}

static void nothing_given_out_asks_for_nothing(void **state)
{
    const struct rpc_data nothing = {.kind = RPC_NONE};

    (void)state;
    struct redis_binding *binding = add("$return", "DEL", DIRECTION_OUT);
    bind_all(NULL);
    assert_int_equal(write_returned(NULL), E_EMPTY);
    assert_int_equal(write_returned(&nothing), E_EMPTY);
    binding->name[0] = 'x'; /* not what is returned */
    assert_int_equal(write_returned(&TEXT("a")), E_EMPTY);
    assert_int_equal(fake.heard.len, 0);
}

static void an_error_fails_the_run_and_ends_the_row(void **state)
{
    const struct rpc_data value = {.kind = RPC_JSON, .text = SLICE("[\"a\",\"b\"]")};

    (void)state;
    add("$return", "DEL", DIRECTION_OUT);
    fake_once(&fake, "DEL a", "-READONLY You can't write");
    fake_on(&fake, "DEL", ":1");
    bind_all(NULL);
    assert_int_equal(write_returned(&value), E_REDIS);
    assert_non_null(strstr(why, "binding '$return': READONLY"));
}

/* More than leave at once: the rest follows as these are answered, and not past an error. */
static void many_commands_leave_in_their_order(void **state)
{
    struct slice items[100];
    char texts[100][8], last[16];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        snprintf(texts[i], sizeof texts[i], "k%zu", i);
        items[i] = slice_of(texts[i]);
    }
    const struct rpc_data value = {.kind = RPC_STRINGS, .items = items, .item_count = 100};
    add("$return", "DEL", DIRECTION_OUT);
    fake_on(&fake, "DEL", ":1");
    bind_all(NULL);
    assert_int_equal(write_returned(&value), E_OK);
    assert_int_equal(fake_heard(&fake, "DEL"), 100);
    struct slice rest = buf_slice(&fake.heard), line;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        snprintf(last, sizeof last, "DEL k%zu", i);
        assert_true(slice_cut(&rest, '\n', &line));
        assert_true(slice_eq(line, slice_of(last)));
    }
    buf_clear(&fake.heard);
    fake_once(&fake, "DEL k0", "-ERR no");
    assert_int_equal(write_returned(&value), E_REDIS);
    assert_int_equal(fake_heard(&fake, "DEL"), 64);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_function_without_bindings_has_no_set),
        TEST(a_bad_connection_is_told_with_its_binding),
        TEST(a_name_without_a_setting_leads_to_the_fallback),
        TEST(without_a_connection_it_fails_at_once),
        TEST(every_kind_of_reply_becomes_a_value),
        TEST(what_is_no_value_fails_the_run),
        TEST(a_value_with_spaces_stays_one_argument),
        TEST(commands_that_may_write_are_refused),
        TEST(all_are_asked_at_once_and_keep_their_order),
        TEST(the_first_error_is_told_when_all_have_ended),
        TEST(what_is_given_out_becomes_commands),
        TEST(nothing_given_out_asks_for_nothing),
        TEST(an_error_fails_the_run_and_ends_the_row),
        TEST(many_commands_leave_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
