/* event/anchor.h - what a filter can be found by: one operand of one of its conditions.
 * An event's value that agrees with the condition meets at least one of its anchors; a value that
 * meets an anchor may still disagree (bounds count as met), so the filter is asked afterwards.
 * Rules: negated conditions, IsNull and StringContains have none, since no value tells whom they
 * match. Anchors of one key and kind that are sorted by anchor_cmp() and joined by anchors_join()
 * are found in logarithmic time, and one by one only where they are met. */
#ifndef EVENT_ANCHOR_H
#define EVENT_ANCHOR_H

#include "event/filter.h"

enum anchor_kind {
    ANCHOR_NONE,
    ANCHOR_TEXT,   /* the value's text is this */
    ANCHOR_BEGINS, /* it begins with this */
    ANCHOR_ENDS,   /* it ends with this; `text` is backwards */
    ANCHOR_FLAG,   /* it is a boolean; `text` is t or f */
    ANCHOR_RANGE,  /* it is a number from low to high */
};

struct anchor {
    enum anchor_kind kind;
    size_t slot; /* of the key: SIZE_MAX at most */
    struct slice text;
    const struct decimal *low, *high; /* NULL: no bound */
    size_t index;                     /* of the filter */
    size_t up;                        /* by anchors_join(): BEGINS and ENDS: place of the longest
                                         text that this one begins with, among those of the run */
    const struct decimal *most;       /* by anchors_join(): RANGE: the highest of its subtree */
};

/* anchor_kind_of: ANCHOR_NONE if the condition has none. Else it has `count` of them. */
enum anchor_kind anchor_kind_of(const struct filter_condition *condition);
/* anchor_make makes the one of operand i of a condition that has anchors. Texts that are turned
 * round are in the arena; false when that is full. */
bool anchor_make(const struct filter_condition *condition, size_t i, struct arena *arena,
                 struct anchor *ret);
/* anchor_cmp orders by slot, kind, operand. */
int anchor_cmp(const struct anchor *a, const struct anchor *b);

/* A run: anchors of one slot and kind, one after the other, `stride` bytes apart. */
struct anchor_run {
    char *first;
    size_t stride, count;
};
void anchors_join(const struct anchor_run *run);

/* Who is found: each filter once in a round, however many of its anchors are met. */
struct finds {
    size_t *indexes; /* room for every filter */
    size_t count;
    uint64_t *rounds; /* of each filter: when it was found last */
    uint64_t round;
    struct buf backwards; /* of the value that is looked at */
};
void finds_init(struct finds *finds, size_t filter_count);
void finds_done(struct finds *finds);
void finds_begin(struct finds *finds); /* a new round: nobody is found yet */
void finds_add(struct finds *finds, size_t index);

/* anchors_find adds who meets the value; one that is an array meets none. */
void anchors_find(const struct anchor_run *run, const struct value *value, struct finds *finds);

#endif
