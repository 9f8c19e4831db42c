/* event/filter.h - which events a subscription wants.
 * Rules: event types, subject and conditions are ANDed; the operands of one condition are ORed, of
 * a negated operator none may match. Texts compare without case, numbers as decimals, and never a
 * text with a number. Matching does not allocate. Behaviour: eventgrid.md 5.
 * To add an operator: a row in FILTER_OPERATORS, its test in tests[] (filter.c), rows in
 * filter_test.c. */
#ifndef EVENT_FILTER_H
#define EVENT_FILTER_H

#include "event/source.h"
#include "event/value.h"
#include "json/audit.h"

#define FILTER_CONDITIONS_MAX 25
#define FILTER_OPERANDS_MAX 25 /* of all conditions together */
#define FILTER_TEXT_MAX 512    /* characters of an operand */

enum operand_form {
    OPERAND_NONE,
    OPERAND_NUMBER,  /* "value" */
    OPERAND_BOOL,    /* "value" */
    OPERAND_NUMBERS, /* "values", and so on */
    OPERAND_RANGES,
    OPERAND_TEXTS,
};

/* operator, name, operands, is it negated, does a missing key match */
#define FILTER_OPERATORS(X)                                                                        \
    X(OP_NUMBER_IN, "NumberIn", OPERAND_NUMBERS, false, false)                                     \
    X(OP_NUMBER_NOT_IN, "NumberNotIn", OPERAND_NUMBERS, true, true)                                \
    X(OP_NUMBER_LESS, "NumberLessThan", OPERAND_NUMBER, false, false)                              \
    X(OP_NUMBER_LESS_EQ, "NumberLessThanOrEquals", OPERAND_NUMBER, false, false)                   \
    X(OP_NUMBER_GREATER, "NumberGreaterThan", OPERAND_NUMBER, false, false)                        \
    X(OP_NUMBER_GREATER_EQ, "NumberGreaterThanOrEquals", OPERAND_NUMBER, false, false)             \
    X(OP_NUMBER_IN_RANGE, "NumberInRange", OPERAND_RANGES, false, false)                           \
    X(OP_NUMBER_NOT_IN_RANGE, "NumberNotInRange", OPERAND_RANGES, true, true)                      \
    X(OP_BOOL_EQUALS, "BoolEquals", OPERAND_BOOL, false, false)                                    \
    X(OP_TEXT_CONTAINS, "StringContains", OPERAND_TEXTS, false, false)                             \
    X(OP_TEXT_NOT_CONTAINS, "StringNotContains", OPERAND_TEXTS, true, false)                       \
    X(OP_TEXT_BEGINS, "StringBeginsWith", OPERAND_TEXTS, false, false)                             \
    X(OP_TEXT_NOT_BEGINS, "StringNotBeginsWith", OPERAND_TEXTS, true, false)                       \
    X(OP_TEXT_ENDS, "StringEndsWith", OPERAND_TEXTS, false, false)                                 \
    X(OP_TEXT_NOT_ENDS, "StringNotEndsWith", OPERAND_TEXTS, true, false)                           \
    X(OP_TEXT_IN, "StringIn", OPERAND_TEXTS, false, false)                                         \
    X(OP_TEXT_NOT_IN, "StringNotIn", OPERAND_TEXTS, true, true)                                    \
    X(OP_IS_NULL, "IsNullOrUndefined", OPERAND_NONE, false, true)                                  \
    X(OP_IS_NOT_NULL, "IsNotNull", OPERAND_NONE, false, false)

#define FILTER_ENUM(op, name, form, is_negated, matches_missing) op,
enum filter_operator { FILTER_OPERATORS(FILTER_ENUM) OP_COUNT };
#undef FILTER_ENUM

struct filter_condition {
    enum filter_operator op;
    struct slice key;
    size_t slot;             /* of the key, given by the matcher that holds the filter; 0 = none */
    size_t count;            /* operands */
    struct slice *texts;     /* folded */
    struct decimal *numbers; /* of a range two each */
    bool flag;
};

struct filter {
    struct slice *types; /* folded; none = all */
    size_t type_count;
    struct slice subject_begins; /* folded unless is_subject_case_sensitive; empty = any */
    struct slice subject_ends;
    bool is_subject_case_sensitive;
    bool reaches_into_arrays;
    struct filter_condition *conditions;
    size_t condition_count;
    struct arena arena; /* all of the above */
};

/* filter_read compiles the JSON of a subscription's `filter` (or `filtersConfiguration`); null,
 * SLICE_NONE and {} want every event. `source` (NULL = anybody): who emits them; event types must
 * be its own, and every event means its standard ones. E_OK and *ret, which filter_done() ends; or
 * E_BAD_INPUT, E_LIMIT, with `advancedFilters[2].values: ...` in `why`, and *ret is untouched.
 * Numbers are read from the text, digit for digit. */
enum err filter_read(struct slice json, const struct event_source *source, struct filter *ret,
                     struct cause *why);
/* filter_audit notes all that is wrong with such JSON, which lies at `path`. E_OK always. */
enum err filter_audit(struct slice json, const struct event_source *source, const char *path,
                      struct jx_audit *audit);
void filter_done(struct filter *filter); /* frees; leaves zeroes, which want every event */

/* filter_matches: does it want the event that lookup has begun? */
bool filter_matches(const struct filter *filter, struct lookup *lookup);
/* filter_matches_rest is the same for an event whose type is known to match. */
bool filter_matches_rest(const struct filter *filter, struct lookup *lookup);

/* filter_operator_name: "StringIn". */
const char *filter_operator_name(enum filter_operator op);

#endif
