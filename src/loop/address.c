#include "loop/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

struct range {
    uint32_t first;
    unsigned bits;
    enum address_kind kind;
};

static enum address_kind kind_of_v4(uint32_t ip)
{
    static const struct range ranges[] = {
        {0x00000000, 8, ADDRESS_LOOPBACK},    {0x0a000000, 8, ADDRESS_PRIVATE},
        {0x64400000, 10, ADDRESS_PRIVATE},    {0x7f000000, 8, ADDRESS_LOOPBACK},
        {0xa9fe0000, 16, ADDRESS_LINK_LOCAL}, {0xac100000, 12, ADDRESS_PRIVATE},
        {0xc0000000, 24, ADDRESS_OTHER},      {0xc0a80000, 16, ADDRESS_PRIVATE},
        {0xc6120000, 15, ADDRESS_PRIVATE},    {0xe0000000, 3, ADDRESS_OTHER},
    };

    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        if ((ip ^ ranges[i].first) >> (32 - ranges[i].bits) == 0)
            return ranges[i].kind;
    return ADDRESS_PUBLIC;
}

static uint32_t four_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum address_kind kind_of_v6(const unsigned char bytes[16])
{
    static const unsigned char zeroes[15], mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (memcmp(bytes, mapped, sizeof mapped) == 0 || memcmp(bytes, nat64, sizeof nat64) == 0)
        return kind_of_v4(four_at(bytes + 12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02) /* 6to4 */
        return kind_of_v4(four_at(bytes + 2));
    if (memcmp(bytes, zeroes, sizeof zeroes) == 0 && bytes[15] <= 1) /* :: and ::1 */
        return ADDRESS_LOOPBACK;
    if ((bytes[0] & 0xfe) == 0xfc)
        return ADDRESS_PRIVATE;
    if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
        return ADDRESS_LINK_LOCAL;
    return (bytes[0] & 0xe0) == 0x20 ? ADDRESS_PUBLIC : ADDRESS_OTHER;
}

enum address_kind address_kind(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof v4);
        return kind_of_v4(ntohl(v4.sin_addr.s_addr));
    case AF_INET6:
        memcpy(&v6, address, sizeof v6);
        return kind_of_v6(v6.sin6_addr.s6_addr);
    default:
        return ADDRESS_OTHER;
    }
}

const char *address_kind_name(enum address_kind kind)
{
    switch (kind) {
    case ADDRESS_PUBLIC:
        return "a public address";
    case ADDRESS_LOOPBACK:
        return "a loopback address";
    case ADDRESS_PRIVATE:
        return "a private address";
    case ADDRESS_LINK_LOCAL:
        return "a link-local address";
    case ADDRESS_OTHER:
        break;
    }
    return "a reserved address";
}
