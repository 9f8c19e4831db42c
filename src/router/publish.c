/* Events are matched and appended one after the other, and APPENDS_MAX appends wait for the store
 * at most, so that one request with many events for many subscriptions takes no more memory. */
#include "router/router_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "router/head.h"

#define APPENDS_MAX 2000

struct append {
    struct redis_call call;
    struct publication *publication;
    struct active *active;
    size_t bytes; /* of memory, until it has ended */
};

static void step(struct publication *p);

static bool may_append(const struct router *router)
{
    return router->appending_bytes < APPENDING_MAX_BYTES;
}

/* Those that have waited for others go on first, so that a large one does not keep all back. */
static void go_on_appending(struct router *router)
{
    while (may_append(router) && !list_is_empty(&router->stalled))
        step(container_of(list_shift(&router->stalled), struct publication, node));
}

static void on_appended(struct op *op, enum err err)
{
    struct append *append = container_of(op, struct append, call.op);
    struct publication *p = append->publication;
    struct router *router = p->router;

    if (err == E_OK)
        tally_queued(append->active->tally);
    if (err != E_OK && p->err == E_OK) {
        p->err = err;
        p->why = op->why;
    }
    active_wake(append->active); /* after a failure too: it may have been stored */
    active_unref(append->active);
    router->appending_bytes -= append->bytes;
    free(append);
    p->under_way--;
    go_on_appending(router);
    step(p);
}

static void append_to(struct publication *p, struct active *active, const struct event *event)
{
    struct append *append = mem_new(struct append);
    const char *order_by = active->subscription.order_by;
    char room[HEAD_MAX_BYTES], lane_room[EVENT_LANE_BYTES];
    struct slice lane =
        order_by != NULL ? event_lane(event, slice_of(order_by), lane_room) : SLICE_NONE;
    struct buf head = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    append->publication = p;
    append->active = active_ref(active);
    append->call.op.done = on_appended;
    head_write(&head, event);
    append->bytes =
        sizeof *append + sizeof room + (event->body.len > REDIS_COPY_MAX ? 0 : event->body.len);
    p->router->appending_bytes += append->bytes;
    p->under_way++;
    enum err err = buf_err(&head);
    if (err == E_OK)
        err = queue_append(active->queue, buf_slice(&head), event->body, lane, &append->call);
    if (err != E_OK)
        loop_later(p->router->options.loop, &append->call.op, err);
}

static void publish_one(struct publication *p, struct scope *scope, const struct event *event)
{
    const size_t *wanting;
    size_t count = scope_match(scope, event, &wanting);

    for (size_t i = 0; i < count; i++)
        append_to(p, scope->matching[wanting[i]], event);
    if (p->wanted != NULL)
        p->wanted[p->next - 1] = (uint32_t)count;
    if (count > 0)
        p->matched++;
    else
        p->unmatched++;
}

bool router_has_room(const struct router *router)
{
    return router->publishing_bytes < PUBLISHING_MAX_BYTES || router->is_stopping;
}

void router_wait_for_room(struct router *router, struct op *op)
{
    op_begin(op, NULL, router);
    list_push(&router->crowd, &op->node);
}

/* Each may begin a publication at once, and take the room. */
void router_let_in(struct router *router)
{
    while (router_has_room(router) && !list_is_empty(&router->crowd)) {
        struct op *op = container_of(router->crowd.head.next, struct op, node);
        list_remove(&op->node);
        op_end(op, E_OK);
    }
}

static size_t count_bytes(const struct event_batch *batch)
{
    size_t bytes = 0;

    for (size_t i = 0; i < batch->count; i++)
        bytes += batch->events[i]->body.len;
    return bytes;
}

static void end(struct publication *p)
{
    struct router *router = p->router;

    if (p->err == E_OK)
        topic_tally_published(p->tally,
                              &(struct published){&p->batch, p->wanted, p->matched, p->unmatched});
    p->tally = topic_tally_unref(p->tally);
    free(p->wanted);
    p->wanted = NULL;
    event_batch_done(&p->batch);
    free(p->scope);
    p->scope = NULL;
    p->op.why = p->why;
    router->publishing_bytes -= p->bytes;
    op_end(&p->op, p->err); /* the publication may be gone now */
    router_let_in(router);
    router->publications--; /* not before: a stop waits for those who were let in */
    router_go_on(router);
}

static void step(struct publication *p)
{
    while (p->err == E_OK && p->next < p->batch.count && p->under_way < APPENDS_MAX &&
           may_append(p->router)) {
        struct scope *scope = catalog_scope(p->router->catalog, slice_of(p->scope));
        if (scope == NULL || scope->topic == NULL)
            p->err = cause_set(&p->why, E_NOT_FOUND, "the topic was deleted meanwhile");
        else
            publish_one(p, scope, p->batch.events[p->next++]);
    }
    bool has_more = p->err == E_OK && p->next < p->batch.count;
    if (p->under_way > 0)
        return;
    if (has_more)
        list_push(&p->router->stalled, &p->node);
    else
        end(p);
}

static void on_begun(struct op *op, enum err err)
{
    (void)err;
    step(container_of(op, struct publication, begin));
}

enum err router_publish(struct router *router, const struct scope *scope, struct event_batch *batch,
                        struct publication *publication)
{
    struct publication *p = publication;

    if (router->is_stopping) {
        event_batch_done(batch);
        return E_CANCELED;
    }
    *p = (struct publication){.op = p->op,
                              .router = router,
                              .scope = slice_dup(slice_of(scope->id)),
                              .tally = topic_tally_ref(scope->tally),
                              .batch = *batch,
                              .bytes = count_bytes(batch),
                              .begin.done = on_begun};
    *batch = (struct event_batch){0};
    if (router->tallies.watch.see != NULL)
        p->wanted = mem_new_array(p->batch.count, uint32_t);
    router->publications++;
    router->publishing_bytes += p->bytes;
    op_begin(&p->op, NULL, p);
    loop_later(router->options.loop, &p->begin, E_OK);
    return E_OK;
}
