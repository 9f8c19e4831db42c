#include "apps/keyspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

static void notifications_are_told_from_messages(void **state)
{
    static const struct {
        const char *channel, *payload;
        bool is_one, is_keyevent, is_own;
        const char *key, *event;
    } rows[] = {
        {"__keyspace@0__:testKey", "set", true, false, false, "testKey", "set"},
        {"__keyevent@12__:del", "a b", true, true, false, "a b", "del"},
        {"__keyspace@0__:redgrid:{q}:list:f", "lpush", true, false, true, "redgrid:{q}:list:f",
         "lpush"},
        {"__keyevent@0__:lpush", "redgrid:{q}:list:f", true, true, true, "redgrid:{q}:list:f",
         "lpush"},
        {"__keyspace@0__:", "set", true, false, false, "", "set"},
        {"__keyspace@__:k", "set", false, false, false, NULL, NULL},
        {"__keyspace@x__:k", "set", false, false, false, NULL, NULL},
        {"__keyspace@0__k", "set", false, false, false, NULL, NULL},
        {"redgrid:news", "redgrid:x", false, false, false, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice channel = slice_of(rows[i].channel), payload = slice_of(rows[i].payload);
        struct keyspace_event event;
        assert_int_equal(keyspace_parse(channel, payload, &event), rows[i].is_one);
        assert_int_equal(keyspace_is_own(channel, payload), rows[i].is_own);
        if (!rows[i].is_one)
            continue;
        assert_int_equal(event.is_keyevent, rows[i].is_keyevent);
        assert_true(slice_eq(event.key, slice_of(rows[i].key)));
        assert_true(slice_eq(event.event, slice_of(rows[i].event)));
        assert_int_equal(event.database, rows[i].is_keyevent && !rows[i].is_own ? 12 : 0);
    }
}

static void events_have_classes(void **state)
{
    static const struct {
        const char *event, *classes;
    } rows[] = {
        {"set", "A$"},
        {"expired", "Ax"},
        {"persist", "Ag"},
        {"xadd", "At"},
        {"new", "n"},
        {"keymiss", "m"},
        {"SET", "Ag$lshzxetdmn"},
        {"se", "Ag$lshzxetdmn"},
        {"*", "Ag$lshzxetdmn"},
        {"", "Ag$lshzxetdmn"},
        {"set ", "Ag$lshzxetdmn"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(keyspace_classes(slice_of(rows[i].event)), rows[i].classes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications_are_told_from_messages),
        cmocka_unit_test(events_have_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
