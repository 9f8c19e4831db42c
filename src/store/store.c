#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"
#include "store/datadir.h"
#include "store/instance.h"

#define NAME_MAX_BYTES 256

struct store {
    struct loop *loop;
    struct redis_hub *hub;
    struct redis *redis;
    struct redis_options *options; /* how it was reached */
    struct instance *instance;     /* NULL = somebody else's server */
    char name[NAME_MAX_BYTES];
    struct op *ready;
    struct op *stopped;
    struct op step; /* instance_start, then redis_ready */
    struct op stop_step;
    struct timer *timer;
    bool is_late;
};

static void end_ready(struct store *store, enum err err)
{
    struct op *ready = store->ready;

    store->ready = NULL;
    timer_clear(store->timer);
    if (ready == NULL)
        return;
    if (store->is_late) {
        err = cause_set(&ready->why, E_TIMEOUT, "store: %s does not answer within %d s",
                        store->name, STORE_READY_TIMEOUT_MS / 1000);
    } else if (err) {
        ready->why = store->step.why;
        err = cause_wrap(&ready->why, err, "store");
    }
    op_end(ready, err);
}

static void on_redis_ready(struct op *op, enum err err)
{
    end_ready(container_of(op, struct store, step), err);
}

static void on_late(void *ctx)
{
    struct store *store = ctx;

    store->is_late = true;
    op_abort(&store->step);
}

static enum err connect_to(struct store *store, const char *connection, struct cause *why)
{
    struct redis_options *options;
    enum err err = redis_options_parse(slice_of(connection), &options, why);

    if (err)
        return err;
    redis_options_name(options, store->name, sizeof store->name);
    store->redis = redis_open(store->hub, options, REDIS_SHARED, "redgrid-store");
    store->options = options;
    return E_OK;
}

struct redis *store_open(const struct store *store, const char *name)
{
    return redis_open(store->hub, store->options, REDIS_DEDICATED, name);
}

static void wait_for_redis(struct store *store)
{
    store->step.done = on_redis_ready;
    timer_set(store->timer, STORE_READY_TIMEOUT_MS);
    redis_ready(store->redis, &store->step);
}

static void on_instance_ready(struct op *op, enum err err)
{
    struct store *store = container_of(op, struct store, step);

    if (err == E_OK)
        err = connect_to(store, instance_connection(store->instance), &op->why);
    if (err)
        end_ready(store, err);
    else
        wait_for_redis(store);
}

static enum err start_private(struct store *store, const struct store_options *options,
                              struct cause *why)
{
    char directory[DATADIR_PATH_MAX_BYTES];

    snprintf(directory, sizeof directory, "%s/store", options->data);
    store->step.done = on_instance_ready;
    enum err err = instance_start(&(struct instance_options){.loop = options->loop,
                                                             .name = "store",
                                                             .server = options->server,
                                                             .directory = directory,
                                                             .fsync = options->fsync},
                                  &store->step, &store->instance, why);
    if (err == E_OK)
        snprintf(store->name, sizeof store->name, "%s", instance_connection(store->instance));
    return err;
}

enum err store_start(const struct store_options *options, struct op *ready, struct store **ret,
                     struct cause *why)
{
    struct store *store = mem_new(struct store);
    bool is_private = options->connection == NULL || options->connection[0] == '\0';

    store->loop = options->loop;
    store->hub = options->hub;
    store->timer = timer_new(options->loop, on_late, store);
    enum err err = is_private ? start_private(store, options, why)
                              : connect_to(store, options->connection, why);
    if (err) {
        store_free(store);
        return is_private ? err : cause_wrap(why, err, "store");
    }
    op_begin(ready, NULL, store);
    store->ready = ready;
    if (!is_private)
        wait_for_redis(store);
    *ret = store;
    return E_OK;
}

struct redis *store_redis(const struct store *store)
{
    return store->redis;
}

const char *store_name(const struct store *store)
{
    return store->name;
}

bool store_is_private(const struct store *store)
{
    return store->instance != NULL;
}

bool store_is_up(const struct store *store)
{
    return store->redis != NULL && redis_is_ready(store->redis);
}

static void on_stop_step(struct op *op, enum err err)
{
    struct store *store = container_of(op, struct store, stop_step);

    (void)err;
    if (store->step.is_busy) { /* it was aborted, and ends any moment */
        loop_later(store->loop, op, E_OK);
        return;
    }
    op_end(store->stopped, E_OK);
}

void store_stop(struct store *store, struct op *op)
{
    op_begin(op, NULL, store);
    store->stopped = op;
    store->stop_step.done = on_stop_step;
    if (store->redis != NULL) {
        op_abort(&store->step);
        redis_close(store->redis);
        store->redis = NULL;
    }
    if (store->instance != NULL)
        instance_stop(store->instance, &store->stop_step);
    else
        loop_later(store->loop, &store->stop_step, E_OK);
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    timer_free(store->timer);
    if (store->redis != NULL)
        redis_close(store->redis);
    instance_free(store->instance);
    redis_options_unref(store->options);
    free(store);
}
