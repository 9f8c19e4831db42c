/* The calls of redgrid/function.h: what a function can ask for and say. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "exchange.h"
#include "invocation.h"
#include "library.h"

#define LINE_BYTES 1024
#define LOG_TEXT_MAX_BYTES (EXCHANGE_LOG_MAX_BYTES / 4) /* repairing may triple it */

static struct redgrid_slice give(struct slice s)
{
    return (struct redgrid_slice){s.data, s.len};
}

static const struct rpc_invocation_request *request_of(const struct redgrid_invocation *run)
{
    return &run->request.invocation_request;
}

/* The trigger is the first input. */
static const struct rpc_data *trigger_of(const struct redgrid_invocation *run)
{
    static const struct rpc_data nothing;
    struct rpc_names inputs = request_of(run)->inputs;
    return inputs.count > 0 ? &inputs.items[0].data : &nothing;
}

static bool is_batch(const struct rpc_data *data)
{
    return data->kind == RPC_STRINGS || data->kind == RPC_BYTES_LIST;
}

size_t redgrid_message_count(const struct redgrid_invocation *run)
{
    const struct rpc_data *data = trigger_of(run);
    return is_batch(data) ? data->item_count : 1;
}

struct redgrid_slice redgrid_message_at(const struct redgrid_invocation *run, size_t index)
{
    const struct rpc_data *data = trigger_of(run);

    if (index >= redgrid_message_count(run))
        return give(SLICE_NONE);
    return give(is_batch(data) ? data->items[index] : data->text);
}

struct redgrid_slice redgrid_message(const struct redgrid_invocation *run)
{
    return redgrid_message_at(run, 0);
}

static struct redgrid_slice text_of(struct rpc_names names, const char *name)
{
    const struct rpc_data *data = rpc_names_find(names, slice_of(name));
    return give(data == NULL ? SLICE_NONE : data->text);
}

struct redgrid_slice redgrid_metadata(const struct redgrid_invocation *run, const char *name)
{
    return text_of(request_of(run)->metadata, name);
}

struct redgrid_slice redgrid_input(const struct redgrid_invocation *run, const char *name)
{
    return text_of(request_of(run)->inputs, name);
}

struct redgrid_slice redgrid_invocation_id(const struct redgrid_invocation *run)
{
    return give(request_of(run)->invocation_id);
}

struct redgrid_slice redgrid_function_name(const struct redgrid_invocation *run)
{
    return give(slice_of(run->function->name));
}

int32_t redgrid_retry_count(const struct redgrid_invocation *run)
{
    return request_of(run)->retry.retry_count;
}

bool redgrid_is_canceled(const struct redgrid_invocation *run)
{
    return atomic_load_explicit(&run->is_canceled, memory_order_relaxed);
}

/* Texts come from the user's code: made valid UTF-8 before they go into a string. */
static void log_text(struct redgrid_invocation *run, enum redgrid_level level, struct slice text)
{
    struct buf repaired;
    struct rpc_message message = {.type = RPC_LOG,
                                  .log = {.invocation_id = request_of(run)->invocation_id,
                                          .category = slice_of(run->function->log_category),
                                          .level = (enum rpc_level)level, /* the same numbers */
                                          .log_category = RPC_LOG_USER}};

    buf_init(&repaired, EXCHANGE_LOG_MAX_BYTES);
    if (!utf8_is_valid(text)) {
        utf8_add_repaired(&repaired, text);
        text = buf_slice(&repaired);
    }
    message.log.message = text;
    exchange_log(run->exchange, &message);
    buf_done(&repaired);
}

/* print writes into `line`, or into memory of its own if that is too short: *ret_long, free() ends
 * it. */
__attribute__((format(printf, 3, 0))) static struct slice
print(char line[LINE_BYTES], char **ret_long, const char *format, va_list arguments)
{
    va_list again;

    va_copy(again, arguments);
    *ret_long = NULL;
    format = format == NULL ? "(null)" : format;
    int len = vsnprintf(line, LINE_BYTES, format, arguments);
    if (len >= LINE_BYTES) {
        *ret_long = mem_zeroed((size_t)len + 1, 1);
        vsnprintf(*ret_long, (size_t)len + 1, format, again);
    }
    va_end(again);
    if (len < 0) /* a bad wide character, for one */
        return slice_of(format);
    return (struct slice){*ret_long != NULL ? *ret_long : line, (size_t)len};
}

void redgrid_log_list(struct redgrid_invocation *run, enum redgrid_level level, const char *format,
                      va_list arguments)
{
    char line[LINE_BYTES], *longer;
    struct slice text = print(line, &longer, format, arguments);

    log_text(run, level, slice_first(text, LOG_TEXT_MAX_BYTES));
    free(longer);
}

void redgrid_log(struct redgrid_invocation *run, enum redgrid_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    redgrid_log_list(run, level, format, arguments);
    va_end(arguments);
}

/* keep copies into the arena; the answer is a failure if that is full. */
static struct slice keep(struct redgrid_invocation *run, struct slice value)
{
    struct slice copy = arena_copy(&run->arena, value);
    run->is_too_large = run->is_too_large || copy.data == NULL;
    return copy;
}

static struct slice keep_text(struct redgrid_invocation *run, struct slice text)
{
    struct buf repaired;

    if (utf8_is_valid(text))
        return keep(run, text);
    buf_init(&repaired, 3 * text.len); /* a byte becomes U+FFFD at worst */
    utf8_add_repaired(&repaired, text);
    text = keep(run, buf_slice(&repaired));
    buf_done(&repaired);
    return text;
}

void redgrid_output(struct redgrid_invocation *run, const char *name, struct redgrid_slice value)
{
    if (run->output_count == run->output_cap) {
        run->output_cap = run->output_cap * 2 + 4;
        run->outputs = mem_resize(run->outputs, run->output_cap, sizeof run->outputs[0]);
    }
    run->outputs[run->output_count++] = (struct output){
        .name = keep_text(run, slice_of(name)),
        .value = keep(run, (struct slice){value.data, value.len}),
    };
}

void redgrid_return(struct redgrid_invocation *run, struct redgrid_slice value)
{
    run->return_value = keep(run, (struct slice){value.data, value.len});
    run->has_return_value = true;
}

int redgrid_fail(struct redgrid_invocation *run, const char *format, ...)
{
    char line[LINE_BYTES], *longer;
    va_list arguments;

    va_start(arguments, format);
    struct slice text = print(line, &longer, format, arguments);
    va_end(arguments);
    run->error = keep_text(run, slice_first(text, LOG_TEXT_MAX_BYTES));
    free(longer);
    return REDGRID_FAILED;
}
