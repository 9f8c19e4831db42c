/* LOOK --a queue has events, and there is time--> REST --> LOOK
 *   |--else: the topic, or a subscription without one--> REMOVED --> LOOK
 *   +--nothing is left--> (ended) */
#include "router/farewell.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/routine.h"
#include "loop/timer.h"
#include "router/emitter.h"
#include "router/router_internal.h"

#define REST_MS 50    /* until it is looked again */
#define AGAIN_MS 1000 /* after a removal that failed */

enum { LOOK, LOOKED, RESTED, REMOVED };

struct farewell {
    struct routine routine;
    struct router *router;
    struct op *op;
    char *scope;
    uint64_t end_ms;
    size_t next; /* member whose queue is looked at */
    struct redis_call call;
    struct change change;
    struct timer *timer;
    struct op rest;
};

static struct member *member_at(const struct scope *scope, size_t index)
{
    struct member *member;

    list_each (&scope->members, struct member, node, member)
        if (index-- == 0)
            return member;
    return NULL;
}

static enum stage rest(struct farewell *f, uint32_t ms)
{
    f->next = 0;
    f->rest = (struct op){0};
    timer_wait(f->timer, ms, &f->rest);
    (void)routine_go(&f->routine, RESTED);
    return routine_wait(&f->routine, &f->rest, E_OK);
}

static enum stage take_away(struct farewell *f, const struct scope *scope)
{
    const char *id = scope->topic != NULL ? scope->topic->id : member_at(scope, 0)->id;

    f->change = (struct change){0};
    (void)routine_go(&f->routine, REMOVED);
    return routine_wait(&f->routine, &f->change.op,
                        change_remove(f->router->changes, slice_of(id), &f->change));
}

static enum stage look(struct farewell *f)
{
    const struct scope *scope = catalog_find_scope(f->router->catalog, slice_of(f->scope));
    bool has_time = clock_now_ms() < f->end_ms;
    struct member *member = NULL;

    if (scope == NULL || (scope->topic == NULL && list_is_empty(&scope->members)))
        return routine_end(&f->routine, E_OK);
    if (has_time && !emitter_is_idle(f->router->emitter))
        return rest(f, REST_MS); /* its last events are on their way to the queues */
    while (has_time && (member = member_at(scope, f->next)) != NULL && member->active == NULL)
        f->next++;
    if (member == NULL)
        return take_away(f, scope);
    f->call = (struct redis_call){0};
    (void)routine_go(&f->routine, LOOKED);
    return routine_wait(&f->routine, &f->call.op, queue_stats(member->active->queue, &f->call));
}

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    struct farewell *f = container_of(routine, struct farewell, routine);
    struct queue_stats stats;

    if (f->router->is_stopping || err == E_CANCELED)
        return routine_end(routine, E_CANCELED);
    if (stage == REMOVED && err != E_OK && err != E_NOT_FOUND)
        return rest(f, AGAIN_MS);
    if (stage == LOOKED) {
        if (err != E_OK || !queue_stats_read(f->call.reply, &stats) || stats.entries > 0)
            return rest(f, REST_MS);
        f->next++;
    }
    return look(f);
}

static void on_ended(struct op *op, enum err err)
{
    struct farewell *f = container_of(op, struct farewell, routine.op);
    struct op *ended = f->op;

    timer_free(f->timer);
    free(f->scope);
    free(f);
    op_end(ended, err);
}

static void on_abort(struct op *op)
{
    struct farewell *f = op->runner;
    op_abort(&f->routine.op);
}

void farewell_begin(struct router *router, struct slice scope, struct op *op)
{
    struct farewell *f = mem_new(struct farewell);

    f->router = router;
    f->op = op;
    f->scope = slice_dup(scope);
    f->end_ms = clock_now_ms() + FAREWELL_MS;
    f->timer = timer_new(router->options.loop, NULL, NULL);
    f->routine.op.done = on_ended;
    op_begin(op, on_abort, f);
    routine_start(&f->routine, router->options.loop, run);
}
