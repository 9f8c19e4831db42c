#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define KEYS 5000

static struct slice key_of(int i, char text[16])
{
    int len = 0;
    do
        text[len++] = (char)('a' + i % 26);
    while ((i /= 26) > 0);
    return (struct slice){text, (size_t)len};
}

static void a_zeroed_map_is_empty(void **state)
{
    (void)state;
    struct map map = {0};
    struct slice key;
    void *value;
    size_t at = 0;

    assert_null(map_get(&map, SLICE("x")));
    assert_null(map_remove(&map, SLICE("x")));
    assert_false(map_next(&map, &at, &key, &value));
    map_done(&map);
}

static void values_are_set_replaced_and_removed(void **state)
{
    (void)state;
    struct map map = {0};
    int a, b;
    char key[] = "key";

    assert_null(map_set(&map, slice_of(key), &a));
    key[0] = 'x'; /* the map has its own copy */
    assert_ptr_equal(map_get(&map, SLICE("key")), &a);
    assert_null(map_get(&map, SLICE("xey")));
    assert_ptr_equal(map_set(&map, SLICE("key"), &b), &a);
    assert_int_equal(map.count, 1);
    assert_null(map_set(&map, SLICE(""), &a));
    assert_null(map_set(&map, SLICE("k\0y"), &a));
    assert_null(map_get(&map, SLICE("k")));
    assert_ptr_equal(map_get(&map, SLICE_NONE), &a); /* absent is empty here */
    assert_ptr_equal(map_remove(&map, SLICE("key")), &b);
    assert_null(map_remove(&map, SLICE("key")));
    assert_int_equal(map.count, 2);
    map_done(&map);
    assert_null(map.slots);
}

static void many_keys_survive_growth_and_removal(void **state)
{
    (void)state;
    struct map map = {0};
    static int values[KEYS];
    char text[16];

    for (int i = 0; i < KEYS; i++)
        assert_null(map_set(&map, key_of(i, text), &values[i]));
    for (int i = 0; i < KEYS; i += 2)
        assert_ptr_equal(map_remove(&map, key_of(i, text)), &values[i]);
    for (int i = 0; i < KEYS; i++)
        assert_ptr_equal(map_get(&map, key_of(i, text)), i % 2 == 0 ? NULL : &values[i]);
    assert_int_equal(map.count, KEYS / 2);
    map_done(&map);
}

static void coming_and_going_keeps_it_small(void **state)
{
    (void)state;
    struct map map = {0};
    char text[16];
    int value;

    for (int i = 0; i < KEYS; i++) {
        assert_null(map_set(&map, key_of(i, text), &value));
        assert_ptr_equal(map_remove(&map, key_of(i, text)), &value);
    }
    assert_int_equal(map.count, 0);
    assert_true(map.cap <= 64);
    map_done(&map);
}

static void a_walk_meets_each_key_once_and_may_remove_it(void **state)
{
    (void)state;
    struct map map = {0};
    static int seen[KEYS];
    struct slice key;
    void *value;
    char text[16];
    size_t at = 0;

    for (int i = 0; i < KEYS; i++)
        assert_null(map_set(&map, key_of(i, text), &seen[i]));
    while (map_next(&map, &at, &key, &value)) {
        ++*(int *)value;
        assert_ptr_equal(map_remove(&map, key), value);
    }
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(map.count, 0);
    map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_map_is_empty),
        cmocka_unit_test(values_are_set_replaced_and_removed),
        cmocka_unit_test(many_keys_survive_growth_and_removal),
        cmocka_unit_test(coming_and_going_keeps_it_small),
        cmocka_unit_test(a_walk_meets_each_key_once_and_may_remove_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
