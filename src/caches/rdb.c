#include "caches/rdb.h"

#include "base/err.h"

enum err rdb_version_read(struct slice head, uint32_t *ret, struct cause *why)
{
    static const struct slice magic = SLICE_INIT("REDIS");
    struct slice digits = slice_from(slice_first(head, RDB_HEAD_BYTES), magic.len);
    uint64_t version;

    if (!slice_has_prefix(head, magic) || digits.len < RDB_HEAD_BYTES - magic.len)
        return cause_set(why, E_BAD_INPUT, "is no RDB file: it does not begin with REDIS00nn");
    for (size_t i = 0; i < digits.len; i++)
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return cause_set(why, E_BAD_INPUT, "is no RDB file: REDIS is not followed by 4 digits");
    if (!slice_to_u64(digits, &version) || version == 0)
        return cause_set(why, E_BAD_INPUT, "is no RDB file: it has version 0");
    *ret = (uint32_t)version;
    return E_OK;
}
