/* A subscription's filter, from its JSON. */

#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "event/draft.h"
#include "event/filter.h"
#include "json/scan.h"

#define ARENA_MAX_BYTES (1u << 20)
#define JSON_MAX_BYTES (1u << 18)
#define TYPES_MAX 1000
#define PATH_MAX_BYTES 128

static const enum operand_form forms[] = {
#define FORM_ROW(op, name, form, is_negated, matches_missing) [op] = (form),
    FILTER_OPERATORS(FORM_ROW)
#undef FORM_ROW
};

struct reader {
    struct filter filter;
    size_t operands; /* so far, of all conditions */
    struct cause *why;
    struct jx_audit *audit; /* NULL: the first mistake ends the reading */
    const char *path;       /* of the filter, for the audit */
};

/* With an audit a mistake is noted, and reading goes on. */
static enum err settle(struct reader *r, enum err err)
{
    if (err == E_OK || r->audit == NULL)
        return err;
    jx_audit_note_cause(r->audit, r->path, r->why->text);
    return E_OK;
}

static struct slice member(struct reader *r, struct slice json, const char *name)
{
    jx_audit_ask(r->audit, r->path, name);
    return jx_scan_member(json, slice_of(name));
}

static enum err bad(struct reader *r, const char *text)
{
    return cause_set(r->why, E_BAD_INPUT, "%s", text);
}

static size_t characters(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

static size_t count_items(struct slice array)
{
    struct slice item;
    size_t count = 0;

    while (jx_scan_item(&array, &item))
        count++;
    return count;
}

/* The arena cannot be full: it is larger than the largest JSON makes of itself. */
static struct slice read_text(struct reader *r, struct slice json, bool is_folded)
{
    char *room = arena_alloc(&r->filter.arena, json.len, 1);

    if (room == NULL)
        return SLICE("");
    size_t len = jx_scan_copy_string(room, json);
    if (is_folded)
        fold_text(room, len);
    return (struct slice){room, len};
}

static enum err read_operand_text(struct reader *r, struct slice json, struct slice *ret)
{
    if (!raw_is_string(json))
        return bad(r, "is not a string");
    *ret = read_text(r, json, true);
    if (characters(*ret) > FILTER_TEXT_MAX)
        return cause_set(r->why, E_LIMIT, "is longer than %d characters", FILTER_TEXT_MAX);
    return E_OK;
}

static enum err read_number(struct reader *r, struct slice json, struct decimal *ret)
{
    if (!decimal_parse(arena_copy(&r->filter.arena, json), ret))
        return bad(r, "is not a number");
    return E_OK;
}

static enum err read_range(struct reader *r, struct slice json, struct decimal *ret)
{
    struct slice rest = json, low = SLICE_NONE, high = SLICE_NONE;

    if (json.data[0] != '[' || count_items(json) != 2)
        return bad(r, "is not a pair of numbers");
    (void)jx_scan_item(&rest, &low);
    (void)jx_scan_item(&rest, &high);
    enum err err = read_number(r, low, &ret[0]);
    if (err == E_OK)
        err = read_number(r, high, &ret[1]);
    if (err == E_OK && decimal_cmp(&ret[0], &ret[1]) > 0)
        err = bad(r, "begins behind its end");
    return err;
}

static enum err read_item(struct reader *r, struct filter_condition *c, struct slice json)
{
    enum operand_form form = forms[c->op];

    if (form == OPERAND_TEXTS)
        return read_operand_text(r, json, &c->texts[c->count]);
    if (form == OPERAND_RANGES)
        return read_range(r, json, &c->numbers[2 * c->count]);
    return read_number(r, json, &c->numbers[c->count]);
}

static enum err read_values(struct reader *r, struct filter_condition *c, struct slice json)
{
    struct slice item;
    enum err err = E_OK;

    if (raw_is_null(json))
        return bad(r, "values: is missing");
    if (json.data[0] != '[')
        return bad(r, "values: is not an array");
    size_t count = count_items(json);
    if (count == 0)
        return bad(r, "values: is empty");
    r->operands += count;
    if (r->operands > FILTER_OPERANDS_MAX)
        return cause_set(r->why, E_LIMIT, "values: makes more than %d values of all filters",
                         FILTER_OPERANDS_MAX);
    c->texts = arena_array(&r->filter.arena, count, struct slice);
    c->numbers = arena_array(&r->filter.arena, 2 * count, struct decimal);
    for (; err == E_OK && jx_scan_item(&json, &item); c->count++)
        err = read_item(r, c, item);
    return err ? cause_wrap(r->why, err, "values[%zu]", c->count - 1) : E_OK;
}

static enum err read_value(struct reader *r, struct filter_condition *c, struct slice json)
{
    if (raw_is_null(json))
        return bad(r, "value: is missing");
    if (++r->operands > FILTER_OPERANDS_MAX)
        return cause_set(r->why, E_LIMIT, "value: makes more than %d values of all filters",
                         FILTER_OPERANDS_MAX);
    c->count = 1;
    if (forms[c->op] == OPERAND_NUMBER) {
        c->numbers = arena_array(&r->filter.arena, 1, struct decimal);
        return cause_wrap(r->why, read_number(r, json, c->numbers), "value");
    }
    if (json.data[0] != 't' && json.data[0] != 'f')
        return bad(r, "value: is neither true nor false");
    c->flag = json.data[0] == 't';
    return E_OK;
}

static enum err read_operator(struct reader *r, struct slice json, enum filter_operator *ret)
{
    if (raw_is_null(json))
        return bad(r, "operatorType: is missing");
    if (raw_is_string(json))
        for (size_t op = 0; op < OP_COUNT; op++)
            if (jx_scan_is_text_nocase(json,
                                       slice_of(filter_operator_name((enum filter_operator)op)))) {
                *ret = (enum filter_operator)op;
                return E_OK;
            }
    struct slice shown = slice_first(json, 64);
    return cause_set(r->why, E_BAD_INPUT, "operatorType: %.*s is not an operator",
                     SLICE_ARG(shown));
}

static enum err read_condition(struct reader *r, struct slice json, struct filter_condition *c)
{
    struct slice key = jx_scan_member(json, SLICE("key"));

    if (json.data[0] != '{')
        return bad(r, "is not an object");
    enum err err = read_operator(r, jx_scan_member(json, SLICE("operatorType")), &c->op);
    if (err)
        return err;
    if (!raw_is_text(key))
        return bad(r, raw_is_null(key) ? "key: is missing" : "key: is not a text");
    c->key = read_text(r, key, false);
    switch (forms[c->op]) {
    case OPERAND_NONE:
        return E_OK;
    case OPERAND_NUMBER:
    case OPERAND_BOOL:
        return read_value(r, c, jx_scan_member(json, SLICE("value")));
    case OPERAND_NUMBERS:
    case OPERAND_RANGES:
    case OPERAND_TEXTS:
        break;
    }
    return read_values(r, c, jx_scan_member(json, SLICE("values")));
}

/* What the audit is told a condition may have. */
static void ask_condition(struct reader *r, const char *name, size_t index, struct slice json)
{
    static const char *const names[] = {"key", "operatorType"};
    static const char *const operands[] = {
        [OPERAND_NONE] = NULL,        [OPERAND_NUMBER] = "value",  [OPERAND_BOOL] = "value",
        [OPERAND_NUMBERS] = "values", [OPERAND_RANGES] = "values", [OPERAND_TEXTS] = "values",
    };
    enum filter_operator op = OP_IS_NULL; /* has no operand */
    char path[PATH_MAX_BYTES];

    if (r->audit == NULL || json.data[0] != '{')
        return;
    snprintf(path, sizeof path, "%s.%s[%zu]", r->path, name, index);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        jx_audit_ask(r->audit, path, names[i]);
    if (read_operator(r, jx_scan_member(json, SLICE("operatorType")), &op) != E_OK)
        jx_audit_skip(r->audit, path);
    else if (operands[forms[op]] != NULL)
        jx_audit_ask(r->audit, path, operands[forms[op]]);
}

static enum err read_conditions(struct reader *r, struct slice json, const char *name)
{
    struct filter *filter = &r->filter;
    struct slice item;
    enum err err = E_OK;

    if (raw_is_null(json))
        return E_OK;
    if (json.data[0] != '[')
        return cause_wrap(r->why, bad(r, "is not an array"), "%s", name);
    size_t count = count_items(json);
    if (count > FILTER_CONDITIONS_MAX)
        return cause_set(r->why, E_LIMIT, "%s: has more than %d filters", name,
                         FILTER_CONDITIONS_MAX);
    filter->conditions = arena_array(&filter->arena, count, struct filter_condition);
    for (size_t i = 0; err == E_OK && jx_scan_item(&json, &item); i++) {
        ask_condition(r, name, i, item);
        err = read_condition(r, item, &filter->conditions[filter->condition_count++]);
        err = settle(r, cause_wrap(r->why, err, "%s[%zu]", name, i));
    }
    return err;
}

static bool is_known(struct slice json, const struct event_source *source)
{
    for (size_t i = 0; i < source->kind_count; i++)
        if (jx_scan_is_text_nocase(json, slice_of(source->kinds[i].name)))
            return true;
    return false;
}

/* What those get who want all of a system topic: more may be added, and nobody is surprised. */
static void want_standard(struct filter *filter, const struct event_source *source)
{
    filter->types = arena_array(&filter->arena, source->kind_count, struct slice);
    for (size_t i = 0; filter->types != NULL && i < source->kind_count; i++)
        if (source->kinds[i].is_default)
            filter->types[filter->type_count++] =
                fold_copy(&filter->arena, slice_of(source->kinds[i].name));
}

static enum err read_types(struct reader *r, struct slice json, const struct event_source *source)
{
    struct filter *filter = &r->filter;
    struct slice item, rest = json;
    bool wants_all = false;

    if (raw_is_null(json))
        return E_OK;
    if (json.data[0] != '[')
        return bad(r, "is not an array");
    size_t count = count_items(json);
    if (count > TYPES_MAX)
        return cause_set(r->why, E_LIMIT, "has more than %d event types", TYPES_MAX);
    filter->types = arena_array(&filter->arena, count, struct slice);
    for (; jx_scan_item(&rest, &item); filter->type_count++) {
        bool is_all = raw_is_string(item) && jx_scan_is_text_nocase(item, SLICE("All"));
        wants_all |= is_all;
        if (!raw_is_text(item))
            return cause_set(r->why, E_BAD_INPUT, "[%zu] is not a text", filter->type_count);
        if (source != NULL && !is_all && !is_known(item, source))
            return cause_set(r->why, E_BAD_INPUT, "%.*s is not an event type of this topic",
                             SLICE_ARG(slice_first(item, 128)));
        filter->types[filter->type_count] = read_text(r, item, true);
    }
    if (wants_all)
        filter->type_count = 0;
    return E_OK;
}

static enum err read_flag(struct reader *r, struct slice json, const char *name, bool *ret)
{
    struct slice value = member(r, json, name);

    if (raw_is_null(value))
        return E_OK;
    if (value.data[0] != 't' && value.data[0] != 'f')
        return cause_set(r->why, E_BAD_INPUT, "%s: is neither true nor false", name);
    *ret = value.data[0] == 't';
    return E_OK;
}

static enum err read_subject(struct reader *r, struct slice json, const char *name,
                             struct slice *ret)
{
    struct slice value = member(r, json, name);

    if (raw_is_null(value))
        return E_OK;
    if (!raw_is_string(value))
        return cause_set(r->why, E_BAD_INPUT, "%s: is not a string", name);
    *ret = read_text(r, value, !r->filter.is_subject_case_sensitive);
    return E_OK;
}

static enum err read_all(struct reader *r, struct slice json, const struct event_source *source)
{
    struct filter *f = &r->filter;
    struct slice types = member(r, json, "includedEventTypes");
    struct slice conditions = member(r, json, "advancedFilters");
    struct slice others = member(r, json, "filters"); /* as namespace topics call it */
    bool is_other = raw_is_null(conditions) && !raw_is_null(others);
    enum err err =
        settle(r, cause_wrap(r->why, read_types(r, types, source), "includedEventTypes"));

    if (err == E_OK)
        err =
            settle(r, read_flag(r, json, "isSubjectCaseSensitive", &f->is_subject_case_sensitive));
    if (err == E_OK)
        err = settle(
            r, read_flag(r, json, "enableAdvancedFilteringOnArrays", &f->reaches_into_arrays));
    if (err == E_OK)
        err = settle(r, read_subject(r, json, "subjectBeginsWith", &f->subject_begins));
    if (err == E_OK)
        err = settle(r, read_subject(r, json, "subjectEndsWith", &f->subject_ends));
    if (err == E_OK)
        err = settle(r, read_conditions(r, is_other ? others : conditions,
                                        is_other ? "filters" : "advancedFilters"));
    return err;
}

static enum err read_filter(struct reader *r, struct slice json, const struct event_source *source)
{
    json = jx_scan_trim(json);
    if (json.len > JSON_MAX_BYTES)
        return cause_set(r->why, E_LIMIT, "is larger than %u bytes", JSON_MAX_BYTES);
    bool is_object = utf8_is_valid(json) && jx_scan_is_object(json);
    if (!is_object && !slice_eq(json, SLICE("null")) && json.len > 0)
        return cause_set(r->why, E_BAD_INPUT, "is not an object");
    arena_init(&r->filter.arena, ARENA_MAX_BYTES);
    enum err err = is_object ? read_all(r, json, source) : E_OK;
    if (err == E_OK && source != NULL && r->filter.type_count == 0)
        want_standard(&r->filter, source);
    return err;
}

enum err filter_read(struct slice json, const struct event_source *source, struct filter *ret,
                     struct cause *why)
{
    struct reader r = {.why = why};
    enum err err = read_filter(&r, json, source);

    if (err)
        filter_done(&r.filter);
    else
        *ret = r.filter;
    return err;
}

enum err filter_audit(struct slice json, const struct event_source *source, const char *path,
                      struct jx_audit *audit)
{
    struct cause why = {0};
    struct reader r = {.why = &why, .audit = audit, .path = path};
    enum err err = settle(&r, read_filter(&r, json, source));

    filter_done(&r.filter);
    return err;
}
