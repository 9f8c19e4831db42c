#include "router/rate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

/* Sends as much as it may for a time, asking when it is told to. */
static size_t sent(struct rate *rate, uint64_t *now_ms, uint64_t for_ms, size_t *ret_largest)
{
    size_t all = 0;

    *ret_largest = 0;
    for (uint64_t until_ms = *now_ms + for_ms; *now_ms < until_ms;) {
        size_t room = rate_room(rate, 1000000, *now_ms);
        rate_spend(rate, room);
        all += room;
        *ret_largest = room > *ret_largest ? room : *ret_largest;
        *now_ms += rate_wait_ms(rate);
    }
    return all;
}

static void a_rate_is_met_to_the_event(void **state)
{
    static const uint32_t rates[] = {1, 3, 7, 10, 64, 999, 1000, 4096, 100000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        struct rate rate;
        uint64_t now_ms = 5000;
        size_t largest;
        rate_init(&rate, rates[i], now_ms);
        size_t all = sent(&rate, &now_ms, 60000, &largest);
        assert_in_range(all, 60 * rates[i] - rates[i] / 50, 60 * rates[i] + 1);
        assert_in_range(largest, 1, 1 + rates[i] / 50); /* evenly, not in bursts */
    }
}

static void a_pause_saves_up_little(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 50, 0);
    assert_int_equal(rate_room(&rate, 100, 0), 1);
    assert_int_equal(rate_room(&rate, 100, UINT64_MAX / 2), 5);
    rate_init(&rate, 1, 0);
    assert_int_equal(rate_room(&rate, 100, 3600000), 1);
}

static void more_than_may_is_made_up_for(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 10, 0);
    rate_spend(&rate, 11);
    assert_int_equal(rate_room(&rate, 9, 1000), 0);
    assert_int_equal(rate_wait_ms(&rate), 100);
    assert_int_equal(rate_room(&rate, 9, 1099), 0);
    assert_int_equal(rate_room(&rate, 9, 1100), 1);
    assert_int_equal(rate_room(&rate, 9, 900), 1); /* a clock that stands still does no harm */
}

static void without_a_rate_all_may(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 0, 0);
    rate_spend(&rate, 1000000);
    assert_int_equal(rate_room(&rate, 256, 0), 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_met_to_the_event),
        cmocka_unit_test(a_pause_saves_up_little),
        cmocka_unit_test(more_than_may_is_made_up_for),
        cmocka_unit_test(without_a_rate_all_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
