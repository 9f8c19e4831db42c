#include "invokers/handler_message.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"

#define TEXTS_MAX_BYTES (64u * 1024 * 1024)
#define BODY_MAX_BYTES (64u * 1024 * 1024)

/* ---- writing ---- */

static void write_base64(struct buf *out, struct slice bytes)
{
    buf_add_byte(out, '"');
    base64_add(out, bytes);
    buf_add_byte(out, '"');
}

static void write_array(struct buf *out, const struct rpc_data *data)
{
    buf_add_byte(out, '[');
    for (size_t i = 0; i < data->item_count; i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        if (data->kind == RPC_STRINGS)
            jx_write_string(out, data->items[i]);
        else if (data->kind == RPC_BYTES_LIST)
            write_base64(out, data->items[i]);
        else
            buf_add(out, data->items[i]);
    }
    buf_add_byte(out, ']');
}

/* The JSON text of a value. */
static void write_plain(struct buf *out, const struct rpc_data *data)
{
    switch (data->kind) {
    case RPC_NONE:
        buf_add(out, SLICE("null"));
        break;
    case RPC_STRING:
        jx_write_string(out, data->text);
        break;
    case RPC_JSON:
        buf_add(out, data->text);
        break;
    case RPC_BYTES:
        write_base64(out, data->text);
        break;
    case RPC_INT:
        buf_add_i64(out, data->integer);
        break;
    case RPC_DOUBLE:
        buf_add_f64(out, data->number);
        break;
    case RPC_STRINGS:
    case RPC_BYTES_LIST:
    case RPC_INTS:
    case RPC_DOUBLES:
    case RPC_JSONS:
        write_array(out, data);
        break;
    }
}

static bool is_object(const struct rpc_data *data)
{
    struct slice text = slice_trim(data->text);
    return data->kind == RPC_JSON && text.len > 0 && text.data[0] == '{';
}

/* Objects and bytes are written as they are, all else as a string that holds JSON text. */
static void write_value(struct buf *out, const struct rpc_data *data)
{
    if (data->kind == RPC_BYTES || is_object(data)) {
        write_plain(out, data);
        return;
    }
    if (data->kind == RPC_STRING) {
        jx_write_string_twice(out, data->text);
        return;
    }
    struct buf inner;
    buf_init(&inner, out->max_bytes);
    write_plain(&inner, data);
    jx_write_string(out, buf_slice(&inner));
    if (buf_err(&inner))
        out->missed = true;
    buf_done(&inner);
}

static void write_member(struct buf *out, struct slice name, const struct rpc_data *data)
{
    if (out->len > 0 && out->data[out->len - 1] != '{')
        buf_add_byte(out, ',');
    jx_write_string(out, name);
    buf_add_byte(out, ':');
    write_value(out, data);
}

/* Names that are written for every run: a message that is JSON may have members of the same name.
 */
static bool is_ours(struct slice name)
{
    return slice_eq_nocase(name, SLICE("sys")) || slice_eq_nocase(name, SLICE("RetryContext"));
}

static bool is_left_out(const struct rpc_named *entry)
{
    bool is_null =
        entry->data.kind == RPC_NONE ||
        (entry->data.kind == RPC_JSON && slice_eq(slice_trim(entry->data.text), SLICE("null")));
    return is_null || is_ours(entry->name) ||
           slice_has_suffix_nocase(entry->name, SLICE("trigger"));
}

static void write_sys(struct buf *out, const struct function *function)
{
    struct id id = id_next();
    buf_add(out, SLICE("\"sys\":{\"MethodName\":"));
    jx_write_string(out, slice_of(function->name));
    buf_add(out, SLICE(",\"UtcNow\":\""));
    clock_add_rfc3339(out, clock_unix_us(), 7);
    buf_add(out, SLICE("\",\"RandGuid\":\""));
    buf_add(out, id_slice(&id));
    buf_add(out, SLICE("\"}"));
}

static void write_retry(struct buf *out, const struct invocation *run)
{
    buf_addf(out, ",\"RetryContext\":{\"RetryCount\":%d,\"MaxRetryCount\":%d,\"Exception\":",
             (int)run->retry_count, (int)run->max_retry_count);
    if (run->retry_error.data == NULL) {
        buf_add(out, SLICE("null}"));
        return;
    }
    buf_add(out, SLICE("{\"Message\":"));
    jx_write_string(out, run->retry_error);
    buf_add(out, SLICE("}}"));
}

void handler_write_request(struct buf *out, const struct invocation *run)
{
    buf_add(out, SLICE("{\"Data\":{"));
    for (size_t i = 0; i < run->input_count; i++)
        write_member(out, run->inputs[i].name, &run->inputs[i].data);
    buf_add(out, SLICE("},\"Metadata\":{"));
    write_sys(out, run->function);
    for (size_t i = 0; i < run->metadata_count; i++)
        if (!is_left_out(&run->metadata[i]))
            write_member(out, run->metadata[i].name, &run->metadata[i].data);
    if (run->has_retry)
        write_retry(out, run);
    buf_add(out, SLICE("}}"));
}

/* ---- reading ---- */

static bool is_binary(const struct function *function, const char *name)
{
    for (size_t i = 0; i < function->binding_count; i++)
        if (strcmp(function->bindings[i].name, name) == 0)
            return function->bindings[i].data_type == DATA_BINARY;
    return false;
}

/* Keeps a text that had to be written anew as long as the answer. */
static struct rpc_data keep(struct handler_answer *answer, enum rpc_kind kind, struct buf *text)
{
    return (struct rpc_data){.kind = kind, .text = arena_copy(&answer->texts, buf_slice(text))};
}

static struct rpc_data read_text(struct handler_answer *answer, struct slice text, bool binary)
{
    struct rpc_data data = {.kind = RPC_STRING, .text = text};
    struct buf bytes;
    buf_init(&bytes, TEXTS_MAX_BYTES);
    if (binary && base64_decode(&bytes, text) == E_OK)
        data = keep(answer, RPC_BYTES, &bytes);
    buf_done(&bytes);
    return data;
}

static struct rpc_data read_json(struct handler_answer *answer, const json_t *value)
{
    struct buf text;
    buf_init(&text, TEXTS_MAX_BYTES);
    jx_dump(&text, value);
    struct rpc_data data = keep(answer, RPC_JSON, &text);
    buf_done(&text);
    return data;
}

static struct rpc_data read_value(struct handler_answer *answer, const json_t *value, bool binary)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        break;
    case JSON_STRING:
        return read_text(answer, jx_slice(value), binary);
    case JSON_INTEGER:
        return (struct rpc_data){.kind = RPC_INT, .integer = json_integer_value(value)};
    case JSON_REAL:
        return (struct rpc_data){.kind = RPC_DOUBLE, .number = json_real_value(value)};
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_OBJECT:
    case JSON_ARRAY:
        return read_json(answer, value);
    }
    return (struct rpc_data){.kind = RPC_NONE};
}

static void read_values(struct handler_answer *answer, const struct function *function)
{
    json_t *outputs = jx_member(answer->root, "Outputs");
    json_t *return_value = jx_member(answer->root, "ReturnValue");
    const char *name;
    json_t *value;

    answer->logs = jx_member(answer->root, "Logs");
    answer->outputs = mem_new_array(json_object_size(outputs) + 1, struct rpc_named);
    json_object_foreach(outputs, name, value)
    {
        struct rpc_named *output = &answer->outputs[answer->output_count++];
        output->name = slice_of(name);
        output->data = read_value(answer, value, is_binary(function, name));
    }
    if (return_value != NULL)
        answer->return_value = read_value(answer, return_value, is_binary(function, "$return"));
}

static bool is_json_type(struct slice content_type)
{
    struct slice type = slice_trim(slice_first(content_type, slice_find_byte(content_type, ';')));
    return content_type.data == NULL || slice_eq_nocase(type, SLICE("application/json")) ||
           slice_has_suffix_nocase(type, SLICE("+json"));
}

enum err handler_read_answer(struct slice body, struct slice content_type,
                             const struct function *function, struct handler_answer *ret,
                             struct cause *why)
{
    static const struct jx_limits limits = {.text_max_bytes = BODY_MAX_BYTES};
    struct handler_answer answer = {0};
    struct slice text = slice_trim(body);
    json_t *root = NULL;

    if (text.len > 0 && !slice_eq(text, SLICE("null"))) {
        if (!is_json_type(content_type) || jx_parse(text, NULL, &limits, &root, NULL) != E_OK)
            return cause_set(why, E_FAILED, "Invalid HttpResponseMessage");
        if (!json_is_object(root)) {
            json_decref(root);
            return cause_set(why, E_FAILED, "Invalid HttpResponseMessage");
        }
    }
    answer.root = root;
    arena_init(&answer.texts, TEXTS_MAX_BYTES);
    read_values(&answer, function);
    *ret = answer;
    return E_OK;
}

void handler_answer_done(struct handler_answer *answer)
{
    json_decref(answer->root);
    arena_done(&answer->texts);
    free(answer->outputs);
    *answer = (struct handler_answer){0};
}
