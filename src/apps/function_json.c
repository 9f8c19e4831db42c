#include "apps/function_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/script.h"
#include "apps/settings.h"
#include "apps/trigger_json.h"
#include "base/mem.h"
#include "json/json.h"

#define NAME_MAX_BYTES 128
#define BINDINGS_MAX_BYTES (1u << 20)

static const struct jx_limits file_limits = {.text_max_bytes = 1u << 20, .depth_max = 32};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(struct slice name, bool allows_dashes)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        char c = name.data[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && !(allows_dashes && (c == '_' || c == '-')))
            return false;
    }
    return true;
}

bool function_name_is_valid(struct slice name)
{
    return is_name(name, true) && !slice_eq_nocase(name, SLICE("host"));
}

/* One binding while the list is walked. */
struct binding {
    struct jx_view view;
    const char *name;
    struct slice type;
    enum direction direction;
};

/* Reading one function.json. */
struct reading {
    struct function *function;
    const struct host_json *host;
    struct jx_view *top;
    json_t *list;
    size_t trigger_count;
};

static void read_name(struct reading *r, struct binding *binding, size_t index)
{
    if (!jx_text(&binding->view, "name", &binding->name)) {
        jx_view_error(&binding->view, "name", "is missing");
        return;
    }
    struct slice name = slice_of(binding->name);
    if (!is_name(name, false) && !slice_eq(name, SLICE("$return")))
        jx_view_error(&binding->view, "name", "'%s' is no name: letters and digits, a letter first",
                      binding->name);
    for (size_t i = 0; i < index; i++)
        if (slice_eq_nocase(jx_slice(jx_member(json_array_get(r->list, i), "name")), name))
            jx_view_error(&binding->view, "name",
                          "Multiple bindings with name '%s' discovered. Binding names must be "
                          "unique.",
                          binding->name);
}

static void read_direction(struct binding *binding)
{
    static const char *const directions[] = {"in", "out", "inout"}; /* as enum direction */
    const json_t *value = jx_member(binding->view.json, "direction");

    if (value == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(directions); i++)
        if (slice_eq_nocase(slice_trim(jx_slice(value)), slice_of(directions[i]))) {
            binding->direction = (enum direction)i;
            return;
        }
    jx_view_error(&binding->view, "direction", "'%.*s' is not a valid binding direction.",
                  SLICE_ARG(slice_first(jx_slice(value), 64)));
}

static void add_redis_binding(struct reading *r, struct binding *binding)
{
    struct function *f = r->function;

    f->bindings = mem_resize(f->bindings, f->binding_count + 1, sizeof *f->bindings);
    redis_binding_read(f, &binding->view, binding->direction, &f->bindings[f->binding_count]);
    f->binding_count++;
}

static void add_trigger(struct reading *r, struct binding *binding)
{
    enum trigger_type type = trigger_type_of(binding->type);

    if (++r->trigger_count > 1) {
        jx_view_error(r->top, "bindings",
                      "Multiple trigger bindings defined. A function can only have a single "
                      "trigger binding.");
        return;
    }
    if (binding->direction != DIRECTION_IN)
        jx_view_error(&binding->view, "direction", "a trigger's is 'in'");
    if (type == TRIGGER_NONE)
        jx_view_error(&binding->view, "type",
                      "'%.*s' is not supported; redisListTrigger, redisStreamTrigger, "
                      "redisPubSubTrigger and eventGridTrigger are",
                      SLICE_ARG(slice_first(binding->type, 64)));
    else
        trigger_read(r->function, r->host, type, &binding->view);
}

static void read_binding(struct reading *r, size_t index)
{
    struct binding binding = {.direction = DIRECTION_IN};

    jx_view_init(&binding.view, json_array_get(r->list, index), r->top->file);
    snprintf(binding.view.path, sizeof binding.view.path, "bindings[%zu]", index);
    if (!json_is_object(binding.view.json))
        jx_view_error(&binding.view, NULL, "is not an object");
    binding.type = slice_trim(jx_slice(jx_member(binding.view.json, "type")));
    if (binding.type.len == 0)
        jx_view_error(&binding.view, "type",
                      jx_member(binding.view.json, "type") == NULL ? "is missing"
                                                                   : "is not the name of a type");
    read_name(r, &binding, index);
    read_direction(&binding);
    if (slice_has_suffix_nocase(binding.type, SLICE("trigger")))
        add_trigger(r, &binding);
    else if (slice_eq_nocase(binding.type, SLICE("redis")))
        add_redis_binding(r, &binding);
    else
        jx_view_error(&binding.view, "type",
                      "'%.*s' is not supported; redisListTrigger, redisStreamTrigger, "
                      "redisPubSubTrigger, eventGridTrigger and redis are",
                      SLICE_ARG(slice_first(binding.type, 64)));
    jx_view_join(r->top, &binding.view);
}

static void read_bindings(struct reading *r)
{
    r->list = jx_member(r->top->json, "bindings");
    if (r->list != NULL && !json_is_array(r->list))
        jx_view_error(r->top, "bindings", "is not an array");
    if (json_array_size(r->list) == 0)
        jx_view_error(r->top, "bindings", "At least one binding must be declared.");
    for (size_t i = 0; i < json_array_size(r->list); i++)
        read_binding(r, i);
    if (r->trigger_count == 0)
        jx_view_error(r->top, "bindings",
                      "No trigger binding specified. A function must have a trigger input "
                      "binding.");
}

static bool setting_is_true(const struct function *function, const char *separator)
{
    char name[NAME_MAX_BYTES + 64];
    bool is_true = false;

    snprintf(name, sizeof name, "AzureWebJobs%s%.*s%sDisabled", separator, NAME_MAX_BYTES,
             function->name, separator);
    return slice_to_bool(slice_trim(slice_of(app_setting(function->app, slice_of(name)))),
                         &is_true) &&
           is_true;
}

/* `"disabled"` is a boolean, or the name of a setting that holds one. */
static bool is_disabled(const struct function *function, struct jx_view *top)
{
    const json_t *value = jx_member(top->json, "disabled");
    bool is_off = json_is_true(value);

    if (json_is_string(value)) {
        const char *setting = app_setting(function->app, jx_slice(value));
        (void)slice_to_bool(setting != NULL ? slice_of(setting) : jx_slice(value), &is_off);
    }
    /* the second form is for shells, which refuse dots in names */
    return is_off || setting_is_true(function, ".") || setting_is_true(function, "__");
}

static char *optional_text(struct jx_view *top, const char *field)
{
    const char *text = NULL;

    return jx_text(top, field, &text) && !slice_is_blank(slice_of(text))
               ? mem_dup(text, strlen(text))
               : NULL;
}

static void set_error(struct function *function, const char *text)
{
    if (function->error == NULL)
        function->error = mem_dup(text, strlen(text));
}

static void read_document(struct function *function, const struct host_json *host,
                          struct jx_view *top, char **ret_script)
{
    struct reading r = {.function = function, .host = host, .top = top};
    struct buf text;

    if (!json_is_object(top->json))
        jx_view_error(top, NULL, "is not an object");
    if (!function_name_is_valid(slice_of(function->name)))
        jx_view_error(top, NULL, "'%s' is not a valid function name.", function->name);
    function->is_disabled = is_disabled(function, top);
    function->retry = host->retry;
    read_bindings(&r);
    retry_read(top, &function->retry);
    function->entry_point = optional_text(top, "entryPoint");
    *ret_script = optional_text(top, "scriptFile");
    if (r.list != NULL) {
        buf_init(&text, BINDINGS_MAX_BYTES);
        jx_dump(&text, r.list);
        function->raw_bindings = buf_detach(&text);
        buf_done(&text);
    }
}

static void use_document(struct function *function, const struct host_json *host, json_t *root,
                         const char *file, char **ret_script)
{
    struct jx_view top;

    jx_view_init(&top, root, file);
    read_document(function, host, &top, ret_script);
    if (top.err)
        set_error(function, top.why.text);
}

static char *file_name(const struct function *function)
{
    char *name = NULL;

    if (asprintf(&name, "%s/function.json", function->name) < 0)
        abort();
    return name;
}

void function_json_parse(struct function *function, const struct host_json *host, struct slice text,
                         char **ret_script)
{
    char *file = file_name(function);
    struct cause why = {0};
    json_t *root = NULL;

    *ret_script = NULL;
    enum err err = jx_parse(text, file, &file_limits, &root, &why);
    if (err)
        set_error(function, cause_text(&why, err));
    else
        use_document(function, host, root, file, ret_script);
    json_decref(root);
    free(file);
}

void function_json_load(struct function *function, const struct host_json *host)
{
    char *file = file_name(function), *path = NULL, *script = NULL;
    struct cause why = {0};
    json_t *root = NULL;

    if (asprintf(&path, "%s/function.json", function->directory) < 0)
        abort();
    enum err err = jx_load_file(path, file, &file_limits, &root, &why);
    if (err)
        set_error(function, cause_text(&why, err));
    else
        use_document(function, host, root, file, &script);
    bool needs_script = !err && strcmp(function->app->runtime, "custom") != 0;
    if (needs_script &&
        script_find(function->directory, script, &function->script_file, &why) != E_OK) {
        struct cause placed = {0};
        (void)cause_set(&placed, E_NOT_FOUND, "%s: scriptFile: %s", file, why.text);
        set_error(function, placed.text);
    }
    json_decref(root);
    free(script);
    free(path);
    free(file);
}

void function_free(struct function *function)
{
    if (function == NULL)
        return;
    free(function->name);
    free(function->directory);
    free(function->script_file);
    free(function->entry_point);
    trigger_done(&function->trigger);
    for (size_t i = 0; i < function->binding_count; i++)
        redis_binding_done(&function->bindings[i]);
    free(function->bindings);
    free(function->error);
    strings_free(function->warnings);
    free(function->raw_bindings);
    free(function);
}
