/* caches/op_transfer_testing.h - what tests of imports and exports share: a cache, a directory for
 * files, and what is done to both. Included by one test file per program. */
#ifndef CACHES_OP_TRANSFER_TESTING_H
#define CACHES_OP_TRANSFER_TESTING_H

#include "caches/caches_testing.h"

#define STANDARD                                                                                   \
    "{\"sku\":{\"name\":\"Standard\",\"family\":\"C\",\"capacity\":1},"                            \
    "\"enableNonSslPort\":true}"
#define PREMIUM(more)                                                                              \
    "{\"sku\":{\"name\":\"Premium\",\"family\":\"P\",\"capacity\":1},\"replicasPerPrimary\":1,"    \
    "\"enableNonSslPort\":true,\"redisConfiguration\":{" more "}}"
#define SUCCEEDED "\"provisioningState\":\"Succeeded\""

static char dir[64]; /* that files may be in */

static inline int begin(void **state)
{
    (void)world_begin(state);
    snprintf(dir, sizeof dir, "/tmp/redgrid-files-XXXXXX");
    assert_non_null(mkdtemp(dir));
    world.file_dirs[0] = dir;
    return 0;
}

static inline int end(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
    return world_end(state);
}

static inline void create(const char *properties)
{
    struct asked asked;

    put(properties, &asked);
    if (asked.ending.err)
        fail_msg("%s", asked.ending.why);
    wait_shown(SUCCEEDED);
    wait_for(is_settled, NULL);
}

static inline void act(const char *kind, const char *arguments, struct asked *asked)
{
    ask(asked);
    assert_int_equal(
        caches_act(world.caches, SLICE(CACHE_ID), kind, slice_of(arguments), &asked->request),
        E_OK);
    wait_for(is_over, &asked->ending);
}

static inline bool is_gone(void *ctx)
{
    (void)ctx;
    return the_cache() == NULL;
}

static inline void delete (void)
{
    struct asked asked;

    ask(&asked);
    assert_int_equal(caches_delete(world.caches, SLICE(CACHE_ID), &asked.request), E_OK);
    wait_for(is_over, &asked.ending);
    wait_for(is_gone, NULL);
}

static inline void say(const char *command, const char *answer)
{
    struct redis *client = client_open();

    test_ask(loop, client, command, answer);
    redis_close(client);
}

static inline bool is_idle(void *ctx)
{
    const char *id = ctx;
    struct cache *cache = the_cache();

    return is_settled(NULL) || (cache->operation != NULL &&
                                !slice_eq(slice_of(cache->operation->record.id), slice_of(id)));
}

/* Runs to its end. */
static inline void do_it(const char *kind, const char *arguments)
{
    struct asked asked;

    act(kind, arguments, &asked);
    if (asked.ending.err)
        fail_msg("%s", asked.ending.why);
    wait_for(is_idle, asked.request.operation);
    wait_for(is_settled, NULL);
}

static inline void export_as(const char *prefix)
{
    char arguments[256];

    snprintf(arguments, sizeof arguments, "{\"prefix\":\"%s\",\"container\":\"file://%s\"}", prefix,
             dir);
    do_it("export", arguments);
}

static inline void import_of(const char *first, const char *second)
{
    char arguments[512];
    int at = snprintf(arguments, sizeof arguments, "{\"files\":[\"file://%s/%s.rdb\"", dir, first);

    if (second != NULL)
        at += snprintf(arguments + at, sizeof arguments - (size_t)at, ",\"file://%s/%s.rdb\"", dir,
                       second);
    snprintf(arguments + at, sizeof arguments - (size_t)at, "]}");
    do_it("import", arguments);
}

static inline size_t files_there(void)
{
    char command[96];
    unsigned count = 0;

    snprintf(command, sizeof command, "ls -A '%s' | wc -l", dir);
    FILE *from = popen(command, "r");
    assert_non_null(from);
    assert_int_equal(fscanf(from, "%u", &count), 1); /* NOLINT(cert-err34-c): of wc */
    pclose(from);
    return count;
}

static inline void write_file(const char *name, const char *bytes, size_t count)
{
    char path[96];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, count, to), count);
    fclose(to);
}

/* As many members as the tier has, all well, and none of the import. */
static inline void check_members(size_t count)
{
    const struct cache_shard *shard = cache_shard_of(the_cache(), 0);

    assert_int_equal(shard->member_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_false(shard->members[i].is_side);
        assert_true(cache_is_up(the_cache(), shard->members[i].name));
        assert_true(&shard->members[i] == cache_shard_primary(shard) ||
                    shard->members[i].is_in_sync);
    }
    assert_int_equal(cache_shard_primary(shard)->state, MEMBER_OPEN);
}

#endif
