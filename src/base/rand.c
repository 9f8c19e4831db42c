#include "base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_secret(void *bytes, size_t len)
{
    unsigned char *at = bytes;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fprintf(stderr, "redgrid: getrandom failed\n");
            abort();
        }
        at += got;
        len -= (size_t)got;
    }
}

/* xoshiro256++ by Blackman and Vigna (public domain algorithm): state of 256 bits, never all zero.
 */
static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t rand_u64(void)
{
    static uint64_t s[4];
    if ((s[0] | s[1] | s[2] | s[3]) == 0)
        rand_secret(s, sizeof s);
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double rand_unit(void)
{
    return (double)(rand_u64() >> 11) * 0x1p-53;
}
