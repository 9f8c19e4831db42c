/* Put:     [VALIDATE] --> WRITE --> DONE
 * Remove:  WRITE --> NOTIFY --> EMPTY --> FORGET --> DONE     a subscription
 *          WRITE --> MEMBERS --again--> .. --> FORGET --> DONE    a topic
 * A failure leads to DONE, but for NOTIFY, which need not succeed. What has been written as
 * Deleting and did not come to its end is found and gone on with by changes_resume(). */
#include "router/change_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "store/queue.h"
#include "json/scan.h"

static void go(struct change *c, enum change_state state);

/* ---- the steps ---- */

struct slice change_document(const struct change *c)
{
    return resources_get(c->changes->options.resources, slice_of(c->id));
}

static enum err start_validate(struct change *c)
{
    proposal_validate(c, &c->step);
    return E_OK;
}

static enum change_state judge_validate(struct change *c, enum err err)
{
    c->result = err == E_OK ? proposal_settle(c) : err;
    return c->document.len > 0 ? WRITE : DONE;
}

static enum err start_write(struct change *c)
{
    if (c->is_removal && document_is(change_document(c), STATE_DELETING)) {
        loop_later(c->changes->options.loop, &c->step, E_OK);
        return E_OK;
    }
    const struct resource_change change = {slice_of(c->id), buf_slice(&c->document)};
    return resources_commit(
        c->changes->options.resources,
        &(struct resource_commit){.absent = c->is_creation ? change.id : SLICE_NONE,
                                  .replaced = slice_of(c->before),
                                  .changes = &change,
                                  .change_count = 1},
        &c->write);
}

static enum change_state judge_write(struct change *c, enum err err)
{
    if (err == E_EXISTS)
        (void)cause_set(&c->why, err, "another node has made or changed it meanwhile: try again");
    if (err != E_OK) {
        c->result = err;
        return DONE;
    }
    if (!c->is_removal)
        return DONE;
    return c->is_topic ? MEMBERS : NOTIFY;
}

static void on_member_removed(struct op *op, enum err err)
{
    struct change *member = container_of(op, struct change, op);
    struct change *c = member->parent;

    c->step.why = op->why;
    free(member);
    op_end(&c->step, err);
}

/* The first subscription that is left; the step ends with E_EMPTY when none is. */
static enum err start_members(struct change *c)
{
    const struct scope *scope = catalog_scope(c->changes->options.catalog, slice_of(c->scope));

    if (scope == NULL || list_is_empty(&scope->members)) {
        loop_later(c->changes->options.loop, &c->step, E_EMPTY);
        return E_OK;
    }
    const struct member *first = container_of(scope->members.head.next, struct member, node);
    struct change *member = mem_new(struct change);
    member->op.done = on_member_removed;
    member->parent = c;
    enum err err = change_remove(c->changes, slice_of(first->id), member);
    if (err != E_OK) {
        c->step.why = member->op.why;
        free(member);
        return err;
    }
    op_begin(&c->step, NULL, c);
    return E_OK;
}

static enum change_state judge_members(struct change *c, enum err err)
{
    if (err == E_EMPTY)
        return FORGET;
    c->result = err;
    return err == E_OK ? MEMBERS : DONE;
}

/* Only an endpoint that has passed its handshake is called. */
static enum err start_notify(struct change *c)
{
    struct slice document = buf_slice(&c->document);
    struct slice destination =
        jx_scan_member(jx_scan_member(document, SLICE("properties")), SLICE("destination"));
    char *url = document_text(jx_scan_member(destination, SLICE("properties")), "endpointUrl");
    char *name = document_text(document, "name"), *id = document_text(document, "id");

    if (!c->is_in_force || url == NULL || name == NULL || id == NULL)
        loop_later(c->changes->options.loop, &c->step, E_OK);
    else
        validation_notify(&(struct validation_options){.loop = c->changes->options.loop,
                                                       .http = c->changes->options.http,
                                                       .endpoint = slice_of(url),
                                                       .name = slice_of(name),
                                                       .scope = resource_id_scope(slice_of(id)),
                                                       .code = slice_of(id)},
                          &c->step);
    free(url);
    free(name);
    free(id);
    return E_OK;
}

static enum change_state judge_notify(struct change *c, enum err err)
{
    if (err != E_OK && !c->changes->is_stopping)
        log_info("SUBSCRIPTION-NOTICE", "%s: its endpoint could not be told that it is removed: %s",
                 c->id, cause_text(&c->step.why, err));
    if (!c->changes->is_stopping)
        return EMPTY;
    c->result = E_CANCELED;
    return DONE;
}

static enum err start_empty(struct change *c)
{
    char *id = document_text(buf_slice(&c->document), "queue");
    enum err err = E_OK;

    if (id != NULL && id[0] != '\0') {
        c->queue = queue_new(c->changes->options.redis, slice_of(id));
        err = queue_delete(c->queue, &c->call);
    } else {
        loop_later(c->changes->options.loop, &c->step, E_OK);
    }
    free(id);
    return err;
}

static enum change_state judge_empty(struct change *c, enum err err)
{
    c->result = err;
    return err == E_OK ? FORGET : DONE;
}

/* Another node may have ended the same removal, and somebody have made it anew. */
static enum err start_forget(struct change *c)
{
    if (!document_is(change_document(c), STATE_DELETING)) {
        loop_later(c->changes->options.loop, &c->step, E_OK);
        return E_OK;
    }
    return resource_delete(c->changes->options.resources, slice_of(c->id), &c->write);
}

static enum change_state judge_last(struct change *c, enum err err)
{
    c->result = err;
    return DONE;
}

static enum err finish(struct change *c)
{
    struct changes *changes = c->changes;

    changes->has_unfinished = changes->has_unfinished || (c->is_removal && c->result != E_OK);
    (void)change_drop(c, c->result);
    op_end(&c->op, c->result); /* it may be gone now */
    changes->options.ended(changes->options.ctx);
    return E_OK;
}

/* ---- the machine ---- */

#define TO(state) (1u << (state))
static const struct step {
    const char *name;
    enum err (*start)(struct change *c); /* `step`, or an op that leads to it */
    enum change_state (*judge)(struct change *c, enum err err);
    unsigned to;
} steps[] = {
    [VALIDATE] = {"validate", start_validate, judge_validate, TO(WRITE) | TO(DONE)},
    [WRITE] = {"write", start_write, judge_write, TO(MEMBERS) | TO(NOTIFY) | TO(DONE)},
    [MEMBERS] = {"members", start_members, judge_members, TO(MEMBERS) | TO(FORGET) | TO(DONE)},
    [NOTIFY] = {"notify", start_notify, judge_notify, TO(EMPTY) | TO(DONE)},
    [EMPTY] = {"empty", start_empty, judge_empty, TO(FORGET) | TO(DONE)},
    [FORGET] = {"forget", start_forget, judge_last, TO(DONE)},
    [DONE] = {"done", finish, NULL, 0},
};

static void on_step(struct op *op, enum err err)
{
    struct change *c = container_of(op, struct change, step);

    if (err != E_OK)
        c->why = op->why;
    go(c, steps[c->state].judge(c, err));
}

static void on_write(struct op *op, enum err err)
{
    struct change *c = container_of(op, struct change, write.op);

    c->step.why = op->why;
    on_step(&c->step, err);
}

static void on_call(struct op *op, enum err err)
{
    struct change *c = container_of(op, struct change, call.op);

    c->step.why = op->why;
    on_step(&c->step, err);
}

static void go(struct change *c, enum change_state state)
{
    assert(state == c->state || (steps[c->state].to & TO(state)));
    log_trace("change %s: %s -> %s", c->id, steps[c->state].name, steps[state].name);
    c->state = state;
    c->step = (struct op){.done = on_step};
    c->write = (struct resource_write){.op.done = on_write};
    c->call = (struct redis_call){.op.done = on_call};
    enum err err = steps[state].start(c);
    if (err == E_OK)
        return;
    if (c->write.op.why.text[0] != '\0')
        c->step.why = c->write.op.why;
    loop_later(c->changes->options.loop, &c->step, err);
}

/* ---- beginning and ending ---- */

/* Is something under way that this would get in the way of? */
static bool is_busy(struct changes *changes, struct slice id, const struct change *c)
{
    const struct change *other;

    list_each (&changes->list, struct change, node, other) {
        struct slice its = slice_of(other->id);
        if (other == c->parent)
            continue;
        if (slice_eq(its, id) || (other->is_removal && resource_id_is_within(id, its)) ||
            (c->is_removal && resource_id_is_within(its, id)))
            return true;
    }
    return false;
}

enum err change_init(struct changes *changes, struct slice id, struct change *c)
{
    struct buf lower;

    if (changes->is_stopping)
        return cause_set(&c->op.why, E_CANCELED, "the server is stopping");
    buf_init(&lower, RESOURCE_ID_MAX_BYTES);
    buf_add_lower(&lower, id);
    if (buf_err(&lower)) {
        buf_done(&lower);
        return cause_set(&c->op.why, E_LIMIT, "a resource id has at most %d bytes",
                         RESOURCE_ID_MAX_BYTES);
    }
    if (is_busy(changes, buf_slice(&lower), c)) {
        enum err err = cause_set(&c->op.why, E_EXISTS,
                                 "another change of %.*s is under way: try again in a moment",
                                 SLICE_ARG(buf_slice(&lower)));
        buf_done(&lower);
        return err;
    }
    c->changes = changes;
    c->id = buf_detach(&lower);
    if (!c->is_removal && change_document(c).data != NULL)
        c->before = slice_dup(change_document(c));
    buf_init(&c->document, DOCUMENT_MAX_BYTES);
    list_push(&changes->list, &c->node);
    changes->count++;
    return E_OK;
}

enum err change_drop(struct change *c, enum err err)
{
    list_remove(&c->node);
    c->changes->count--;
    if (c->why.text[0] != '\0')
        c->op.why = c->why;
    proposal_free(c->proposal);
    c->proposal = NULL;
    queue_free(c->queue);
    c->queue = NULL;
    buf_done(&c->document);
    free(c->id);
    free(c->scope);
    free(c->before);
    c->id = c->scope = c->before = NULL;
    return err;
}

void change_begin(struct change *c, enum change_state state)
{
    op_begin(&c->op, NULL, c);
    c->state = state;
    go(c, state);
}

/* That of a system topic is its source. */
static char *lower_scope(const struct change *c, struct slice document)
{
    char *source = document_text(jx_scan_member(document, SLICE("properties")), "source");

    if (source == NULL)
        return slice_dup(slice_of(c->id));
    for (char *at = source; *at != '\0'; at++)
        *at = lower_of(*at);
    return source;
}

enum err change_remove(struct changes *changes, struct slice id, struct change *c)
{
    c->is_removal = true;
    enum err err = change_init(changes, id, c);

    if (err != E_OK)
        return err;
    struct slice document = change_document(c);
    if (document.data == NULL)
        return change_drop(c, cause_set(&c->why, E_NOT_FOUND, "there is no %.*s", SLICE_ARG(id)));
    c->is_topic = resource_id_scope(slice_of(c->id)).len == strlen(c->id);
    c->scope = lower_scope(c, document);
    c->is_in_force = document_is(document, STATE_SUCCEEDED);
    document_write_deleting(&c->document, document);
    change_begin(c, WRITE);
    return E_OK;
}

/* ---- what nobody here asked for ---- */

static void next_chore(struct changes *changes);

static void on_chore_done(struct op *op, enum err err)
{
    struct change *c = container_of(op, struct change, op);
    struct changes *changes = c->changes;

    if (err != E_OK && err != E_CANCELED)
        log_warn("REMOVAL-UNFINISHED", "what was being removed is still there: %s; trying again",
                 cause_text(&op->why, err));
    changes->chore = NULL;
    free(c);
    if (err == E_OK)
        next_chore(changes);
}

/* False: somebody is at it. */
static bool begin_chore(struct changes *changes, struct slice id)
{
    struct change *c = mem_new(struct change);

    c->op.done = on_chore_done;
    if (change_remove(changes, id, c) != E_OK) {
        free(c);
        return false;
    }
    changes->chore = c;
    return true;
}

static bool remove_expired(struct changes *changes)
{
    uint64_t now_unix_ms = clock_unix_ms();
    struct scope *scope;
    struct member *member;

    for (size_t at = 0; catalog_next_scope(changes->options.catalog, &at, &scope);)
        list_each (&scope->members, struct member, node, member) {
            uint64_t until =
                member->active != NULL ? member->active->subscription.expires_unix_ms : 0;
            if (until == 0 || until > now_unix_ms || !begin_chore(changes, slice_of(member->id)))
                continue;
            log_info("SUBSCRIPTION-EXPIRED", "%s: its time has come, it is removed",
                     changes->chore->id);
            return true;
        }
    return false;
}

static bool remove_unfinished(struct changes *changes)
{
    struct slice id, document;

    if (!changes->has_unfinished)
        return false;
    for (size_t at = 0; resources_next(changes->options.resources, &at, &id, &document);)
        if (document_is(document, STATE_DELETING) && begin_chore(changes, id)) {
            log_info("REMOVAL-RESUMED", "%s: goes on being removed", changes->chore->id);
            return true;
        }
    changes->has_unfinished = false;
    return false;
}

static void next_chore(struct changes *changes)
{
    if (changes->chore == NULL && !changes->is_stopping && !remove_unfinished(changes))
        (void)remove_expired(changes);
}

static void on_timer(void *ctx)
{
    next_chore(ctx);
}

void changes_resume(struct changes *changes)
{
    changes->has_unfinished = true;
    next_chore(changes);
}

struct changes *changes_new(const struct changes_options *options)
{
    struct changes *changes = mem_new(struct changes);

    changes->options = *options;
    list_init(&changes->list);
    changes->timer = timer_new(options->loop, on_timer, changes);
    timer_every(changes->timer, options->chores_ms);
    return changes;
}

size_t changes_under_way(const struct changes *changes)
{
    return changes->count;
}

void changes_stop(struct changes *changes)
{
    struct change *c;

    changes->is_stopping = true;
    timer_clear(changes->timer);
    list_each (&changes->list, struct change, node, c)
        if (c->state == VALIDATE || c->state == NOTIFY)
            op_abort(&c->step);
}

void changes_free(struct changes *changes)
{
    if (changes == NULL)
        return;
    assert(changes->count == 0);
    timer_free(changes->timer);
    free(changes);
}
