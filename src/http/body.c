/* The body of a request, which lies behind its head in the caller's buffer. A chunked one is moved
 * together as it comes, so that it is one piece too:
 *
 *   in: | spent | head | body, decoded | gap | not looked at yet
 *               ^ at                         ^ at + end */
#include <string.h>

#include "http/server_internal.h"

void body_begin(struct caller *c)
{
    c->framing = c->request->head.framing;
    c->left = c->request->head.body_bytes;
    c->chunks = (struct http1_chunks){0};
    c->body_bytes = 0;
    c->end = c->head_bytes;
}

static enum err take_length(struct caller *c)
{
    size_t have = c->in.len - c->at - c->head_bytes;

    if (c->left > c->server->options.body_max_bytes)
        return E_LIMIT;
    if (have < c->left)
        return E_MORE;
    c->body_bytes = (size_t)c->left;
    c->end = c->head_bytes + c->body_bytes;
    c->framing = HTTP1_NO_BODY;
    return E_OK;
}

static enum err take_chunks(struct caller *c)
{
    char *start = c->in.data + c->at;
    size_t len = c->in.len - c->at;

    while (c->end < len && !c->chunks.is_done) {
        struct slice data;
        size_t used;
        struct slice rest = {start + c->end, len - c->end};
        if (http1_chunk_next(&c->chunks, rest, &data, &used) != E_OK)
            return E_BAD_WIRE;
        c->end += used;
        if (data.len > c->server->options.body_max_bytes - c->body_bytes)
            return E_LIMIT;
        memmove(start + c->head_bytes + c->body_bytes, data.data, data.len);
        c->body_bytes += data.len;
    }
    if (!c->chunks.is_done) {
        c->end = c->head_bytes + c->body_bytes;
        c->in.len = c->at + c->end;
        return E_MORE;
    }
    c->framing = HTTP1_NO_BODY;
    return E_OK;
}

enum err body_take(struct caller *c)
{
    if (c->framing == HTTP1_LENGTH)
        return take_length(c);
    return c->framing == HTTP1_CHUNKED ? take_chunks(c) : E_OK;
}

static enum err discard_chunks(struct caller *c)
{
    while (c->at < c->in.len && !c->chunks.is_done) {
        struct slice data;
        size_t used;
        enum err err =
            http1_chunk_next(&c->chunks, slice_from(buf_slice(&c->in), c->at), &data, &used);
        if (err)
            return err;
        c->at += used;
    }
    return c->chunks.is_done ? E_OK : E_MORE;
}

static enum err discard_length(struct caller *c)
{
    size_t have = c->in.len - c->at;
    size_t used = have < c->left ? have : (size_t)c->left;

    c->at += used;
    c->left -= used;
    return c->left == 0 ? E_OK : E_MORE;
}

enum err body_discard(struct caller *c)
{
    enum err err = c->framing == HTTP1_LENGTH ? discard_length(c) : discard_chunks(c);

    if (err == E_MORE && c->got_bytes > DISCARD_MAX_BYTES)
        return E_LIMIT;
    if (err == E_OK)
        c->framing = HTTP1_NO_BODY;
    return err;
}
