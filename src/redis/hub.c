#include <stdlib.h>

#include "redis/internal.h"

struct redis_hub {
    struct loop *loop;
    struct metrics *metrics; /* NULL = nobody counts */
    struct list servers;
    struct list shared; /* clients that redis_open() hands out again */
    uint32_t refs;      /* the owner's, and one for each client until it is gone */
};

struct redis_hub *redis_hub_new(struct loop *loop)
{
    struct redis_hub *hub = mem_new(struct redis_hub);
    hub->loop = loop;
    hub->refs = 1;
    list_init(&hub->servers);
    list_init(&hub->shared);
    return hub;
}

void redis_hub_metrics(struct redis_hub *hub, struct metrics *metrics)
{
    hub->metrics = metrics;
}

void redis_hub_free(struct redis_hub *hub)
{
    if (hub != NULL)
        hub_unref(hub);
}

void hub_ref(struct redis_hub *hub)
{
    hub->refs++;
}

void hub_unref(struct redis_hub *hub)
{
    if (--hub->refs == 0)
        free(hub);
}

struct loop *hub_loop(const struct redis_hub *hub)
{
    return hub->loop;
}

struct redis_server *hub_server(struct redis_hub *hub, struct redis_options *options)
{
    struct redis_server *server;

    list_each (&hub->servers, struct redis_server, node, server) {
        if (redis_options_same(server->options, options)) {
            server->refs++;
            return server;
        }
    }
    server = server_new(options, hub->metrics);
    server->refs = 1;
    list_push(&hub->servers, &server->node);
    return server;
}

void hub_server_unref(struct redis_hub *hub, struct redis_server *server)
{
    (void)hub;
    if (--server->refs > 0)
        return;
    list_remove(&server->node);
    server_free(server);
}

struct redis *hub_shared(struct redis_hub *hub, const struct redis_options *options)
{
    struct redis *redis;

    list_each (&hub->shared, struct redis, node, redis) {
        if (redis_options_same(redis->server->options, options))
            return redis;
    }
    return NULL;
}

void hub_share(struct redis_hub *hub, struct redis *redis)
{
    list_push(&hub->shared, &redis->node);
}
