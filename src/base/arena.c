#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ARENA_FIRST_BYTES 4096
#define ARENA_KEEP_MAX_BYTES (1u << 20) /* one huge message must not hold its memory for ever */
#define ARENA_ALIGN _Alignof(max_align_t)

struct arena_block {
    struct arena_block *older;
    size_t cap;
    size_t used;
    _Alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){.max_bytes = max_bytes};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_done(struct arena *arena)
{
    free_blocks(arena->block);
    *arena = (struct arena){0};
}

/* Each block doubles the last, so the newest is the largest and a reset keeps it. */
static struct arena_block *add_block(struct arena *arena, size_t need)
{
    size_t cap = arena->block == NULL ? ARENA_FIRST_BYTES : arena->block->cap * 2;
    if (cap < need)
        cap = need;
    struct arena_block *block = mem_resize(NULL, 1, sizeof *block + cap);
    *block = (struct arena_block){.older = arena->block, .cap = cap};
    arena->block = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    size_t left = arena->max_bytes - arena->used;
    if (size != 0 && count > left / size)
        return NULL;
    size_t len = (count * size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (len > left)
        return NULL;
    struct arena_block *block = arena->block;
    if (block == NULL || len > block->cap - block->used)
        block = add_block(arena, len);
    char *bytes = block->bytes + block->used;
    block->used += len;
    arena->used += len;
    memset(bytes, 0, len);
    return bytes;
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
    char *bytes = text.len == SIZE_MAX ? NULL : arena_alloc(arena, text.len + 1, 1);
    if (bytes == NULL)
        return SLICE_NONE;
    if (text.len > 0)
        memcpy(bytes, text.data, text.len);
    return (struct slice){bytes, text.len};
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
    struct arena_block *block = arena->block;
    if (block == NULL)
        return;
    free_blocks(block->older);
    block->older = NULL;
    block->used = 0;
    if (block->cap > ARENA_KEEP_MAX_BYTES) {
        free(block);
        arena->block = NULL;
    }
}
