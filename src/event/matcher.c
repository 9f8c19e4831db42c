#include "event/matcher.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define PREFIXES_MAX_BYTES (16u << 20) /* what does not fit is tried one by one */
#define NO_GROUP SIZE_MAX

/* A filter in the index: once for each of its event types, once if it wants all. */
struct place {
    struct slice type; /* SLICE_NONE: any */
    struct slice prefix;
    size_t index;
};

/* Neighbours with one type and one prefix. */
struct group {
    struct slice prefix;
    size_t parent; /* the group with the longest prefix that this one begins with, or NO_GROUP */
    size_t first, count; /* places */
};

/* The groups of one type, in order of their prefixes. */
struct bucket {
    size_t first, count;
};

struct matcher {
    struct filter *const *filters;
    struct place *places;
    struct group *groups;
    struct bucket *buckets;
    size_t place_count, group_count, bucket_count;
    struct bucket *any_type; /* in buckets, or NULL */
    struct map types;        /* folded type -> bucket */
    struct map slots;        /* key -> slot, as a number in the pointer */
    struct arena prefixes;   /* folded, of filters that do mind the case */
    struct lookup lookup;
    size_t *hits;
    size_t hit_count;
};

static void give_slots(struct matcher *m, struct filter *filter)
{
    for (size_t i = 0; i < filter->condition_count; i++) {
        struct filter_condition *c = &filter->conditions[i];
        uintptr_t slot = (uintptr_t)map_get(&m->slots, c->key);
        if (slot == 0) {
            slot = m->slots.count + 1;
            (void)map_set(&m->slots, c->key, (void *)slot);
        }
        c->slot = slot;
    }
}

static struct slice prefix_of(struct matcher *m, const struct filter *filter)
{
    if (!filter->is_subject_case_sensitive)
        return filter->subject_begins;
    return fold_copy(&m->prefixes, filter->subject_begins);
}

static void place_filter(struct matcher *m, size_t index)
{
    const struct filter *filter = m->filters[index];
    struct place place = {.prefix = prefix_of(m, filter), .index = index};

    if (filter->type_count == 0)
        m->places[m->place_count++] = place;
    for (size_t i = 0; i < filter->type_count; i++) {
        place.type = filter->types[i];
        m->places[m->place_count++] = place;
    }
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = (a->type.data != NULL) - (b->type.data != NULL);

    if (order == 0)
        order = slice_cmp(a->type, b->type);
    if (order == 0)
        order = slice_cmp(a->prefix, b->prefix);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static bool is_same_type(const struct place *a, const struct place *b)
{
    return (a->type.data != NULL) == (b->type.data != NULL) && slice_eq(a->type, b->type);
}

static void sort_places(struct matcher *m)
{
    size_t kept = 0;

    if (m->place_count > 0)
        qsort(m->places, m->place_count, sizeof *m->places, compare_places);
    for (size_t i = 0; i < m->place_count; i++) /* a type may be named twice */
        if (i == 0 || compare_places(&m->places[i], &m->places[kept - 1]) != 0)
            m->places[kept++] = m->places[i];
    m->place_count = kept;
}

/* In sorted order, all that a prefix begins with are ancestors of the one before it. */
static size_t find_parent(const struct matcher *m, const struct bucket *bucket, struct slice prefix)
{
    size_t at = bucket->count == 0 ? NO_GROUP : bucket->first + bucket->count - 1;

    while (at != NO_GROUP && !slice_has_prefix(prefix, m->groups[at].prefix))
        at = m->groups[at].parent;
    return at;
}

static void group_places(struct matcher *m)
{
    struct bucket *bucket = NULL;

    for (size_t i = 0; i < m->place_count; i++) {
        const struct place *place = &m->places[i];
        bool is_new_type = i == 0 || !is_same_type(place, place - 1);
        if (is_new_type) {
            bucket = &m->buckets[m->bucket_count++];
            bucket->first = m->group_count;
            if (place->type.data == NULL)
                m->any_type = bucket;
            else
                (void)map_set(&m->types, place->type, bucket);
        }
        if (is_new_type || !slice_eq(place->prefix, place[-1].prefix)) {
            size_t parent = find_parent(m, bucket, place->prefix);
            m->groups[m->group_count++] =
                (struct group){.prefix = place->prefix, .parent = parent, .first = i};
            bucket->count++;
        }
        m->groups[m->group_count - 1].count++;
    }
}

struct matcher *matcher_new(struct filter *const *filters, size_t count)
{
    struct matcher *m = mem_new(struct matcher);
    size_t places = 0;

    m->filters = filters;
    arena_init(&m->prefixes, PREFIXES_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        places += filters[i]->type_count == 0 ? 1 : filters[i]->type_count;
        give_slots(m, filters[i]);
    }
    m->places = mem_new_array(places + 1, struct place);
    m->groups = mem_new_array(places + 1, struct group);
    m->buckets = mem_new_array(places + 1, struct bucket);
    m->hits = mem_new_array(count + 1, size_t);
    for (size_t i = 0; i < count; i++)
        place_filter(m, i);
    sort_places(m);
    group_places(m);
    lookup_init(&m->lookup, m->slots.count);
    return m;
}

void matcher_free(struct matcher *m)
{
    if (m == NULL)
        return;
    lookup_done(&m->lookup);
    map_done(&m->types);
    map_done(&m->slots);
    arena_done(&m->prefixes);
    free(m->places);
    free(m->groups);
    free(m->buckets);
    free(m->hits);
    free(m);
}

/* The last group whose prefix does not come behind the subject. */
static size_t find_last(const struct matcher *m, const struct bucket *bucket, struct slice subject)
{
    size_t low = bucket->first, high = bucket->first + bucket->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(m->groups[middle].prefix, subject) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low == bucket->first ? NO_GROUP : low - 1;
}

static void try_group(struct matcher *m, const struct group *group)
{
    for (size_t i = group->first; i < group->first + group->count; i++) {
        size_t index = m->places[i].index;
        if (filter_matches_rest(m->filters[index], &m->lookup))
            m->hits[m->hit_count++] = index;
    }
}

static void try_bucket(struct matcher *m, const struct bucket *bucket)
{
    struct slice subject = m->lookup.folded_subject;
    size_t at = bucket == NULL ? NO_GROUP : find_last(m, bucket, subject);

    for (; at != NO_GROUP; at = m->groups[at].parent)
        if (slice_has_prefix(subject, m->groups[at].prefix))
            try_group(m, &m->groups[at]);
}

size_t matcher_match(struct matcher *m, const struct event *event, const size_t **ret)
{
    m->hit_count = 0;
    lookup_begin(&m->lookup, event);
    try_bucket(m, m->any_type);
    try_bucket(m, map_get(&m->types, m->lookup.type));
    *ret = m->hits;
    return m->hit_count;
}
