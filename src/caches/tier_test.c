#include "caches/tier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void sizes_are_those_of_the_table(void **state)
{
    static const struct {
        enum cache_tier tier;
        uint32_t capacity;
        uint64_t mb;
        uint32_t clients, databases;
    } rows[] = {
        {TIER_BASIC, 0, 250, 256, 16},        {TIER_STANDARD, 0, 250, 256, 16},
        {TIER_STANDARD, 1, 1024, 1000, 16},   {TIER_BASIC, 2, 2560, 2000, 16},
        {TIER_STANDARD, 3, 6144, 5000, 16},   {TIER_BASIC, 4, 13312, 10000, 32},
        {TIER_BASIC, 5, 26624, 15000, 48},    {TIER_STANDARD, 6, 54272, 20000, 64},
        {TIER_PREMIUM, 1, 6144, 7500, 16},    {TIER_PREMIUM, 2, 13312, 15000, 32},
        {TIER_PREMIUM, 3, 26624, 30000, 48},  {TIER_PREMIUM, 4, 54272, 40000, 64},
        {TIER_PREMIUM, 5, 122880, 40000, 64},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct cache_size *size = cache_size_of(rows[i].tier, rows[i].capacity);
        assert_non_null(size);
        assert_int_equal(size->memory_bytes, rows[i].mb * CACHE_MB);
        assert_int_equal(size->clients_max, rows[i].clients);
        assert_int_equal(size->databases_max, rows[i].databases);
    }
}

static void every_size_of_a_tier_is_there_and_no_other(void **state)
{
    (void)state;
    for (int tier = TIER_BASIC; tier <= TIER_PREMIUM; tier++) {
        const struct cache_tier_rules *rules = cache_tier_rules((enum cache_tier)tier);
        for (uint32_t capacity = 0; capacity < 9; capacity++) {
            bool is_one = capacity >= rules->capacity_first && capacity <= rules->capacity_last;
            assert_int_equal(cache_size_of((enum cache_tier)tier, capacity) != NULL, is_one);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_the_table),
        cmocka_unit_test(every_size_of_a_tier_is_there_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
