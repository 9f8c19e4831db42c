/* wire/rpc_data.h - a value on its way into or out of a function: the TypedData of FunctionRpc.
 * Rules: a value type; everything it points to is borrowed. */
#ifndef WIRE_RPC_DATA_H
#define WIRE_RPC_DATA_H

#include "base/str.h"

enum rpc_kind {
    RPC_NONE,    /* no value (null) */
    RPC_STRING,  /* text: valid UTF-8 */
    RPC_JSON,    /* text: JSON */
    RPC_BYTES,   /* text: any bytes (also TypedData.stream) */
    RPC_INT,     /* integer */
    RPC_DOUBLE,  /* number */
    RPC_STRINGS, /* items */
    RPC_BYTES_LIST,
    RPC_INTS,    /* items: each as decimal text */
    RPC_DOUBLES, /* items: each as decimal text */
    RPC_JSONS,   /* items: each JSON; only written, a worker reads it as RPC_STRINGS */
};

struct rpc_data {
    enum rpc_kind kind;
    struct slice text;
    int64_t integer;
    double number;
    const struct slice *items;
    size_t item_count;
};

struct rpc_named {
    struct slice name;
    struct rpc_data data;
};

#endif
