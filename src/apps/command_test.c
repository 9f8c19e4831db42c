#include "apps/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct rpc_named metadata[] = {
    {SLICE_INIT("Key"), {.kind = RPC_STRING, .text = SLICE_INIT("the key")}},
    {SLICE_INIT("Id"), {.kind = RPC_STRING, .text = SLICE_INIT("1-0")}},
    {SLICE_INIT("Values"),
     {.kind = RPC_JSON,
      .text =
          SLICE_INIT("{\"field\":\"v w\",\"n\":5,\"in\":{\"a\":{\"b\":true}},\"x.y\":\"dot\"}")}},
};

/* Commands as text: arguments between [], commands behind each other. */
static void assert_commands(const struct command_list *list, const char *expected)
{
    struct buf out;

    buf_init(&out, 10000);
    for (size_t i = 0; i < list->count; i++) {
        struct command command = command_list_get(list, i);
        buf_addf(&out, "%s", i > 0 ? " | " : "");
        for (size_t n = 0; n < command.arg_count; n++)
            buf_addf(&out, "[%.*s]", SLICE_ARG(command.args[n]));
    }
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void input_templates_are_split_before_names_are_replaced(void **state)
{
    static const struct {
        const char *template, *commands;
        enum err err;
        const char *why;
    } rows[] = {
        {"GET {Key}", "[GET][the key]", E_OK, NULL},
        {"hget user:{Id}:{Values.n} {Values.field}", "[hget][user:1-0:5][v w]", E_OK, NULL},
        {"GET {key}{VALUES.in.a.b}", "[GET][the keytrue]", E_OK, NULL},
        {"GET {Values.in.a}", "[GET][{\"b\":true}]", E_OK, NULL},
        {"GET {Values.x.y}", "[GET][dot]", E_OK, NULL},
        {"GET a{b", "[GET][a{b]", E_OK, NULL},
        {"GET a}b", "[GET][a}b]", E_OK, NULL},
        {"GET  ", "[GET][][]", E_OK, NULL},
        {"DBSIZE", "[DBSIZE]", E_OK, NULL},
        {"GET {Nothing}", NULL, E_NOT_FOUND, "no value for '{Nothing}'"},
        {"GET {Values.gone}", NULL, E_NOT_FOUND, "no value for '{Values.gone}'"},
        {"GET {Id.x}", NULL, E_NOT_FOUND, "no value for '{Id.x}'"},
        {"SET a b", NULL, E_UNSUPPORTED, "Command 'SET' not supported for Redis Input Binding."},
        {"", NULL, E_UNSUPPORTED, "Command '' not supported for Redis Input Binding."},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct command_list list;
        struct cause why = {0};
        command_list_init(&list, 1000);
        assert_int_equal(command_add_input(&list, slice_of(rows[i].template), metadata,
                                           COUNT_OF(metadata), &why),
                         rows[i].err);
        if (rows[i].err)
            assert_string_equal(why.text, rows[i].why);
        else
            assert_commands(&list, rows[i].commands);
        command_list_done(&list);
    }
}

static void outputs_become_one_command_per_value(void **state)
{
    static const struct slice items[] = {SLICE_INIT("a 1"), SLICE_INIT("b 2")};
    static const struct {
        const char *command;
        struct rpc_data value;
        const char *commands;
    } rows[] = {
        {"XDEL",
         {.kind = RPC_STRING, .text = SLICE_INIT("streamTest2 1-0")},
         "[XDEL][streamTest2][1-0]"},
        {"FLUSHDB", {.kind = RPC_STRING, .text = SLICE_INIT("")}, "[FLUSHDB]"},
        {"CONFIG SET", {.kind = RPC_STRING, .text = SLICE_INIT("x 1")}, "[CONFIG][SET][x][1]"},
        {"SET", {.kind = RPC_STRING, .text = SLICE_INIT("k  v")}, "[SET][k][][v]"},
        {"SET",
         {.kind = RPC_STRING, .text = SLICE_INIT(" [\"k 0\",\"k 1\", 5, null]")},
         "[SET][k][0] | [SET][k][1] | [SET][5]"},
        {"SET", {.kind = RPC_STRING, .text = SLICE_INIT("[not json]")}, "[SET][[not][json]]"},
        {"DEL",
         {.kind = RPC_JSON, .text = SLICE_INIT("[\"a\",{\"b\":1}]")},
         "[DEL][a] | [DEL][{\"b\":1}]"},
        {"DEL", {.kind = RPC_JSON, .text = SLICE_INIT("\"a b\"")}, "[DEL][a][b]"},
        {"DEL", {.kind = RPC_JSON, .text = SLICE_INIT("7")}, "[DEL][7]"},
        {"DEL",
         {.kind = RPC_JSON, .text = SLICE_INIT("[0.1,{\"a\":2.50}]")},
         "[DEL][0.1] | [DEL][{\"a\":2.5}]"},
        {"DEL", {.kind = RPC_JSON, .text = SLICE_INIT("null")}, ""},
        {"DEL", {.kind = RPC_JSON, .text = SLICE_INIT("[]")}, ""},
        {"DEL", {.kind = RPC_NONE}, ""},
        {"DEL", {.kind = RPC_BYTES, .text = SLICE_INIT("[1]")}, "[DEL][[1]]"},
        {"DEL", {.kind = RPC_INT, .integer = -5}, "[DEL][-5]"},
        {"DEL", {.kind = RPC_DOUBLE, .number = 0.1}, "[DEL][0.1]"},
        {"DEL", {.kind = RPC_DOUBLE, .number = 5}, "[DEL][5]"},
        {"SET",
         {.kind = RPC_STRINGS, .items = items, .item_count = 2},
         "[SET][a][1] | [SET][b][2]"},
    };
    struct command_list list;

    (void)state;
    command_list_init(&list, 1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        command_list_clear(&list);
        assert_int_equal(command_add_output(&list, slice_of(rows[i].command), &rows[i].value, &why),
                         E_OK);
        assert_commands(&list, rows[i].commands);
    }
    command_list_clear(&list);
    for (int i = 0; i < 9; i++) /* several bindings share a list */
        assert_int_equal(command_add_output(&list, SLICE("DEL"),
                                            &(struct rpc_data){.kind = RPC_INT, .integer = i},
                                            NULL),
                         E_OK);
    assert_commands(&list, "[DEL][0] | [DEL][1] | [DEL][2] | [DEL][3] | [DEL][4] | [DEL][5] | "
                           "[DEL][6] | [DEL][7] | [DEL][8]");
    command_list_done(&list);
}

static void too_much_is_refused(void **state)
{
    struct rpc_data value = {.kind = RPC_STRING, .text = SLICE_INIT("0123456789")};
    struct command_list list;
    struct cause why = {0};

    (void)state;
    command_list_init(&list, 10);
    assert_int_equal(command_add_output(&list, SLICE("DEL"), &value, &why), E_LIMIT);
    assert_string_equal(why.text,
                        "the commands take more than 10 bytes, or are JSON nested too deep");
    command_list_done(&list);
}

/* 20 MB, which is more than JSON may have elsewhere. */
static void a_large_array_is_still_one_command_per_element(void **state)
{
    struct command_list list;
    struct buf text;

    (void)state;
    buf_init(&text, 64u << 20);
    for (int i = 0; i < 2; i++) {
        buf_addf(&text, "%s\"k%d ", i == 0 ? "[" : ",", i);
        memset(buf_reserve(&text, 10000000), 'x', 10000000);
        buf_grow(&text, 10000000);
        buf_add_byte(&text, '"');
    }
    buf_add_byte(&text, ']');
    for (int kind = 0; kind < 2; kind++) {
        struct rpc_data value = {.kind = kind ? RPC_JSON : RPC_STRING, .text = buf_slice(&text)};
        command_list_init(&list, 64u << 20);
        assert_int_equal(command_add_output(&list, SLICE("SET"), &value, NULL), E_OK);
        assert_int_equal(list.count, 2);
        assert_int_equal(command_list_get(&list, 1).arg_count, 3);
        command_list_done(&list);
        command_list_init(&list, 1u << 20); /* not even looked into: no command at all */
        assert_int_equal(command_add_output(&list, SLICE("SET"), &value, NULL), E_LIMIT);
        assert_int_equal(list.count, 0);
        command_list_done(&list);
    }
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_templates_are_split_before_names_are_replaced),
        cmocka_unit_test(outputs_become_one_command_per_value),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(a_large_array_is_still_one_command_per_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
