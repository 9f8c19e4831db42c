#include "caches/slots.h"

#include "caches/testing.h"

static const uint32_t ids[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static struct slot_map fresh(size_t count)
{
    struct slot_map nothing, ret;

    slot_map_init(&nothing);
    slot_map_plan(&nothing, ids, count, &ret);
    return ret;
}

static size_t ranges_of(const struct slot_map *map, uint16_t shard)
{
    struct cache_slots range;
    size_t count = 0;

    for (uint32_t at = 0; slot_map_range(map, shard, &at, &range);)
        count++;
    return count;
}

static void a_new_cluster_has_one_even_range_for_each_shard(void **state)
{
    struct cache_slots range;
    uint32_t at = 0;

    (void)state;
    for (size_t count = 1; count <= CACHE_SHARDS_MAX; count++) {
        struct slot_map map = fresh(count);
        for (uint16_t i = 0; i < count; i++) {
            size_t has = slot_map_count(&map, i);
            assert_true(has == CACHE_SLOTS / count || has == CACHE_SLOTS / count + 1);
            assert_int_equal(ranges_of(&map, i), 1);
        }
        assert_int_equal(slot_map_count(&map, SLOT_NOBODY), 0);
    }
    struct slot_map map = fresh(3);
    assert_true(slot_map_range(&map, 0, &at, &range)); /* what cannot be shared is the first's */
    assert_int_equal(range.first, 0);
    assert_int_equal(range.last, 5461);
    assert_false(slot_map_range(&map, 0, &at, &range));
}

/* What a shard has above its share, or has to leave, must move; nothing else does. */
static size_t least(const struct slot_map *from, size_t count)
{
    size_t moves = 0, over = CACHE_SLOTS % count;

    for (uint16_t i = 0; i < CACHE_SHARDS_MAX; i++) {
        size_t has = slot_map_count(from, i), share = CACHE_SLOTS / count;
        if (i >= count) {
            moves += has;
            continue;
        }
        if (has > share && over > 0) {
            share++;
            over--;
        }
        moves += has > share ? has - share : 0;
    }
    return moves;
}

static void a_plan_moves_no_more_than_it_must(void **state)
{
    (void)state;
    for (size_t n = 1; n <= CACHE_SHARDS_MAX; n++)
        for (size_t m = 1; m <= CACHE_SHARDS_MAX; m++) {
            struct slot_map from = fresh(n), to;
            slot_map_plan(&from, ids, m, &to);
            assert_int_equal(slot_map_moves(&from, &to), least(&from, m));
            assert_int_equal(slot_map_count(&to, SLOT_NOBODY), 0);
            for (uint16_t i = 0; i < m; i++) {
                size_t has = slot_map_count(&to, i);
                assert_true(has == CACHE_SLOTS / m || has == CACHE_SLOTS / m + 1);
            }
        }
}

/* Years of scaling must fit into a record. */
static void the_pieces_of_a_shard_stay_few(void **state)
{
    struct slot_map map = fresh(3);

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        size_t count = 1 + (round * 7 + round / 3) % CACHE_SHARDS_MAX;
        struct slot_map next;
        slot_map_plan(&map, ids, count, &next);
        map = next;
        for (uint16_t i = 0; i < count; i++)
            assert_true(ranges_of(&map, i) <= CACHE_SLOT_RANGES_MAX / 4);
    }
}

static void shards_may_have_any_ids(void **state)
{
    const uint32_t some[] = {7, 2, 19};
    struct slot_map from = fresh(3), to;

    (void)state;
    slot_map_plan(&from, some, COUNT_OF(some), &to);
    assert_int_equal(slot_map_moves(&from, &to), CACHE_SLOTS - slot_map_count(&from, 2));
    assert_int_equal(slot_map_count(&to, 2) + slot_map_count(&to, 7) + slot_map_count(&to, 19),
                     CACHE_SLOTS);
}

static void the_record_says_the_same(void **state)
{
    struct slot_map map = fresh(3), scaled, read;
    struct cache_state cache;
    struct cause why = {0};

    (void)state;
    cache_state_init(&cache);
    for (uint32_t i = 0; i < 4; i++)
        assert_non_null(cache_state_shard(&cache, i));
    assert_int_equal(slot_map_store(&map, &cache, &why), E_OK);
    assert_int_equal(cache.shards[0].slot_count, 1);
    assert_int_equal(cache.shards[3].slot_count, 0);
    slot_map_plan(&map, ids, 4, &scaled);
    assert_int_equal(slot_map_store(&scaled, &cache, &why), E_OK);
    slot_map_of(&read, &cache);
    assert_memory_equal(&read, &scaled, sizeof read);
    cache_state_done(&cache);
}

static void what_does_not_fit_changes_nothing(void **state)
{
    struct slot_map map = fresh(1), read;
    struct cache_state cache;
    struct cause why = {0};

    (void)state;
    cache_state_init(&cache);
    assert_non_null(cache_state_shard(&cache, 0));
    assert_int_equal(slot_map_store(&map, &cache, &why), E_OK);
    struct slot_map other = fresh(2);
    assert_int_equal(slot_map_store(&other, &cache, &why), E_LIMIT); /* shard 1 is not there */
    for (size_t slot = 0; slot < CACHE_SLOTS; slot += 2)
        other.shard[slot] = SLOT_NOBODY;
    assert_non_null(cache_state_shard(&cache, 1));
    assert_int_equal(slot_map_store(&other, &cache, &why), E_LIMIT); /* 4096 pieces each */
    slot_map_of(&read, &cache);
    assert_memory_equal(&read, &map, sizeof read);
    cache_state_done(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_cluster_has_one_even_range_for_each_shard),
        cmocka_unit_test(a_plan_moves_no_more_than_it_must),
        cmocka_unit_test(the_pieces_of_a_shard_stay_few),
        cmocka_unit_test(shards_may_have_any_ids),
        cmocka_unit_test(the_record_says_the_same),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
