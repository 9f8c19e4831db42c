/* wire/rpc.h - the messages between the functions host and a language worker (FunctionRpc).
 * Pure: callable anywhere, one arena per thread. Behaviour: workers.md of the specification.
 * Rules: every text is a slice: it may hold NUL bytes, and what is sent must be valid UTF-8 (only
 * values of RPC_BYTES may be anything); rpc_decode() does not check what comes in. An absent text
 * is the same as an empty one. Decoded texts point into the bytes that were decoded, decoded arrays
 * into the arena. Of a value that is sent twice the last counts, messages are merged, map entries
 * are all kept, in order. A number beyond the list of an enumeration is read as 0. To add a
 * message: its struct, a row in RPC_TYPES, its fields in rpc_shape.c. */
#ifndef WIRE_RPC_H
#define WIRE_RPC_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/rpc_data.h"

/* The messages; their numbers are those of the fields of StreamingMessage. */
#define RPC_TYPES(X)                                                                               \
    X(RPC_LOG, 2)                 /* from the worker */                                            \
    X(RPC_INVOCATION_REQUEST, 4)  /* from the host */                                              \
    X(RPC_INVOCATION_RESPONSE, 5) /* from the worker, and so on */                                 \
    X(RPC_FUNCTION_LOAD_REQUEST, 8)                                                                \
    X(RPC_FUNCTION_LOAD_RESPONSE, 9)                                                               \
    X(RPC_WORKER_STATUS_REQUEST, 12)                                                               \
    X(RPC_WORKER_STATUS_RESPONSE, 13)                                                              \
    X(RPC_WORKER_TERMINATE, 14) /* from the host */                                                \
    X(RPC_WORKER_INIT_RESPONSE, 16)                                                                \
    X(RPC_WORKER_INIT_REQUEST, 17)                                                                 \
    X(RPC_START_STREAM, 20)      /* from the worker, its first */                                  \
    X(RPC_INVOCATION_CANCEL, 21) /* from the host */                                               \
    X(RPC_FUNCTIONS_METADATA_REQUEST, 29)                                                          \
    X(RPC_FUNCTION_METADATA_RESPONSE, 30)

#define RPC_TYPE(name, number) name = (number),
enum rpc_type {
    RPC_UNKNOWN = 0, /* none, or one that is not in the list: ignore it */
    RPC_TYPES(RPC_TYPE)
};
#undef RPC_TYPE

enum rpc_status { RPC_FAILURE, RPC_SUCCESS, RPC_CANCELLED };
enum rpc_level {
    RPC_LEVEL_TRACE,
    RPC_LEVEL_DEBUG,
    RPC_LEVEL_INFORMATION,
    RPC_LEVEL_WARNING,
    RPC_LEVEL_ERROR,
    RPC_LEVEL_CRITICAL,
    RPC_LEVEL_NONE,
};
enum rpc_log_category { RPC_LOG_USER, RPC_LOG_SYSTEM, RPC_LOG_CUSTOM_METRIC };
enum rpc_direction { RPC_IN, RPC_OUT, RPC_INOUT };
enum rpc_data_type { RPC_TYPE_UNDEFINED, RPC_TYPE_STRING, RPC_TYPE_BINARY, RPC_TYPE_STREAM };
enum rpc_retry_strategy { RPC_RETRY_EXPONENTIAL, RPC_RETRY_FIXED };

struct rpc_pair {
    struct slice key;
    struct slice value;
};

struct rpc_pairs { /* a map(string, string) */
    const struct rpc_pair *items;
    size_t count;
};

struct rpc_names { /* a map(string, TypedData), or repeated ParameterBinding */
    const struct rpc_named *items;
    size_t count;
};

struct rpc_duration {
    int64_t seconds;
    int32_t nanos;
};

struct rpc_exception {
    bool is_set; /* false: not sent; the same in the other structs that have it */
    bool is_user_exception;
    struct slice message;
    struct slice stack_trace;
    struct slice source;
    struct slice type;
};

struct rpc_result { /* StatusResult; its logs are skipped. Zeroed = failure without a reason */
    enum rpc_status status;
    struct slice result;
    struct rpc_exception exception;
};

/* start-up */

struct rpc_start_stream {
    struct slice worker_id;
};

struct rpc_worker_init_request {
    struct slice host_version; /* must not be empty */
    struct rpc_pairs capabilities;
    struct slice worker_directory;
    struct slice function_app_directory;
};

struct rpc_worker_metadata {
    struct slice runtime_name;
    struct slice runtime_version;
    struct slice worker_version;
    struct slice worker_bitness;
    struct rpc_pairs custom;
};

struct rpc_worker_init_response {
    struct slice worker_version; /* old: metadata has it too */
    struct rpc_pairs capabilities;
    struct rpc_result result;
    struct rpc_worker_metadata metadata;
};

struct rpc_binding {
    struct slice name;
    struct slice type;
    enum rpc_direction direction;
    enum rpc_data_type data_type;
    struct rpc_pairs properties;
};

struct rpc_retry_options {
    bool is_set;
    int32_t max_retry_count;
    enum rpc_retry_strategy strategy;
    struct rpc_duration delay_interval;
    struct rpc_duration minimum_interval;
    struct rpc_duration maximum_interval;
};

struct rpc_function { /* RpcFunctionMetadata; status, proxy and language flags are not kept */
    struct slice function_id;
    struct slice name;
    struct slice directory;
    struct slice script_file;
    struct slice entry_point;
    struct slice language;
    const struct rpc_binding *bindings;
    size_t binding_count;
    const struct slice *raw_bindings; /* JSON texts */
    size_t raw_binding_count;
    struct rpc_pairs properties;
    struct rpc_retry_options retry;
};

struct rpc_functions_metadata_request {
    struct slice function_app_directory;
};

struct rpc_function_metadata_response {
    const struct rpc_function *functions;
    size_t function_count;
    struct rpc_result result;
    bool use_default_metadata_indexing;
};

struct rpc_function_load_request {
    struct slice function_id;
    struct rpc_function function;
    bool managed_dependency_enabled;
};

struct rpc_function_load_response {
    struct slice function_id;
    struct rpc_result result;
};

/* running functions */

struct rpc_trace_context {
    struct slice trace_parent; /* empty, and no state: not sent */
    struct slice trace_state;
};

struct rpc_retry_context {
    bool is_set;
    int32_t retry_count;
    int32_t max_retry_count;
    struct rpc_exception exception;
};

struct rpc_invocation_request {
    struct slice invocation_id;
    struct slice function_id;
    struct rpc_names inputs;
    struct rpc_names metadata;
    struct rpc_trace_context trace;
    struct rpc_retry_context retry;
};

struct rpc_invocation_response {
    struct slice invocation_id;
    struct rpc_names outputs;
    struct rpc_result result;
    struct rpc_data return_value; /* RPC_NONE: not sent */
};

struct rpc_invocation_cancel {
    struct slice invocation_id;
};

struct rpc_log {
    struct slice invocation_id;
    struct slice category; /* "Function.orders.User" */
    enum rpc_level level;
    struct slice message;
    struct slice event_id;
    struct rpc_exception exception;
    struct slice properties; /* JSON */
    enum rpc_log_category log_category;
};

struct rpc_worker_terminate {
    struct rpc_duration grace_period;
};

struct rpc_empty {
    char nothing; /* C wants a member */
};

struct rpc_message {
    struct slice request_id;
    enum rpc_type type;
    union { /* the member that `type` names */
        struct rpc_log log;
        struct rpc_invocation_request invocation_request;
        struct rpc_invocation_response invocation_response;
        struct rpc_function_load_request function_load_request;
        struct rpc_function_load_response function_load_response;
        struct rpc_empty worker_status_request;
        struct rpc_empty worker_status_response;
        struct rpc_worker_terminate worker_terminate;
        struct rpc_worker_init_response worker_init_response;
        struct rpc_worker_init_request worker_init_request;
        struct rpc_start_stream start_stream;
        struct rpc_invocation_cancel invocation_cancel;
        struct rpc_functions_metadata_request functions_metadata_request;
        struct rpc_function_metadata_response function_metadata_response;
    };
};

/* rpc_type_name: "InvocationRequest"-like texts for logs: "RPC_INVOCATION_REQUEST". Never NULL. */
const char *rpc_type_name(enum rpc_type type);

/* rpc_decode reads one whole message (a frame's content). E_OK: *ret is set, valid while `in` and
 * the arena are. A message that is not in RPC_TYPES is E_OK with RPC_UNKNOWN. E_BAD_WIRE:
 * malformed; E_LIMIT: the arena is full; text in why (may be NULL), *ret untouched. The arena is
 * not reset. */
enum err rpc_decode(struct slice in, struct arena *arena, struct rpc_message *ret,
                    struct cause *why);

/* rpc_encode appends one message; ask buf_err(out) afterwards. RPC_UNKNOWN appends the request id
 * alone. Nothing is allocated but the growth of `out`. */
void rpc_encode(struct buf *out, const struct rpc_message *message);

/* rpc_pairs_find: the value of the last entry with that key, or SLICE_NONE. A capability is on if
 * its value is not empty. */
struct slice rpc_pairs_find(struct rpc_pairs pairs, struct slice key);
/* rpc_names_find: the last entry with that name, or NULL. */
const struct rpc_data *rpc_names_find(struct rpc_names names, struct slice name);

/* Frames. The two transports differ in the head only. */
enum rpc_framing {
    RPC_FRAME_PLAIN, /* 4 bytes big-endian length: socketpair */
    RPC_FRAME_GRPC,  /* a flag byte of 0 before it: gRPC */
};

/* rpc_frame_begin appends the head of a frame and returns its place; append the message, then call
 * rpc_frame_end with that place, which writes the length. If the message is above 4 GiB - 1 bytes
 * or the buf missed a byte, the buf has missed. */
size_t rpc_frame_begin(struct buf *out, enum rpc_framing framing);
void rpc_frame_end(struct buf *out, enum rpc_framing framing, size_t place);
/* rpc_frame_add is all three: head, message, length. After a miss nothing of it is left in `out`
 * and the miss stands. */
void rpc_frame_add(struct buf *out, enum rpc_framing framing, const struct rpc_message *message);

/* rpc_frame_next finds the frame at the start of `in`. E_OK: *ret is its content (may be empty:
 * ignore it), *ret_used bytes are spent. E_MORE: good so far, *ret_used is how many bytes the whole
 * frame takes, 0 while that is unknown. E_LIMIT: longer than max_bytes, as soon as the head tells.
 * E_UNSUPPORTED: a compressed gRPC frame. E_BAD_WIRE: a flag byte that is neither 0 nor 1. */
enum err rpc_frame_next(struct slice in, enum rpc_framing framing, size_t max_bytes,
                        struct slice *ret, size_t *ret_used);

#define RPC_MESSAGE_MAX_BYTES (256u * 1024 * 1024) /* socketpair */

#endif
