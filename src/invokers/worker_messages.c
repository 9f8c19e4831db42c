#include "invokers/worker_messages.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define ERROR_MAX_BYTES (64 * 1024)

struct worker_abilities worker_abilities_of(struct rpc_pairs capabilities)
{
    return (struct worker_abilities){
        .collections = rpc_pairs_find(capabilities, SLICE("TypedDataCollection")).len > 0,
        .status = rpc_pairs_find(capabilities, SLICE("WorkerStatus")).len > 0,
        .terminate = rpc_pairs_find(capabilities, SLICE("HandlesWorkerTerminateMessage")).len > 0,
        .cancel = rpc_pairs_find(capabilities, SLICE("HandlesInvocationCancelMessage")).len > 0,
    };
}

void worker_result_text(const struct rpc_result *result, struct cause *ret)
{
    struct slice text = result->exception.message;
    if (text.len == 0)
        text = result->result;
    if (text.len == 0)
        text = result->status == RPC_CANCELLED ? SLICE("it was canceled")
                                               : SLICE("no reason was given");
    (void)cause_set(ret, E_FAILED, "%.*s", SLICE_ARG(text));
}

void worker_log_failure(const struct app *app, const struct invocation *run,
                        const struct rpc_exception *exception)
{
    if (exception->stack_trace.len == 0)
        return;
    struct slice category = SLICE("Host.Results");
    if (app_log_level(app, category) > LOG_ERROR)
        return;
    log_write(&(struct log_record){.level = LOG_ERROR,
                                   .category = category,
                                   .function = slice_of(run->function->name),
                                   .invocation = id_slice(&run->id),
                                   .text = exception->stack_trace});
}

size_t worker_plan_find(const struct worker_plan *plan, struct slice id)
{
    size_t found = plan->function_count;
    for (size_t i = 0; i < plan->function_count; i++) {
        struct slice name = slice_of(plan->functions[i].function->name);
        if (slice_eq(name, id))
            return i;
        if (slice_eq_nocase(name, id))
            found = i;
    }
    return found;
}

/* What cannot be sent shows as the end of the stream, which has its own event. */
static void send(struct transport *transport, const struct rpc_message *message)
{
    enum err err = transport->kind->send(transport, message);
    if (err)
        log_debug("WORKER-UNSENT", "%s: %s", rpc_type_name(message->type), err_text(err));
}

void worker_send_init(struct transport *transport, const struct worker_plan *plan)
{
    send(transport,
         &(struct rpc_message){.type = RPC_WORKER_INIT_REQUEST,
                               .worker_init_request = {
                                   .host_version = slice_of(plan->host_version),
                                   .worker_directory = slice_of(plan->worker_directory),
                                   .function_app_directory = slice_of(plan->app->directory),
                               }});
}

void worker_send_status(struct transport *transport)
{
    send(transport, &(struct rpc_message){.type = RPC_WORKER_STATUS_REQUEST});
}

void worker_send_terminate(struct transport *transport, uint32_t grace_ms)
{
    send(transport, &(struct rpc_message){.type = RPC_WORKER_TERMINATE,
                                          .worker_terminate.grace_period = {
                                              .seconds = grace_ms / 1000,
                                              .nanos = (int32_t)(grace_ms % 1000) * 1000000,
                                          }});
}

void worker_send_cancel(struct transport *transport, const struct id *id)
{
    send(transport, &(struct rpc_message){.type = RPC_INVOCATION_CANCEL,
                                          .invocation_cancel.invocation_id = id_slice(id)});
}

static const struct slice trigger_types[] = {
    [TRIGGER_NONE] = SLICE_INIT(""),
    [TRIGGER_LIST] = SLICE_INIT("redisListTrigger"),
    [TRIGGER_STREAM] = SLICE_INIT("redisStreamTrigger"),
    [TRIGGER_PUBSUB] = SLICE_INIT("redisPubSubTrigger"),
    [TRIGGER_EVENT] = SLICE_INIT("eventGridTrigger"),
};

static const enum rpc_direction directions[] = {
    [DIRECTION_IN] = RPC_IN,
    [DIRECTION_OUT] = RPC_OUT,
    [DIRECTION_INOUT] = RPC_INOUT,
};

static enum rpc_data_type data_type_of(enum data_type type)
{
    return type == DATA_BINARY ? RPC_TYPE_BINARY : RPC_TYPE_STRING;
}

static void fill_bindings(const struct function *function, struct rpc_binding *ret)
{
    *ret++ = (struct rpc_binding){.name = slice_of(function->trigger.name),
                                  .type = trigger_types[function->trigger.type],
                                  .direction = RPC_IN,
                                  .data_type = data_type_of(function->trigger.data_type)};
    for (size_t i = 0; i < function->binding_count; i++) {
        const struct redis_binding *binding = &function->bindings[i];
        *ret++ = (struct rpc_binding){.name = slice_of(binding->name),
                                      .type = SLICE("redis"),
                                      .direction = directions[binding->direction],
                                      .data_type = data_type_of(binding->data_type)};
    }
}

enum err worker_send_load(struct transport *transport, const struct worker_function *loadable,
                          const struct worker_abilities *can, struct cause *why)
{
    const struct function *function = loadable->function;
    if (loadable->error != NULL)
        return cause_set(why, E_FAILED, "%s", loadable->error);
    if (function->trigger.is_batch && !can->collections)
        return cause_set(why, E_FAILED,
                         "cardinality: 'many' needs a worker that takes arrays; this one does not");
    struct rpc_binding *bindings = mem_new_array(function->binding_count + 1, struct rpc_binding);
    fill_bindings(function, bindings);
    struct slice name = slice_of(function->name);
    struct rpc_message message = {
        .type = RPC_FUNCTION_LOAD_REQUEST,
        .function_load_request = {.function_id = name,
                                  .function = {
                                      .function_id = name,
                                      .name = name,
                                      .directory = slice_of(function->directory),
                                      .script_file = slice_of(loadable->script_file),
                                      .entry_point = slice_of(function->entry_point),
                                      .bindings = bindings,
                                      .binding_count = function->binding_count + 1,
                                  }}};
    enum err err = transport->kind->send(transport, &message);
    free(bindings);
    return err ? cause_set(why, E_FAILED, "the load request was not sent: %s", err_text(err))
               : E_OK;
}

static enum err send_with_retry(struct transport *transport, const struct invocation *run,
                                struct rpc_message *message)
{
    struct buf repaired = {0};
    struct rpc_exception *exception = &message->invocation_request.retry.exception;
    exception->is_set = run->retry_error.data != NULL;
    exception->message = run->retry_error;
    if (!utf8_is_valid(exception->message)) {
        buf_init(&repaired, ERROR_MAX_BYTES);
        utf8_add_repaired(&repaired, exception->message);
        exception->message = buf_slice(&repaired);
    }
    enum err err = transport->kind->send(transport, message);
    buf_done(&repaired);
    return err;
}

enum err worker_send_invocation(struct transport *transport, const struct invocation *run)
{
    struct rpc_message message = {.type = RPC_INVOCATION_REQUEST,
                                  .invocation_request = {
                                      .invocation_id = id_slice(&run->id),
                                      .function_id = slice_of(run->function->name),
                                      .inputs = {run->inputs, run->input_count},
                                      .metadata = {run->metadata, run->metadata_count},
                                  }};
    if (!run->has_retry)
        return transport->kind->send(transport, &message);
    message.invocation_request.retry = (struct rpc_retry_context){
        .is_set = true, .retry_count = run->retry_count, .max_retry_count = run->max_retry_count};
    return send_with_retry(transport, run, &message);
}
