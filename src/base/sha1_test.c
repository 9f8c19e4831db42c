#include "base/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void assert_digest(struct slice text, const char *expected)
{
    char digest[SHA1_HEX_BYTES + 1] = "";

    sha1_hex(text, digest);
    assert_string_equal(digest, expected);
}

/* The examples of FIPS 180-4, and lengths around the end of a block as `printf x%.0s` and
 * `sha1sum` give them. */
static void known_digests(void **state)
{
    static const struct {
        size_t len;
        const char *digest;
    } rows[] = {
        {55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"},
        {56, "901305367c259952f4e7af8323f480d59f81335b"},
        {63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"},
        {64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"},
        {65, "78c741ddc482e4cdf8c474a0876347a0905b6233"},
        {1000, "c3efa690fa3fdd2e2526853eed670538ea127638"},
    };
    char text[1000];

    (void)state;
    assert_digest(SLICE(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_digest(SLICE_NONE, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_digest(SLICE("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest(SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_digest((struct slice){text, rows[i].len}, rows[i].digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_digests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
