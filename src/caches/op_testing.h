/* caches/op_testing.h - for tests of operations: makes a cache, has it worked on, asks a client.
 * Included by one test file per program. */
#ifndef CACHES_OP_TESTING_H
#define CACHES_OP_TESTING_H

#include "caches/caches_testing.h"

#define STANDARD                                                                                   \
    "{\"sku\":{\"name\":\"Standard\",\"family\":\"C\",\"capacity\":1},"                            \
    "\"enableNonSslPort\":true}"
#define BASIC                                                                                      \
    "{\"sku\":{\"name\":\"Basic\",\"family\":\"C\",\"capacity\":0},"                               \
    "\"enableNonSslPort\":true}"
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

#endif
