/* caches/testing_fleet.h - real servers of a cache, for tests: test_cache_begin() makes what they
 * share, test_member_run() starts one, test_cache_end() ends all. Addresses and ports are this
 * process's own, so tests may run beside each other. */
#ifndef CACHES_TESTING_FLEET_H
#define CACHES_TESTING_FLEET_H

#include <arpa/inet.h>
#include <ftw.h>

#include "caches/member.h"
#include "caches/server_config.h"
#include "caches/testing.h"
#include "loop/authority.h"
#include "redis/testing.h"
#include "store/server_find.h"

#define PATIENCE_MS 60000
#define TEST_MEMBERS_MAX 4
#define TEST_KEY "key1"

struct test_member {
    char name[8], address[24], dir[96];
    struct cache_member record;
    struct member *member;
    struct member_end end; /* of its last run */
    size_t ends;           /* unasked */
};

struct test_cache {
    char folder[64];
    char address[24]; /* for clients */
    const char *addresses[2];
    struct cache_host host;
    struct cache_spec spec;
    struct cache_secrets secrets;
    char files[3][128];
    struct server_tls tls;
    uint16_t port;
    struct test_member members[TEST_MEMBERS_MAX];
};

/* ---- waiting ---- */

struct test_op {
    struct op op;
    enum err err;
    bool is_done;
    char why[CAUSE_MAX_BYTES];
};

static inline void test_op_done(struct op *op, enum err err)
{
    struct test_op *waiter = op->owner;

    waiter->is_done = true;
    waiter->err = err;
    snprintf(waiter->why, sizeof waiter->why, "%s", op->why.text);
}

static inline bool test_op_is_done(void *ctx)
{
    return ((struct test_op *)ctx)->is_done;
}

static inline void test_until(bool (*is_true)(void *ctx), void *ctx)
{
    assert_true(test_wait_ms(loop, is_true, ctx, PATIENCE_MS));
}

/* How an op that has just been started ends. */
static inline enum err test_end_of(struct op *op, char *ret_why)
{
    struct test_op waiter = {0};

    op->done = test_op_done;
    op->owner = &waiter;
    test_until(test_op_is_done, &waiter);
    if (ret_why != NULL)
        snprintf(ret_why, CAUSE_MAX_BYTES, "%s", waiter.why);
    return waiter.err;
}

static inline void test_ends_well(struct op *op)
{
    char why[CAUSE_MAX_BYTES];

    if (test_end_of(op, why) != E_OK)
        fail_msg("%s", why);
}

/* ---- a cache ---- */

/* As server_config_test.c says: below the ports that the kernel gives to clients. */
static inline uint16_t test_cache_port(void)
{
    for (unsigned port = 10000 + (unsigned)getpid() * 3 % 15000; port < 26000; port += 3)
        if (port_free((uint16_t)port) == port && port_free((uint16_t)(port + 1)) == port + 1)
            return (uint16_t)port;
    fail_msg("no two ports are free");
    return 0;
}

static inline void test_address(char *ret, size_t size, unsigned net, unsigned last)
{
    unsigned own = (unsigned)getpid() & 0xffff;
    snprintf(ret, size, "127.%u.%u.%u", net + last, own >> 8, own & 0xff);
}

static inline void test_cache_begin(struct test_cache *cache, const char *properties)
{
    static char admin[] = "admin-secret", replication[] = "replication-secret";
    const char *names[3 + TEST_MEMBERS_MAX] = {"localhost"};
    struct cause why = {0};

    log_open(2, LOG_OFF, false);
    loop = loop_new();
    hub = redis_hub_new(loop);
    *cache = (struct test_cache){.port = test_cache_port()};
    snprintf(cache->folder, sizeof cache->folder, "/tmp/redgrid-test-XXXXXX");
    assert_non_null(mkdtemp(cache->folder));
    test_address(cache->address, sizeof cache->address, 60, 0);
    names[1] = cache->addresses[0] = cache->address;
    for (size_t i = 0; i < TEST_MEMBERS_MAX; i++) {
        test_address(cache->members[i].address, sizeof cache->members[i].address, 61, (unsigned)i);
        names[2 + i] = cache->members[i].address;
    }
    if (authority_open(cache->folder, names, &why) != E_OK)
        fail_msg("%s", why.text);
    static const char *const files[] = {AUTHORITY_CERTIFICATE, AUTHORITY_KEY, AUTHORITY_CA};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        snprintf(cache->files[i], sizeof cache->files[i], "%s/%s", cache->folder, files[i]);
    cache->tls = (struct server_tls){cache->files[0], cache->files[1], cache->files[2]};
    cache->host = (struct cache_host){
        .addresses = cache->addresses, .address_count = 1, .has_tls = true, .files_max = 1024};
    cache->spec = test_spec(&cache->host, properties);
    cache->secrets = (struct cache_secrets){
        .keys = {.text = {TEST_KEY, "key2"}}, .admin = admin, .replication = replication};
}

static inline void test_member_down(void *ctx, struct member *member, const struct member_end *end)
{
    struct test_member *one = ctx;

    (void)member;
    one->end = *end;
    one->ends++;
}

static inline void test_member_make(struct test_cache *cache, size_t at, const char *program)
{
    struct test_member *one = &cache->members[at];

    snprintf(one->name, sizeof one->name, "n%zu", at + 1);
    struct buf dir;
    buf_init(&dir, sizeof one->dir - 1);
    buf_addf(&dir, "%s/%s", cache->folder, one->name);
    memcpy(one->dir, buf_text(&dir), dir.len + 1);
    buf_done(&dir);
    one->record = (struct cache_member){.name = one->name,
                                        .address = one->address,
                                        .port = cache->port,
                                        .tls_port = (uint16_t)(cache->port + 1),
                                        .dir = one->dir,
                                        .program = server_find(program)};
    assert_non_null(one->record.program);
    const struct member_options options = {.loop = loop,
                                           .hub = hub,
                                           .cache = "test",
                                           .record = &one->record,
                                           .password = cache->secrets.admin,
                                           .hang_ms = PATIENCE_MS,
                                           .down = test_member_down,
                                           .ctx = one};
    one->member = member_new(&options);
}

/* Starts it, emptied, as a replica of another or (-1) of nobody. */
static inline void test_member_start(struct test_cache *cache, size_t at, int primary)
{
    struct test_member *one = &cache->members[at];
    const struct server_config config = {.spec = &cache->spec,
                                         .host = &cache->host,
                                         .member = &one->record,
                                         .primary =
                                             primary >= 0 ? &cache->members[primary].record : NULL,
                                         .secrets = &cache->secrets,
                                         .tls = &cache->tls};
    struct buf text;
    struct op op = {0};

    buf_init(&text, SERVER_CONFIG_MAX_BYTES);
    server_config_write(&text, &config);
    member_start(one->member, buf_slice(&text), false, &op);
    test_ends_well(&op);
    buf_done(&text);
}

static inline struct member_door test_door(const struct test_cache *cache)
{
    return (struct member_door){.addresses = cache->addresses, .count = 1};
}

static inline void test_admit(const struct test_cache *cache, struct member *member)
{
    const struct member_door door = test_door(cache);
    struct member_talk talk = {0};

    member_admit(member, &door, &talk);
    test_ends_well(&talk.op);
    member_talk_done(&talk);
}

static inline void test_sync(struct member *replica, struct member *primary)
{
    struct op op = {0};

    member_sync(replica, primary, PATIENCE_MS, &op);
    test_ends_well(&op);
}

/* The members of a cache: the first is open, the others follow it. */
static inline void test_members_run(struct test_cache *cache, size_t count, const char *program)
{
    for (size_t i = 0; i < count; i++) {
        test_member_make(cache, i, program);
        test_member_start(cache, i, i == 0 ? -1 : 0);
        if (i == 0)
            test_admit(cache, cache->members[0].member);
        else
            test_sync(cache->members[i].member, cache->members[0].member);
    }
}

static inline struct member *test_member(const struct test_cache *cache, size_t at)
{
    return cache->members[at].member;
}

/* The number behind `name:` in an INFO of everything. */
static inline uint64_t test_info(struct member *member, const char *name)
{
    const struct member_command commands[] = {COMMAND(SLICE("INFO"), SLICE("everything"))};
    struct member_talk talk = {0};
    char line[64];
    uint64_t number = 0;

    member_talk(member, commands, 1, &talk);
    test_ends_well(&talk.op);
    struct slice rest = member_talk_reply(&talk, 0)->text;
    snprintf(line, sizeof line, "%s:", name);
    size_t at = slice_find(rest, slice_of(line));
    assert_true(at < rest.len);
    rest = slice_from(rest, at + strlen(line));
    rest = slice_first(rest, slice_find_byte(rest, '\r'));
    if (!slice_to_u64(rest, &number))
        fail_msg("%s%.*s is no number", line, SLICE_ARG(rest));
    member_talk_done(&talk);
    return number;
}

static inline int test_unlink(const char *path, const struct stat *status, int kind,
                              struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void test_cache_end(struct test_cache *cache)
{
    for (size_t i = 0; i < TEST_MEMBERS_MAX; i++) {
        struct test_member *one = &cache->members[i];
        struct op op = {0};
        if (one->member == NULL)
            continue;
        if (member_pid(one->member) != 0)
            kill(member_pid(one->member), SIGCONT);
        member_stop(one->member, STOP_DROP, &op);
        test_ends_well(&op);
        member_free(one->member);
        free(one->record.program);
    }
    cache_spec_done(&cache->spec);
    redis_hub_free(hub);
    loop_free(loop);
    (void)nftw(cache->folder, test_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
