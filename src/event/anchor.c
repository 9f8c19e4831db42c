#include "event/anchor.h"

#include <stdlib.h>

#include "base/mem.h"

#define NOWHERE SIZE_MAX
#define BACKWARDS_MAX_BYTES (4 * FILTER_TEXT_MAX) /* of a value: no operand is longer */

/* ---- of a condition ---- */

enum anchor_kind anchor_kind_of(const struct filter_condition *condition)
{
    switch (condition->op) {
    case OP_TEXT_IN:
        return ANCHOR_TEXT;
    case OP_TEXT_BEGINS:
        return ANCHOR_BEGINS;
    case OP_TEXT_ENDS:
        return ANCHOR_ENDS;
    case OP_BOOL_EQUALS:
        return ANCHOR_FLAG;
    case OP_NUMBER_IN:
    case OP_NUMBER_IN_RANGE:
    case OP_NUMBER_LESS:
    case OP_NUMBER_LESS_EQ:
    case OP_NUMBER_GREATER:
    case OP_NUMBER_GREATER_EQ:
        return ANCHOR_RANGE;
    case OP_NUMBER_NOT_IN:
    case OP_NUMBER_NOT_IN_RANGE:
    case OP_TEXT_CONTAINS:
    case OP_TEXT_NOT_CONTAINS:
    case OP_TEXT_NOT_BEGINS:
    case OP_TEXT_NOT_ENDS:
    case OP_TEXT_NOT_IN:
    case OP_IS_NULL:
    case OP_IS_NOT_NULL:
    case OP_COUNT:
        break;
    }
    return ANCHOR_NONE;
}

static struct slice flag_text(bool flag)
{
    return flag ? SLICE("t") : SLICE("f");
}

static void turn_round(char *ret, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        ret[i] = text.data[text.len - 1 - i];
}

static bool copy_backwards(struct arena *arena, struct slice text, struct slice *ret)
{
    char *room = arena_array(arena, text.len, char);

    if (room == NULL)
        return false;
    turn_round(room, text);
    *ret = (struct slice){room, text.len};
    return true;
}

static void set_bounds(struct anchor *anchor, const struct filter_condition *c, size_t i)
{
    bool is_range = c->op == OP_NUMBER_IN_RANGE;
    bool is_above = c->op == OP_NUMBER_GREATER || c->op == OP_NUMBER_GREATER_EQ;
    bool is_below = c->op == OP_NUMBER_LESS || c->op == OP_NUMBER_LESS_EQ;

    if (!is_below)
        anchor->low = &c->numbers[is_range ? 2 * i : i];
    if (!is_above)
        anchor->high = &c->numbers[is_range ? 2 * i + 1 : i];
}

bool anchor_make(const struct filter_condition *condition, size_t i, struct arena *arena,
                 struct anchor *ret)
{
    struct anchor anchor = {.kind = anchor_kind_of(condition), .slot = condition->slot};

    switch (anchor.kind) {
    case ANCHOR_NONE:
        return false;
    case ANCHOR_TEXT:
    case ANCHOR_BEGINS:
        anchor.text = condition->texts[i];
        break;
    case ANCHOR_ENDS:
        if (!copy_backwards(arena, condition->texts[i], &anchor.text))
            return false;
        break;
    case ANCHOR_FLAG:
        anchor.text = flag_text(condition->flag);
        break;
    case ANCHOR_RANGE:
        set_bounds(&anchor, condition, i);
        break;
    }
    *ret = anchor;
    return true;
}

/* ---- order ---- */

static int cmp_numbers(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

/* No bound is below all others. */
static int cmp_low(const struct decimal *a, const struct decimal *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    return decimal_cmp(a, b);
}

/* No bound is above all others. */
static int cmp_high(const struct decimal *a, const struct decimal *b)
{
    if (a == NULL || b == NULL)
        return (a == NULL) - (b == NULL);
    return decimal_cmp(a, b);
}

int anchor_cmp(const struct anchor *a, const struct anchor *b)
{
    int order = cmp_numbers(a->slot, b->slot);

    if (order == 0)
        order = cmp_numbers(a->kind, b->kind);
    if (order == 0)
        order = slice_cmp(a->text, b->text);
    if (order == 0)
        order = cmp_low(a->low, b->low);
    return order != 0 ? order : cmp_high(a->high, b->high);
}

/* ---- joining ---- */

static struct anchor *at(const struct anchor_run *run, size_t i)
{
    return (struct anchor *)(void *)(run->first + i * run->stride);
}

/* Equal texts have the same `up`, so that a walk passes over all of them at once. */
static void join_texts(const struct anchor_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct anchor *anchor = at(run, i);
        size_t up = i == 0 ? NOWHERE : i - 1;
        if (i > 0 && slice_eq(at(run, i - 1)->text, anchor->text))
            up = at(run, i - 1)->up;
        while (up != NOWHERE && !slice_has_prefix(anchor->text, at(run, up)->text))
            up = at(run, up)->up;
        anchor->up = up;
    }
}

/* A sorted array is a balanced tree: the middle is the root, either side a subtree. */
static const struct decimal *join_ranges(const struct anchor_run *run, size_t low, size_t high)
{
    size_t middle = low + (high - low) / 2;
    struct anchor *root = at(run, middle);

    root->most = root->high;
    if (low < middle) {
        const struct decimal *most = join_ranges(run, low, middle);
        root->most = cmp_high(most, root->most) > 0 ? most : root->most;
    }
    if (middle + 1 < high) {
        const struct decimal *most = join_ranges(run, middle + 1, high);
        root->most = cmp_high(most, root->most) > 0 ? most : root->most;
    }
    return root->most;
}

void anchors_join(const struct anchor_run *run)
{
    enum anchor_kind kind = at(run, 0)->kind;

    if (kind == ANCHOR_BEGINS || kind == ANCHOR_ENDS)
        join_texts(run);
    else if (kind == ANCHOR_RANGE)
        (void)join_ranges(run, 0, run->count);
}

/* ---- finding ---- */

void finds_init(struct finds *finds, size_t filter_count)
{
    *finds = (struct finds){.indexes = mem_new_array(filter_count + 1, size_t),
                            .rounds = mem_new_array(filter_count + 1, uint64_t)};
    buf_init(&finds->backwards, BACKWARDS_MAX_BYTES);
}

void finds_done(struct finds *finds)
{
    free(finds->indexes);
    free(finds->rounds);
    buf_done(&finds->backwards);
    *finds = (struct finds){0};
}

void finds_begin(struct finds *finds)
{
    finds->count = 0;
    finds->round++;
}

void finds_add(struct finds *finds, size_t index)
{
    if (finds->rounds[index] == finds->round)
        return;
    finds->rounds[index] = finds->round;
    finds->indexes[finds->count++] = index;
}

/* The number of anchors that do not come behind the text. */
static size_t count_up_to(const struct anchor_run *run, struct slice text)
{
    size_t low = 0, high = run->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(at(run, middle)->text, text) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those with the text of the one at `last`, which is the last of them. */
static void add_equal(const struct anchor_run *run, size_t last, struct finds *finds)
{
    struct slice text = at(run, last)->text;

    for (size_t i = last + 1; i-- > 0 && slice_eq(at(run, i)->text, text);)
        finds_add(finds, at(run, i)->index);
}

static void find_equal(const struct anchor_run *run, struct slice text, struct finds *finds)
{
    size_t end = count_up_to(run, text);

    if (end > 0 && slice_eq(at(run, end - 1)->text, text))
        add_equal(run, end - 1, finds);
}

/* All that the text begins with are `up` of the last that does not come behind it. */
static void find_beginnings(const struct anchor_run *run, struct slice text, struct finds *finds)
{
    size_t end = count_up_to(run, text);

    for (size_t i = end == 0 ? NOWHERE : end - 1; i != NOWHERE; i = at(run, i)->up)
        if (slice_has_prefix(text, at(run, i)->text))
            add_equal(run, i, finds);
}

static void find_endings(const struct anchor_run *run, struct slice text, struct finds *finds)
{
    size_t len = text.len < BACKWARDS_MAX_BYTES ? text.len : BACKWARDS_MAX_BYTES;

    buf_clear(&finds->backwards);
    char *room = buf_reserve(&finds->backwards, len);
    if (len > 0)
        turn_round(room, slice_from(text, text.len - len));
    find_beginnings(run, (struct slice){room, len}, finds);
}

static void find_ranges(const struct anchor_run *run, size_t low, size_t high,
                        const struct decimal *number, struct finds *finds)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct anchor *root = at(run, middle);
        if (cmp_high(root->most, number) < 0)
            return;
        find_ranges(run, low, middle, number, finds);
        if (cmp_low(root->low, number) > 0)
            return;
        if (cmp_high(root->high, number) >= 0)
            finds_add(finds, root->index);
        low = middle + 1;
    }
}

void anchors_find(const struct anchor_run *run, const struct value *value, struct finds *finds)
{
    switch (at(run, 0)->kind) {
    case ANCHOR_NONE:
        break;
    case ANCHOR_TEXT:
        if (value->text.data != NULL)
            find_equal(run, value->text, finds);
        break;
    case ANCHOR_BEGINS:
        if (value->text.data != NULL)
            find_beginnings(run, value->text, finds);
        break;
    case ANCHOR_ENDS:
        if (value->text.data != NULL)
            find_endings(run, value->text, finds);
        break;
    case ANCHOR_FLAG:
        if (value->kind == VALUE_BOOL)
            find_equal(run, flag_text(value->flag), finds);
        break;
    case ANCHOR_RANGE:
        if (value->kind == VALUE_NUMBER)
            find_ranges(run, 0, run->count, &value->number, finds);
        break;
    }
}
