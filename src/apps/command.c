#include "apps/command.h"

#include <stdlib.h>

#include "apps/expression.h"
#include "base/mem.h"
#include "json/json.h"

static const char *const input_commands[] = {
    "BITCOUNT",   "BITPOS",    "DBSIZE",      "DUMP",    "EXISTS",     "EXPIRETIME", "GEODIST",
    "GET",        "GETBIT",    "GETRANGE",    "HEXISTS", "HGET",       "HLEN",       "HSTRLEN",
    "LINDEX",     "LLEN",      "PEXPIRETIME", "PFCOUNT", "PTTL",       "RANDOMKEY",  "SCARD",
    "SINTERCARD", "SISMEMBER", "STRLEN",      "SUBSTR",  "TOUCH",      "TTL",        "TYPE",
    "XLEN",       "ZCARD",     "ZCOUNT",      "ZDIFF",   "ZINTERCARD", "ZLEXCOUNT",  "ZSCORE",
};

void command_list_init(struct command_list *list, size_t max_bytes)
{
    *list = (struct command_list){0};
    buf_init(&list->text, max_bytes);
}

void command_list_done(struct command_list *list)
{
    buf_done(&list->text);
    free(list->args);
    free(list->ends);
    *list = (struct command_list){0};
}

void command_list_clear(struct command_list *list)
{
    buf_clear(&list->text);
    list->count = list->arg_count = 0;
}

/* Arguments lie behind each other in the buf. It may move while it grows, so only lengths count
 * until a command is asked for. */
static void add_arg(struct command_list *list, size_t start)
{
    if (list->arg_count == list->arg_cap) {
        list->arg_cap = list->arg_cap == 0 ? 8 : list->arg_cap * 2;
        list->args = mem_resize(list->args, list->arg_cap, sizeof *list->args);
    }
    list->args[list->arg_count++] = (struct slice){NULL, list->text.len - start};
}

static void end_command(struct command_list *list)
{
    if (list->count == list->end_cap) {
        list->end_cap = list->end_cap == 0 ? 8 : list->end_cap * 2;
        list->ends = mem_resize(list->ends, list->end_cap, sizeof *list->ends);
    }
    list->ends[list->count++] = list->arg_count;
}

/* Points all arguments to where the buf has come to rest. */
static enum err settle(struct command_list *list)
{
    const char *at = list->text.data;

    if (buf_err(&list->text))
        return buf_err(&list->text);
    for (size_t i = 0; i < list->arg_count; i++) {
        list->args[i].data = at;
        if (at != NULL)
            at += list->args[i].len;
    }
    return E_OK;
}

struct command command_list_get(const struct command_list *list, size_t index)
{
    size_t first = index == 0 ? 0 : list->ends[index - 1];
    return (struct command){list->args + first, list->ends[index] - first};
}

static void add_words(struct command_list *list, struct slice text)
{
    struct slice word;

    while (text.len > 0 && slice_cut(&text, ' ', &word)) {
        size_t start = list->text.len;
        buf_add(&list->text, word);
        add_arg(list, start);
    }
}

bool command_is_input(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(input_commands); i++)
        if (slice_eq_nocase(word, slice_of(input_commands[i])))
            return true;
    return false;
}

enum err command_add_input(struct command_list *list, struct slice template,
                           const struct rpc_named *metadata, size_t count, struct cause *why)
{
    struct slice word = SLICE_NONE;
    bool is_first = true;

    while (slice_cut(&template, ' ', &word)) {
        size_t start = list->text.len;
        enum err err = expression_add(&list->text, word, metadata, count, why);
        if (err)
            return err;
        add_arg(list, start);
        struct slice name = slice_from(buf_slice(&list->text), start);
        if (is_first && !command_is_input(name))
            return cause_set(why, E_UNSUPPORTED,
                             "Command '%.*s' not supported for Redis Input Binding.",
                             SLICE_ARG(slice_first(name, 64)));
        is_first = false;
    }
    end_command(list);
    return settle(list);
}

static void add_output(struct command_list *list, struct slice command, struct slice value)
{
    add_words(list, command);
    add_words(list, value);
    end_command(list);
}

static void add_json(struct command_list *list, struct slice command, const json_t *value)
{
    struct buf text;

    if (json_is_string(value)) {
        add_output(list, command, jx_slice(value));
        return;
    }
    if (json_is_null(value))
        return;
    buf_init(&text, list->text.max_bytes);
    jx_dump(&text, value);
    if (buf_err(&text))
        list->text.missed = true;
    add_output(list, command, buf_slice(&text));
    buf_done(&text);
}

static void add_elements(struct command_list *list, struct slice command, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        add_json(list, command, json_array_get(array, i));
}

/* What is too large or too deep to look into must not leave as one command. */
static enum err read_json(const struct command_list *list, struct slice text, json_t **ret)
{
    const struct jx_limits limits = {.text_max_bytes = list->text.max_bytes};
    return jx_parse(text, NULL, &limits, ret, NULL);
}

static enum err add_text(struct command_list *list, struct slice command, struct slice text)
{
    struct slice trimmed = slice_trim(text);
    json_t *array = NULL;
    bool may_be =
        trimmed.len >= 2 && trimmed.data[0] == '[' && trimmed.data[trimmed.len - 1] == ']';
    enum err err = may_be ? read_json(list, trimmed, &array) : E_BAD_INPUT;

    if (err == E_OK)
        add_elements(list, command, array);
    else if (err != E_LIMIT)
        add_output(list, command, text);
    json_decref(array);
    return err == E_LIMIT ? err : E_OK;
}

static enum err add_json_text(struct command_list *list, struct slice command, struct slice text)
{
    json_t *value = NULL;
    enum err err = read_json(list, text, &value);

    if (err == E_OK && json_is_array(value))
        add_elements(list, command, value);
    else if (err == E_OK && (json_is_string(value) || json_is_null(value)))
        add_json(list, command, value);
    else if (err != E_LIMIT)
        add_output(list, command, text); /* as it was written */
    json_decref(value);
    return err == E_LIMIT ? err : E_OK;
}

static void add_number(struct command_list *list, struct slice command,
                       const struct rpc_data *value)
{
    char room[40];
    struct buf text = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    if (value->kind == RPC_INT)
        buf_add_i64(&text, value->integer);
    else
        buf_add_f64(&text, value->number);
    add_output(list, command, buf_slice(&text));
}

static enum err add_value(struct command_list *list, struct slice command,
                          const struct rpc_data *value)
{
    switch (value->kind) {
    case RPC_NONE:
        break;
    case RPC_STRING:
        return add_text(list, command, value->text);
    case RPC_JSON:
        return add_json_text(list, command, value->text);
    case RPC_BYTES:
        add_output(list, command, value->text);
        break;
    case RPC_INT:
    case RPC_DOUBLE:
        add_number(list, command, value);
        break;
    case RPC_STRINGS:
    case RPC_BYTES_LIST:
    case RPC_INTS:
    case RPC_DOUBLES:
    case RPC_JSONS:
        for (size_t i = 0; i < value->item_count; i++)
            add_output(list, command, value->items[i]);
        break;
    }
    return E_OK;
}

enum err command_add_output(struct command_list *list, struct slice command,
                            const struct rpc_data *value, struct cause *why)
{
    enum err err = add_value(list, command, value);

    if (err == E_OK)
        err = settle(list);
    return err ? cause_set(why, err,
                           "the commands take more than %zu bytes, or are JSON nested too "
                           "deep",
                           list->text.max_bytes)
               : E_OK;
}
