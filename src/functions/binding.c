#include "functions/binding.h"

#include <stdlib.h>

#include "apps/command.h"
#include "base/utf8.h"

#define COMMANDS_MAX_BYTES (512u * 1024 * 1024)
#define VALUE_MAX_BYTES (1536u * 1024 * 1024) /* of 512 MiB, each byte a U+FFFD */
#define COMMANDS_AT_ONCE 64 /* of one output; more are sent as these are answered */

/* One binding with its connection. */
struct bound {
    const struct redis_binding *binding;
    struct redis *redis;
};

struct binding_set {
    struct bound *bounds;
    size_t count, input_count, output_count;
};

/* One command of a call. */
struct asked {
    struct redis_call call;
    struct binding_call *owner;
    const struct bound *bound;
    struct command_list list; /* holds the one command */
    struct buf value;         /* where the reply does not have it as it is wanted */
    size_t index;
};

struct binding_call {
    struct binding_set *set;
    struct op *op; /* of the read or write under way */
    size_t unanswered;
    enum err err; /* the first error */
    struct cause why;
    struct asked *asked;
    size_t asked_count;
    struct reply **replies; /* of inputs: keep the values */
    struct rpc_named *inputs;
    size_t input_count;
    /* Writing: commands one after the other, in their order. */
    struct command_list commands;
    const struct bound **command_bounds;
    size_t next;
};

static enum err connect_to(struct redis_hub *hub, const struct function *function,
                           struct bound *bound, const char *fallback, struct cause *why)
{
    const char *text;
    bool is_literal;
    struct redis_options *options;
    enum err err =
        app_connection(function->app, bound->binding->connection, &text, &is_literal, why);

    if (err == E_OK && is_literal && app_names_no_server(text) && fallback != NULL)
        text = fallback;
    if (err == E_OK)
        err = redis_options_parse(slice_of(text), &options, why);
    if (err != E_OK)
        return cause_wrap(why, err, "binding '%s'", bound->binding->name);
    bound->redis = redis_open(hub, options, REDIS_SHARED, "redgrid");
    redis_options_unref(options);
    return E_OK;
}

enum err binding_set_new(struct redis_hub *hub, const struct function *function,
                         const char *fallback, struct binding_set **ret, struct cause *why)
{
    *ret = NULL;
    if (function->binding_count == 0)
        return E_OK;
    struct binding_set *set = mem_new(struct binding_set);
    set->bounds = mem_new_array(function->binding_count, struct bound);
    for (size_t i = 0; i < function->binding_count; i++) {
        struct bound *bound = &set->bounds[set->count++];
        bound->binding = &function->bindings[i];
        enum err err = connect_to(hub, function, bound, fallback, why);
        if (err != E_OK) {
            binding_set_free(set);
            return err;
        }
        set->input_count += bound->binding->direction == DIRECTION_IN;
        set->output_count += bound->binding->direction == DIRECTION_OUT;
    }
    *ret = set;
    return E_OK;
}

void binding_set_free(struct binding_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        if (set->bounds[i].redis != NULL)
            redis_close(set->bounds[i].redis);
    free(set->bounds);
    free(set);
}

bool binding_set_has_inputs(const struct binding_set *set)
{
    return set != NULL && set->input_count > 0;
}

bool binding_set_has_outputs(const struct binding_set *set)
{
    return set != NULL && set->output_count > 0;
}

struct binding_call *binding_call_new(struct binding_set *set)
{
    struct binding_call *call = mem_new(struct binding_call);

    call->set = set;
    command_list_init(&call->commands, COMMANDS_MAX_BYTES);
    return call;
}

static void drop_asked(struct binding_call *call)
{
    for (size_t i = 0; i < call->asked_count; i++) {
        command_list_done(&call->asked[i].list);
        buf_done(&call->asked[i].value);
    }
    free(call->asked);
    call->asked = NULL;
    call->asked_count = 0;
    for (size_t i = 0; i < call->input_count; i++)
        reply_unref(call->replies[i]);
    free(call->replies);
    free(call->inputs);
    free(call->command_bounds);
    call->replies = NULL;
    call->inputs = NULL;
    call->command_bounds = NULL;
    call->input_count = 0;
}

void binding_call_free(struct binding_call *call)
{
    if (call == NULL)
        return;
    drop_asked(call);
    command_list_done(&call->commands);
    free(call);
}

static void fail(struct binding_call *call, const struct bound *bound, enum err err,
                 const struct cause *why)
{
    if (call->err != E_OK)
        return;
    call->err = err;
    call->why = *why;
    call->err = cause_wrap(&call->why, err, "binding '%s'", bound->binding->name);
}

static void end(struct binding_call *call)
{
    struct op *op = call->op;

    call->op = NULL;
    op->why = call->why;
    op_end(op, call->err);
}

/* --- reading --- */

/* Workers take no text that is not UTF-8: one bad byte would end some of them. */
static enum err value_set(struct asked *asked, struct slice bytes, struct rpc_data *ret)
{
    bool is_binary = asked->bound->binding->data_type == DATA_BINARY;

    *ret = (struct rpc_data){.kind = is_binary ? RPC_BYTES : RPC_STRING, .text = bytes};
    if (is_binary || utf8_is_valid(bytes))
        return E_OK;
    buf_init(&asked->value, VALUE_MAX_BYTES);
    utf8_add_repaired(&asked->value, bytes);
    ret->text = buf_slice(&asked->value);
    return buf_err(&asked->value);
}

static enum err value_of(struct asked *asked, const struct resp *reply, struct rpc_data *ret,
                         struct cause *why)
{
    switch (reply->type) {
    case RESP_NIL:
        *ret = (struct rpc_data){.kind = RPC_NONE};
        return E_OK;
    case RESP_INTEGER:
    case RESP_BOOL:
        buf_init(&asked->value, VALUE_MAX_BYTES);
        buf_add_i64(&asked->value, reply->integer);
        return value_set(asked, buf_slice(&asked->value), ret);
    case RESP_STATUS:
    case RESP_BULK:
    case RESP_DOUBLE:
        return value_set(asked, reply->text, ret);
    case RESP_ERROR:
    case RESP_ARRAY:
    case RESP_MAP:
    case RESP_PUSH:
        break;
    }
    return cause_set(why, E_UNSUPPORTED,
                     "the command answers with an array, which is not supported");
}

static void on_read(struct op *op, enum err err)
{
    struct asked *asked = container_of(op, struct asked, call.op);
    struct binding_call *call = asked->owner;
    struct rpc_named *input = &call->inputs[asked->index];

    if (err == E_OK) {
        call->replies[asked->index] = reply_ref(asked->call.reply);
        err = value_of(asked, asked->call.reply->root, &input->data, &op->why);
    }
    if (err != E_OK)
        fail(call, asked->bound, err, &op->why);
    if (--call->unanswered == 0)
        end(call);
}

static enum err ask(struct asked *asked, const struct rpc_named *metadata, size_t count,
                    struct cause *why)
{
    command_list_init(&asked->list, COMMANDS_MAX_BYTES);
    enum err err = command_add_input(&asked->list, slice_of(asked->bound->binding->command),
                                     metadata, count, why);
    if (err != E_OK)
        return err;
    struct command command = command_list_get(&asked->list, 0);
    err = redis_call(asked->bound->redis, command.args, command.arg_count, &asked->call);
    return err == E_OK
               ? E_OK
               : cause_set(why, err, "%s: %s", redis_name(asked->bound->redis), err_text(err));
}

enum err binding_read(struct binding_call *call, const struct rpc_named *metadata, size_t count,
                      struct op *op)
{
    const struct binding_set *set = call->set;

    drop_asked(call);
    call->err = E_OK;
    call->asked = mem_new_array(set->input_count, struct asked);
    call->replies = mem_new_array(set->input_count, struct reply *);
    call->inputs = mem_new_array(set->input_count, struct rpc_named);
    call->input_count = set->input_count;
    for (size_t i = 0; i < set->count; i++) {
        if (set->bounds[i].binding->direction != DIRECTION_IN)
            continue;
        struct asked *asked = &call->asked[call->asked_count];
        struct cause why = {0};
        *asked =
            (struct asked){.owner = call, .bound = &set->bounds[i], .index = call->asked_count};
        asked->call.op.done = on_read;
        call->inputs[call->asked_count++].name = slice_of(set->bounds[i].binding->name);
        enum err err = ask(asked, metadata, count, &why);
        if (err == E_OK)
            call->unanswered++;
        else
            fail(call, asked->bound, err, &why);
    }
    if (call->unanswered == 0) {
        op->why = call->why;
        return call->err;
    }
    op_begin(op, NULL, call);
    call->op = op;
    return E_OK;
}

size_t binding_inputs(const struct binding_call *call, const struct rpc_named **ret)
{
    *ret = call->inputs;
    return call->input_count;
}

/* --- writing --- */

static void write_next(struct binding_call *call);

static void on_written(struct op *op, enum err err)
{
    struct asked *asked = container_of(op, struct asked, call.op);
    struct binding_call *call = asked->owner;

    if (err != E_OK)
        fail(call, asked->bound, err, &op->why);
    call->unanswered--;
    write_next(call);
}

/* Pipelined, but in order and not past an error: what comes after a refused command may rest on it.
 */
static void write_next(struct binding_call *call)
{
    while (call->err == E_OK && call->next < call->commands.count &&
           call->unanswered < COMMANDS_AT_ONCE) {
        struct asked *asked = &call->asked[call->next];
        struct command command = command_list_get(&call->commands, call->next);
        *asked = (struct asked){.owner = call, .bound = call->command_bounds[call->next]};
        asked->call.op.done = on_written;
        enum err err =
            redis_call(asked->bound->redis, command.args, command.arg_count, &asked->call);
        if (err != E_OK) {
            struct cause why = {0};
            (void)cause_set(&why, err, "%s: %s", redis_name(asked->bound->redis), err_text(err));
            fail(call, asked->bound, err, &why);
            break;
        }
        call->unanswered++;
        call->next++;
    }
    if (call->unanswered == 0 && call->op != NULL)
        end(call);
}

static const struct rpc_data *output_of(const struct bound *bound, const struct rpc_named *outputs,
                                        size_t count, const struct rpc_data *return_value)
{
    struct slice name = slice_of(bound->binding->name);

    for (size_t i = 0; i < count; i++)
        if (slice_eq_nocase(outputs[i].name, name))
            return &outputs[i].data;
    return slice_eq(name, SLICE("$return")) ? return_value : NULL;
}

static enum err gather(struct binding_call *call, const struct rpc_named *outputs, size_t count,
                       const struct rpc_data *return_value, struct cause *why)
{
    const struct binding_set *set = call->set;

    for (size_t i = 0; i < set->count; i++) {
        const struct bound *bound = &set->bounds[i];
        const struct rpc_data *value = bound->binding->direction == DIRECTION_OUT
                                           ? output_of(bound, outputs, count, return_value)
                                           : NULL;
        size_t before = call->commands.count;
        if (value == NULL)
            continue;
        enum err err =
            command_add_output(&call->commands, slice_of(bound->binding->command), value, why);
        if (err != E_OK)
            return cause_wrap(why, err, "binding '%s'", bound->binding->name);
        call->command_bounds =
            mem_resize(call->command_bounds, call->commands.count + 1, sizeof(struct bound *));
        for (size_t j = before; j < call->commands.count; j++)
            call->command_bounds[j] = bound;
    }
    return E_OK;
}

enum err binding_write(struct binding_call *call, const struct rpc_named *outputs, size_t count,
                       const struct rpc_data *return_value, struct op *op)
{
    drop_asked(call);
    command_list_clear(&call->commands);
    call->err = E_OK;
    call->next = call->unanswered = 0;
    enum err err = gather(call, outputs, count, return_value, &op->why);
    if (err != E_OK)
        return err;
    call->asked = mem_new_array(call->commands.count + 1, struct asked);
    write_next(call);
    if (call->unanswered == 0) {
        op->why = call->why;
        return call->err != E_OK ? call->err : E_EMPTY;
    }
    op_begin(op, NULL, call);
    call->op = op;
    return E_OK;
}
