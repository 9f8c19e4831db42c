/* loop/address.h - what an IP address reaches, so that a name from outside cannot lead inside.
 * Sources: the IANA special-purpose address registries; RFC 1918, 2544, 3056, 3927, 4193, 4291,
 * 6052, 6598, 6890. An IPv4 address within an IPv6 one (mapped, NAT64, 6to4) is judged as that.
 * Pure: callable anywhere. */
#ifndef LOOP_ADDRESS_H
#define LOOP_ADDRESS_H

#include <sys/socket.h>

/* Bits, so that several can be allowed. */
enum address_kind {
    ADDRESS_PUBLIC = 1,
    ADDRESS_LOOPBACK = 2,   /* this machine; 0.0.0.0 too, which connects to it */
    ADDRESS_PRIVATE = 4,    /* a network of one's own: 10/8, 172.16/12, 192.168/16, 100.64/10,
                               198.18/15, fc00::/7 */
    ADDRESS_LINK_LOCAL = 8, /* 169.254/16, where clouds keep a machine's secrets, and fe80::/10 */
    ADDRESS_OTHER = 16,     /* multicast, broadcast, reserved; what is no IP */
};
enum address_kind address_kind(const struct sockaddr *address);

/* address_kind_name: "a private address". */
const char *address_kind_name(enum address_kind kind);

#endif
