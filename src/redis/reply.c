#include "redis/reply.h"

#include <stdlib.h>

#include "base/mem.h"

#define FREE_CHUNKS_MAX 16
#define FREE_BOXES_MAX 64
#define FREE_NODES_MAX 8192 /* larger arrays are given back */

static struct {
    struct chunk *chunks;
    struct reply_box *boxes;
    unsigned chunk_count, box_count;
} spare;

struct chunk *chunk_new(size_t bytes)
{
    struct chunk *chunk = spare.chunks;

    if (bytes <= CHUNK_BYTES && chunk != NULL) {
        spare.chunks = chunk->next;
        spare.chunk_count--;
    } else {
        size_t cap = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = mem_resize(NULL, sizeof *chunk + cap, 1);
        chunk->cap = cap;
    }
    chunk->refs = 1;
    chunk->next = NULL;
    return chunk;
}

struct chunk *chunk_unref(struct chunk *chunk)
{
    if (chunk == NULL || --chunk->refs > 0)
        return NULL;
    if (chunk->cap > CHUNK_BYTES || spare.chunk_count == FREE_CHUNKS_MAX) {
        free(chunk);
        return NULL;
    }
    chunk->next = spare.chunks;
    spare.chunks = chunk;
    spare.chunk_count++;
    return NULL;
}

struct reply_box *box_new(void)
{
    struct reply_box *box = spare.boxes;

    if (box == NULL) {
        box = mem_new(struct reply_box);
    } else {
        spare.boxes = box->next;
        spare.box_count--;
    }
    box->reply = (struct reply){.refs = 1};
    box->next = NULL;
    return box;
}

struct reply *reply_ref(struct reply *reply)
{
    reply->refs++;
    return reply;
}

struct reply *reply_unref(struct reply *reply)
{
    if (reply == NULL || --reply->refs > 0)
        return NULL;
    struct reply_box *box = container_of(reply, struct reply_box, reply);
    box->chunk = chunk_unref(box->chunk);
    if (box->cap > FREE_NODES_MAX) {
        free(box->nodes);
        box->nodes = NULL;
        box->cap = 0;
    }
    if (spare.box_count == FREE_BOXES_MAX) {
        free(box->nodes);
        free(box);
        return NULL;
    }
    box->next = spare.boxes;
    spare.boxes = box;
    spare.box_count++;
    return NULL;
}
