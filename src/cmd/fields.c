#include "cmd/fields.h"

#include <stdio.h>

#define PATH_BYTES 128
#define WIDE_MIN 42
#define DEPTH_MAX 8

/* All values begin at one place, behind the longest path. */
struct page {
    struct buf *out; /* NULL: the paths are only measured */
    int wide;
};

static void write_value(struct page *page, const char *path, const json_t *value)
{
    struct buf *out = page->out;
    int wide = (int)slice_of(path).len;

    if (out == NULL) {
        page->wide = wide > page->wide ? wide : page->wide;
        return;
    }
    buf_addf(out, "%-*s ", page->wide, path);
    if (json_is_string(value))
        for (const char *at = json_string_value(value); *at != '\0'; at++) /* as in table.h */
            buf_add_byte(out, (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at);
    else
        jx_dump(out, value);
    buf_add_byte(out, '\n');
}

static void write_members(struct page *page, const char *prefix, const json_t *object, int depth)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        char path[PATH_BYTES];
        bool is_wrapper =
            slice_eq(slice_of(name), SLICE("properties")); /* tells a reader nothing */
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] != '\0' && !is_wrapper ? "." : "",
                 is_wrapper ? "" : name);
        if (json_is_object(value) && depth < DEPTH_MAX)
            write_members(page, path, value, depth + 1);
        else if (!json_is_null(value))
            write_value(page, path, value);
    }
}

void fields_write(struct buf *out, const json_t *object)
{
    struct page page = {.wide = WIDE_MIN};

    write_members(&page, "", object, 0);
    page.out = out;
    write_members(&page, "", object, 0);
}
