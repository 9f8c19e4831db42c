#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
