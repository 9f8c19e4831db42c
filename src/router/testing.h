/* router/testing.h - for tests of the whole router: one on a real store, and an HTTP server in this
 * process for its webhooks. Included by one test file per program, as redis/testing.h is. Each test
 * begins with router_test_begin() and ends with router_test_end(); between them router_end() and
 * router_begin() are a restart. */
#ifndef ROUTER_TESTING_H
#define ROUTER_TESTING_H

#include "redis/testing.h"

#include "http/client.h"
#include "http/server.h"
#include "router/router.h"

#define MEMBER "/providers/Microsoft.EventGrid/eventSubscriptions/"

static struct redis *redis;
static struct http_client *client;
static struct http_server *receiver;
static struct router *router;
static struct metrics *metrics;            /* of all runs of a test */
static struct router_options router_extra; /* for router_begin(), which puts the rest in */

/* What ended last. */
static bool is_done;
static enum err done_err;
static struct cause done_why;

static inline void on_done(struct op *op, enum err err)
{
    done_why = op->why;
    is_done = true;
    done_err = err;
}

static inline bool has_ended(void *ctx)
{
    (void)ctx;
    return is_done;
}

/* wait_done waits for the op that on_done() ends; set is_done to false before it starts. */
static inline enum err wait_done(void)
{
    test_wait(loop, has_ended, NULL);
    return done_err;
}

static inline bool nobody_is_dead(void *ctx, struct slice node)
{
    (void)ctx;
    (void)node;
    return false;
}

static inline void router_begin(void)
{
    struct router_options options = router_extra;
    struct op loaded = {.done = on_done};

    options.loop = loop;
    options.url = "http://127.0.0.1:7070";
    options.redis = redis;
    options.feed = test_open(hub, server.conn, REDIS_DEDICATED, "feed");
    options.http = client;
    options.metrics = metrics;
    options.node = "me";
    options.is_dead = nobody_is_dead;
    is_done = false;
    router = router_start(&options, &loaded);
    assert_int_equal(wait_done(), E_OK);
}

static inline void router_end(void)
{
    struct op stopped = {.done = on_done};

    is_done = false;
    router_stop(router, 0, &stopped);
    (void)wait_done();
    router_free(router);
    router = NULL;
}

static inline void router_test_begin(void **state,
                                     void (*on_request)(void *ctx, struct http_request *request))
{
    struct cause why = {0};

    (void)test_begin(state);
    test_server_start(&server, "");
    redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
    metrics = metrics_new();
    client = http_client_new(loop, &(struct http_client_options){.connections_max = 8});
    assert_int_equal(http_server_start(loop,
                                       &(struct http_server_options){.address = "127.0.0.1:0",
                                                                     .handler = on_request},
                                       &receiver, &why),
                     E_OK);
    router_begin();
}

static inline int router_test_end(void **state)
{
    struct op closed = {.done = on_done};

    if (router != NULL)
        router_end();
    metrics_free(metrics);
    http_client_free(client);
    is_done = false;
    http_server_close(receiver, 100, &closed);
    (void)wait_done();
    redis_close(redis);
    return test_end(state);
}

#endif
