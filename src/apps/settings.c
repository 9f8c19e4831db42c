#include "apps/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"

#define FILE_NAME "local.settings.json"
#define NAME_MAX_BYTES (64u << 10)
#define VALUE_MAX_BYTES (1u << 20)
#define CONNECTION_PREFIX SLICE("CUSTOMCONNSTR_")

/* Lower case, and "__" as ":". */
static void add_key(struct buf *key, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (c == '_' && i + 1 < name.len && name.data[i + 1] == '_') {
            buf_add_byte(key, ':');
            i++;
        } else {
            buf_add_byte(key, lower_of(c));
        }
    }
}

static void setting_free(struct app_setting *setting)
{
    if (setting == NULL)
        return;
    free(setting->name);
    free(setting->value);
    free(setting);
}

static struct app_setting *setting_new(struct slice name, struct slice value)
{
    struct app_setting *setting = mem_new(struct app_setting);
    setting->name = slice_dup(name);
    setting->value = slice_dup(value);
    return setting;
}

static void set(struct app *app, struct slice prefix, struct slice name, struct slice value)
{
    struct buf key;

    buf_init(&key, NAME_MAX_BYTES);
    add_key(&key, prefix);
    add_key(&key, name);
    if (buf_err(&key) == E_OK && key.len > 0) {
        struct buf full;
        buf_init(&full, NAME_MAX_BYTES);
        buf_add(&full, prefix);
        buf_add(&full, name);
        setting_free(
            map_set(&app->settings, buf_slice(&key), setting_new(buf_slice(&full), value)));
        buf_done(&full);
    }
    buf_done(&key);
}

/* Two variables may differ in case only (http_proxy, HTTP_PROXY). Lookups find the last; children
 * get both, hence the first is kept under a name that no variable can have. */
static void keep_namesake(struct app *app, struct slice name)
{
    struct buf key;

    buf_init(&key, NAME_MAX_BYTES);
    add_key(&key, name);
    struct app_setting *old = map_get(&app->settings, buf_slice(&key));
    if (old != NULL && !slice_eq(slice_of(old->name), name)) {
        buf_clear(&key);
        buf_add_byte(&key, '=');
        buf_add(&key, slice_of(old->name));
        setting_free(map_set(&app->settings, buf_slice(&key),
                             setting_new(slice_of(old->name), slice_of(old->value))));
    }
    buf_done(&key);
}

void settings_take(struct app *app, const char *const *environment)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        struct slice line = slice_of(*environment);
        size_t equals = slice_find_byte(line, '=');
        if (equals == 0 || equals == line.len)
            continue;
        struct slice name = slice_first(line, equals);
        struct slice value = slice_from(line, equals + 1);
        keep_namesake(app, name);
        set(app, SLICE_NONE, name, value);
        if (slice_has_prefix_nocase(name, CONNECTION_PREFIX))
            set(app, SLICE("ConnectionStrings:"), slice_from(name, CONNECTION_PREFIX.len), value);
    }
}

static void read_member(struct app *app, struct slice prefix, struct jx_view *view,
                        const char *name, const json_t *value)
{
    struct buf text;

    if (json_is_object(value) &&
        prefix.len > 0) /* {"ConnectionString": "..", "ProviderName": ..} */
        value = jx_member(value, "connectionString");
    if (value == NULL || json_is_null(value))
        return;
    if (json_is_object(value) || json_is_array(value)) {
        jx_view_error(view, name, "is not a text");
        return;
    }
    if (json_is_string(value)) {
        set(app, prefix, slice_of(name), jx_slice(value));
        return;
    }
    buf_init(&text, VALUE_MAX_BYTES);
    jx_dump(&text, value);
    set(app, prefix, slice_of(name), buf_slice(&text));
    buf_done(&text);
}

static void read_members(struct app *app, struct slice prefix, struct jx_view *top,
                         const char *field)
{
    struct jx_view view;
    union {
        const json_t *in;
        json_t *out;
    } object;
    const char *name;
    json_t *value;

    jx_view_down(top, field, &view);
    object.in = view.json;
    json_object_foreach(object.out, name, value) read_member(app, prefix, &view, name, value);
    jx_view_join(top, &view);
}

static enum err read_file(struct app *app, struct cause *why)
{
    struct jx_view top;
    json_t *root = NULL;
    bool is_encrypted = false;
    char *path = NULL;

    if (asprintf(&path, "%s/" FILE_NAME, app->directory) < 0)
        return cause_set(why, E_FAILED, "out of memory");
    enum err err = jx_load_file(path, FILE_NAME, NULL, &root, why);
    free(path);
    if (err == E_NOT_FOUND) {
        if (why != NULL)
            why->text[0] = '\0';
        return E_OK;
    }
    if (err)
        return err;
    jx_view_init(&top, root, FILE_NAME);
    if (!json_is_object(root))
        jx_view_error(&top, NULL, "is not an object");
    if (jx_bool(&top, "IsEncrypted", &is_encrypted) && is_encrypted)
        jx_view_error(&top, "IsEncrypted",
                      "encrypted settings cannot be read; decrypt the file "
                      "and set it to false");
    read_members(app, SLICE_NONE, &top, "Values");
    read_members(app, SLICE("ConnectionStrings:"), &top, "ConnectionStrings");
    json_decref(root);
    return top.err ? cause_set(why, top.err, "%s", top.why.text) : E_OK;
}

enum err settings_read(struct app *app, const char *const *environment, struct cause *why)
{
    enum err err = read_file(app, why);
    settings_take(app, environment);
    return err;
}

void settings_done(struct app *app)
{
    struct slice key;
    void *setting;

    for (size_t at = 0; map_next(&app->settings, &at, &key, &setting);)
        setting_free(setting);
    map_done(&app->settings);
}

const char *app_setting(const struct app *app, struct slice name)
{
    struct buf key;

    buf_init(&key, NAME_MAX_BYTES);
    add_key(&key, name);
    struct app_setting *setting = buf_err(&key) ? NULL : map_get(&app->settings, buf_slice(&key));
    buf_done(&key);
    return setting == NULL ? NULL : setting->value;
}

char **app_environment(const struct app *app)
{
    char **strings = mem_new_array(app->settings.count + 1, char *);
    size_t count = 0;
    struct slice key;
    void *value;

    for (size_t at = 0; map_next(&app->settings, &at, &key, &value);) {
        const struct app_setting *setting = value;
        struct buf line;
        buf_init(&line, NAME_MAX_BYTES + VALUE_MAX_BYTES + 2);
        for (const char *c = setting->name; *c != '\0'; c++)
            buf_add(&line, *c == ':' ? SLICE("__") : (struct slice){c, 1});
        buf_addf(&line, "=%s", setting->value);
        char *text = buf_detach(&line);
        if (text != NULL)
            strings[count++] = text;
        buf_done(&line);
    }
    return strings;
}

void strings_free(char **strings)
{
    for (char **at = strings; at != NULL && *at != NULL; at++)
        free(*at);
    free(strings);
}

char *text_lower(const char *text)
{
    char *ret = mem_dup(text, strlen(text));

    for (char *c = ret; *c != '\0'; c++)
        *c = lower_of(*c);
    return ret;
}

void strings_add(char ***strings, char *text)
{
    size_t count = 0;

    while (*strings != NULL && (*strings)[count] != NULL)
        count++;
    *strings = mem_resize(*strings, count + 2, sizeof **strings);
    (*strings)[count] = text;
    (*strings)[count + 1] = NULL;
}

void strings_addf(char ***strings, const char *fmt, ...)
{
    char text[CAUSE_MAX_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    strings_add(strings, mem_dup(text, strlen(text)));
}

/* Copies up to the next %name%, whose value goes to *ret_value (NULL = unknown). False at the end;
 * *ret_is_lone tells that it came early, at a '%' without partner. */
static bool next_name(const struct app *app, struct slice *rest, struct buf *out,
                      const char **ret_value, bool *ret_is_lone)
{
    size_t open = slice_find_byte(*rest, '%');
    struct slice behind = slice_from(*rest, open + 1);
    size_t close = slice_find_byte(behind, '%');

    buf_add(out, slice_first(*rest, open));
    *ret_is_lone = open < rest->len && close == behind.len;
    if (open == rest->len || *ret_is_lone) {
        *rest = slice_from(*rest, open);
        return false;
    }
    *ret_value = app_setting(app, slice_first(behind, close));
    *rest = slice_from(behind, close + 1);
    return true;
}

bool settings_expand(const struct app *app, const char *text, char **ret)
{
    struct slice rest = slice_of(text);
    const char *value = NULL;
    bool is_known = true, is_lone;
    struct buf out;

    buf_init(&out, VALUE_MAX_BYTES);
    while (is_known && next_name(app, &rest, &out, &value, &is_lone)) {
        is_known = value != NULL;
        buf_add(&out, slice_of(value));
    }
    is_known = is_known && !is_lone && buf_err(&out) == E_OK;
    *ret = is_known ? buf_detach(&out) : NULL;
    if (*ret == NULL)
        *ret = mem_dup(text, strlen(text));
    buf_done(&out);
    return is_known;
}

char *settings_expand_argument(const struct app *app, const char *text)
{
    struct slice rest = slice_of(text);
    const char *value = NULL;
    bool is_lone;
    struct buf out;

    buf_init(&out, VALUE_MAX_BYTES);
    while (next_name(app, &rest, &out, &value, &is_lone))
        buf_add(&out, slice_of(value));
    buf_add(&out, rest);
    char *ret = buf_detach(&out);
    buf_done(&out);
    return ret != NULL ? ret : mem_dup(text, strlen(text));
}
