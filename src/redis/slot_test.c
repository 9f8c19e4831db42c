#include "redis/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

/* The slots are what CLUSTER KEYSLOT of a server answers. */
static void keys_have_the_slots_of_a_server(void **state)
{
    (void)state;
    static const struct {
        struct slice key;
        uint16_t slot;
    } rows[] = {
        {SLICE_INIT(""), 0},
        {SLICE_INIT("a"), 15495},
        {SLICE_INIT("foo"), 12182},
        {SLICE_INIT("123456789"), 12739},
        {SLICE_INIT("user1000"), 3443},
        {SLICE_INIT("{user1000}.following"), 3443},
        {SLICE_INIT("foo{}{bar}"), 8363},
        {SLICE_INIT("foo{{bar}}zap"), 4015},
        {SLICE_INIT("foo{bar}{zap}"), 5061},
        {SLICE_INIT("{"), 4092},
        {SLICE_INIT("}{"), 12793},
        {SLICE_INIT("{}"), 15257},
        {SLICE_INIT("a}b{c}d"), 7365},
        {SLICE_INIT("ключ"), 10303},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(redis_slot(rows[i].key), rows[i].slot);
}

static void a_moved_reply_names_slot_and_server(void **state)
{
    (void)state;
    static const struct {
        struct slice error;
        bool is_moved;
        uint16_t slot;
        struct slice endpoint;
    } rows[] = {
        {SLICE_INIT("MOVED 3999 127.0.0.1:6381"), true, 3999, SLICE_INIT("127.0.0.1:6381")},
        {SLICE_INIT("ASK 16383 [::1]:1"), true, 16383, SLICE_INIT("[::1]:1")},
        {SLICE_INIT("MOVED 16384 a:1"), false, 0, SLICE_INIT("")},
        {SLICE_INIT("MOVED x a:1"), false, 0, SLICE_INIT("")},
        {SLICE_INIT("MOVED 1"), false, 0, SLICE_INIT("")},
        {SLICE_INIT("MOVED 1 "), false, 0, SLICE_INIT("")},
        {SLICE_INIT("MOVED"), false, 0, SLICE_INIT("")},
        {SLICE_INIT(""), false, 0, SLICE_INIT("")},
        {SLICE_INIT("ERR 1 a:1"), false, 0, SLICE_INIT("")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint16_t slot = 0;
        struct slice endpoint = SLICE("");
        assert_int_equal(redis_moved(rows[i].error, &slot, &endpoint), rows[i].is_moved);
        assert_int_equal(slot, rows[i].slot);
        assert_true(slice_eq(endpoint, rows[i].endpoint));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_the_slots_of_a_server),
        cmocka_unit_test(a_moved_reply_names_slot_and_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
