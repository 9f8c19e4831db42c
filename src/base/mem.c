#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_BYTES (256 * 1024)
#define KEPT_BYTES (1024 * 1024) /* at the top of the heap, for what comes next */

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "redgrid: out of memory (%zu bytes asked for)\n", size);
    abort();
}

void *mem_zeroed(size_t count, size_t size)
{
    void *block = calloc(count, size);
    if (block == NULL)
        out_of_memory(size);
    return block;
}

void *mem_resize(void *block, size_t count, size_t size)
{
    void *grown = reallocarray(block, count, size);
    if (grown == NULL)
        out_of_memory(size);
    return grown;
}

char *mem_dup(const void *bytes, size_t len)
{
    if (len == SIZE_MAX)
        out_of_memory(len);
    char *copy = malloc(len + 1);
    if (copy == NULL)
        out_of_memory(len);
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

/* By default glibc raises both limits for good when it has seen large blocks. */
void mem_return_large(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}
