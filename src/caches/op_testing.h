/* caches/op_testing.h - for tests of operations: makes a cache, has it worked on, asks a client.
 * Included by one test file per program. */
#ifndef CACHES_OP_TESTING_H
#define CACHES_OP_TESTING_H

#include <sys/file.h>

#include "caches/caches_testing.h"

#define STANDARD                                                                                   \
    "{\"sku\":{\"name\":\"Standard\",\"family\":\"C\",\"capacity\":1},"                            \
    "\"enableNonSslPort\":true}"
#define BASIC                                                                                      \
    "{\"sku\":{\"name\":\"Basic\",\"family\":\"C\",\"capacity\":0},"                               \
    "\"enableNonSslPort\":true}"
#define CACHE_OF(tier, family, capacity, more)                                                     \
    "{\"sku\":{\"name\":\"" tier "\",\"family\":\"" family "\",\"capacity\":" capacity "}" more "}"
#define SUCCEEDED "\"provisioningState\":\"Succeeded\""

static inline void create(const char *properties)
{
    struct asked asked;

    put(properties, &asked);
    if (asked.ending.err)
        fail_msg("%s", asked.ending.why);
    wait_shown(SUCCEEDED);
    wait_for(is_settled, NULL);
}

static inline bool is_gone(void *ctx)
{
    (void)ctx;
    return the_cache() == NULL;
}

static inline void drop(void)
{
    struct asked asked;

    ask(&asked);
    assert_int_equal(caches_delete(world.caches, SLICE(CACHE_ID), &asked.request), E_OK);
    wait_for(is_over, &asked.ending);
    assert_int_equal(asked.ending.err, E_OK);
    wait_for(is_gone, NULL);
}

static inline bool has_operation(void *ctx)
{
    (void)ctx;
    return the_cache() != NULL && the_cache()->operation != NULL;
}

static inline bool is_idle(void *ctx)
{
    return !has_operation(ctx) && is_settled(ctx);
}

static inline enum err act(const char *kind, const char *arguments, struct asked *asked)
{
    ask(asked);
    enum err err =
        caches_act(world.caches, SLICE(CACHE_ID), kind, slice_of(arguments), &asked->request);
    if (err) {
        snprintf(asked->ending.why, sizeof asked->ending.why, "%s", asked->request.op.why.text);
        return err;
    }
    wait_for(is_over, &asked->ending);
    return asked->ending.err;
}

/* Asks for it, and waits until it has ended. */
static inline void act_to_end(const char *kind, const char *arguments)
{
    struct asked asked;

    if (act(kind, arguments, &asked) != E_OK)
        fail_msg("%s", asked.ending.why);
    struct slice id = {asked.request.operation, strlen(asked.request.operation)};
    char document[OPERATION_ID_MAX_BYTES];
    assert_true(operation_document_id(id, document));
    uint64_t end_ms = clock_now_ms() + SLOW_MS;
    while (slice_find(resources_get(world.resources, slice_of(document)), SLICE("InProgress")) <
           resources_get(world.resources, slice_of(document)).len) {
        assert_true(clock_now_ms() < end_ms);
        (void)test_wait_ms(loop, test_never, NULL, 5);
    }
    wait_for(is_idle, NULL);
}

static inline void ask_client(const char *line, const char *expected)
{
    struct redis *client = client_open();
    test_ask(loop, client, line, expected);
    redis_close(client);
}

/* How it was answered; the operation may go on. */
static inline enum err patch(const char *properties, struct asked *asked)
{
    ask(asked);
    assert_int_equal(caches_put(world.caches,
                                &(struct cache_wish){.id = SLICE(CACHE_ID),
                                                     .properties = slice_of(properties),
                                                     .is_patch = true},
                                &asked->request),
                     E_OK);
    wait_for(is_over, &asked->ending);
    return asked->ending.err;
}

/* Waits for the end of what was asked for: was it well? Its words, if not, in `why`. */
static inline bool ended_well(const struct asked *asked, char why[CAUSE_MAX_BYTES])
{
    struct operation_record record = {0};
    char id[OPERATION_ID_MAX_BYTES];

    if (asked->ending.err)
        fail_msg("%s", asked->ending.why);
    wait_for(is_idle, NULL);
    assert_true(operation_document_id(slice_of(asked->request.operation), id));
    assert_int_equal(
        operation_record_read(&record, resources_get(world.resources, slice_of(id)), NULL), E_OK);
    assert_int_not_equal(record.status, OPERATION_IN_PROGRESS);
    bool is_well = record.status == OPERATION_SUCCEEDED;
    snprintf(why, CAUSE_MAX_BYTES, "%s", record.error_text != NULL ? record.error_text : "");
    operation_record_done(&record);
    return is_well;
}

static inline void patch_well(const char *properties)
{
    struct asked asked;
    char why[CAUSE_MAX_BYTES];

    (void)!patch(properties, &asked);
    if (!ended_well(&asked, why))
        fail_msg("%s", why);
}

/* What a member answers to us. */
static inline void ask_member(const char *name, const char *line, const char *expected)
{
    struct member *member = cache_server(the_cache(), name);

    assert_true(member_is_up(member));
    test_ask(loop, member_redis(member), line, expected);
}

static inline pid_t pid_of(const char *name)
{
    return member_pid(cache_server(the_cache(), name));
}

/* After daemon_killed_at(): servers that were not to outlive it have ended. */
static inline void wait_for_servers_to_end(void)
{
    uint64_t end_ms = clock_now_ms() + SLOW_MS;

    for (unsigned i = 1; i < 16; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/caches/c1/n%u/lock", world.data, i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
            assert_true(clock_now_ms() < end_ms);
            nap();
        }
        if (fd >= 0)
            close(fd);
    }
}

#endif
