#include "cmd/option_json.h"

#include "json/json.h"
#include "json/member.h"
#include "json/scan.h"

void option_add_text(struct buf *out, const struct cmdline *line, const char *flag,
                     const char *name)
{
    member_text_if(out, name, slice_of(cmdline_value(line, flag)));
}

/* Numbers and booleans go as texts too; the server says what is wrong with them. */
int option_add_bool(struct buf *out, const struct cmdline *line, const char *flag, const char *name)
{
    const char *value = cmdline_value(line, flag);
    bool is_on;

    if (value == NULL)
        return EXIT_OK;
    if (!slice_to_bool(slice_of(value), &is_on))
        return complain(EXIT_USAGE, "%s: '%s' is not yes or no", flag, value);
    member_bool(out, name, is_on);
    return EXIT_OK;
}

int option_add_number(struct buf *out, const struct cmdline *line, const char *flag,
                      const char *name)
{
    const char *value = cmdline_value(line, flag);
    uint64_t number;

    if (value == NULL)
        return EXIT_OK;
    if (!slice_to_u64(slice_of(value), &number))
        return complain(EXIT_USAGE, "%s: '%s' is not a number", flag, value);
    member_u64(out, name, number);
    return EXIT_OK;
}

/* All words of all lists of the option, and the value behind '='. */
void option_add_texts(struct buf *out, const struct cmdline *line, const char *flag,
                      const char *name)
{
    const char *value = cmdline_value(line, flag);
    const struct word_list *list;
    size_t count = 0, at = 0;

    if (value == NULL && cmdline_list(line, flag, &at) == NULL)
        return;
    member_open(out, name);
    buf_add_byte(out, '[');
    if (value != NULL) {
        jx_write_string(out, slice_of(value));
        count++;
    }
    for (at = 0; (list = cmdline_list(line, flag, &at)) != NULL;)
        for (size_t i = 0; i < list->count; i++) {
            buf_add(out, count++ > 0 ? SLICE(",") : SLICE(""));
            jx_write_string(out, slice_of(list->words[i]));
        }
    buf_add_byte(out, ']');
}

/* ---- filters ---- */

static bool is_number(struct slice text)
{
    return text.len > 0 && (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) &&
           jx_scan_is_value(text, 0);
}

/* A range is two numbers with a comma between. */
static bool add_operand(struct buf *out, struct slice operation, struct slice text)
{
    size_t comma = slice_find_byte(text, ',');
    bool is_on;

    if (slice_has_prefix_nocase(operation, SLICE("String"))) {
        jx_write_string(out, text);
        return true;
    }
    if (slice_has_prefix_nocase(operation, SLICE("Bool"))) {
        bool is_good = slice_to_bool(text, &is_on);
        buf_add(out, is_good && is_on ? SLICE("true") : SLICE("false"));
        return is_good;
    }
    if (!slice_has_suffix_nocase(operation, SLICE("Range"))) {
        buf_add(out, text);
        return is_number(text);
    }
    buf_addf(out, "[%.*s]", SLICE_ARG(text));
    return is_number(slice_first(text, comma)) && is_number(slice_from(text, comma + 1));
}

static bool takes_one(struct slice operation)
{
    return slice_has_prefix_nocase(operation, SLICE("NumberLess")) ||
           slice_has_prefix_nocase(operation, SLICE("NumberGreater")) ||
           slice_has_prefix_nocase(operation, SLICE("Bool"));
}

/* How many of the words are good: all, or those in front of the first that is no operand. */
static size_t add_operands(struct buf *out, struct slice operation, const struct word_list *list)
{
    bool is_one = takes_one(operation);

    if (list->count == 2)
        return 2;
    member_open(out, is_one ? "value" : "values");
    for (size_t i = 2; i < list->count; i++) {
        if (!is_one)
            buf_add_byte(out, i == 2 ? '[' : ',');
        if (!add_operand(out, operation, slice_of(list->words[i])))
            return i;
    }
    if (!is_one)
        buf_add_byte(out, ']');
    return list->count;
}

static int add_filter(struct buf *out, const struct word_list *list)
{
    struct slice operation = slice_of(list->count > 1 ? list->words[1] : "");

    if (list->count < 2)
        return complain(EXIT_USAGE, "%s: needs a key and an operator", list->flag);
    if (takes_one(operation) && list->count != 3)
        return complain(EXIT_USAGE, "%s: %s takes one value", list->flag, list->words[1]);
    member_text(out, "key", slice_of(list->words[0]));
    member_text(out, "operatorType", operation);
    size_t good = add_operands(out, operation, list);
    if (good < list->count)
        return complain(EXIT_USAGE, "%s: '%s' is no value for %s", list->flag, list->words[good],
                        list->words[1]);
    buf_add_byte(out, '}');
    return EXIT_OK;
}

int option_add_filters(struct buf *out, const struct cmdline *line, const char *flag)
{
    const struct word_list *list;
    size_t at = 0, count = 0;

    if (cmdline_value(line, flag) != NULL)
        return complain(EXIT_USAGE, "%s: write KEY OPERATOR VALUE behind a space", flag);
    while ((list = cmdline_list(line, flag, &at)) != NULL) {
        if (count++ == 0)
            member_open(out, "advancedFilters");
        buf_add_byte(out, count == 1 ? '[' : ',');
        int code = add_filter(out, list);
        if (code != EXIT_OK)
            return code;
    }
    if (count > 0)
        buf_add_byte(out, ']');
    return EXIT_OK;
}
