#include "wire/rpc_shape.h"

#include "base/mem.h"

#define IS_ARRAY(type, first, second)                                                              \
    _Static_assert(offsetof(struct type, second) ==                                                \
                       offsetof(struct type, first) + offsetof(struct rpc_array, count),           \
                   "the count stands behind the items")
IS_ARRAY(rpc_pairs, items, count);
IS_ARRAY(rpc_names, items, count);
IS_ARRAY(rpc_function, bindings, binding_count);
IS_ARRAY(rpc_function, raw_bindings, raw_binding_count);
IS_ARRAY(rpc_function_metadata_response, functions, function_count);
_Static_assert(offsetof(struct rpc_exception, is_set) == 0, "for RPC_OPTIONAL");
_Static_assert(offsetof(struct rpc_retry_options, is_set) == 0, "for RPC_OPTIONAL");
_Static_assert(offsetof(struct rpc_retry_context, is_set) == 0, "for RPC_OPTIONAL");

/* Rows: number, kind, struct, member. */
#define FIELD(number, kind, type, member)                                                          \
    {                                                                                              \
        number, kind, offsetof(struct type, member), 0, NULL                                       \
    }
#define CHOICE(number, type, member, top)                                                          \
    {                                                                                              \
        number, RPC_ENUM, offsetof(struct type, member), top, NULL                                 \
    }
#define NESTED(number, kind, type, member, shape)                                                  \
    {                                                                                              \
        number, kind, offsetof(struct type, member), 0, &(shape)                                   \
    }
#define SHAPE(type, fields)                                                                        \
    {                                                                                              \
        fields, COUNT_OF(fields), sizeof(struct type)                                              \
    }

static const struct rpc_field pair_fields[] = {
    FIELD(1, RPC_TEXT, rpc_pair, key),
    FIELD(2, RPC_TEXT, rpc_pair, value),
};
static const struct rpc_shape pair_shape = SHAPE(rpc_pair, pair_fields);

/* an entry of map(string, TypedData), and a ParameterBinding */
static const struct rpc_field named_fields[] = {
    FIELD(1, RPC_TEXT, rpc_named, name),
    FIELD(2, RPC_ONEOF, rpc_named, data),
};
const struct rpc_shape rpc_named_shape = SHAPE(rpc_named, named_fields);

static const struct rpc_field duration_fields[] = {
    FIELD(1, RPC_INT64, rpc_duration, seconds),
    FIELD(2, RPC_INT32, rpc_duration, nanos),
};
static const struct rpc_shape duration_shape = SHAPE(rpc_duration, duration_fields);

static const struct rpc_field exception_fields[] = {
    FIELD(1, RPC_TEXT, rpc_exception, stack_trace),
    FIELD(2, RPC_TEXT, rpc_exception, message),
    FIELD(3, RPC_TEXT, rpc_exception, source),
    FIELD(4, RPC_BOOL, rpc_exception, is_user_exception),
    FIELD(5, RPC_TEXT, rpc_exception, type),
};
static const struct rpc_shape exception_shape = SHAPE(rpc_exception, exception_fields);

static const struct rpc_field result_fields[] = {
    FIELD(1, RPC_TEXT, rpc_result, result),
    NESTED(2, RPC_OPTIONAL, rpc_result, exception, exception_shape),
    CHOICE(4, rpc_result, status, RPC_CANCELLED),
};
static const struct rpc_shape result_shape = SHAPE(rpc_result, result_fields);

static const struct rpc_field start_stream_fields[] = {
    FIELD(2, RPC_TEXT, rpc_start_stream, worker_id),
};

static const struct rpc_field worker_init_request_fields[] = {
    FIELD(1, RPC_TEXT, rpc_worker_init_request, host_version),
    NESTED(2, RPC_PARTS, rpc_worker_init_request, capabilities, pair_shape),
    FIELD(4, RPC_TEXT, rpc_worker_init_request, worker_directory),
    FIELD(5, RPC_TEXT, rpc_worker_init_request, function_app_directory),
};

static const struct rpc_field worker_metadata_fields[] = {
    FIELD(1, RPC_TEXT, rpc_worker_metadata, runtime_name),
    FIELD(2, RPC_TEXT, rpc_worker_metadata, runtime_version),
    FIELD(3, RPC_TEXT, rpc_worker_metadata, worker_version),
    FIELD(4, RPC_TEXT, rpc_worker_metadata, worker_bitness),
    NESTED(5, RPC_PARTS, rpc_worker_metadata, custom, pair_shape),
};
static const struct rpc_shape worker_metadata_shape =
    SHAPE(rpc_worker_metadata, worker_metadata_fields);

static const struct rpc_field worker_init_response_fields[] = {
    FIELD(1, RPC_TEXT, rpc_worker_init_response, worker_version),
    NESTED(2, RPC_PARTS, rpc_worker_init_response, capabilities, pair_shape),
    NESTED(3, RPC_PART, rpc_worker_init_response, result, result_shape),
    NESTED(4, RPC_PART, rpc_worker_init_response, metadata, worker_metadata_shape),
};

/* BindingInfo, and the map entry {1 name, 2 BindingInfo} around it: one struct, two messages */
static const struct rpc_field binding_info_fields[] = {
    FIELD(2, RPC_TEXT, rpc_binding, type),
    CHOICE(3, rpc_binding, direction, RPC_INOUT),
    CHOICE(4, rpc_binding, data_type, RPC_TYPE_STREAM),
    NESTED(5, RPC_PARTS, rpc_binding, properties, pair_shape),
};
static const struct rpc_shape binding_info_shape = SHAPE(rpc_binding, binding_info_fields);
static const struct rpc_field binding_fields[] = {
    FIELD(1, RPC_TEXT, rpc_binding, name),
    {2, RPC_PART, 0, 0, &binding_info_shape},
};
static const struct rpc_shape binding_shape = SHAPE(rpc_binding, binding_fields);

static const struct rpc_field retry_options_fields[] = {
    FIELD(1, RPC_INT32, rpc_retry_options, max_retry_count),
    NESTED(2, RPC_PART, rpc_retry_options, delay_interval, duration_shape),
    NESTED(3, RPC_PART, rpc_retry_options, minimum_interval, duration_shape),
    NESTED(4, RPC_PART, rpc_retry_options, maximum_interval, duration_shape),
    CHOICE(6, rpc_retry_options, strategy, RPC_RETRY_FIXED),
};
static const struct rpc_shape retry_options_shape = SHAPE(rpc_retry_options, retry_options_fields);

static const struct rpc_field function_fields[] = {
    FIELD(1, RPC_TEXT, rpc_function, directory),
    FIELD(2, RPC_TEXT, rpc_function, script_file),
    FIELD(3, RPC_TEXT, rpc_function, entry_point),
    FIELD(4, RPC_TEXT, rpc_function, name),
    NESTED(6, RPC_PARTS, rpc_function, bindings, binding_shape),
    FIELD(9, RPC_TEXT, rpc_function, language),
    FIELD(10, RPC_TEXTS, rpc_function, raw_bindings),
    FIELD(13, RPC_TEXT, rpc_function, function_id),
    NESTED(15, RPC_OPTIONAL, rpc_function, retry, retry_options_shape),
    NESTED(16, RPC_PARTS, rpc_function, properties, pair_shape),
};
static const struct rpc_shape function_shape = SHAPE(rpc_function, function_fields);

static const struct rpc_field functions_metadata_request_fields[] = {
    FIELD(1, RPC_TEXT, rpc_functions_metadata_request, function_app_directory),
};

static const struct rpc_field function_metadata_response_fields[] = {
    NESTED(1, RPC_PARTS, rpc_function_metadata_response, functions, function_shape),
    NESTED(2, RPC_PART, rpc_function_metadata_response, result, result_shape),
    FIELD(3, RPC_BOOL, rpc_function_metadata_response, use_default_metadata_indexing),
};

static const struct rpc_field function_load_request_fields[] = {
    FIELD(1, RPC_TEXT, rpc_function_load_request, function_id),
    NESTED(2, RPC_PART, rpc_function_load_request, function, function_shape),
    FIELD(3, RPC_BOOL, rpc_function_load_request, managed_dependency_enabled),
};

static const struct rpc_field function_load_response_fields[] = {
    FIELD(1, RPC_TEXT, rpc_function_load_response, function_id),
    NESTED(2, RPC_PART, rpc_function_load_response, result, result_shape),
};

static const struct rpc_field trace_context_fields[] = {
    FIELD(1, RPC_TEXT, rpc_trace_context, trace_parent),
    FIELD(2, RPC_TEXT, rpc_trace_context, trace_state),
};
static const struct rpc_shape trace_context_shape = SHAPE(rpc_trace_context, trace_context_fields);

static const struct rpc_field retry_context_fields[] = {
    FIELD(1, RPC_INT32, rpc_retry_context, retry_count),
    FIELD(2, RPC_INT32, rpc_retry_context, max_retry_count),
    NESTED(3, RPC_OPTIONAL, rpc_retry_context, exception, exception_shape),
};
static const struct rpc_shape retry_context_shape = SHAPE(rpc_retry_context, retry_context_fields);

static const struct rpc_field invocation_request_fields[] = {
    FIELD(1, RPC_TEXT, rpc_invocation_request, invocation_id),
    FIELD(2, RPC_TEXT, rpc_invocation_request, function_id),
    NESTED(3, RPC_PARTS, rpc_invocation_request, inputs, rpc_named_shape),
    NESTED(4, RPC_PARTS, rpc_invocation_request, metadata, rpc_named_shape),
    NESTED(5, RPC_PART, rpc_invocation_request, trace, trace_context_shape),
    NESTED(6, RPC_OPTIONAL, rpc_invocation_request, retry, retry_context_shape),
};

static const struct rpc_field invocation_response_fields[] = {
    FIELD(1, RPC_TEXT, rpc_invocation_response, invocation_id),
    NESTED(2, RPC_PARTS, rpc_invocation_response, outputs, rpc_named_shape),
    NESTED(3, RPC_PART, rpc_invocation_response, result, result_shape),
    FIELD(4, RPC_VALUE, rpc_invocation_response, return_value),
};

static const struct rpc_field invocation_cancel_fields[] = {
    FIELD(2, RPC_TEXT, rpc_invocation_cancel, invocation_id),
};

static const struct rpc_field log_fields[] = {
    FIELD(1, RPC_TEXT, rpc_log, invocation_id),
    FIELD(2, RPC_TEXT, rpc_log, category),
    CHOICE(3, rpc_log, level, RPC_LEVEL_NONE),
    FIELD(4, RPC_TEXT, rpc_log, message),
    FIELD(5, RPC_TEXT, rpc_log, event_id),
    NESTED(6, RPC_OPTIONAL, rpc_log, exception, exception_shape),
    FIELD(7, RPC_TEXT, rpc_log, properties),
    CHOICE(8, rpc_log, log_category, RPC_LOG_CUSTOM_METRIC),
};

static const struct rpc_field worker_terminate_fields[] = {
    NESTED(1, RPC_PART, rpc_worker_terminate, grace_period, duration_shape),
};

static const struct rpc_field no_fields[1];

static const struct rpc_shape shapes[] = {
    [RPC_LOG] = SHAPE(rpc_log, log_fields),
    [RPC_INVOCATION_REQUEST] = SHAPE(rpc_invocation_request, invocation_request_fields),
    [RPC_INVOCATION_RESPONSE] = SHAPE(rpc_invocation_response, invocation_response_fields),
    [RPC_FUNCTION_LOAD_REQUEST] = SHAPE(rpc_function_load_request, function_load_request_fields),
    [RPC_FUNCTION_LOAD_RESPONSE] = SHAPE(rpc_function_load_response, function_load_response_fields),
    [RPC_WORKER_STATUS_REQUEST] = {no_fields, 0, sizeof(struct rpc_empty)},
    [RPC_WORKER_STATUS_RESPONSE] = {no_fields, 0, sizeof(struct rpc_empty)},
    [RPC_WORKER_TERMINATE] = SHAPE(rpc_worker_terminate, worker_terminate_fields),
    [RPC_WORKER_INIT_RESPONSE] = SHAPE(rpc_worker_init_response, worker_init_response_fields),
    [RPC_WORKER_INIT_REQUEST] = SHAPE(rpc_worker_init_request, worker_init_request_fields),
    [RPC_START_STREAM] = SHAPE(rpc_start_stream, start_stream_fields),
    [RPC_INVOCATION_CANCEL] = SHAPE(rpc_invocation_cancel, invocation_cancel_fields),
    [RPC_FUNCTIONS_METADATA_REQUEST] =
        SHAPE(rpc_functions_metadata_request, functions_metadata_request_fields),
    [RPC_FUNCTION_METADATA_RESPONSE] =
        SHAPE(rpc_function_metadata_response, function_metadata_response_fields),
};

const struct rpc_shape *rpc_shape_of(uint32_t number)
{
    return number < COUNT_OF(shapes) && shapes[number].size > 0 ? &shapes[number] : NULL;
}
