#include "config/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/reference.h"
#include "json/json.h"
#include "json/scan.h"

#define MISTAKES_MAX_BYTES 65536
#define YAML_TAG "tag:yaml.org,2002:"

enum kind { TOPICS, SUBSCRIPTIONS, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = {"topics", "subscriptions"};

struct document {
    yaml_document_t yaml;
    char *file, *base;
};

/* One topic or subscription. */
struct item {
    size_t document;
    int node; /* in it */
};

struct manifest {
    struct document *documents;
    size_t document_count;
    struct items {
        struct item *rows;
        size_t count, room;
        struct buf json; /* without the brackets */
    } items[KIND_COUNT];
    struct buf mistakes;
    size_t parts;
};

struct manifest *manifest_new(void)
{
    struct manifest *manifest = mem_new(struct manifest);

    for (size_t i = 0; i < KIND_COUNT; i++)
        buf_init(&manifest->items[i].json, MANIFEST_JSON_MAX_BYTES);
    buf_init(&manifest->mistakes, MISTAKES_MAX_BYTES);
    return manifest;
}

void manifest_free(struct manifest *manifest)
{
    if (manifest == NULL)
        return;
    for (size_t i = 0; i < manifest->document_count; i++) {
        yaml_document_delete(&manifest->documents[i].yaml);
        free(manifest->documents[i].file);
        free(manifest->documents[i].base);
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        free(manifest->items[i].rows);
        buf_done(&manifest->items[i].json);
    }
    buf_done(&manifest->mistakes);
    free(manifest->documents);
    free(manifest);
}

/* ---- mistakes ---- */

static void add_mark(struct buf *out, const char *file, yaml_mark_t mark)
{
    buf_addf(out, "%s:%zu:%zu", file, mark.line + 1, mark.column + 1);
}

/* `what` and `said` are one text; control characters would make lines of their own. */
static void wrong(struct manifest *manifest, const char *file, yaml_mark_t mark, struct slice what,
                  const char *said)
{
    struct buf *out = &manifest->mistakes;

    if (out->len > MISTAKES_MAX_BYTES / 2)
        return;
    add_mark(out, file, mark);
    buf_add(out, SLICE(": "));
    for (size_t i = 0; i < what.len && i < 64; i++)
        buf_add_byte(out, (unsigned char)what.data[i] < 0x20 ? '?' : what.data[i]);
    buf_addf(out, "%s%s\n", what.len > 0 ? ": " : "", said);
}

/* ---- one item as JSON ---- */

struct writer {
    struct manifest *manifest;
    struct document *document;
    struct buf *out;
};

static void complain(const struct writer *w, const yaml_node_t *node, struct slice what,
                     const char *said)
{
    wrong(w->manifest, w->document->file, node->start_mark, what, said);
}

static struct slice scalar(const yaml_node_t *node)
{
    return (struct slice){(const char *)node->data.scalar.value, node->data.scalar.length};
}

static bool is_word(struct slice text, const char *word)
{
    return slice_eq_nocase(text, slice_of(word));
}

static bool is_null(struct slice text)
{
    return text.len == 0 || slice_eq(text, SLICE("~")) || is_word(text, "null");
}

static bool is_number(struct slice text)
{
    return text.len > 0 && (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) &&
           jx_scan_is_value(text, 0);
}

/* False if the tag says nothing about a reference. */
static bool write_reference(const struct writer *w, const yaml_node_t *node)
{
    struct slice tag = slice_of((const char *)node->tag);
    struct cause why;
    char *text = NULL;
    enum err err;

    if (slice_eq(tag, SLICE("!env")))
        err = reference_variable(scalar(node), &text, &why);
    else if (slice_eq(tag, SLICE("!file")))
        err = reference_file(w->document->base, scalar(node), &text, &why);
    else
        return false;
    if (err != E_OK)
        complain(w, node, SLICE(""), why.text);
    jx_write_string(w->out, slice_of(text));
    free(text);
    return true;
}

static void write_scalar(const struct writer *w, const yaml_node_t *node)
{
    struct slice text = scalar(node), tag = slice_of((const char *)node->tag);

    if (write_reference(w, node))
        return;
    if (!slice_has_prefix(tag, SLICE(YAML_TAG)))
        complain(w, node, tag, "is not known here; there are !env NAME and !file PATH");
    bool is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (is_plain && is_null(text))
        buf_add(w->out, SLICE("null"));
    else if (is_plain && (is_word(text, "true") || is_word(text, "false")))
        buf_add_lower(w->out, text);
    else if (is_plain && is_number(text))
        buf_add(w->out, text);
    else
        jx_write_string(w->out, text);
}

static void write_node(const struct writer *w, int index, unsigned depth);

static void write_sequence(const struct writer *w, const yaml_node_t *node, unsigned depth)
{
    buf_add_byte(w->out, '[');
    for (yaml_node_item_t *at = node->data.sequence.items.start; at < node->data.sequence.items.top;
         at++) {
        buf_add(w->out, at > node->data.sequence.items.start ? SLICE(",") : SLICE(""));
        write_node(w, *at, depth + 1);
    }
    buf_add_byte(w->out, ']');
}

static const yaml_node_t *node_at(const struct document *document, int index)
{
    return yaml_document_get_node((yaml_document_t *)(uintptr_t)&document->yaml, index);
}

/* Is the key a text, and not there before? */
static bool check_key(const struct writer *w, const yaml_node_t *node, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = node_at(w->document, pair->key);

    if (key->type != YAML_SCALAR_NODE) {
        complain(w, key, SLICE(""), "a name must be a text");
        return false;
    }
    for (yaml_node_pair_t *at = node->data.mapping.pairs.start; at < pair; at++) {
        const yaml_node_t *other = node_at(w->document, at->key);
        if (other->type == YAML_SCALAR_NODE && slice_eq_nocase(scalar(other), scalar(key))) {
            complain(w, key, scalar(key), "is given twice");
            return false;
        }
    }
    return true;
}

static void write_mapping(const struct writer *w, const yaml_node_t *node, unsigned depth)
{
    if (node->data.mapping.pairs.top - node->data.mapping.pairs.start > MANIFEST_MEMBERS_MAX) {
        complain(w, node, SLICE(""), "has more than 200 members");
        return;
    }
    buf_add_byte(w->out, '{');
    for (yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top;
         at++) {
        if (!check_key(w, node, at))
            continue;
        buf_add(w->out, at > node->data.mapping.pairs.start ? SLICE(",") : SLICE(""));
        jx_write_string(w->out, scalar(node_at(w->document, at->key)));
        buf_add_byte(w->out, ':');
        write_node(w, at->value, depth + 1);
    }
    buf_add_byte(w->out, '}');
}

/* An alias is the node that it stands for, which may hold aliases in its turn, even of itself. */
static void write_node(const struct writer *w, int index, unsigned depth)
{
    const yaml_node_t *node = node_at(w->document, index);

    if (w->manifest->parts >= MANIFEST_PARTS_MAX)
        return;
    if (++w->manifest->parts == MANIFEST_PARTS_MAX) {
        complain(w, node, SLICE(""), "here are more than 100000 values: do aliases hold aliases?");
        return;
    }
    if (depth > MANIFEST_DEPTH_MAX) {
        complain(w, node, SLICE(""), "is nested deeper than 32");
        return;
    }
    if (node->type == YAML_SEQUENCE_NODE)
        write_sequence(w, node, depth);
    else if (node->type == YAML_MAPPING_NODE)
        write_mapping(w, node, depth);
    else
        write_scalar(w, node);
}

/* ---- documents ---- */

static void add_item(struct manifest *manifest, enum kind kind, int node)
{
    struct items *items = &manifest->items[kind];
    const struct writer writer = {manifest, &manifest->documents[manifest->document_count - 1],
                                  &items->json};

    if (items->count == items->room) {
        items->room = items->room == 0 ? 16 : 2 * items->room;
        items->rows = mem_resize(items->rows, items->room, sizeof *items->rows);
    }
    items->rows[items->count++] = (struct item){manifest->document_count - 1, node};
    buf_add(&items->json, items->count > 1 ? SLICE(",") : SLICE(""));
    write_node(&writer, node, 0);
}

static bool find_kind(struct slice name, enum kind *ret)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (slice_eq_nocase(name, slice_of(kind_names[i]))) {
            *ret = (enum kind)i;
            return true;
        }
    return false;
}

static void tell_unknown(const struct writer *w, const yaml_node_t *key)
{
    struct nearest nearest = nearest_to(scalar(key));
    char said[64] = "is not known; there are topics and subscriptions";

    for (size_t i = 0; i < KIND_COUNT; i++)
        nearest_try(&nearest, kind_names[i]);
    if (nearest_found(&nearest) != NULL)
        snprintf(said, sizeof said, "is not known; did you mean '%s'?", nearest_found(&nearest));
    complain(w, key, scalar(key), said);
}

static void add_list(const struct writer *w, const yaml_node_t *key, const yaml_node_t *list)
{
    enum kind kind;

    if (!find_kind(scalar(key), &kind))
        tell_unknown(w, key);
    else if (list->type == YAML_SEQUENCE_NODE)
        for (yaml_node_item_t *at = list->data.sequence.items.start;
             at < list->data.sequence.items.top; at++)
            add_item(w->manifest, kind, *at);
    else if (list->type != YAML_SCALAR_NODE || !is_null(scalar(list)))
        complain(w, key, scalar(key), "is not a list: begin each with `- name: ..`");
}

static void add_document(struct manifest *manifest)
{
    struct document *document = &manifest->documents[manifest->document_count - 1];
    const struct writer writer = {manifest, document, NULL};
    const yaml_node_t *root = yaml_document_get_root_node(&document->yaml);

    if (root->type == YAML_SCALAR_NODE && is_null(scalar(root)))
        return;
    if (root->type != YAML_MAPPING_NODE) {
        complain(&writer, root, SLICE(""), "is neither `topics:` nor `subscriptions:`");
        return;
    }
    for (yaml_node_pair_t *at = root->data.mapping.pairs.start; at < root->data.mapping.pairs.top;
         at++)
        if (check_key(&writer, root, at))
            add_list(&writer, node_at(document, at->key), node_at(document, at->value));
}

/* False when there are no more, or none that can be read. */
static bool load_document(struct manifest *manifest, yaml_parser_t *parser, const char *name,
                          const char *base)
{
    struct document fresh = {.file = NULL};

    if (!yaml_parser_load(parser, &fresh.yaml)) {
        wrong(manifest, name, parser->problem_mark, SLICE("is not YAML"),
              parser->problem != NULL ? parser->problem : "no memory");
        return false;
    }
    if (yaml_document_get_root_node(&fresh.yaml) == NULL) {
        yaml_document_delete(&fresh.yaml);
        return false;
    }
    if (manifest->document_count == MANIFEST_DOCUMENTS_MAX) {
        wrong(manifest, name, fresh.yaml.start_mark, SLICE(""), "is one document too many");
        yaml_document_delete(&fresh.yaml);
        return false;
    }
    fresh.file = slice_dup(slice_of(name));
    fresh.base = base != NULL ? slice_dup(slice_of(base)) : NULL;
    manifest->documents =
        mem_resize(manifest->documents, manifest->document_count + 1, sizeof *manifest->documents);
    manifest->documents[manifest->document_count++] = fresh;
    return true;
}

void manifest_add(struct manifest *manifest, const char *name, const char *base, struct slice text)
{
    yaml_parser_t parser;

    if (text.len > MANIFEST_FILE_MAX_BYTES) {
        wrong(manifest, name, (yaml_mark_t){0}, SLICE(""), "is larger than 1 MiB");
        return;
    }
    if (!yaml_parser_initialize(&parser))
        return; /* no memory */
    yaml_parser_set_input_string(
        &parser, (const unsigned char *)(text.data != NULL ? text.data : ""), text.len);
    while (load_document(manifest, &parser, name, base))
        add_document(manifest);
    yaml_parser_delete(&parser);
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (buf_err(&manifest->items[i].json) != E_OK)
            wrong(manifest, name, (yaml_mark_t){0}, slice_of(kind_names[i]),
                  "are more than 8 MiB of JSON");
}

static void add_open_file(struct manifest *manifest, const char *path, int fd)
{
    const char *slash = strrchr(path, '/');
    char *base = NULL;
    struct buf text;
    char *room;
    ssize_t got = 1;

    buf_init(&text, MANIFEST_FILE_MAX_BYTES + 2 * 4096);
    while (got > 0 && (room = buf_reserve(&text, 4096)) != NULL) {
        got = read(fd, room, 4096);
        buf_grow(&text, got > 0 ? (size_t)got : 0);
    }
    if (slash != NULL)
        base = mem_dup(path, slash == path ? 1 : (size_t)(slash - path));
    if (got < 0)
        wrong(manifest, path, (yaml_mark_t){0}, SLICE(""), strerror(errno));
    else
        manifest_add(manifest, path, base, buf_slice(&text));
    free(base);
    buf_done(&text);
}

void manifest_add_file(struct manifest *manifest, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        wrong(manifest, path, (yaml_mark_t){0}, SLICE(""), strerror(errno));
        return;
    }
    add_open_file(manifest, path, fd);
    close(fd);
}

struct slice manifest_mistakes(const struct manifest *manifest)
{
    return buf_slice(&manifest->mistakes);
}

size_t manifest_count(const struct manifest *manifest)
{
    return manifest->items[TOPICS].count + manifest->items[SUBSCRIPTIONS].count;
}

void manifest_write(const struct manifest *manifest, struct buf *out)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        buf_addf(out, "%s\"%s\":[", i == 0 ? "{" : ",", kind_names[i]);
        buf_add(out, buf_slice(&manifest->items[i].json));
        buf_add_byte(out, ']');
    }
    buf_add_byte(out, '}');
}

/* ---- places ---- */

/* The pair of that name, or NULL. */
static const yaml_node_pair_t *find_pair(const struct document *document, const yaml_node_t *node,
                                         struct slice name)
{
    if (node->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top;
         at++) {
        const yaml_node_t *key = node_at(document, at->key);
        if (key->type == YAML_SCALAR_NODE && slice_eq_nocase(scalar(key), name))
            return at;
    }
    return NULL;
}

/* Takes "name" or "[3]" off the path; false at its end. */
static bool cut_part(struct slice *path, struct slice *ret)
{
    size_t len = 0;

    if (path->len > 0 && path->data[0] == '.')
        *path = slice_from(*path, 1);
    while (len < path->len && path->data[len] != '.' && (len == 0 || path->data[len] != '['))
        len++;
    *ret = slice_first(*path, len);
    *path = slice_from(*path, len);
    return len > 0;
}

static bool read_index(struct slice part, uint64_t *ret)
{
    return part.len > 2 && part.data[0] == '[' &&
           slice_to_u64(slice_from(slice_first(part, part.len - 1), 1), ret);
}

/* The mark of the last part that is there; "properties" is often left out. */
static yaml_mark_t follow(const struct document *document, int index, struct slice path)
{
    const yaml_node_t *node = node_at(document, index);
    yaml_mark_t mark = node->start_mark;
    struct slice part;
    uint64_t at;

    while (cut_part(&path, &part)) {
        const yaml_node_pair_t *pair = find_pair(document, node, part);
        if (pair != NULL) {
            mark = node_at(document, pair->key)->start_mark;
            node = node_at(document, pair->value);
        } else if (read_index(part, &at) && node->type == YAML_SEQUENCE_NODE &&
                   at < (size_t)(node->data.sequence.items.top - node->data.sequence.items.start)) {
            node = node_at(document, node->data.sequence.items.start[at]);
            mark = node->start_mark;
        } else if (!slice_eq(part, SLICE("properties"))) {
            break;
        }
    }
    return mark;
}

void manifest_add_place(const struct manifest *manifest, struct slice path, struct buf *out)
{
    struct slice name, index;
    uint64_t at = 0;
    enum kind kind;

    if (cut_part(&path, &name) && find_kind(name, &kind) && cut_part(&path, &index) &&
        read_index(index, &at) && at < manifest->items[kind].count) {
        const struct item *item = &manifest->items[kind].rows[at];
        const struct document *document = &manifest->documents[item->document];
        add_mark(out, document->file, follow(document, item->node, path));
    } else {
        buf_addf(out, "%s", manifest->document_count > 0 ? manifest->documents[0].file : "-");
    }
}
