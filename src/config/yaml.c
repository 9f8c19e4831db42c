/* The file form of the settings: a YAML mapping, either flat with dots in the names, or nested. */
#include "config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/nearest.h"

#define NAME_MAX_BYTES 128

struct reader {
    struct settings *settings;
    const char *path;
    char *base; /* the file's folder */
    yaml_document_t document;
    bool seen[SETTING_COUNT];
    struct cause *why;
};

static enum err wrong(const struct reader *reader, yaml_mark_t mark, enum err err)
{
    return cause_wrap(reader->why, err, "%s:%zu:%zu", reader->path, mark.line + 1, mark.column + 1);
}

static struct slice scalar(const yaml_node_t *node)
{
    return (struct slice){(const char *)node->data.scalar.value, node->data.scalar.length};
}

static enum err read_value(struct reader *reader, enum setting_id id, const yaml_node_t *node)
{
    const struct setting *row = &setting_rows[id];
    bool is_list = setting_is_list(row->type);

    if (node->type == YAML_SCALAR_NODE) {
        struct slice text = scalar(node);
        bool is_null =
            node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
            (text.len == 0 || slice_eq(text, SLICE("~")) || slice_eq(text, SLICE("null")));
        if (is_null)
            return E_OK; /* named, but not given */
        enum err err =
            settings_set(reader->settings, id, SETTING_FILE, text, reader->base, reader->why);
        return err ? wrong(reader, node->start_mark, err) : E_OK;
    }
    if (node->type != YAML_SEQUENCE_NODE || !is_list)
        return wrong(reader, node->start_mark,
                     cause_set(reader->why, E_BAD_INPUT, "%s: must be %s", row->name,
                               is_list ? "a list" : "one value"));
    for (yaml_node_item_t *at = node->data.sequence.items.start; at < node->data.sequence.items.top;
         at++) {
        const yaml_node_t *item = yaml_document_get_node(&reader->document, *at);
        if (item->type != YAML_SCALAR_NODE)
            return wrong(
                reader, item->start_mark,
                cause_set(reader->why, E_BAD_INPUT, "%s: must be a list of texts", row->name));
        enum err err = settings_set(reader->settings, id, SETTING_FILE, scalar(item), reader->base,
                                    reader->why);
        if (err)
            return wrong(reader, item->start_mark, err);
    }
    return E_OK;
}

/* The first setting whose name goes on behind `name` and a dot, or NULL. */
static const char *first_of_section(struct slice name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct slice row = slice_of(setting_rows[i].name);
        if (row.len > name.len && slice_has_prefix(row, name) && row.data[name.len] == '.')
            return setting_rows[i].name;
    }
    return NULL;
}

static bool is_section(struct slice name)
{
    return first_of_section(name) != NULL;
}

static enum err unknown(const struct reader *reader, yaml_mark_t mark, struct slice name)
{
    struct nearest nearest = nearest_to(name);

    if (is_section(name))
        return wrong(reader, mark,
                     cause_set(reader->why, E_BAD_INPUT,
                               "%.*s: is the first part of several names, as %s: write the whole "
                               "name, or the rest of it on lines below, indented",
                               SLICE_ARG(name), first_of_section(name)));
    if (slice_eq(name, SLICE("config")))
        return wrong(reader, mark,
                     cause_set(reader->why, E_BAD_INPUT, "config: a file cannot name another one"));
    for (size_t i = 0; i < SETTING_COUNT; i++)
        nearest_try(&nearest, setting_rows[i].name);
    const char *near = nearest_found(&nearest);
    return wrong(reader, mark,
                 cause_set(reader->why, E_BAD_INPUT, "%.*s: there is no such setting%s%s%s",
                           SLICE_ARG(name), near != NULL ? "; did you mean '" : "",
                           near != NULL ? near : "", near != NULL ? "'?" : ""));
}

/* `prefix` is the section's name with its dot, "" at the top. */
static enum err read_mapping(struct reader *reader, const yaml_node_t *node, const char *prefix)
{
    for (yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top;
         at++) {
        const yaml_node_t *key = yaml_document_get_node(&reader->document, at->key);
        const yaml_node_t *value = yaml_document_get_node(&reader->document, at->value);
        char name[NAME_MAX_BYTES];
        enum setting_id id;
        enum err err;

        if (key->type != YAML_SCALAR_NODE)
            return wrong(reader, key->start_mark,
                         cause_set(reader->why, E_BAD_INPUT, "a name must be a text"));
        snprintf(name, sizeof name, "%s%.*s", prefix, SLICE_ARG(scalar(key)));
        bool is_known = setting_find(slice_of(name), &id) && id != SETTING_CONFIG_ID;
        if (value->type == YAML_MAPPING_NODE && prefix[0] == '\0' && is_section(slice_of(name))) {
            char section[NAME_MAX_BYTES + 1];
            snprintf(section, sizeof section, "%s.", name);
            err = read_mapping(reader, value, section);
        } else if (!is_known) {
            err = unknown(reader, key->start_mark, slice_of(name));
        } else if (reader->seen[id]) {
            err = wrong(reader, key->start_mark,
                        cause_set(reader->why, E_BAD_INPUT, "%s: is given twice", name));
        } else {
            reader->seen[id] = true;
            err = read_value(reader, id, value);
        }
        if (err)
            return err;
    }
    return E_OK;
}

static enum err read_document(struct reader *reader, FILE *file)
{
    yaml_parser_t parser;
    enum err err = E_OK;

    if (!yaml_parser_initialize(&parser))
        return cause_set(reader->why, E_IO, "no memory");
    yaml_parser_set_input_file(&parser, file);
    if (!yaml_parser_load(&parser, &reader->document)) {
        err = wrong(reader, parser.problem_mark,
                    cause_set(reader->why, E_BAD_INPUT, "is not YAML: %s", parser.problem));
        yaml_parser_delete(&parser);
        return err;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&reader->document);
    if (root != NULL && root->type == YAML_MAPPING_NODE)
        err = read_mapping(reader, root, "");
    else if (root != NULL)
        err = wrong(reader, root->start_mark,
                    cause_set(reader->why, E_BAD_INPUT,
                              "must be lines of 'setting: value', as 'log.level: debug'"));
    yaml_document_delete(&reader->document);
    yaml_parser_delete(&parser);
    return err;
}

static enum err open_file(const char *path, FILE **ret, struct cause *why)
{
    FILE *file = fopen(path, "re");
    struct stat found;

    if (file == NULL)
        return cause_set(why, err_from_errno(errno), "config: %s: %s", path, strerror(errno));
    bool is_known = fstat(fileno(file), &found) == 0;
    bool is_folder = is_known && S_ISDIR(found.st_mode);
    if (!is_folder && (!is_known || found.st_size <= SETTINGS_FILE_MAX_BYTES)) {
        *ret = file;
        return E_OK;
    }
    fclose(file);
    if (is_folder)
        return cause_set(why, E_BAD_INPUT, "config: %s: is a folder, not a file", path);
    return cause_set(why, E_LIMIT, "config: %s: is larger than %d bytes", path,
                     SETTINGS_FILE_MAX_BYTES);
}

enum err settings_read_file(struct settings *settings, const char *path, struct cause *why)
{
    struct reader reader = {.settings = settings, .path = path, .why = why};
    const char *slash = strrchr(path, '/');
    FILE *file = NULL;
    enum err err = open_file(path, &file, why);

    if (file == NULL)
        return err;
    if (slash != NULL) /* "/redgrid.yaml" lies in "/", which join() writes as "//": the same */
        reader.base = mem_dup(path, slash == path ? 1 : (size_t)(slash - path));
    err = read_document(&reader, file);
    free(reader.base);
    fclose(file);
    return err;
}
