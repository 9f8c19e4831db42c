/* Paths of the control plane: what was read is read the same again, once it is escaped, and comes
 * apart into pieces of itself. */
#include <assert.h>

#include "arm/path.h"
#include "fuzz.h"
#include "wire/url.h"

static void check_piece(struct slice piece, const struct buf *whole)
{
    assert(piece.data == NULL ||
           (piece.data >= whole->data && piece.data + piece.len <= whole->data + whole->len));
}

static void check_matches(const struct arm_path *path)
{
    static const char *const patterns[] = {
        "{scope}/providers/Microsoft.EventGrid/eventSubscriptions/{name}",
        "/subscriptions/{subscription}/resourceGroups/{group}",
        "{scope}/resources",
    };
    struct arm_match match;

    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (arm_path_match(path, patterns[i], &match))
            for (size_t j = 0; j < match.count; j++)
                check_piece(match.parts[j].value, &path->text);
}

static void check_id(const struct arm_path *path)
{
    struct slice id = buf_slice(&path->text);
    struct buf out;

    buf_init(&out, 2 * ARM_PATH_MAX_BYTES);
    check_piece(arm_id_subscription(id), &path->text);
    check_piece(arm_id_group(id), &path->text);
    check_piece(arm_id_group_id(id), &path->text);
    check_piece(arm_id_name(id), &path->text);
    arm_id_add_type(&out, id);
    buf_clear(&out);
    arm_id_add_folded(&out, id);
    assert(out.len == id.len);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arm_path path, again;
    struct buf escaped;

    if (arm_path_read(&path, (struct slice){(const char *)data, len}) == E_OK) {
        buf_init(&escaped, 4 * ARM_PATH_MAX_BYTES);
        for (size_t i = 0; i < path.count; i++) {
            assert(path.segments[i].len > 0);
            buf_add_byte(&escaped, '/');
            url_add_escaped(&escaped, path.segments[i]);
        }
        if (arm_path_read(&again, buf_slice(&escaped)) == E_OK)
            assert(slice_eq(buf_slice(&path.text), buf_slice(&again.text)));
        else
            assert(path.count + 2 >= ARM_SEGMENTS_MAX); /* one that has grown */
        arm_path_done(&again);
        buf_done(&escaped);
        check_matches(&path);
        check_id(&path);
    }
    arm_path_done(&path);
    return 0;
}
