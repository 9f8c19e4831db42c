#include "redis/slot.h"

#define CRC16_POLYNOMIAL 0x1021 /* CCITT, as XMODEM uses it */

struct slice redis_hash_tag(struct slice key)
{
    size_t open = slice_find_byte(key, '{');
    struct slice rest = slice_from(key, open + 1);
    size_t len = slice_find_byte(rest, '}');

    return open == key.len || len == rest.len || len == 0 ? key : slice_first(rest, len);
}

uint16_t redis_slot(struct slice key)
{
    struct slice tag = redis_hash_tag(key);
    unsigned crc = 0;

    for (size_t i = 0; i < tag.len; i++) {
        crc ^= (unsigned)(unsigned char)tag.data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ CRC16_POLYNOMIAL : crc << 1;
        crc &= 0xffff;
    }
    return (uint16_t)(crc % REDIS_SLOTS);
}

bool redis_moved(struct slice error, uint16_t *ret_slot, struct slice *ret_endpoint)
{
    struct slice word;
    struct slice number;
    uint64_t slot;

    if (!slice_cut(&error, ' ', &word) ||
        (!slice_eq(word, SLICE("MOVED")) && !slice_eq(word, SLICE("ASK"))))
        return false;
    if (!slice_cut(&error, ' ', &number) || !slice_to_u64(number, &slot) || slot >= REDIS_SLOTS ||
        !slice_cut(&error, ' ', &word) || word.len == 0)
        return false;
    *ret_slot = (uint16_t)slot;
    *ret_endpoint = word;
    return true;
}
