#include "event/matcher.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "event/anchor.h"
#include "event/census.h"
#include "json/scan.h"

#define TEXTS_MAX_BYTES (16u << 20) /* what does not fit is tried one by one */
#define NO_GROUP SIZE_MAX
#define PLACES_MAX 1000 /* of one filter: it is not found by an operand if that makes more */

/* A filter in the index: once for each of its event types (once if it wants all) and each operand
 * of the condition that it is found by. */
struct place {
    struct slice type; /* SLICE_NONE: any */
    struct slice prefix;
    struct anchor anchor; /* ANCHOR_NONE: only the index of the filter */
};

/* Neighbours with one type, one prefix, and anchors of one key and kind. */
struct run {
    size_t slot; /* 0 = nothing to be found by */
    struct slice key;
    size_t first, count; /* places */
};

/* Neighbours with one type and one prefix. */
struct group {
    struct slice prefix;
    size_t parent; /* the group with the longest prefix that this one begins with, or NO_GROUP */
    size_t first, count; /* runs */
};

/* The groups of one type, in order of their prefixes. */
struct bucket {
    size_t first, count;
};

struct matcher {
    struct filter *const *filters;
    struct place *places;
    struct run *runs;
    struct group *groups;
    struct bucket *buckets;
    size_t place_count, run_count, group_count, bucket_count;
    struct bucket *any_type;  /* in buckets, or NULL */
    struct map types;         /* folded type -> bucket */
    struct map slots;         /* key -> slot, as a number in the pointer */
    struct arena texts;       /* of places that are not those of filters as they stand */
    bool reaches_into_arrays; /* one of the filters does */
    struct lookup lookup;
    struct finds finds;
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
    return fold_copy(&m->texts, filter->subject_begins);
}

static size_t count_types(const struct filter *filter)
{
    return filter->type_count > 0 ? filter->type_count : 1;
}

static const struct filter_condition *choose(const struct census *census,
                                             const struct filter *filter)
{
    return census_choose(census, filter, PLACES_MAX / count_types(filter));
}

static size_t count_places(const struct census *census, const struct filter *filter)
{
    const struct filter_condition *c = choose(census, filter);
    return count_types(filter) * (c != NULL ? c->count : 1);
}

static void add_place(struct matcher *m, size_t index, struct slice prefix, struct anchor anchor)
{
    const struct filter *filter = m->filters[index];

    anchor.index = index;
    for (size_t i = 0; i < count_types(filter); i++)
        m->places[m->place_count++] =
            (struct place){.type = filter->type_count > 0 ? filter->types[i] : SLICE_NONE,
                           .prefix = prefix,
                           .anchor = anchor};
}

static void place_filter(struct matcher *m, const struct census *census, size_t index)
{
    const struct filter *filter = m->filters[index];
    const struct filter_condition *c = choose(census, filter);
    struct slice prefix = prefix_of(m, filter);
    size_t first = m->place_count;
    struct anchor anchor;

    for (size_t i = 0; c != NULL && i < c->count; i++) {
        if (!anchor_make(c, i, &m->texts, &anchor)) {
            m->place_count = first;
            break;
        }
        add_place(m, index, prefix, anchor);
    }
    if (m->place_count == first)
        add_place(m, index, prefix, (struct anchor){.kind = ANCHOR_NONE});
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = (a->type.data != NULL) - (b->type.data != NULL);

    if (order == 0)
        order = slice_cmp(a->type, b->type);
    if (order == 0)
        order = slice_cmp(a->prefix, b->prefix);
    if (order == 0)
        order = anchor_cmp(&a->anchor, &b->anchor);
    if (order == 0)
        order = (a->anchor.index > b->anchor.index) - (a->anchor.index < b->anchor.index);
    return order;
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
    for (size_t i = 0; i < m->place_count; i++) /* a type or operand may be named twice */
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

static struct bucket *add_bucket(struct matcher *m, struct slice type)
{
    struct bucket *bucket = &m->buckets[m->bucket_count++];

    bucket->first = m->group_count;
    if (type.data == NULL)
        m->any_type = bucket;
    else
        (void)map_set(&m->types, type, bucket);
    return bucket;
}

static void add_group(struct matcher *m, struct bucket *bucket, struct slice prefix)
{
    struct group *group = &m->groups[m->group_count];

    group->prefix = prefix;
    group->parent = find_parent(m, bucket, prefix);
    group->first = m->run_count;
    m->group_count++;
    bucket->count++;
}

static struct slice key_of(const struct matcher *m, const struct anchor *anchor)
{
    const struct filter *filter = m->filters[anchor->index];

    for (size_t i = 0; i < filter->condition_count; i++)
        if (filter->conditions[i].slot == anchor->slot)
            return filter->conditions[i].key;
    return SLICE_NONE;
}

static void add_run(struct matcher *m, size_t first)
{
    const struct anchor *anchor = &m->places[first].anchor;

    m->runs[m->run_count++] =
        (struct run){.slot = anchor->slot, .key = key_of(m, anchor), .first = first};
    m->groups[m->group_count - 1].count++;
}

static bool is_same_run(const struct anchor *a, const struct anchor *b)
{
    return a->slot == b->slot && a->kind == b->kind;
}

static void group_places(struct matcher *m)
{
    struct bucket *bucket = NULL;

    for (size_t i = 0; i < m->place_count; i++) {
        const struct place *place = &m->places[i];
        bool is_new_type = i == 0 || !is_same_type(place, place - 1);
        bool is_new_group = is_new_type || !slice_eq(place->prefix, place[-1].prefix);
        if (is_new_type)
            bucket = add_bucket(m, place->type);
        if (is_new_group)
            add_group(m, bucket, place->prefix);
        if (is_new_group || !is_same_run(&place->anchor, &place[-1].anchor))
            add_run(m, i);
        m->runs[m->run_count - 1].count++;
    }
}

static struct anchor_run anchors_of(const struct matcher *m, const struct run *run)
{
    return (struct anchor_run){.first = (char *)&m->places[run->first].anchor,
                               .stride = sizeof(struct place),
                               .count = run->count};
}

static void join_runs(struct matcher *m)
{
    for (size_t i = 0; i < m->run_count; i++) {
        struct anchor_run run = anchors_of(m, &m->runs[i]);
        anchors_join(&run);
    }
}

static size_t count_all_places(const struct matcher *m, const struct census *census, size_t count)
{
    size_t places = 0;

    for (size_t i = 0; i < count; i++)
        places += count_places(census, m->filters[i]);
    return places;
}

struct matcher *matcher_new(struct filter *const *filters, size_t count)
{
    struct matcher *m = mem_new(struct matcher);
    struct census census = {0};

    m->filters = filters;
    arena_init(&m->texts, TEXTS_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        give_slots(m, filters[i]);
        census_add(&census, filters[i]);
        m->reaches_into_arrays |= filters[i]->reaches_into_arrays;
    }
    size_t places = count_all_places(m, &census, count);
    m->places = mem_new_array(places + 1, struct place);
    m->runs = mem_new_array(places + 1, struct run);
    m->groups = mem_new_array(places + 1, struct group);
    m->buckets = mem_new_array(places + 1, struct bucket);
    for (size_t i = 0; i < count; i++)
        place_filter(m, &census, i);
    census_done(&census);
    sort_places(m);
    group_places(m);
    join_runs(m);
    lookup_init(&m->lookup, m->slots.count);
    finds_init(&m->finds, count);
    return m;
}

void matcher_free(struct matcher *m)
{
    if (m == NULL)
        return;
    lookup_done(&m->lookup);
    finds_done(&m->finds);
    map_done(&m->types);
    map_done(&m->slots);
    arena_done(&m->texts);
    free(m->places);
    free(m->runs);
    free(m->groups);
    free(m->buckets);
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

static void find_anchored(struct matcher *m, const struct run *run)
{
    struct anchor_run anchors = anchors_of(m, run);
    struct value value = lookup_value(&m->lookup, run->key, run->slot);
    struct slice array = value.json, item;

    if (value.kind != VALUE_ARRAY) {
        anchors_find(&anchors, &value, &m->finds);
        return;
    }
    while (m->reaches_into_arrays && jx_scan_item(&array, &item)) {
        value = lookup_item(&m->lookup, item);
        anchors_find(&anchors, &value, &m->finds);
    }
}

static void find_in_group(struct matcher *m, const struct group *group)
{
    for (const struct run *run = &m->runs[group->first];
         run < &m->runs[group->first + group->count]; run++) {
        if (run->slot != 0)
            find_anchored(m, run);
        else
            for (size_t i = run->first; i < run->first + run->count; i++)
                finds_add(&m->finds, m->places[i].anchor.index);
    }
}

static void find_in_bucket(struct matcher *m, const struct bucket *bucket)
{
    struct slice subject = m->lookup.folded_subject;
    size_t at = bucket == NULL ? NO_GROUP : find_last(m, bucket, subject);

    for (; at != NO_GROUP; at = m->groups[at].parent)
        if (slice_has_prefix(subject, m->groups[at].prefix))
            find_in_group(m, &m->groups[at]);
}

size_t matcher_match(struct matcher *m, const struct event *event, const size_t **ret)
{
    struct finds *finds = &m->finds;
    size_t hits = 0;

    finds_begin(finds);
    lookup_begin(&m->lookup, event);
    find_in_bucket(m, m->any_type);
    find_in_bucket(m, map_get(&m->types, m->lookup.type));
    for (size_t i = 0; i < finds->count; i++)
        if (filter_matches_rest(m->filters[finds->indexes[i]], &m->lookup))
            finds->indexes[hits++] = finds->indexes[i];
    *ret = finds->indexes;
    return hits;
}
