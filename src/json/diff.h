/* json/diff.h - what differs between two JSON objects, member by member. */
#ifndef JSON_DIFF_H
#define JSON_DIFF_H

#include "base/str.h"

/* One difference; absent values are SLICE_NONE. Borrowed: the path until `take` returns. */
struct jx_difference {
    const char *path; /* "a.b[2].c" */
    struct slice before, after;
};

/* jx_diff calls `take` for each member that differs, in the order of `after`, and returns how many
 * there are. Both are valid objects. Objects, and arrays of objects, are walked into; an array of
 * anything else differs as a whole. Numbers differ by their text, texts by what they stand for, and
 * what says nothing (absent, null, false, "", {}, []) is equal to all that says nothing. Pure but
 * for `take`. */
size_t jx_diff(struct slice before, struct slice after,
               void (*take)(void *ctx, const struct jx_difference *difference), void *ctx);

/* jx_at follows such a path into a valid value; SLICE_NONE if it leads nowhere. */
struct slice jx_at(struct slice json, const char *path);

#endif
