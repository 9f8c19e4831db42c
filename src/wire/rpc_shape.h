/* wire/rpc_shape.h - what the messages of FunctionRpc consist of, as tables: which field has which
 * number, and where it lies in the structs of rpc.h. For rpc.c, which walks them. */
#ifndef WIRE_RPC_SHAPE_H
#define WIRE_RPC_SHAPE_H

#include "wire/rpc.h"

enum rpc_field_kind {
    RPC_TEXT,     /* struct slice */
    RPC_BOOL,     /* bool */
    RPC_INT32,    /* int32_t */
    RPC_INT64,    /* int64_t */
    RPC_ENUM,     /* an enum of 0..top */
    RPC_VALUE,    /* struct rpc_data, sent unless RPC_NONE */
    RPC_ONEOF,    /* struct rpc_data, always sent */
    RPC_PART,     /* a struct, sent unless it turns out empty */
    RPC_OPTIONAL, /* a struct that begins with `bool is_set`, sent if that is true */
    RPC_TEXTS,    /* struct rpc_array of struct slice */
    RPC_PARTS,    /* struct rpc_array of a struct */
};

struct rpc_shape;

struct rpc_field {
    uint8_t number;
    uint8_t kind;
    uint16_t offset;
    uint32_t top;                  /* RPC_ENUM */
    const struct rpc_shape *shape; /* RPC_PART, RPC_OPTIONAL, RPC_PARTS */
};

struct rpc_shape {
    const struct rpc_field *fields;
    uint16_t count;
    uint16_t size; /* of the struct */
};

/* What RPC_TEXTS and RPC_PARTS are in every struct: two members, one behind the other. */
struct rpc_array {
    void *items;
    size_t count;
};

/* An entry of map(string, TypedData), and a ParameterBinding: struct rpc_named. */
extern const struct rpc_shape rpc_named_shape;

/* rpc_shape_of: the shape of the message with that number in StreamingMessage; NULL if it is not in
 * RPC_TYPES. */
const struct rpc_shape *rpc_shape_of(uint32_t number);

#endif
