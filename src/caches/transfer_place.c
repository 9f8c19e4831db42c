#include "caches/transfer_place.h"

#include "base/mem.h"

#define BLOB_NAME_MAX_BYTES 900

/* One that makes neither folders nor hidden files. */
static enum err check_file_name(struct slice name, struct cause *why)
{
    if (name.len > TRANSFER_NAME_MAX_BYTES)
        return cause_set(why, E_LIMIT, "prefix: is longer than %d bytes", TRANSFER_NAME_MAX_BYTES);
    if (name.len > 0 && name.data[0] == '.')
        return cause_set(why, E_BAD_INPUT, "prefix: begins with a dot");
    if (slice_find_byte(name, '/') < name.len)
        return cause_set(why, E_BAD_INPUT,
                         "prefix: has a '/', which no name of a file in a directory has");
    return E_OK;
}

static enum err check_blob_name(struct slice name, struct cause *why)
{
    struct slice part;

    if (name.len > BLOB_NAME_MAX_BYTES)
        return cause_set(why, E_LIMIT, "prefix: is longer than %d bytes", BLOB_NAME_MAX_BYTES);
    while (slice_cut(&name, '/', &part))
        if (part.len == 0 || slice_eq(part, SLICE(".")) || slice_eq(part, SLICE("..")))
            return cause_set(why, E_BAD_INPUT, "prefix: has an empty part, or '.' or '..'");
    return E_OK;
}

static enum err check_name(struct slice name, bool is_file, struct cause *why)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] < ' ' || name.data[i] == '\\' || name.data[i] == 0x7f)
            return cause_set(why, E_BAD_INPUT, "prefix: has a control byte or a backslash");
    return is_file ? check_file_name(name, why) : check_blob_name(name, why);
}

enum err transfer_place_read(struct transfer_place *place, const struct transfer_target *target,
                             const struct file_dirs *dirs, struct cause *why)
{
    enum err err = file_url_read(target->container, dirs, &place->url, why);

    if (err == E_OK && place->url.path == NULL) {
        err = blob_account_read_url(slice_of(place->url.text), &place->account, &place->container,
                                    why);
        err = cause_wrap(why, err, "'%s'", place->url.shown);
    }
    if (err)
        return cause_wrap(why, err, "container");
    return check_name(target->name, place->url.path != NULL, why);
}

void transfer_place_done(struct transfer_place *place)
{
    file_url_done(&place->url);
    blob_account_done(&place->account);
}

enum err transfer_target_check(const struct transfer_target *target, const struct file_dirs *dirs,
                               struct cause *why)
{
    struct transfer_place place = {0};
    enum err err = transfer_place_read(&place, target, dirs, why);

    transfer_place_done(&place);
    return err;
}
