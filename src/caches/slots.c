#include "caches/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void slot_map_init(struct slot_map *map)
{
    for (size_t slot = 0; slot < CACHE_SLOTS; slot++)
        map->shard[slot] = SLOT_NOBODY;
}

void slot_map_of(struct slot_map *map, const struct cache_state *state)
{
    slot_map_init(map);
    for (size_t i = 0; i < state->shard_count; i++) {
        const struct cache_shard *shard = &state->shards[i];
        for (size_t r = 0; r < shard->slot_count; r++)
            for (size_t slot = shard->slots[r].first; slot <= shard->slots[r].last; slot++)
                map->shard[slot] = (uint16_t)shard->id;
    }
}

size_t slot_map_count(const struct slot_map *map, uint16_t shard)
{
    size_t count = 0;

    for (size_t slot = 0; slot < CACHE_SLOTS; slot++)
        count += map->shard[slot] == shard;
    return count;
}

size_t slot_map_moves(const struct slot_map *from, const struct slot_map *to)
{
    size_t count = 0;

    for (size_t slot = 0; slot < CACHE_SLOTS; slot++)
        count += from->shard[slot] != SLOT_NOBODY && from->shard[slot] != to->shard[slot];
    return count;
}

bool slot_map_range(const struct slot_map *map, uint16_t shard, uint32_t *at,
                    struct cache_slots *ret)
{
    uint32_t first = *at;

    while (first < CACHE_SLOTS && map->shard[first] != shard)
        first++;
    if (first >= CACHE_SLOTS)
        return false;
    uint32_t end = first;
    while (end < CACHE_SLOTS && map->shard[end] == shard)
        end++;
    *ret = (struct cache_slots){(uint16_t)first, (uint16_t)(end - 1)};
    *at = end;
    return true;
}

/* ---- the record ---- */

static size_t count_ranges(const struct slot_map *map, uint16_t shard)
{
    struct cache_slots range;
    size_t count = 0;

    for (uint32_t at = 0; slot_map_range(map, shard, &at, &range);)
        count++;
    return count;
}

static enum err check_fits(const struct slot_map *map, const struct cache_state *state,
                           struct cause *why)
{
    size_t slots = slot_map_count(map, SLOT_NOBODY);

    for (size_t i = 0; i < state->shard_count; i++) {
        uint16_t id = (uint16_t)state->shards[i].id;
        slots += slot_map_count(map, id);
        if (count_ranges(map, id) > CACHE_SLOT_RANGES_MAX)
            return cause_set(why, E_LIMIT, "shard %u: its slots are in more than %d pieces", id,
                             CACHE_SLOT_RANGES_MAX);
    }
    if (slots != CACHE_SLOTS)
        return cause_set(why, E_LIMIT, "a shard that is not there would have slots");
    return E_OK;
}

enum err slot_map_store(const struct slot_map *map, struct cache_state *state, struct cause *why)
{
    enum err err = check_fits(map, state, why);

    for (size_t i = 0; err == E_OK && i < state->shard_count; i++) {
        struct cache_shard *shard = &state->shards[i];
        uint16_t id = (uint16_t)shard->id;
        struct cache_slots range;

        free(shard->slots);
        shard->slots = mem_new_array(count_ranges(map, id) + 1, struct cache_slots);
        shard->slot_count = 0;
        for (uint32_t at = 0; slot_map_range(map, id, &at, &range);)
            shard->slots[shard->slot_count++] = range;
    }
    return err;
}

/* ---- the plan ---- */

struct share {
    uint16_t shard;
    size_t has;  /* of the slots that it may keep */
    size_t goal; /* how many it shall have */
};

static struct share *find_share(struct share *shares, size_t count, uint16_t shard)
{
    for (size_t i = 0; i < count; i++)
        if (shares[i].shard == shard)
            return &shares[i];
    return NULL;
}

static int by_most(const void *a, const void *b)
{
    const struct share *left = a, *right = b;

    if (left->has != right->has)
        return left->has > right->has ? -1 : 1;
    return left->shard < right->shard ? -1 : 1;
}

static int by_shard(const void *a, const void *b)
{
    const struct share *left = a, *right = b;
    return left->shard < right->shard ? -1 : 1;
}

/* Who has the most keeps one more, if the shares cannot be equal. */
static void set_goals(struct share *shares, size_t count)
{
    size_t over = CACHE_SLOTS % count;

    qsort(shares, count, sizeof *shares, by_most);
    for (size_t i = 0; i < count; i++)
        shares[i].goal = CACHE_SLOTS / count + (i < over ? 1 : 0);
    qsort(shares, count, sizeof *shares, by_shard);
}

void slot_map_plan(const struct slot_map *from, const uint32_t *shards, size_t count,
                   struct slot_map *ret)
{
    struct share *shares = mem_new_array(count, struct share);
    size_t taker = 0;

    assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        uint16_t id = (uint16_t)shards[i];
        shares[i] = (struct share){.shard = id, .has = slot_map_count(from, id)};
    }
    set_goals(shares, count);
    for (size_t i = 0; i < count; i++)
        shares[i].has = 0;
    for (size_t slot = 0; slot < CACHE_SLOTS; slot++) { /* each keeps what it may */
        struct share *share = find_share(shares, count, from->shard[slot]);
        bool is_kept = share != NULL && share->has < share->goal;
        ret->shard[slot] = is_kept ? share->shard : SLOT_NOBODY;
        if (is_kept)
            share->has++;
    }
    for (size_t slot = 0; slot < CACHE_SLOTS; slot++) { /* the others get the rest */
        while (taker < count && shares[taker].has == shares[taker].goal)
            taker++;
        if (ret->shard[slot] != SLOT_NOBODY)
            continue;
        assert(taker < count);
        ret->shard[slot] = shares[taker].shard;
        shares[taker].has++;
    }
    free(shares);
}
