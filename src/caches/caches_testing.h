/* caches/caches_testing.h - for tests that drive caches.h: a store, its documents, the supervisor
 * of caches on them, and what an observer sees. Included by one test file per program. */
#ifndef CACHES_CACHES_TESTING_H
#define CACHES_CACHES_TESTING_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "redis/testing.h"

#include "caches/cache_internal.h"
#include "caches/testing_servers.h"
#include "loop/process.h"

#define SLOW_MS 60000
#define CACHE_ID "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/Redis/c1"

struct world {
    struct redis *redis, *feed;
    struct resources *resources;
    struct caches *caches;
    char node[16];
    unsigned runs;
    char data[64];
    uint16_t port;
    bool is_detached;
    bool has_tls;             /* its files are in data/tls */
    uint64_t budget_bytes;    /* 0 = none */
    const char *file_dirs[2]; /* of imports and exports; none, unless a test sets it */
};
static struct world world;
static const char *const world_addresses[] = {"127.0.0.1", NULL};

static inline void world_changed(void *ctx, struct slice id, struct slice document)
{
    (void)ctx;
    if (world.caches != NULL)
        caches_changed(world.caches, id, document);
}

static inline bool world_is_earlier(void *ctx, struct slice node)
{
    (void)ctx;
    return slice_has_prefix(node, SLICE("run-")) && !slice_eq(node, slice_of(world.node));
}

struct ending {
    struct op op;
    bool is_over;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

static inline void on_ending(struct op *op, enum err err)
{
    struct ending *ending = op->owner;
    ending->is_over = true;
    ending->err = err;
    snprintf(ending->why, sizeof ending->why, "%s", op->why.text);
}

static inline bool is_over(void *ctx)
{
    return ((struct ending *)ctx)->is_over;
}

static inline void wait_for(bool (*is_true)(void *ctx), void *ctx)
{
    uint64_t end_ms = clock_now_ms() + SLOW_MS;

    while (!test_wait_ms(loop, is_true, ctx, SLOW_MS)) /* it was, but not to the end of that turn */
        assert_true(clock_now_ms() < end_ms);
}

/* A daemon begins, on what the last one left. */
static inline void daemon_begin(void)
{
    struct ending loaded = {0};
    struct cause why = {0};

    snprintf(world.node, sizeof world.node, "run-%u", ++world.runs);
    world.redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    world.feed = test_open(hub, server.conn, REDIS_DEDICATED, "feed");
    loaded.op = (struct op){.done = on_ending, .owner = &loaded};
    world.resources = resources_start(
        &(struct resources_options){
            .loop = loop, .redis = world.redis, .feed = world.feed, .changed = world_changed},
        &loaded.op);
    wait_for(is_over, &loaded);
    enum err err = caches_start(
        &(struct caches_options){.loop = loop,
                                 .hub = hub,
                                 .resources = world.resources,
                                 .node = world.node,
                                 .data = world.data,
                                 .is_earlier = world_is_earlier,
                                 .settings = {.addresses = world_addresses,
                                              .host_name = "",
                                              .port = world.port,
                                              .node_network = "127.77.0.0/16",
                                              .program = "",
                                              .memory_max_bytes = 64 * CACHE_MB,
                                              .memory_budget_bytes = world.budget_bytes,
                                              .is_detached = world.is_detached,
                                              .has_tls = world.has_tls,
                                              .hang_ms = 15000,
                                              .sync_timeout_ms = 60000,
                                              .file_dirs = world.file_dirs}},
        &world.caches, &why);
    if (err)
        fail_msg("%s", why.text);
}

static inline void daemon_end(void)
{
    struct ending stopped = {0};

    stopped.op = (struct op){.done = on_ending, .owner = &stopped};
    caches_stop(world.caches, SLOW_MS, &stopped.op);
    wait_for(is_over, &stopped);
    caches_free(world.caches);
    world.caches = NULL;
    stopped = (struct ending){.op = {.done = on_ending, .owner = &stopped}};
    resources_stop(world.resources, &stopped.op);
    wait_for(is_over, &stopped);
    resources_free(world.resources);
    redis_close(world.redis);
}

static inline void flush_store(void)
{
    struct redis *redis = test_open(hub, server.conn, REDIS_SHARED, NULL);

    test_ask(loop, redis, "FLUSHALL", "OK");
    redis_close(redis);
}

/* As operation.c has it. */
static inline void fail_once_at(const char *where)
{
    char path[256];

    snprintf(path, sizeof path, "%s/fail-at", world.data);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/fail-at/%s", world.data, where);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* A daemon of its own process, which begins what `begin` asks for and is killed in a step. */
static inline void daemon_killed_at(const char *where, void (*begin)(void))
{
    int status;

    fail_once_at(where);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        loop = loop_new();
        hub = redis_hub_new(loop);
        daemon_begin();
        begin();
        (void)test_wait_ms(loop, test_never, NULL, SLOW_MS);
        _exit(1);
    }
    world.runs++;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static inline int world_begin(void **state)
{
    (void)test_begin(state);
    log_tap(NULL, NULL);
    test_server_start(&server, "");
    world = (struct world){.port = a_port()};
    snprintf(world.data, sizeof world.data, "/tmp/redgrid-caches-XXXXXX");
    assert_non_null(mkdtemp(world.data));
    return 0;
}

static inline int world_end(void **state)
{
    char path[96];

    snprintf(path, sizeof path, "%s/caches/c1", world.data);
    rmdir(path);
    snprintf(path, sizeof path, "%s/caches", world.data);
    rmdir(path);
    snprintf(path, sizeof path, "%s/fail-at", world.data);
    rmdir(path);
    rmdir(world.data);
    return test_end(state);
}

/* ---- asking ---- */

struct asked {
    struct ending ending;
    struct caches_request request;
};

static inline void ask(struct asked *asked)
{
    *asked = (struct asked){0};
    asked->request.op.done = on_ending;
    asked->request.op.owner = &asked->ending;
}

static inline void put(const char *properties, struct asked *asked)
{
    ask(asked);
    assert_int_equal(caches_put(world.caches,
                                &(struct cache_wish){.id = SLICE(CACHE_ID),
                                                     .location = SLICE("here"),
                                                     .properties = slice_of(properties)},
                                &asked->request),
                     E_OK);
    wait_for(is_over, &asked->ending);
}

static inline bool shows(const char *text)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    (void)caches_write(world.caches, SLICE(CACHE_ID), false, &out);
    bool has = slice_find(buf_slice(&out), slice_of(text)) < out.len;
    buf_done(&out);
    return has;
}

static inline bool is_shown(void *ctx)
{
    return shows(ctx);
}

static inline void wait_shown(const char *text)
{
    struct buf out;

    if (test_wait_ms(loop, is_shown, (void *)(uintptr_t)text, SLOW_MS))
        return;
    buf_init(&out, 1 << 20);
    (void)caches_write(world.caches, SLICE(CACHE_ID), false, &out);
    fail_msg("%s is not in %s", text, buf_text(&out));
}

static inline struct cache *the_cache(void)
{
    return caches_find(world.caches, SLICE(CACHE_ID));
}

static inline bool is_settled(void *ctx)
{
    struct cache *cache = the_cache();
    uint64_t due;

    (void)ctx;
    return cache != NULL && cache->work->is_adopted && cache->operation == NULL &&
           cache->work->job == JOB_NONE && !cache_needs_repair(cache) &&
           cache_next_due(cache, &due) == NULL;
}

/* ---- a client ---- */

/* The primary key as it is now; valid until it is asked for again. */
static inline const char *test_key(void)
{
    static char key[ACCESS_KEY_TEXT_MAX];

    assert_true(caches_key(world.caches, SLICE(CACHE_ID), 0, key));
    return key;
}

static inline struct redis *client_open(void)
{
    char conn[512];

    snprintf(conn, sizeof conn, "127.0.0.1:%u,password=%s", world.port, test_key());
    return test_open(hub, conn, REDIS_SHARED, NULL);
}

/* How many events of a type stand in the outbox. */
static inline size_t events_of(const char *type)
{
    struct test_call call = {0};
    struct buf text;
    size_t count = 0;

    test_wait(loop, test_is_ready, world.redis);
    assert_int_equal(test_send(world.redis, "XRANGE rg:{meta}:outbox - +", &call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    buf_init(&text, 1 << 20);
    test_text(call.kept->root, &text);
    struct slice rest = buf_slice(&text);
    for (size_t at; (at = slice_find(rest, slice_of(type))) < rest.len; count++)
        rest = slice_from(rest, at + strlen(type));
    buf_done(&text);
    reply_unref(call.kept);
    return count;
}

static inline void wait_for_event(const char *type)
{
    uint64_t end_ms = clock_now_ms() + SLOW_MS;

    while (events_of(type) == 0)
        assert_true(clock_now_ms() < end_ms);
}

#endif
