#include "apps/expression.h"

#include <stdlib.h>

#include "json/json.h"

static const struct rpc_named *find(const struct rpc_named *metadata, size_t count,
                                    struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_nocase(metadata[i].name, name))
            return &metadata[i];
    return NULL;
}

/* A member by its whole name first, since names may hold dots, then step by step. */
static const json_t *descend(const json_t *value, struct slice path)
{
    while (path.len > 0 && value != NULL) {
        char *name = slice_dup(path);
        const json_t *whole = jx_member(value, name);
        free(name);
        if (whole != NULL)
            return whole;
        size_t dot = slice_find_byte(path, '.');
        if (dot == path.len)
            return NULL;
        name = slice_dup(slice_first(path, dot));
        value = jx_member(value, name);
        free(name);
        path = slice_from(path, dot + 1);
    }
    return value;
}

/* An entry of a stream is as large as its fields. */
static const struct jx_limits limits = {.text_max_bytes = 1536u << 20};

static bool add_member(struct buf *out, const struct rpc_data *data, struct slice path)
{
    json_t *root = NULL;

    if (data->kind != RPC_JSON || jx_parse(data->text, NULL, &limits, &root, NULL) != E_OK)
        return false;
    const json_t *value = descend(root, path);
    if (json_is_string(value))
        buf_add(out, jx_slice(value));
    else if (value != NULL)
        jx_dump(out, value);
    json_decref(root);
    return value != NULL;
}

static bool add_value(struct buf *out, struct slice name, const struct rpc_named *metadata,
                      size_t count)
{
    const struct rpc_named *found = find(metadata, count, name);
    size_t dot = slice_find_byte(name, '.');

    if (found != NULL) {
        buf_add(out, found->data.text);
        return true;
    }
    if (dot == name.len)
        return false;
    found = find(metadata, count, slice_first(name, dot));
    return found != NULL && add_member(out, &found->data, slice_from(name, dot + 1));
}

enum err expression_add(struct buf *out, struct slice text, const struct rpc_named *metadata,
                        size_t count, struct cause *why)
{
    while (text.len > 0) {
        size_t open = slice_find_byte(text, '{');
        size_t close = open + slice_find_byte(slice_from(text, open), '}');
        if (close >= text.len) { /* no more names */
            buf_add(out, text);
            break;
        }
        struct slice name = slice_first(slice_from(text, open + 1), close - open - 1);
        buf_add(out, slice_first(text, open));
        if (!add_value(out, slice_trim(name), metadata, count))
            return cause_set(why, E_NOT_FOUND, "no value for '{%.*s}'",
                             SLICE_ARG(slice_first(name, 128)));
        text = slice_from(text, close + 1);
    }
    return buf_err(out);
}
