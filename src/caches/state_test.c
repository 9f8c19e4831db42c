#include "caches/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static char *text(const char *from)
{
    return slice_dup(slice_of(from));
}

static void check_written(const struct cache_state *state, const char *expected)
{
    struct buf out;

    buf_init(&out, CACHE_STATE_MAX_BYTES);
    cache_state_write(&out, state);
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

#define WHOLE                                                                                      \
    "{\"provisioningState\":\"Scaling\",\"hostName\":\"localhost\",\"port\":6379,\"sslPort\":"     \
    "6380,"                                                                                        \
    "\"epoch\":7,\"owner\":\"node-a\",\"membersMade\":3,\"shards\":[{\"id\":0,\"primary\":\"n1\"," \
    "\"members\":[{\"name\":\"n1\",\"address\":\"127.77.0.1\",\"port\":6379,\"tlsPort\":6380,"     \
    "\"busPort\":16379,\"dir\":\"/d/n1\",\"program\":\"/usr/bin/redis-server\",\"version\":"       \
    "\"7.0.15\",\"pid\":4711,\"startTime\":123456789,\"isInSync\":true,\"state\":\"open\"},"       \
    "{\"name\":\"n3\",\"port\":0,\"tlsPort\":0,\"pid\":0,\"startTime\":0,\"isInSync\":false,"      \
    "\"isSide\":true,\"state\":\"starting\"}],\"slots\":[[0,8191],[16383,16383]]},{\"id\":4,"      \
    "\"failed\":\"n2\",\"mayHaveLost\":true,\"hasLost\":true,\"members\":[]}],"                    \
    "\"secrets\":{\"primaryKey\":\"k1\",\"secondaryKey\":\"k2\",\"nextSecondaryKey\":\"k3\","      \
    "\"admin\":\"a\",\"replication\":\"r\"},\"error\":{\"code\":\"C\",\"message\":\"M\"}}"
#define EMPTY                                                                                      \
    "{\"provisioningState\":\"Creating\",\"port\":0,\"sslPort\":0,\"epoch\":0,\"membersMade\":0,"  \
    "\"shards\":[],\"secrets\":{}}"

static void documents_come_back(void **state)
{
    static const char *const rows[] = {EMPTY, WHOLE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_state cache;
        struct cause why = {0};
        cache_state_init(&cache);
        if (cache_state_read(&cache, slice_of(rows[i]), &why) != E_OK)
            fail_msg("%s: %s", rows[i], why.text);
        check_written(&cache, rows[i]);
        cache_state_done(&cache);
    }
}

static void members_are_found(void **state)
{
    struct cache_state cache;

    (void)state;
    cache_state_init(&cache);
    assert_int_equal(cache_state_read(&cache, SLICE(WHOLE), NULL), E_OK);
    struct cache_member *member = cache_state_find(&cache, SLICE("n3"));
    assert_int_equal(member->state, MEMBER_STARTING);
    assert_null(cache_state_find(&cache, SLICE("n2")));
    struct cache_shard *shard = &cache.shards[0];
    assert_int_equal(cache_shard_primary(shard)->pid, 4711);
    assert_null(cache_shard_primary(&cache.shards[1]));
    cache_shard_remove(shard, cache_shard_primary(shard));
    assert_null(cache_shard_primary(shard));
    assert_int_equal(shard->member_count, 1);
    assert_string_equal(shard->members[0].name, "n3");
    cache_state_done(&cache);
}

/* What other versions wrote. */
static void less_and_more_is_read(void **state)
{
    struct cache_state cache;

    (void)state;
    cache_state_init(&cache);
    assert_int_equal(cache_state_read(&cache, SLICE("{}"), NULL), E_OK);
    check_written(&cache, EMPTY);
    assert_int_equal(
        cache_state_read(&cache,
                         SLICE("{\"new\":[1,{}],\"shards\":[{\"new\":{},\"members\":[{\"name\":"
                               "\"n1\",\"new\":1,\"pid\":null}],\"slots\":null}],\"error\":null}"),
                         NULL),
        E_OK);
    check_written(&cache,
                  "{\"provisioningState\":\"Creating\",\"port\":0,\"sslPort\":0,\"epoch\":0,"
                  "\"membersMade\":0,\"shards\":[{\"id\":0,\"members\":[{\"name\":\"n1\","
                  "\"port\":0,\"tlsPort\":0,\"pid\":0,\"startTime\":0,\"isInSync\":false,"
                  "\"state\":\"starting\"}]}],\"secrets\":{}}");
    cache_state_done(&cache);
}

static void mistakes_name_their_member(void **state)
{
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"[]", "is not an object"},
        {"{\"epoch\":-1}", "epoch: -1 is not between 0 and 4611686018427387904"},
        {"{\"port\":65536}", "port: 65536 is not between 0 and 65535"},
        {"{\"provisioningState\":\"Odd\"}",
         "provisioningState: 'Odd' is not 'Creating', 'Updating', 'Scaling', 'Deleting', "
         "'Succeeded', 'Failed' or 'RecoveringScaleFailure'"},
        {"{\"shards\":[{},{\"members\":[{}]}]}", "shards[1].members[0].name: is missing"},
        {"{\"shards\":[{\"members\":[{\"name\":\"n\",\"state\":\"odd\"}]}]}",
         "shards[0].members[0].state: 'odd' is not 'starting', 'closed', 'open', 'stopping' or "
         "'gone'"},
        {"{\"shards\":[{\"slots\":[[0,1],[5,4]]}]}",
         "shards[0].slots: item 1 is no range within 0 to 16383"},
        {"{\"shards\":[{\"slots\":[[0,16384]]}]}",
         "shards[0].slots: item 0 is no range within 0 to 16383"},
        {"{\"shards\":[{\"slots\":[7]}]}", "shards[0].slots: item 0 is no range within 0 to 16383"},
        {"{\"shards\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}",
         "shards: has more than 20 items"},
        {"{\"shards\":[{\"members\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}]}",
         "shards[0].members[0].name: is missing"},
        {"{\"secrets\":{\"admin\":5}}", "secrets.admin: is not a text"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_state cache;
        struct cause why = {0};
        cache_state_init(&cache);
        if (cache_state_read(&cache, slice_of(rows[i].json), &why) != E_BAD_INPUT ||
            strcmp(why.text, rows[i].text) != 0)
            fail_msg("%s: %s", rows[i].json, why.text);
        cache_state_done(&cache);
    }
}

static void a_cache_is_built_and_ended(void **state)
{
    struct cache_state cache;
    struct cache_shard *shard;
    size_t count = 0;

    (void)state;
    cache_state_init(&cache);
    cache_secrets_make(&cache.secrets);
    assert_string_not_equal(cache.secrets.keys.text[0], cache.secrets.keys.text[1]);
    assert_string_not_equal(cache.secrets.admin, cache.secrets.replication);
    assert_int_equal(strlen(cache.secrets.admin), 44); /* 32 bytes in Base64 */
    shard = cache_state_shard(&cache, 0);
    shard->primary = text("n1");
    while (cache_shard_add(shard, SLICE("n1")) != NULL)
        count++;
    assert_int_equal(count, CACHE_SHARD_MEMBERS_MAX);
    while (cache_state_shard(&cache, 1) != NULL)
        count++;
    assert_int_equal(cache.shard_count, CACHE_STATE_SHARDS_MAX);
    cache_state_done(&cache);
    assert_null(cache.secrets.admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_come_back),        cmocka_unit_test(members_are_found),
        cmocka_unit_test(less_and_more_is_read),      cmocka_unit_test(mistakes_name_their_member),
        cmocka_unit_test(a_cache_is_built_and_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
