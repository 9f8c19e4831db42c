#include "event/matcher.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define PREFIXES_MAX_BYTES (16u << 20) /* what does not fit is tried one by one */
#define NO_GROUP SIZE_MAX
#define ANCHORED_TYPES_MAX                                                                         \
    40 /* a filter with more is not found by a text, or has too many places */

/* A filter in the index: once for each of its event types (once if it wants all) and each text of
 * its first StringIn. */
struct place {
    struct slice type; /* SLICE_NONE: any */
    struct slice prefix;
    size_t slot; /* of the StringIn's key; 0 = the filter has none */
    struct slice text;
    size_t index;
};

/* Neighbours with one type, one prefix, and one key, in order of the texts. */
struct run {
    size_t slot;
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

/* What a filter can be found by, beside type and subject; NULL = nothing. One that reaches into
 * arrays would have to be found by each item. */
static const struct filter_condition *anchor_of(const struct filter *filter)
{
    if (filter->reaches_into_arrays || filter->type_count > ANCHORED_TYPES_MAX)
        return NULL;
    for (size_t i = 0; i < filter->condition_count; i++)
        if (filter->conditions[i].op == OP_TEXT_IN)
            return &filter->conditions[i];
    return NULL;
}

static size_t count_places(const struct filter *filter)
{
    const struct filter_condition *anchor = anchor_of(filter);
    size_t types = filter->type_count > 0 ? filter->type_count : 1;

    return types * (anchor != NULL ? anchor->count : 1);
}

static void place_filter(struct matcher *m, size_t index)
{
    const struct filter *filter = m->filters[index];
    const struct filter_condition *anchor = anchor_of(filter);
    struct slice prefix = prefix_of(m, filter);
    size_t texts = anchor != NULL ? anchor->count : 1, count = count_places(filter);

    for (size_t i = 0; i < count; i++) {
        struct place *place = &m->places[m->place_count++];
        *place = (struct place){.prefix = prefix, .index = index};
        if (filter->type_count > 0)
            place->type = filter->types[i / texts];
        if (anchor != NULL) {
            place->slot = anchor->slot;
            place->text = anchor->texts[i % texts];
        }
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
    if (order == 0)
        order = (a->slot > b->slot) - (a->slot < b->slot);
    if (order == 0)
        order = slice_cmp(a->text, b->text);
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
    for (size_t i = 0; i < m->place_count; i++) /* a type or text may be named twice */
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

static void add_run(struct matcher *m, const struct place *place, size_t first)
{
    const struct filter_condition *anchor = anchor_of(m->filters[place->index]);

    m->runs[m->run_count++] = (struct run){
        .slot = place->slot,
        .key = anchor != NULL ? anchor->key : SLICE_NONE,
        .first = first,
    };
    m->groups[m->group_count - 1].count++;
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
        if (is_new_group || place->slot != place[-1].slot)
            add_run(m, place, i);
        m->runs[m->run_count - 1].count++;
    }
}

struct matcher *matcher_new(struct filter *const *filters, size_t count)
{
    struct matcher *m = mem_new(struct matcher);
    size_t places = 0;

    m->filters = filters;
    arena_init(&m->prefixes, PREFIXES_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        places += count_places(filters[i]);
        give_slots(m, filters[i]);
    }
    m->places = mem_new_array(places + 1, struct place);
    m->runs = mem_new_array(places + 1, struct run);
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
    free(m->runs);
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

static void try_filter(struct matcher *m, size_t index)
{
    if (filter_matches_rest(m->filters[index], &m->lookup))
        m->hits[m->hit_count++] = index;
}

/* The first place of a run whose text does not come before `text`. */
static size_t find_text(const struct matcher *m, const struct run *run, struct slice text)
{
    size_t low = run->first, high = run->first + run->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(m->places[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The places with one text, which an event's value has: counted first, since trying a filter may
 * end the value's life. */
static void try_anchored(struct matcher *m, const struct run *run)
{
    struct value value = lookup_value(&m->lookup, run->key, run->slot);
    size_t end = run->first + run->count;

    if (value.text.data == NULL)
        return;
    size_t first = find_text(m, run, value.text), last = first;
    while (last < end && slice_eq(m->places[last].text, value.text))
        last++;
    for (size_t i = first; i < last; i++)
        try_filter(m, m->places[i].index);
}

static void try_group(struct matcher *m, const struct group *group)
{
    for (const struct run *run = &m->runs[group->first];
         run < &m->runs[group->first + group->count]; run++) {
        if (run->slot != 0)
            try_anchored(m, run);
        else
            for (size_t i = run->first; i < run->first + run->count; i++)
                try_filter(m, m->places[i].index);
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
