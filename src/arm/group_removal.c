#include "arm/group_removal.h"

#include <stdlib.h>

#include "arm/accepted.h"
#include "arm/arm_internal.h"
#include "arm/scope.h"
#include "base/mem.h"
#include "caches/caches.h"
#include "router/resource_id.h"
#include "json/member.h"

/* ---- what it contains ---- */

static bool is_within(struct slice id, struct slice group)
{
    char room[RESOURCE_ID_MAX_BYTES];

    return id.len <= sizeof room && resource_id_is_within(slice_lower(id, room), group);
}

static struct slice next_topic(struct router *router, struct slice group)
{
    struct scope *scope;

    for (size_t at = 0; catalog_next_scope(router_catalog(router), &at, &scope);)
        if (scope->topic != NULL && is_within(slice_of(scope->topic->id), group))
            return slice_of(scope->topic->id);
    return SLICE_NONE;
}

/* Of something that has no topic, or one in another group. */
static struct slice next_subscription(struct router *router, struct slice group)
{
    struct scope *scope;

    for (size_t at = 0; catalog_next_scope(router_catalog(router), &at, &scope);)
        if (!list_is_empty(&scope->members) && resource_id_is_within(slice_of(scope->id), group))
            return slice_of(container_of(scope->members.head.next, struct member, node)->id);
    return SLICE_NONE;
}

/* `next` is the id of one within the group, SLICE_NONE when there is none. */
static struct slice (*const removers[])(struct router *router, struct slice group) = {
    next_topic,
    next_subscription,
};

static struct slice next_of(struct router *router, struct slice group)
{
    struct slice id = SLICE_NONE;

    for (size_t i = 0; i < COUNT_OF(removers) && id.data == NULL; i++)
        id = removers[i](router, group);
    return id;
}

/* ---- the errand ---- */

static void run(struct errand *errand);

static void on_removed(struct op *op, enum err err)
{
    struct errand *errand = container_of(op, struct errand, change.op);
    const struct cause why = op->why;

    if (err == E_OK || err == E_NOT_FOUND)
        run(errand);
    else if (err == E_CANCELED)
        errand_end(errand, err, &why);
    else
        errand_again(errand);
}

/* A cache goes by an operation of its own, which takes its event subscriptions with it. */
static void on_cache_asked(struct op *op, enum err err)
{
    (void)err; /* it is looked again whether it is there */
    free(container_of(op, struct caches_request, op));
}

/* Is there a cache, which is on its way out now? */
static bool removes_cache(struct caches *caches, struct slice group)
{
    struct slice id;

    for (size_t at = 0; caches_next(caches, &at, &id);) {
        if (!is_within(id, group))
            continue;
        struct caches_request *request = mem_new(struct caches_request);
        request->op.done = on_cache_asked;
        if (caches_delete(caches, id, request) != E_OK)
            free(request);
        return true;
    }
    return false;
}

static void run(struct errand *errand)
{
    struct router *router = errand->arm->router;
    char room[RESOURCE_ID_MAX_BYTES];
    struct slice group = slice_lower(slice_of(errand->record.resource), room);

    if (removes_cache(errand->arm->caches, group)) {
        errand_again(errand);
        return;
    }
    struct slice id = next_of(router, group);
    if (id.data == NULL) {
        errand_end(errand, E_OK, NULL);
        return;
    }
    errand->change = (struct change){.op.done = on_removed};
    enum err err = change_remove(router_changes(router), id, &errand->change);
    if (err != E_OK)
        errand_again(errand);
}

static size_t beside(struct errand *errand, struct resource_change *ret)
{
    struct buf *mark = &errand->beside[0], *text = &errand->beside[1];

    buf_clear(mark);
    buf_clear(text);
    arm_group_operation(mark, slice_of(errand->record.resource));
    ret[0] = (struct resource_change){buf_slice(mark), SLICE_NONE};
    if (errand->is_ended) {
        ret[1] = (struct resource_change){slice_of(errand->record.resource), SLICE_NONE};
        return 2;
    }
    member_text(text, "id", slice_of(errand->record.id));
    buf_add_byte(text, '}');
    ret[0].document = buf_slice(text);
    return 1;
}

const struct errand_kind group_errand = {.name = "removeGroup", .run = run, .beside = beside};

static void accept_removal(struct http_request *request, struct slice id, struct slice operation)
{
    accepted_answer(request, &(struct accepted){ACCEPTED_GROUP, 202, id, operation}, NULL);
}

static void answer(struct errand *errand)
{
    accept_removal(errand->request, slice_of(errand->record.resource), slice_of(errand->record.id));
}

void group_removal_start(const struct arm_call *call, struct slice id)
{
    struct slice operation = arm_group_removal(call->router, id);

    if (operation.data != NULL) {
        accept_removal(call->request, id, operation);
        return;
    }
    struct errand *errand = errand_new(call->arm, &group_errand, call->request, id);
    errand->answer = answer;
    errand_record(errand);
}
