#include "event/name.h"

#include "base/mem.h"

#define NAME_MIN 3

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static enum err check(struct slice name, size_t max, struct cause *why)
{
    if (name.len < NAME_MIN || name.len > max)
        return cause_set(why, E_BAD_INPUT, "the name '%.*s' must have %d to %zu characters",
                         SLICE_ARG(slice_first(name, 2 * max)), NAME_MIN, max);
    for (size_t i = 0; i < name.len; i++)
        if (!is_letter_or_digit(name.data[i]) && name.data[i] != '-')
            return cause_set(why, E_BAD_INPUT,
                             "the name '%.*s' may have letters, digits and hyphens only",
                             SLICE_ARG(name));
    return E_OK;
}

enum err topic_name_check(struct slice name, struct cause *why)
{
    static const struct slice reserved[] = {SLICE_INIT("Microsoft"), SLICE_INIT("EventGrid"),
                                            SLICE_INIT("System")};
    enum err err = check(name, TOPIC_NAME_MAX, why);

    for (size_t i = 0; i < COUNT_OF(reserved) && err == E_OK; i++)
        if (slice_has_prefix_nocase(name, reserved[i]))
            err = cause_set(why, E_BAD_INPUT, "the name '%.*s' must not begin with '%s'",
                            SLICE_ARG(name), reserved[i].data);
    return err;
}

enum err subscription_name_check(struct slice name, struct cause *why)
{
    return check(name, SUBSCRIPTION_NAME_MAX, why);
}
