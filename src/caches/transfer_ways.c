#include "caches/transfer_ways.h"

#include "caches/caches.h"

struct transfer_ways transfer_ways_of(const struct cache *cache)
{
    const struct caches_options *options = cache->options;
    const char *const *dirs = options->settings.file_dirs;
    struct transfer_ways ways = {.loop = options->loop, .http = options->http};

    ways.dirs.paths = dirs;
    while (dirs != NULL && dirs[ways.dirs.count] != NULL)
        ways.dirs.count++;
    return ways;
}

enum err transfer_accept(struct slice body,
                         enum err (*read)(struct jx_view *view, struct buf *ret, struct cause *why),
                         struct buf *ret, struct cause *why)
{
    json_t *json = NULL;
    struct jx_view view;

    if (body.data == NULL)
        return cause_set(why, E_BAD_INPUT, "the body is missing");
    enum err err = jx_parse(body, NULL, NULL, &json, why);
    if (err == E_OK && !json_is_object(json))
        err = cause_set(why, E_BAD_INPUT, "the body is not an object");
    if (err == E_OK) {
        jx_view_init(&view, json, NULL);
        err = read(&view, ret, why);
    }
    json_decref(json);
    return err;
}

/* ---- what may be told ---- */

static json_t *shown_text(const json_t *value)
{
    struct slice text = jx_slice(value);
    bool is_url = slice_has_prefix_nocase(text, SLICE("http://")) ||
                  slice_has_prefix_nocase(text, SLICE("https://"));
    size_t len = is_url ? slice_find_byte(text, '?') : text.len;

    return json_stringn(text.data, len);
}

/* Changes what is in `value`: no URL is deeper than in an array of a member. */
static void cut(json_t *value)
{
    const char *name;
    json_t *item;
    void *next;
    size_t i;

    json_object_foreach_safe(value, next, name, item)
    {
        if (json_is_string(item))
            (void)json_object_set_new(value, name, shown_text(item));
        for (i = 0; i < json_array_size(item); i++)
            if (json_is_string(json_array_get(item, i)))
                (void)json_array_set_new(item, i, shown_text(json_array_get(item, i)));
    }
}

void transfer_write_shown(struct buf *out, struct slice json)
{
    json_t *value;

    if (jx_parse(json, NULL, NULL, &value, NULL) != E_OK)
        return;
    cut(value);
    jx_dump(out, value);
    json_decref(value);
}
