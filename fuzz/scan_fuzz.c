/* The scanner of objects against jansson: both call the same texts objects, and read the same
 * strings in them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "json/json.h"
#include "json/scan.h"

/* What jansson refuses and the scanner does not look at. */
static bool is_refused_by_choice(const struct cause *why)
{
    return strstr(why->text, "too big") != NULL || strstr(why->text, "overflow") != NULL ||
           strstr(why->text, "\\u0000") != NULL || strstr(why->text, "NUL") != NULL;
}

static void check_members(struct slice text, json_t *object)
{
    struct jx_field field;
    size_t count = 0;
    struct buf name;

    buf_init(&name, text.len + 1);
    while (jx_scan_next(&text, &field)) {
        buf_clear(&name);
        jx_scan_add_string(&name, field.name);
        assert(json_object_get(object, buf_text(&name)) != NULL);
        count++;
    }
    assert(count >= json_object_size(object));
    buf_done(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = {(const char *)data, len};
    struct jx_limits limits = {.depth_max = JX_SCAN_DEPTH_MAX};
    struct cause why = {0};
    json_t *value = NULL;

    if (!utf8_is_valid(text) || slice_has_prefix(text, SLICE("\xef\xbb\xbf")))
        return 0;
    bool is_object = jx_scan_is_object(text);
    enum err err = jx_parse(text, NULL, &limits, &value, &why);
    if (err == E_OK) {
        assert(is_object == json_is_object(value));
        if (is_object)
            check_members(text, value);
    } else {
        assert(!is_object || is_refused_by_choice(&why));
    }
    json_decref(value);
    return 0;
}
