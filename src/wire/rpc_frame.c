#include <string.h>

#include "wire/rpc.h"

#define LENGTH_BYTES 4

static size_t head_bytes(enum rpc_framing framing)
{
    return framing == RPC_FRAME_GRPC ? 1 + LENGTH_BYTES : LENGTH_BYTES;
}

size_t rpc_frame_begin(struct buf *out, enum rpc_framing framing)
{
    size_t place = out->len;
    char *head = buf_reserve(out, head_bytes(framing));

    if (head != NULL) {
        memset(head, 0, head_bytes(framing));
        buf_grow(out, head_bytes(framing));
    }
    return place;
}

void rpc_frame_end(struct buf *out, enum rpc_framing framing, size_t place)
{
    if (out->missed)
        return;
    size_t content = place + head_bytes(framing);
    size_t len = out->len - content;
    if (len > UINT32_MAX) {
        out->missed = true;
        return;
    }
    for (unsigned i = 1; i <= LENGTH_BYTES; i++, len >>= 8)
        out->data[content - i] = (char)len;
}

void rpc_frame_add(struct buf *out, enum rpc_framing framing, const struct rpc_message *message)
{
    size_t place = rpc_frame_begin(out, framing);

    rpc_encode(out, message);
    rpc_frame_end(out, framing, place);
    if (out->missed)
        out->len = place;
}

enum err rpc_frame_next(struct slice in, enum rpc_framing framing, size_t max_bytes,
                        struct slice *ret, size_t *ret_used)
{
    size_t head = head_bytes(framing);
    const uint8_t *bytes = (const uint8_t *)in.data;
    size_t len = 0;

    if (framing == RPC_FRAME_GRPC && in.len > 0 && bytes[0] != 0)
        return bytes[0] == 1 ? E_UNSUPPORTED : E_BAD_WIRE;
    if (in.len < head) {
        *ret_used = 0;
        return E_MORE;
    }
    for (size_t i = head - LENGTH_BYTES; i < head; i++)
        len = len << 8 | bytes[i];
    if (len > max_bytes)
        return E_LIMIT;
    *ret_used = head + len;
    if (in.len - head < len)
        return E_MORE;
    *ret = (struct slice){in.data + head, len};
    return E_OK;
}
