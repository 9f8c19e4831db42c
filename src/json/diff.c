#include "json/diff.h"

#include <stdio.h>
#include <string.h>

#include "json/scan.h"

#define PATH_MAX_BYTES 512
#define NAME_MAX_BYTES 128

struct walk {
    void (*take)(void *ctx, const struct jx_difference *difference);
    void *ctx;
    size_t count;
};

static char kind_of(struct slice json)
{
    return json.len > 0 ? json.data[0] : 'n';
}

static bool says_nothing(struct slice json)
{
    struct slice rest = json, item;
    struct jx_field field;

    switch (kind_of(json)) {
    case '{':
        return !jx_scan_next(&rest, &field);
    case '[':
        return !jx_scan_item(&rest, &item);
    case '"':
        return json.len == 2;
    default:
        return kind_of(json) == 'n' || kind_of(json) == 'f';
    }
}

static bool is_same_text(struct slice a, struct slice b)
{
    struct buf x, y;

    if (slice_eq(a, b))
        return true;
    buf_init(&x, a.len);
    buf_init(&y, b.len);
    jx_scan_add_string(&x, a);
    jx_scan_add_string(&y, b);
    bool is_same = slice_eq(buf_slice(&x), buf_slice(&y));
    buf_done(&x);
    buf_done(&y);
    return is_same;
}

static void compare(struct walk *walk, const char *path, struct slice before, struct slice after);

static void ignore(void *ctx, const struct jx_difference *difference)
{
    (void)ctx;
    (void)difference;
}

static bool is_same(struct slice a, struct slice b)
{
    struct walk walk = {.take = ignore};

    compare(&walk, "", a, b);
    return walk.count == 0;
}

static void differ(struct walk *walk, const char *path, struct slice before, struct slice after)
{
    walk->count++;
    walk->take(walk->ctx, &(struct jx_difference){path, before, after});
}

/* Names of ours are plain; a strange one is shown as it is escaped. */
static void compare_member(struct walk *walk, const char *path, const struct jx_field *field,
                           struct slice before, struct slice after)
{
    char inner[PATH_MAX_BYTES];

    snprintf(inner, sizeof inner, "%s%s%.*s", path, path[0] != '\0' ? "." : "",
             (int)(field->name.len - 2 > NAME_MAX_BYTES ? NAME_MAX_BYTES : field->name.len - 2),
             field->name.data + 1);
    compare(walk, inner, before, after);
}

/* The member of that name; `name` is a string with its quotes. */
static struct slice counterpart(struct slice object, struct slice name)
{
    return kind_of(object) == '{'
               ? jx_scan_member(object, slice_from(slice_first(name, name.len - 1), 1))
               : SLICE_NONE;
}

static void compare_objects(struct walk *walk, const char *path, struct slice before,
                            struct slice after)
{
    struct slice rest = after;
    struct jx_field field;

    while (kind_of(after) == '{' && jx_scan_next(&rest, &field))
        compare_member(walk, path, &field, counterpart(before, field.name), field.value);
    rest = before;
    while (kind_of(before) == '{' && jx_scan_next(&rest, &field))
        if (counterpart(after, field.name).data == NULL)
            compare_member(walk, path, &field, field.value, SLICE_NONE);
}

static bool holds_objects(struct slice array)
{
    struct slice item;

    return kind_of(array) == '[' && jx_scan_item(&array, &item) && kind_of(item) == '{';
}

static void compare_arrays(struct walk *walk, const char *path, struct slice before,
                           struct slice after)
{
    struct slice rests[2] = {before, after};
    bool is_there[2] = {kind_of(before) == '[', kind_of(after) == '['};

    for (size_t i = 0;; i++) {
        struct slice items[2] = {SLICE_NONE, SLICE_NONE};
        char inner[PATH_MAX_BYTES];
        for (size_t k = 0; k < 2; k++)
            is_there[k] = is_there[k] && jx_scan_item(&rests[k], &items[k]);
        if (!is_there[0] && !is_there[1])
            return;
        snprintf(inner, sizeof inner, "%s[%zu]", path, i);
        if (is_there[0] && is_there[1])
            compare(walk, inner, items[0], items[1]);
        else
            differ(walk, inner, items[0], items[1]);
    }
}

/* Arrays of anything but objects. */
static bool is_same_list(struct slice before, struct slice after)
{
    struct slice one, other;

    for (;;) {
        bool has_one = jx_scan_item(&before, &one), has_other = jx_scan_item(&after, &other);
        if (has_one != has_other)
            return false;
        if (!has_one)
            return true;
        if (kind_of(one) != kind_of(other) || !is_same(one, other))
            return false;
    }
}

static bool is_same_value(struct slice before, struct slice after)
{
    char kind = kind_of(before);

    if (kind == '[' && kind_of(after) == '[')
        return is_same_list(before, after);
    if (kind == '"' && kind_of(after) == '"')
        return is_same_text(before, after);
    return slice_eq(before, after);
}

static void compare(struct walk *walk, const char *path, struct slice before, struct slice after)
{
    char one = kind_of(before), other = kind_of(after);

    if (says_nothing(before) && says_nothing(after))
        return;
    if (one == '{' && other == '{')
        compare_objects(walk, path, before, after);
    else if (one == '[' && other == '[' && (holds_objects(before) || holds_objects(after)))
        compare_arrays(walk, path, before, after);
    else if (!is_same_value(before, after))
        differ(walk, path, before, after);
}

size_t jx_diff(struct slice before, struct slice after,
               void (*take)(void *ctx, const struct jx_difference *difference), void *ctx)
{
    struct walk walk = {.take = take, .ctx = ctx};

    compare_objects(&walk, "", jx_scan_trim(before), jx_scan_trim(after));
    return walk.count;
}

static struct slice item_at(struct slice array, uint64_t index)
{
    struct slice item = SLICE_NONE;

    if (kind_of(array) != '[')
        return SLICE_NONE;
    for (uint64_t i = 0; jx_scan_item(&array, &item); i++)
        if (i == index)
            return item;
    return SLICE_NONE;
}

struct slice jx_at(struct slice json, const char *path)
{
    struct slice rest = slice_of(path), part;

    json = jx_scan_trim(json);
    while (json.len > 0 && rest.len > 0 && slice_cut(&rest, '.', &part)) {
        size_t bracket = slice_find_byte(part, '[');
        uint64_t index;
        if (bracket > 0)
            json = kind_of(json) == '{' ? jx_scan_member(json, slice_first(part, bracket))
                                        : SLICE_NONE;
        while (bracket < part.len) {
            part = slice_from(part, bracket + 1);
            size_t end = slice_find_byte(part, ']');
            json = slice_to_u64(slice_first(part, end), &index) ? item_at(json, index) : SLICE_NONE;
            bracket = slice_find_byte(part, '[');
        }
    }
    return json;
}
