#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"

#define MAP_FIRST_SLOTS 16

/* Open addressing with linear probing. A removed slot keeps its key pointer NULL and its hash 1, so
 * that a search goes on past it; hash 0 ends a search. */
struct map_slot {
    uint64_t hash; /* 0 = never used, 1 = removed, else the hash with its two low bits set aside */
    char *key;
    size_t key_len;
    void *value;
};

static uint64_t hash_of(struct slice key)
{
    return slice_hash(key) | 2;
}

static struct map_slot *find(const struct map *map, struct slice key, uint64_t hash)
{
    if (map->cap == 0)
        return NULL;
    for (size_t i = hash >> 8 & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        struct map_slot *slot = &map->slots[i];
        if (slot->hash == 0)
            return NULL;
        if (slot->hash == hash && slice_eq((struct slice){slot->key, slot->key_len}, key))
            return slot;
    }
}

static struct map_slot *place(struct map_slot *slots, size_t cap, uint64_t hash)
{
    size_t i = hash >> 8 & (cap - 1);
    while (slots[i].key != NULL)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static void rehash(struct map *map)
{
    size_t cap = MAP_FIRST_SLOTS;
    while (cap < map->count * 4)
        cap *= 2;
    struct map_slot *slots = mem_new_array(cap, struct map_slot);
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].key != NULL)
            *place(slots, cap, map->slots[i].hash) = map->slots[i];
    free(map->slots);
    map->slots = slots;
    map->cap = cap;
    map->used = map->count;
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        free(map->slots[i].key);
    free(map->slots);
    *map = (struct map){0};
}

void *map_get(const struct map *map, struct slice key)
{
    struct map_slot *slot = find(map, key, hash_of(key));
    return slot == NULL ? NULL : slot->value;
}

void *map_set(struct map *map, struct slice key, void *value)
{
    uint64_t hash = hash_of(key);
    struct map_slot *slot = find(map, key, hash);
    if (slot != NULL) {
        void *before = slot->value;
        slot->value = value;
        return before;
    }
    if ((map->used + 1) * 2 > map->cap)
        rehash(map);
    slot = place(map->slots, map->cap, hash);
    map->used += slot->hash == 0;
    map->count++;
    *slot = (struct map_slot){hash, slice_dup(key), key.len, value};
    return NULL;
}

void *map_remove(struct map *map, struct slice key)
{
    struct map_slot *slot = find(map, key, hash_of(key));
    if (slot == NULL)
        return NULL;
    void *value = slot->value;
    free(slot->key);
    *slot = (struct map_slot){.hash = 1};
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *at, struct slice *ret_key, void **ret_value)
{
    while (*at < map->cap) {
        const struct map_slot *slot = &map->slots[(*at)++];
        if (slot->key == NULL)
            continue;
        *ret_key = (struct slice){slot->key, slot->key_len};
        *ret_value = slot->value;
        return true;
    }
    return false;
}
