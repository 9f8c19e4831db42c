#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void blocks_are_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 5000; size = size * 3 + 1) {
            char *bytes = arena_alloc(&arena, 1, size);
            assert_non_null(bytes);
            assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(bytes[i], 0);
            memset(bytes, 0xa5, size);
        }
        arena_reset(&arena);
    }
    arena_done(&arena);
}

static void the_limit_holds(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena, 64);
    assert_null(arena_alloc(&arena, 1, 65));
    assert_null(arena_alloc(&arena, SIZE_MAX / 2, 4));
    assert_null(arena_alloc(&arena, SIZE_MAX, 1));
    assert_non_null(arena_alloc(&arena, 1, 1));  /* takes 16 */
    assert_non_null(arena_alloc(&arena, 12, 4)); /* 48 */
    assert_null(arena_alloc(&arena, 1, 1));
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 64, 1));
    arena_done(&arena);
}

static void a_copy_ends_with_nul(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena, 32);
    struct slice copy = arena_copy(&arena, SLICE("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    assert_null(arena_copy(&arena, SLICE("0123456789abcdef")).data);
    arena_done(&arena);
}

static void large_blocks_are_not_kept(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena, 16 << 20);
    assert_non_null(arena_alloc(&arena, 8 << 20, 1));
    arena_reset(&arena);
    assert_null(arena.block);
    assert_non_null(arena_alloc(&arena, 10, 1));
    struct arena_block *block = arena.block;
    arena_reset(&arena);
    assert_ptr_equal(arena.block, block);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zeroed_and_aligned),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(a_copy_ends_with_nul),
        cmocka_unit_test(large_blocks_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
