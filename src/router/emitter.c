/* REST --woken--> TAKE --some--> PUBLISH --stored, or wanted by nobody--> FORGET --> PUBLISH ..
 *  |               |                                                        |
 *  |               +---none--> REST                                         +--none left--> TAKE
 *  +--at first, and now and then--> ADOPT, which goes on as TAKE does
 * A call that fails is made again after AGAIN_MS. */
#include "router/emitter.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/timer.h"
#include "router/router_internal.h"
#include "store/outbox.h"

#define AGAIN_MS 200

enum state { REST, TAKE, ADOPT, PUBLISH, FORGET };

struct emitter {
    struct router *router;
    enum state state;
    bool is_woken;   /* while something was under way */
    bool is_waiting; /* something failed a moment ago */
    bool is_stopping;
    bool is_refused; /* has been said in the log */
    struct redis_call call;
    struct reply *taken; /* what is being published, */
    uint32_t at;         /* and the place after the current one */
    struct outbox_entry entry;
    struct publication publication;
    struct op skip; /* instead, when nobody wants it */
    struct timer *pause, *adoption;
};

static void go(struct emitter *e, enum state state);

static void rest(struct emitter *e)
{
    e->state = REST;
    if (e->is_woken && !e->is_stopping)
        go(e, TAKE);
    else
        router_go_on(e->router);
}

/* An outage is told by the client; what the store refuses is told here, once while it lasts. */
static void try_again(struct emitter *e, enum err err, const struct cause *why)
{
    if (err == E_REDIS && !e->is_refused)
        log_error("STORE-REFUSES", "events of caches wait: %s", cause_text(why, err));
    e->is_refused = e->is_refused || err == E_REDIS;
    e->is_waiting = true;
    if (e->is_stopping)
        rest(e);
    else
        timer_set(e->pause, AGAIN_MS);
}

/* ---- publishing ---- */

/* An event that cannot be read is a mistake of ours: it is told, and goes. */
static bool read_event(const struct emitter *e, const struct scope *scope, struct event_batch *ret)
{
    const struct publish_rules rules = {
        .event = topic_rules(scope->topic), .now_unix_us = clock_unix_us(), .next_id = id_next};
    struct refusal why;

    if (publish_read(&rules,
                     &(struct publish_request){.content_type = SLICE("application/json"),
                                               .body = e->entry.event},
                     ret, &why) == E_OK)
        return true;
    log_error("EVENT-UNREADABLE", "an event of %s cannot be published: %s", scope->id,
              why.text.text);
    return false;
}

static void publish(struct emitter *e)
{
    const struct scope *scope = catalog_find_scope(router_catalog(e->router), e->entry.scope);
    struct event_batch batch;

    if (scope == NULL || scope->topic == NULL || !read_event(e, scope, &batch)) {
        loop_later(e->router->options.loop, &e->skip, E_OK);
        return;
    }
    enum err err = router_publish(e->router, scope, &batch, &e->publication);
    if (err != E_OK)
        loop_later(e->router->options.loop, &e->skip, err);
}

static void on_published(struct emitter *e, enum err err, const struct cause *why)
{
    if (err == E_OK || err == E_NOT_FOUND)
        go(e, FORGET);
    else
        try_again(e, err, why);
}

static void on_publication(struct op *op, enum err err)
{
    on_published(container_of(op, struct emitter, publication.op), err, &op->why);
}

static void on_skipped(struct op *op, enum err err)
{
    on_published(container_of(op, struct emitter, skip), err, &op->why);
}

/* ---- calls ---- */

static void next(struct emitter *e)
{
    if (outbox_next(e->taken, &e->at, &e->entry)) {
        go(e, PUBLISH);
        return;
    }
    bool was_empty = e->taken->root->count == 0;
    e->taken = reply_unref(e->taken);
    e->is_woken |= !was_empty;
    rest(e);
}

static void on_called(struct op *op, enum err err)
{
    struct emitter *e = container_of(op, struct emitter, call.op);

    if (err != E_OK || (e->is_stopping && e->state != FORGET)) {
        try_again(e, err, &op->why);
    } else if (e->state == FORGET) {
        e->is_refused = false;
        next(e);
    } else {
        e->taken = reply_ref(e->call.reply);
        e->at = 0;
        next(e);
    }
}

static enum err ask(struct emitter *e)
{
    const struct router_options *options = &e->router->options;

    if (e->state == FORGET)
        return outbox_done(options->redis, e->entry.id, &e->call);
    return e->state == TAKE ? outbox_take(options->redis, slice_of(options->node), &e->call)
                            : outbox_adopt(options->redis, slice_of(options->node), &e->call);
}

static void go(struct emitter *e, enum state state)
{
    e->state = state;
    if (e->is_stopping && state != FORGET) {
        rest(e);
        return;
    }
    if (state == PUBLISH) {
        publish(e);
        return;
    }
    if (state == TAKE)
        e->is_woken = false;
    enum err err = ask(e);
    if (err != E_OK)
        loop_later(e->router->options.loop, &e->call.op, err);
}

/* ---- exported ---- */

static void on_pause(void *ctx)
{
    struct emitter *e = ctx;

    e->is_waiting = false;
    go(e, e->state);
}

static void on_adoption(void *ctx)
{
    struct emitter *e = ctx;

    e->is_woken = true; /* then what is fresh, if the word of it was lost */
    if (e->state == REST)
        go(e, ADOPT);
}

struct emitter *emitter_new(struct router *router)
{
    struct emitter *e = mem_new(struct emitter);

    e->router = router;
    e->call.op.done = on_called;
    e->publication.op.done = on_publication;
    e->skip.done = on_skipped;
    e->pause = timer_new(router->options.loop, on_pause, e);
    e->adoption = timer_new(router->options.loop, on_adoption, e);
    return e;
}

void emitter_wake(struct emitter *emitter)
{
    bool is_first = !timer_is_set(emitter->adoption);

    emitter->is_woken = true;
    if (emitter->is_stopping || emitter->state != REST)
        return;
    if (is_first)
        timer_every(emitter->adoption, OUTBOX_IDLE_MS);
    go(emitter, is_first ? ADOPT : TAKE);
}

bool emitter_is_idle(const struct emitter *emitter)
{
    return emitter->state == REST;
}

void emitter_stop(struct emitter *emitter)
{
    emitter->is_stopping = true;
    timer_clear(emitter->adoption);
    timer_clear(emitter->pause);
    if (emitter->is_waiting)
        emitter->state = REST;
}

void emitter_free(struct emitter *emitter)
{
    if (emitter == NULL)
        return;
    timer_free(emitter->pause);
    timer_free(emitter->adoption);
    reply_unref(emitter->taken);
    free(emitter);
}
