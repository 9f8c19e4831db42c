#include "event/filter.h"

#include "base/mem.h"
#include "json/scan.h"

static const struct {
    const char *name;
    enum operand_form form;
    bool is_negated;
    bool matches_missing;
} rows[] = {
#define FILTER_ROW(op, name, form, is_negated, matches_missing)                                    \
    [op] = {name, form, is_negated, matches_missing},
    FILTER_OPERATORS(FILTER_ROW)
#undef FILTER_ROW
};

/* Each asks whether one value and any operand agree; a value of another type never does. */
typedef bool test_function(const struct filter_condition *condition, const struct value *value);

static bool test_numbers(const struct filter_condition *c, const struct value *value)
{
    for (size_t i = 0; i < c->count; i++)
        if (value->kind == VALUE_NUMBER && decimal_cmp(&value->number, &c->numbers[i]) == 0)
            return true;
    return false;
}

static bool test_less(const struct filter_condition *c, const struct value *value)
{
    return value->kind == VALUE_NUMBER && decimal_cmp(&value->number, c->numbers) < 0;
}

static bool test_less_eq(const struct filter_condition *c, const struct value *value)
{
    return value->kind == VALUE_NUMBER && decimal_cmp(&value->number, c->numbers) <= 0;
}

static bool test_greater(const struct filter_condition *c, const struct value *value)
{
    return value->kind == VALUE_NUMBER && decimal_cmp(&value->number, c->numbers) > 0;
}

static bool test_greater_eq(const struct filter_condition *c, const struct value *value)
{
    return value->kind == VALUE_NUMBER && decimal_cmp(&value->number, c->numbers) >= 0;
}

static bool test_ranges(const struct filter_condition *c, const struct value *value)
{
    for (size_t i = 0; i < c->count; i++)
        if (value->kind == VALUE_NUMBER && decimal_cmp(&value->number, &c->numbers[2 * i]) >= 0 &&
            decimal_cmp(&value->number, &c->numbers[2 * i + 1]) <= 0)
            return true;
    return false;
}

static bool test_bool(const struct filter_condition *c, const struct value *value)
{
    return value->kind == VALUE_BOOL && value->flag == c->flag;
}

static bool has_suffix(struct slice text, struct slice suffix)
{
    return text.len >= suffix.len && slice_eq(slice_from(text, text.len - suffix.len), suffix);
}

static bool contains(struct slice text, struct slice part)
{
    return part.len == 0 || slice_find(text, part) < text.len;
}

static bool test_texts(const struct filter_condition *c, const struct value *value,
                       bool (*agree)(struct slice, struct slice))
{
    if (value->text.data == NULL)
        return false;
    for (size_t i = 0; i < c->count; i++)
        if (agree(value->text, c->texts[i]))
            return true;
    return false;
}

static bool test_text_in(const struct filter_condition *c, const struct value *value)
{
    return test_texts(c, value, slice_eq);
}

static bool test_text_contains(const struct filter_condition *c, const struct value *value)
{
    return test_texts(c, value, contains);
}

static bool test_text_begins(const struct filter_condition *c, const struct value *value)
{
    return test_texts(c, value, slice_has_prefix);
}

static bool test_text_ends(const struct filter_condition *c, const struct value *value)
{
    return test_texts(c, value, has_suffix);
}

static test_function *const tests[OP_COUNT] = {
    [OP_NUMBER_IN] = test_numbers,
    [OP_NUMBER_NOT_IN] = test_numbers,
    [OP_NUMBER_LESS] = test_less,
    [OP_NUMBER_LESS_EQ] = test_less_eq,
    [OP_NUMBER_GREATER] = test_greater,
    [OP_NUMBER_GREATER_EQ] = test_greater_eq,
    [OP_NUMBER_IN_RANGE] = test_ranges,
    [OP_NUMBER_NOT_IN_RANGE] = test_ranges,
    [OP_BOOL_EQUALS] = test_bool,
    [OP_TEXT_CONTAINS] = test_text_contains,
    [OP_TEXT_NOT_CONTAINS] = test_text_contains,
    [OP_TEXT_BEGINS] = test_text_begins,
    [OP_TEXT_NOT_BEGINS] = test_text_begins,
    [OP_TEXT_ENDS] = test_text_ends,
    [OP_TEXT_NOT_ENDS] = test_text_ends,
    [OP_TEXT_IN] = test_text_in,
    [OP_TEXT_NOT_IN] = test_text_in,
};

static bool any_item_agrees(const struct filter_condition *c, struct slice array,
                            struct lookup *lookup)
{
    struct slice item;

    while (jx_scan_item(&array, &item)) {
        struct value value = lookup_item(lookup, item);
        if (tests[c->op](c, &value))
            return true;
    }
    return false;
}

static bool condition_matches(const struct filter *filter, const struct filter_condition *c,
                              struct lookup *lookup)
{
    struct value value = lookup_value(lookup, c->key, c->slot);

    if (value.kind == VALUE_MISSING)
        return rows[c->op].matches_missing;
    if (rows[c->op].form == OPERAND_NONE)
        return c->op == OP_IS_NOT_NULL;
    if (value.kind != VALUE_ARRAY)
        return tests[c->op](c, &value) != rows[c->op].is_negated;
    if (!filter->reaches_into_arrays) /* then an array as a whole never matches, not even negated */
        return false;
    return any_item_agrees(c, value.json, lookup) != rows[c->op].is_negated;
}

static bool type_matches(const struct filter *filter, struct slice type)
{
    for (size_t i = 0; i < filter->type_count; i++)
        if (slice_eq(type, filter->types[i]))
            return true;
    return filter->type_count == 0;
}

bool filter_matches_rest(const struct filter *filter, struct lookup *lookup)
{
    struct slice subject =
        filter->is_subject_case_sensitive ? lookup->subject : lookup->folded_subject;

    if (!slice_has_prefix(subject, filter->subject_begins) ||
        !has_suffix(subject, filter->subject_ends))
        return false;
    for (size_t i = 0; i < filter->condition_count; i++)
        if (!condition_matches(filter, &filter->conditions[i], lookup))
            return false;
    return true;
}

bool filter_matches(const struct filter *filter, struct lookup *lookup)
{
    return type_matches(filter, lookup->type) && filter_matches_rest(filter, lookup);
}

void filter_done(struct filter *filter)
{
    arena_done(&filter->arena);
    *filter = (struct filter){0};
}

const char *filter_operator_name(enum filter_operator op)
{
    return rows[op].name;
}
