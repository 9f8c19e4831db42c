#include "base/sha1.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_BYTES 64
#define ROUNDS 80

static uint32_t rotate(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

static uint32_t read_be32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The function and the constant of a round change every 20 rounds. */
static uint32_t mix(int round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5a827999;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    default:
        return (b ^ c ^ d) + 0xca62c1d6;
    }
}

static void add_block(uint32_t hash[5], const unsigned char *block)
{
    uint32_t w[ROUNDS], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];

    for (int i = 0; i < 16; i++)
        w[i] = read_be32(block + i * 4);
    for (int i = 16; i < ROUNDS; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void sha1_hex(struct slice text, char ret[SHA1_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char tail[2 * BLOCK_BYTES] = {0};
    size_t whole = text.len / BLOCK_BYTES * BLOCK_BYTES, rest = text.len - whole;
    size_t tail_len = rest < BLOCK_BYTES - 8 ? BLOCK_BYTES : sizeof tail;

    for (size_t at = 0; at < whole; at += BLOCK_BYTES)
        add_block(hash, (const unsigned char *)text.data + at);
    if (rest > 0)
        memcpy(tail, text.data + whole, rest);
    tail[rest] = 0x80; /* then zeroes, and the length in bits */
    for (size_t i = 0; i < 8; i++)
        tail[tail_len - 1 - i] = (unsigned char)((uint64_t)text.len * 8 >> (8 * i));
    for (size_t at = 0; at < tail_len; at += BLOCK_BYTES)
        add_block(hash, tail + at);
    for (size_t i = 0; i < SHA1_HEX_BYTES; i++)
        ret[i] = digits[hash[i / 8] >> (28 - i % 8 * 4) & 15];
}
