/* wire/rpc_value.h - the part of FunctionRpc that carries values, TypedData. For rpc.c. Pure. */
#ifndef WIRE_RPC_VALUE_H
#define WIRE_RPC_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/rpc_data.h"

/* rpc_value_read reads a TypedData message into *ret. Kinds that redgrid does not know (HTTP
 * requests, deferred bindings) leave RPC_NONE. E_BAD_WIRE, E_LIMIT (arena): *ret is unspecified. */
enum err rpc_value_read(struct slice message, struct arena *arena, struct rpc_data *ret);

/* rpc_value_write appends a field that holds `data`; RPC_NONE is an empty message. Items of
 * RPC_INTS and RPC_DOUBLES that are no numbers are sent as 0. */
void rpc_value_write(struct buf *out, uint32_t number, const struct rpc_data *data);

/* rpc_value_bytes is about how many bytes that takes. */
size_t rpc_value_bytes(const struct rpc_data *data);

#endif
