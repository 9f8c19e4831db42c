/* Stopping:  PUBLICATIONS, CHANGES, SWEEPS, EMITTER --none left--> CATALOG --all retired-->
 * RESOURCES --> IDENTITY --> stopped */
#include "router/router_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "loop/timer.h"
#include "router/emitter.h"
#include "router/expiry.h"
#include "router/sweep.h"
#include "store/wakes.h"

static void on_changed(void *ctx, struct slice id, struct slice document)
{
    struct router *router = ctx;

    if (router->is_stopping)
        return;
    catalog_set(router->catalog, id, document);
    if (router->options.changed != NULL)
        router->options.changed(router->options.ctx, id, document);
    if (router->is_loaded) /* an event may have come with it */
        emitter_wake(router->emitter);
}

static void on_woken(void *ctx, struct slice queue)
{
    struct router *router = ctx;
    catalog_woken(router->catalog, queue);
}

static void on_missed(void *ctx)
{
    on_woken(ctx, SLICE_NONE);
}

static void on_late(void *ctx)
{
    struct router *router = ctx;

    router->is_late = true;
    catalog_hurry(router->catalog);
}

static void on_loaded(struct op *op, enum err err)
{
    struct router *router = container_of(op, struct router, loading);

    router->loaded->why = op->why;
    if (err == E_OK) {
        router->is_loaded = true;
        changes_resume(router->changes);
        emitter_wake(router->emitter);
    }
    op_end(router->loaded, err);
}

static void on_change_ended(void *ctx)
{
    router_go_on(ctx);
}

struct router *router_start(const struct router_options *options, struct op *loaded)
{
    struct router *router = mem_new(struct router);
    uint32_t chores_ms = options->chores_ms > 0 ? options->chores_ms : CHORES_MS;

    router->options = *options;
    list_init(&router->sweeps);
    list_init(&router->crowd);
    list_init(&router->stalled);
    router->tallies.metrics = options->metrics;
    router->nowhere = topic_tally_new(&router->tallies, "");
    router->loading.done = on_loaded;
    router->loaded = loaded;
    op_begin(loaded, NULL, router);
    router->timer = timer_new(options->loop, on_late, router);
    router->identity = identity_start(options->loop, options->redis, options->url);
    router->wakes = wakes_open(&(struct wakes_options){.loop = options->loop,
                                                       .redis = options->redis,
                                                       .node = options->node,
                                                       .woken = on_woken,
                                                       .missed = on_missed,
                                                       .ctx = router});
    router->catalog =
        catalog_new(&(struct catalog_options){.loop = options->loop,
                                              .redis = options->redis,
                                              .tallies = &router->tallies,
                                              .wakes = router->wakes,
                                              .targets = {.loop = options->loop,
                                                          .identity = router->identity,
                                                          .http = options->http,
                                                          .functions = options->functions,
                                                          .hub = options->hub,
                                                          .connection = options->connection,
                                                          .timeout_ms = options->timeout_ms,
                                                          .ctx = options->ctx},
                                              .storage = options->storage,
                                              .accounts = options->accounts,
                                              .node = options->node,
                                              .is_dead = options->is_dead,
                                              .ctx = options->ctx,
                                              .allows_http = options->allows_http,
                                              .window = options->window});
    router->resources = resources_start(&(struct resources_options){.loop = options->loop,
                                                                    .redis = options->redis,
                                                                    .feed = options->feed,
                                                                    .changed = on_changed,
                                                                    .ctx = router},
                                        &router->loading);
    router->emitter = emitter_new(router);
    router->survey = survey_new(options->loop, router->catalog);
    router->changes = changes_new(&(struct changes_options){
        .loop = options->loop,
        .redis = options->redis,
        .http = options->http,
        .identity = router->identity,
        .catalog = router->catalog,
        .resources = router->resources,
        .topics_max = options->topics_max,
        .subscriptions_max = options->subscriptions_max,
        .window_ms = options->window_ms,
        .retry_ms = options->retry_ms > 0 ? options->retry_ms : VALIDATION_RETRY_MS,
        .chores_ms = chores_ms,
        .ended = on_change_ended,
        .ctx = router});
    router->expiry = expiry_new(options->loop, router->catalog, chores_ms);
    return router;
}

struct catalog *router_catalog(struct router *router)
{
    return router->catalog;
}

size_t router_waits(const struct router *router)
{
    return catalog_waits(router->catalog);
}

void router_end_waits(struct router *router)
{
    catalog_end_waits(router->catalog);
}

struct resources *router_resources(struct router *router)
{
    return router->resources;
}

struct changes *router_changes(struct router *router)
{
    return router->changes;
}

struct identity *router_identity(struct router *router)
{
    return router->identity;
}

struct survey *router_survey(struct router *router)
{
    return router->survey;
}

struct watch *router_watch(struct router *router)
{
    return &router->tallies.watch;
}

void router_refused(struct router *router, const struct scope *topic, const struct refusal *why)
{
    topic_tally_refused(topic != NULL ? topic->tally : router->nowhere, why);
}

void router_emits(struct router *router)
{
    if (router->is_loaded && !router->is_stopping)
        emitter_wake(router->emitter);
}

void router_node_died(struct router *router)
{
    changes_resume(router->changes);
    catalog_recheck(router->catalog);
}

/* ---- stopping ---- */

static void on_identity_stopped(struct op *op, enum err err)
{
    struct router *router = container_of(op, struct router, step);
    struct op *stopped = router->stopped;

    (void)err;
    timer_clear(router->timer);
    router->stopped = NULL; /* who still asks, and is refused, ends nothing */
    op_end(stopped, router->is_late ? E_TIMEOUT : E_OK);
}

static void on_resources_stopped(struct op *op, enum err err)
{
    struct router *router = container_of(op, struct router, step);

    (void)err;
    router->step.done = on_identity_stopped;
    identity_stop(router->identity, &router->step);
}

static void on_catalog_stopped(struct op *op, enum err err)
{
    struct router *router = container_of(op, struct router, step);

    (void)err;
    wakes_tell_all(router->wakes); /* what we have parked, or not taken, is for those who stay */
    wakes_close(router->wakes);    /* nothing is appended any more */
    router->wakes = NULL;
    router->step.done = on_resources_stopped;
    resources_stop(router->resources, &router->step);
}

void router_go_on(struct router *router)
{
    if (router->stopped == NULL || router->publications > 0 ||
        changes_under_way(router->changes) > 0 || !list_is_empty(&router->sweeps) ||
        !emitter_is_idle(router->emitter) || router->step.is_busy)
        return;
    router->step.done = on_catalog_stopped;
    catalog_stop(router->catalog, &router->step);
    if (router->is_late)
        catalog_hurry(router->catalog);
}

void router_stop(struct router *router, uint32_t limit_ms, struct op *op)
{
    struct sweep *sweep;

    op_begin(op, NULL, router);
    router->stopped = op;
    router->is_stopping = true;
    router_let_in(router);
    changes_stop(router->changes);
    emitter_stop(router->emitter);
    list_each (&router->sweeps, struct sweep, node, sweep)
        sweep_cancel(sweep);
    survey_stop(router->survey);
    expiry_stop(router->expiry);
    timer_set(router->timer, limit_ms);
    router_go_on(router);
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    assert(router->publications == 0);
    timer_free(router->timer);
    changes_free(router->changes);
    emitter_free(router->emitter);
    survey_free(router->survey);
    expiry_free(router->expiry);
    wakes_close(router->wakes);
    catalog_free(router->catalog);
    resources_free(router->resources);
    identity_free(router->identity);
    (void)topic_tally_unref(router->nowhere);
    free(router);
}
