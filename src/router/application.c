/* A declaration is applied: first the topics, then the subscriptions, several at a time, since an
 * endpoint may take its time for its handshake. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "router/declaration.h"
#include "router/document.h"
#include "router/router_internal.h"
#include "json/member.h"

#define UNDER_WAY_MAX 16

static void go_on(struct declaration *d);

/* Which change it is that has ended. */
struct running {
    struct change change;
    struct declaration *declaration;
    struct declared *item;
};

static void on_changed(struct op *op, enum err err)
{
    struct running *running = container_of(op, struct running, change.op);
    struct declaration *d = running->declaration;

    running->item->err = err;
    running->item->why = op->why;
    free(running);
    d->under_way--;
    go_on(d);
}

static enum err start(struct declaration *d, struct declared *item, struct change *change)
{
    struct changes *changes = router_changes(d->router);
    const struct change_request request = {.scope = slice_of(item->scope),
                                           .name = slice_of(item->name),
                                           .properties = item->properties,
                                           .url = slice_of(d->url)};

    if (item->step == DECLARED_REMOVE) {
        const struct scope *scope = catalog_find_scope(d->router->catalog, slice_of(item->scope));
        const struct member *member =
            scope != NULL ? catalog_member(scope, slice_of(item->name)) : NULL;
        if (member == NULL)
            return cause_set(&change->op.why, E_NOT_FOUND, "it was removed meanwhile");
        return change_remove(changes, slice_of(member->id), change);
    }
    return item->is_topic ? change_topic(changes, &request, change)
                          : change_subscription(changes, &request, change);
}

static void begin(struct declaration *d, struct declared *item)
{
    struct running *running = mem_new(struct running);

    running->declaration = d;
    running->item = item;
    running->change.op.done = on_changed;
    item->err = start(d, item, &running->change);
    if (item->err == E_OK) {
        d->under_way++;
        return;
    }
    item->why = running->change.op.why;
    free(running);
}

/* Starts what may start now. A subscription waits for all topics. */
static void start_more(struct declaration *d)
{
    for (; d->next < d->count && d->under_way < UNDER_WAY_MAX; d->next++) {
        struct declared *item = &d->items[d->next];
        bool is_first_subscription =
            !item->is_topic && (d->next == 0 || d->items[d->next - 1].is_topic);
        if (is_first_subscription && d->under_way > 0)
            return;
        if (item->step != DECLARED_STAYS)
            begin(d, item);
    }
}

static void go_on(struct declaration *d)
{
    start_more(d);
    if (d->next == d->count && d->under_way == 0)
        op_end(d->applied, E_OK);
}

void declaration_apply(struct declaration *d, struct slice url, struct op *op)
{
    d->url = slice_dup(url);
    d->applied = op;
    d->next = 0;
    start_more(d);
    if (d->under_way > 0)
        op_begin(op, NULL, d);
    else
        loop_later(d->router->options.loop, op, E_OK);
}

/* The state of a subscription as it is now; NULL. */
static const char *state_of(const struct declaration *d, const struct declared *item)
{
    const struct scope *scope =
        item->is_topic ? NULL : catalog_find_scope(d->router->catalog, slice_of(item->scope));
    const struct member *member =
        scope != NULL ? catalog_member(scope, slice_of(item->name)) : NULL;

    return member != NULL ? document_state(slice_of(member->document), clock_unix_ms()) : NULL;
}

void declared_write(struct buf *out, const struct declaration *d, const struct declared *item)
{
    member_text(out, "type", item->is_topic ? SLICE("topic") : SLICE("subscription"));
    member_text(out, "name", slice_of(item->name));
    member_text_if(out, "topic", slice_of(item->topic_name));
    member_text_if(out, "path", item->path[0] != '\0' ? slice_of(item->path) : SLICE_NONE);
    member_text(out, "step", slice_of(declared_step_name(item->step)));
    if (item->members.len > 0)
        member_json(out, "members", buf_slice(&item->members));
    member_text_if(out, "state", slice_of(state_of(d, item)));
    if (item->err != E_OK)
        member_text(out, "error", slice_of(cause_text(&item->why, item->err)));
    buf_add_byte(out, '}');
}
