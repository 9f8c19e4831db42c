#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"
#include "invokers/runs.h"

#define MANY 5000

/* Against the plainest model: an array of what should be there. */
static void the_table_finds_what_is_in_it_and_nothing_else(void **state)
{
    struct invocation_table table = {0};
    struct invocation *all = mem_new_array(MANY, struct invocation);
    bool is_in[MANY] = {false};
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        all[i].id = id_next();
    for (int round = 0; round < 50000; round++) {
        size_t at = rand_u64() % MANY;
        if (is_in[at])
            invocation_table_remove(&table, &all[at]);
        else
            invocation_table_add(&table, &all[at]);
        count += is_in[at] ? (size_t)-1 : 1;
        is_in[at] = !is_in[at];
        size_t other = rand_u64() % MANY;
        assert_ptr_equal(invocation_table_find(&table, id_slice(&all[other].id)),
                         is_in[other] ? &all[other] : NULL);
        assert_int_equal(table.count, count);
    }
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(invocation_table_find(&table, id_slice(&all[i].id)),
                         is_in[i] ? &all[i] : NULL);
    assert_null(invocation_table_find(&table, SLICE("short")));
    assert_null(invocation_table_find(&table, SLICE_NONE));
    invocation_table_done(&table);
    free(all);
}

static void clocks_start_when_sent_or_when_oldest(void **state)
{
    (void)state;
    for (int is_serial = 0; is_serial < 2; is_serial++) {
        struct runs runs;
        struct invocation a = {.id = id_next()}, b = {.id = id_next()};
        runs_init(&runs, 100, is_serial);
        assert_int_equal(runs_expiry_ms(&runs), 0);
        assert_null(runs_oldest(&runs));
        runs_add(&runs, &a, 1000);
        runs_add(&runs, &b, 1010);
        assert_int_equal(runs_expiry_ms(&runs), 1100);
        assert_ptr_equal(runs_find(&runs, id_slice(&b.id)), &b);
        runs_remove(&runs, &a, 1050);
        assert_null(runs_find(&runs, id_slice(&a.id)));
        assert_ptr_equal(runs_oldest(&runs), &b);
        assert_int_equal(runs_expiry_ms(&runs), is_serial ? 1150 : 1110);
        runs_restart(&runs, 1060);
        assert_int_equal(runs_expiry_ms(&runs), 1160);
        runs_done(&runs);
        runs_init(&runs, 0, is_serial);
        runs_add(&runs, &a, 1000);
        assert_int_equal(runs_expiry_ms(&runs), 0);
        runs_done(&runs);
    }
}

static void the_wait_for_one_more_follows_how_fast_they_end(void **state)
{
    static struct invocation all[100];
    struct runs runs;

    (void)state;
    runs_init(&runs, 0, true);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        all[i].id = id_next();
    assert_int_equal(runs_wait_us(&runs, 0), UINT64_MAX); /* nobody can tell yet */
    for (size_t i = 0; i < COUNT_OF(all); i++)
        runs_add(&runs, &all[i], 1000);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        runs_remove(&runs, &all[i], 1010); /* in all 10 ms */
    assert_int_equal(runs_wait_us(&runs, 5000), 0);
    runs_add(&runs, &all[0], 5000);
    runs_add(&runs, &all[1], 5000);
    assert_int_equal(runs_wait_us(&runs, 5000), 200);
    assert_int_equal(runs_wait_us(&runs, 5010), 10000); /* one hangs */
    runs_remove(&runs, &all[0], 6000);
    assert_in_range(runs_wait_us(&runs, 6000), 9900, 10100);
    runs_remove(&runs, &all[1], 6000);
    runs_add(&runs, &all[0], 9000);
    assert_in_range(runs_wait_us(&runs, 9000), 9900, 10100);
    runs_done(&runs);
}

static void runs_too_quick_for_the_clock_still_take_some_time(void **state)
{
    static struct invocation run;
    struct runs runs;

    (void)state;
    run.id = id_next();
    runs_init(&runs, 0, true);
    for (int i = 0; i < 50000; i++) {
        runs_add(&runs, &run, 1000);
        runs_remove(&runs, &run, 1000);
    }
    runs_add(&runs, &run, 1000);
    assert_int_equal(runs_wait_us(&runs, 1000), 5);
    runs_done(&runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_finds_what_is_in_it_and_nothing_else),
        cmocka_unit_test(clocks_start_when_sent_or_when_oldest),
        cmocka_unit_test(the_wait_for_one_more_follows_how_fast_they_end),
        cmocka_unit_test(runs_too_quick_for_the_clock_still_take_some_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
