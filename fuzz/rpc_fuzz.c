/* FunctionRpc messages and frames: what is accepted encodes, and what that gives decodes to the
 * same again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/rpc.h"

#define ARENA_MAX_BYTES (4u << 20)
#define OUT_MAX_BYTES (64u << 20)

static void round_trip(struct slice in)
{
    struct rpc_message message, again;
    struct arena arena;
    struct buf first, second;

    arena_init(&arena, ARENA_MAX_BYTES);
    buf_init(&first, OUT_MAX_BYTES);
    buf_init(&second, OUT_MAX_BYTES);
    if (rpc_decode(in, &arena, &message, NULL) == E_OK) {
        rpc_encode(&first, &message);
        assert(buf_err(&first) == E_OK);
        assert(rpc_decode(buf_slice(&first), &arena, &again, NULL) == E_OK);
        assert(again.type == message.type);
        rpc_encode(&second, &again);
        assert(slice_eq(buf_slice(&first), buf_slice(&second)));
    }
    arena_done(&arena);
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice in = {(const char *)data, len}, frame;
    size_t used;

    round_trip(in);
    while (rpc_frame_next(in, RPC_FRAME_PLAIN, 1 << 20, &frame, &used) == E_OK) {
        assert(used == 4 + frame.len && used <= in.len);
        round_trip(frame);
        in = slice_from(in, used);
    }
    return 0;
}
