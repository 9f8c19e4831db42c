#include "apps/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void patterns_match_as_in_the_server(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"a*", "a", true},
        {"*b", "ab", true},
        {"a*c", "abcbc", true},
        {"a*c", "abcb", false},
        {"*a*b*", "xxaxxbxx", true},
        {"?", "a", true},
        {"?", "", false},
        {"h?llo", "hallo", true},
        {"h[ae]llo", "hello", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-c]llo", "hbllo", true},
        {"h[c-a]llo", "hbllo", true},
        {"h[a-c]llo", "hdllo", false},
        {"[\\]]", "]", true},
        {"[\\-x]", "-", true},
        {"[abc", "b", true},
        {"[", "[", false},
        {"a\\*", "a*", true},
        {"a\\*", "ab", false},
        {"a\\", "a\\", true},
        {"__keyspace@0__:k\\[1\\]", "__keyspace@0__:k[1]", true},
        {"__keyspace@0__:k\\[1\\]", "__keyspace@0__:k1", false},
        {"testChannel*", "testChannel", true},
        {"testChannel", "testChannelsuffix", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (glob_match(slice_of(rows[i].pattern), slice_of(rows[i].text)) != rows[i].matches)
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].text);
}

static void many_stars_end_in_time(void **state)
{
    char pattern[201], text[10001];

    (void)state;
    for (size_t i = 0; i < 200; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[199] = 'b';
    pattern[200] = '\0';
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(glob_match(slice_of(pattern), slice_of(text)));
}

static void subscriptions_tell_what_they_can_receive(void **state)
{
    enum { O = CHANNEL_ORDINARY, K = CHANNEL_KEYSPACE, E = CHANNEL_KEYEVENT };
    static const struct {
        const char *channel;
        unsigned as_pattern, as_channel;
    } rows[] = {
        {"orders", O, O},
        {"*", O | K | E, O},
        {"__*", O | K | E, O},
        {"__key*", O | K | E, O},
        {"__keyspace@0__:testKey", K, K},
        {"__keyspace@0__:testKey*", K, K},
        {"__keyspace@0__:*", K, K},
        {"__keyspace@*__:*", K, O},
        {"__keyspace@?__:k", K, O},
        {"__keyspace@[0-3]__:k", K, O},
        {"__keyspace@1?__:k", K, O},
        {"__keyspace@x__:k", O, O},
        {"__keyevent@0__:set", E, E},
        {"__keyevent@*", E, O},
        {"__key[es]*", O | K | E, O},
        {"__keye*:del", O | E, O},
        {"*:expired", O | K | E, O},
        {"a*", O, O},
        {"\\__keyspace@0__:k", K, O},
        {"__keyspace@0__", O, O},
        {"__keyspace@*[a]__:k", K, O}, /* the key may be "a__:k" */
        {"?????", O, O},
        {"", O, O},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice channel = slice_of(rows[i].channel);
        if (channel_kinds(channel, true) != rows[i].as_pattern)
            fail_msg("pattern '%s': %u", rows[i].channel, channel_kinds(channel, true));
        if (channel_kinds(channel, false) != rows[i].as_channel)
            fail_msg("channel '%s': %u", rows[i].channel, channel_kinds(channel, false));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_in_the_server),
        cmocka_unit_test(many_stars_end_in_time),
        cmocka_unit_test(subscriptions_tell_what_they_can_receive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
