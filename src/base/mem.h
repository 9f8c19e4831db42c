/* base/mem.h - small allocations of a known size, and the few macros that every file wants.
 * Rules: these abort when memory is out, which takes a branch out of every caller. A size that
 * comes from input goes through a buf, which has a limit. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* mem_new gives a zeroed object; free() ends it. */
#define mem_new(type) ((type *)mem_zeroed(1, sizeof(type)))
#define mem_new_array(count, type) ((type *)mem_zeroed((count), sizeof(type)))

/* mem_zeroed gives count * size zeroed bytes; aborts when memory is out or the product overflows.
 */
void *mem_zeroed(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* mem_resize is realloc() to count * size bytes that aborts when memory is out. New bytes are not
 * set. */
void *mem_resize(void *block, size_t count, size_t size) __attribute__((returns_nonnull));

/* mem_dup copies `len` bytes and adds a NUL behind them; free() ends it. */
char *mem_dup(const void *bytes, size_t len) __attribute__((malloc, returns_nonnull));

/* mem_return_large: from now on large blocks go back to the system as soon as they are freed, so
 * that a burst of large messages leaves nothing behind. For programs that run long, at their start.
 */
void mem_return_large(void);

#endif
