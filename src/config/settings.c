#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/reference.h"
#include "config/settings_internal.h"

const struct setting setting_rows[SETTING_COUNT] = {
#define SETTING_ROW(id, name, type, value, min, max, extra, when, flag, takes, description)        \
    [SETTING_##id##_ID] = {name,  SETTING_##type, value, min,   max,                               \
                           extra, SETTING_##when, flag,  takes, description},
    SETTINGS(SETTING_ROW)
#undef SETTING_ROW
};

bool setting_is_list(enum setting_type type)
{
    return type == SETTING_PATHS || type == SETTING_NAMES || type == SETTING_SECRETS;
}

bool setting_is_secret(enum setting_type type)
{
    return type == SETTING_SECRET || type == SETTING_SECRETS;
}

static bool is_path(enum setting_type type)
{
    return type == SETTING_PATHS || type == SETTING_PATH;
}

void setting_value_clear(struct setting_value *value)
{
    for (size_t i = 0; i < value->count; i++)
        free(value->texts[i]);
    free(value->texts);
    *value = (struct setting_value){0};
}

void setting_value_add(struct setting_value *value, char *text)
{
    value->texts = mem_resize(value->texts, value->count + 2, sizeof(char *));
    value->texts[value->count++] = text;
    value->texts[value->count] = NULL;
}

struct settings *settings_new(void)
{
    struct settings *settings = mem_new(struct settings);

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct setting_value *value = &settings->values[i];
        if (setting_is_list(setting_rows[i].type)) {
            value->texts = mem_new_array(1, char *);
            continue;
        }
        setting_value_add(value, slice_dup(slice_of(setting_rows[i].value)));
        bool yes;
        if (!slice_to_u64(slice_of(setting_rows[i].value), &value->number) &&
            slice_to_bool(slice_of(setting_rows[i].value), &yes))
            value->number = yes;
    }
    return settings;
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        setting_value_clear(&settings->values[i]);
    free(settings);
}

static bool words_hold(const char *words, struct slice word)
{
    struct slice rest = slice_of(words), one;

    while (slice_cut(&rest, ' ', &one))
        if (slice_eq(one, word))
            return true;
    return false;
}

bool settings_address(struct slice text, char **ret_host, uint16_t *ret_port)
{
    size_t colon = text.len;
    uint64_t port;

    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0 || !slice_to_u64(slice_from(text, colon), &port) || port > UINT16_MAX)
        return false;
    struct slice host = slice_first(text, colon - 1);
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = (struct slice){host.data + 1, host.len - 2};
    else if (slice_find_byte(host, ':') < host.len)
        return false; /* a v6 address without its brackets: which colon is it? */
    if (host.len == 0)
        return false;
    if (ret_host != NULL)
        *ret_host = slice_dup(host);
    if (ret_port != NULL)
        *ret_port = (uint16_t)port;
    return true;
}

static enum err check_bool(const struct setting *row, struct slice text, uint64_t *ret_number,
                           struct cause *why)
{
    bool yes;

    if (!slice_to_bool(text, &yes))
        return cause_set(why, E_BAD_INPUT, "%s: '%.*s' is not true or false", row->name,
                         SLICE_ARG(text));
    *ret_number = yes;
    return E_OK;
}

static enum err check_number(const struct setting *row, struct slice text, uint64_t *ret_number,
                             struct cause *why)
{
    if (slice_to_u64(text, ret_number) && *ret_number >= row->min && *ret_number <= row->max)
        return E_OK;
    return cause_set(why, E_BAD_INPUT, "%s: '%.*s' is not a number from %llu to %llu%s%s",
                     row->name, SLICE_ARG(text), (unsigned long long)row->min,
                     (unsigned long long)row->max, row->extra[0] != '\0' ? " " : "", row->extra);
}

/* check_value tells whether one text is a value of the setting's type. */
static enum err check_value(const struct setting *row, struct slice text, uint64_t *ret_number,
                            struct cause *why)
{
    if (text.len > SETTING_TEXT_MAX_BYTES)
        return cause_set(why, E_BAD_INPUT, "%s: is longer than %d bytes", row->name,
                         SETTING_TEXT_MAX_BYTES);
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_PATH:
        break;
    case SETTING_PATHS:
    case SETTING_NAMES:
    case SETTING_SECRETS:
        return text.len > 0 ? E_OK : cause_set(why, E_BAD_INPUT, "%s: is empty", row->name);
    case SETTING_BOOL:
        return check_bool(row, text, ret_number, why);
    case SETTING_NUMBER:
        return check_number(row, text, ret_number, why);
    case SETTING_CHOICE:
        if (text.len == 0 || !words_hold(row->extra, text))
            return cause_set(why, E_BAD_INPUT, "%s: '%.*s' is not one of: %s", row->name,
                             SLICE_ARG(text), row->extra);
        break;
    case SETTING_ADDRESS:
        if (!settings_address(text, NULL, NULL) &&
            (row->extra[0] == '\0' || !slice_eq(text, slice_of(row->extra))))
            return cause_set(
                why, E_BAD_INPUT,
                "%s: '%.*s' is not an address and a port, as 127.0.0.1:7070 or [::1]:7070",
                row->name, SLICE_ARG(text));
        break;
    }
    return E_OK;
}

/* Who names a place for a secret wants one: an empty token would let everybody in. */
static enum err follow(struct slice text, const char *base, char **ret, struct cause *why)
{
    bool is_variable = slice_has_prefix(text, SLICE("env:"));
    char *found = NULL;
    enum err err = is_variable ? reference_variable(slice_from(text, 4), &found, why)
                               : reference_file(base, slice_from(text, 5), &found, why);

    if (err == E_OK && found[0] == '\0') {
        free(found);
        return cause_set(why, E_BAD_INPUT, "%s%.*s is empty", is_variable ? "the variable " : "",
                         SLICE_ARG(slice_from(text, is_variable ? 4 : 5)));
    }
    if (err == E_OK)
        *ret = found;
    return err;
}

/* resolve makes the text that is kept: a secret's reference is followed, a path made whole. */
static enum err resolve(const struct setting *row, struct slice text, const char *base, char **ret,
                        struct cause *why)
{
    if (setting_is_secret(row->type) &&
        (slice_has_prefix(text, SLICE("env:")) || slice_has_prefix(text, SLICE("file:"))))
        return cause_wrap(why, follow(text, base, ret, why), "%s", row->name);
    *ret = path_join(is_path(row->type) ? base : NULL, text);
    return E_OK;
}

enum err settings_set(struct settings *settings, enum setting_id id, enum setting_source source,
                      struct slice text, const char *base, struct cause *why)
{
    const struct setting *row = &setting_rows[id];
    struct setting_value *value = &settings->values[id];
    uint64_t number = 0;
    char *kept = NULL;

    enum err err = check_value(row, text, &number, why);
    if (err)
        return err;
    if (source < value->source)
        return E_OK;
    if (setting_is_list(row->type) && source == value->source && value->count >= SETTING_LIST_MAX)
        return cause_set(why, E_BAD_INPUT, "%s: more than %d of them", row->name, SETTING_LIST_MAX);
    err = resolve(row, text, base, &kept, why);
    if (err)
        return err;
    if (!setting_is_list(row->type) || source != value->source)
        setting_value_clear(value);
    setting_value_add(value, kept);
    value->number = number;
    value->source = source;
    return E_OK;
}

bool setting_find(struct slice name, enum setting_id *ret)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (slice_eq(name, slice_of(setting_rows[i].name))) {
            *ret = (enum setting_id)i;
            return true;
        }
    return false;
}

void setting_variable(enum setting_id id, struct buf *out)
{
    buf_add(out, SLICE("REDGRID_"));
    for (const char *at = setting_rows[id].name; *at != '\0'; at++)
        buf_add_byte(out, *at == '.' ? '_' : upper_of(*at));
}

static enum err read_variable(struct settings *settings, enum setting_id id, struct slice text,
                              struct cause *why)
{
    struct slice rest = text, one;

    if (!setting_is_list(setting_rows[id].type))
        return settings_set(settings, id, SETTING_VARIABLE, text, NULL, why);
    while (slice_cut(&rest, setting_rows[id].type == SETTING_PATHS ? ':' : ',', &one)) {
        enum err err =
            one.len == 0 ? E_OK : settings_set(settings, id, SETTING_VARIABLE, one, NULL, why);
        if (err)
            return err;
    }
    return E_OK;
}

enum err settings_read_environment(struct settings *settings, const char *const *environment,
                                   struct cause *why)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        struct slice entry = slice_of(*environment);
        size_t equals = slice_find_byte(entry, '=');
        if (!slice_has_prefix(entry, SLICE("REDGRID_")) || equals == entry.len)
            continue;
        for (size_t i = 0; i < SETTING_COUNT; i++) {
            struct buf name;
            buf_init(&name, 128);
            setting_variable((enum setting_id)i, &name);
            bool hit = slice_eq(buf_slice(&name), slice_first(entry, equals));
            buf_done(&name);
            enum err err = hit ? read_variable(settings, (enum setting_id)i,
                                               slice_from(entry, equals + 1), why)
                               : E_OK;
            if (err)
                return cause_wrap(why, err, "%.*s", (int)equals, entry.data);
        }
    }
    return E_OK;
}

static const char *nearest_flag(struct slice flag)
{
    struct nearest nearest = nearest_to(flag);

    for (size_t i = 0; i < SETTING_COUNT; i++)
        nearest_try(&nearest, setting_rows[i].flag);
    return nearest_found(&nearest);
}

static bool find_flag(struct slice flag, enum setting_id *ret)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (slice_eq(flag, slice_of(setting_rows[i].flag))) {
            *ret = (enum setting_id)i;
            return true;
        }
    return false;
}

enum err settings_read_flag(struct settings *settings, char *const *args, size_t count,
                            size_t *ret_used, struct cause *why)
{
    struct slice arg = slice_of(args[0]);
    size_t equals = slice_find_byte(arg, '=');
    enum setting_id id;
    size_t used = 1;

    if (!find_flag(slice_first(arg, equals), &id)) {
        const char *near = nearest_flag(slice_first(arg, equals));
        return cause_set(why, E_NOT_FOUND,
                         near != NULL ? "no such option: %s; did you mean %s?"
                                      : "no such option: %s",
                         args[0], near);
    }
    const struct setting *row = &setting_rows[id];
    if (equals < arg.len) {
        *ret_used = 1;
        enum err err =
            settings_set(settings, id, SETTING_FLAG, slice_from(arg, equals + 1), NULL, why);
        return cause_wrap(why, err, "%s", row->flag);
    }
    do {
        if (used == count || (used > 1 && args[used][0] == '-'))
            break;
        enum err err = settings_set(settings, id, SETTING_FLAG, slice_of(args[used]), NULL, why);
        if (err)
            return cause_wrap(why, err, "%s", row->flag);
        used++;
    } while (setting_is_list(row->type));
    if (used == 1)
        return cause_set(why, E_BAD_INPUT, "%s: needs a value: %s", row->flag, row->takes);
    *ret_used = used;
    return E_OK;
}

const char *settings_text(const struct settings *settings, enum setting_id id)
{
    return settings->values[id].texts[0];
}

uint64_t settings_number(const struct settings *settings, enum setting_id id)
{
    return settings->values[id].number;
}

bool settings_bool(const struct settings *settings, enum setting_id id)
{
    return settings->values[id].number != 0;
}

const char *const *settings_list(const struct settings *settings, enum setting_id id)
{
    return (const char *const *)settings->values[id].texts;
}

enum setting_source settings_source(const struct settings *settings, enum setting_id id)
{
    return settings->values[id].source;
}
