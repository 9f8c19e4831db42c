#include "base/id.h"

#include <string.h>

#include "base/rand.h"

static struct id format(unsigned char bytes[16])
{
    static const char hex[] = "0123456789abcdef";
    struct id id = {""};
    char *at = id.text;

    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    *at = '\0';
    return id;
}

struct id id_next(void)
{
    uint64_t words[2] = {rand_u64(), rand_u64()};
    unsigned char bytes[16];
    memcpy(bytes, words, sizeof bytes);
    return format(bytes);
}

struct id id_secret(void)
{
    unsigned char bytes[16];
    rand_secret(bytes, sizeof bytes);
    return format(bytes);
}

struct slice id_slice(const struct id *id)
{
    return (struct slice){id->text, ID_LEN};
}
