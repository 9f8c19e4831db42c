/* Who records waits in `waiting`; a commit takes all that wait into `recorded`, writes what is now,
 * and ends them. While the store is away it is tried again and again: nothing may be done that is
 * not recorded, so there is nothing better to do. An answer that got lost makes the same commit
 * twice, with the same events. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "json/member.h"

#define RECORD_RETRY_MS 50
#define REFUSED_RETRY_MS 5000
#define CHANGES_MAX 4

struct outgoing { /* an event */
    struct list_node node;
    char *json;
};

static struct loop *loop_of(const struct cache *cache)
{
    return cache->options->loop;
}

/* ---- what is written ---- */

/* The cache's document with another spec: all of the old one but its properties. */
static void write_document(struct buf *out, const struct cache *cache, struct slice document)
{
    struct slice rest = document;
    struct jx_field field;

    while (jx_scan_next(&rest, &field))
        if (!jx_scan_is_text(field.name, SLICE("properties")))
            member_copy(out, &field);
    member_open(out, "properties");
    cache_spec_write_stored(out, &cache->spec);
    buf_add_byte(out, '}');
}

struct draft { /* of a commit */
    char ids[CHANGES_MAX][CACHE_ID_MAX_BYTES + 64];
    struct resource_change changes[CHANGES_MAX];
    size_t count;
    struct resource_event events[COMMIT_EVENTS_MAX];
    size_t event_count;
};

static void add_change(struct draft *draft, struct slice document, const char *key,
                       const char *suffix)
{
    char *id = draft->ids[draft->count];

    snprintf(id, sizeof draft->ids[0], "%s%s", key, suffix);
    draft->changes[draft->count++] = (struct resource_change){slice_of(id), document};
}

static struct buf *fresh(struct buf *text)
{
    buf_done(text);
    buf_init(text, RESOURCE_MAX_BYTES);
    return text;
}

static void draft_changes(struct cache *cache, struct draft *draft)
{
    struct cache_work *w = cache->work;
    char operation[OPERATION_ID_MAX_BYTES];
    bool is_removal = (w->extra & RECORD_REMOVAL) != 0;

    cache_state_write(fresh(&w->texts[0]), &cache->state);
    add_change(draft, is_removal ? SLICE_NONE : buf_slice(&w->texts[0]), cache->key, STATE_SUFFIX);
    if (cache->operation != NULL &&
        operation_document_id(slice_of(cache->operation->record.id), operation)) {
        operation_write(cache->operation, fresh(&w->texts[1]));
        add_change(draft, buf_slice(&w->texts[1]), operation, "");
    }
    if ((w->extra & (RECORD_END | RECORD_REMOVAL)) != 0)
        add_change(draft, SLICE_NONE, cache->key, OPERATION_SUFFIX);
    struct slice document = resources_get(cache->options->resources, slice_of(cache->key));
    if (is_removal)
        add_change(draft, SLICE_NONE, cache->key, "");
    else if ((w->extra & RECORD_RESTORE) != 0 && document.data != NULL) {
        write_document(fresh(&w->texts[2]), cache, document);
        add_change(draft, buf_slice(&w->texts[2]), cache->key, "");
    }
}

/* All events that fit; those in front of the last lot go without what ends the operation. */
static void draft_events(struct cache *cache, struct draft *draft)
{
    struct outgoing *event;

    list_each (&cache->work->events, struct outgoing, node, event)
        if (draft->event_count < COMMIT_EVENTS_MAX)
            draft->events[draft->event_count++] =
                (struct resource_event){slice_of(cache->id), slice_of(event->json)};
}

static bool has_more(const struct list *events)
{
    size_t count = 0;

    for (const struct list_node *node = events->head.next; node != &events->head; node = node->next)
        count++;
    return count > COMMIT_EVENTS_MAX;
}

/* ---- the commit ---- */

/* The same waiters again, in front of those that came meanwhile, after a while. */
static void try_again(struct cache *cache, uint64_t ms)
{
    struct cache_work *w = cache->work;
    struct list_node *node;

    while ((node = list_shift(&w->waiting)) != NULL)
        list_push(&w->recorded, node);
    list_move(&w->waiting, &w->recorded);
    timer_set(w->record_timer, ms);
}

static void fail(struct cache *cache, enum err err, const struct cause *why)
{
    bool is_refused = err == E_REDIS || err == E_LIMIT;

    if (is_refused)
        log_error("CACHE-RECORD", "%s: the store refuses its record: %s", cache->name,
                  cause_text(why, err));
    try_again(cache, is_refused ? REFUSED_RETRY_MS : RECORD_RETRY_MS);
}

static void commit(void *ctx)
{
    struct cache *cache = ctx;
    struct cache_work *w = cache->work;
    struct draft draft;

    if (w->write.op.is_busy || list_is_empty(&w->waiting))
        return;
    timer_clear(w->record_timer);
    draft.count = draft.event_count = 0;
    unsigned extra = w->extra;
    if (has_more(&w->events))
        w->extra = 0;
    draft_changes(cache, &draft);
    draft_events(cache, &draft);
    w->extra_sent = w->extra;
    w->extra = extra;
    w->events_sent = draft.event_count;
    list_move(&w->recorded, &w->waiting);
    list_init(&w->waiting);
    enum err err = resources_commit(cache->options->resources,
                                    &(struct resource_commit){.changes = draft.changes,
                                                              .change_count = draft.count,
                                                              .events = draft.events,
                                                              .event_count = draft.event_count},
                                    &w->write);
    if (err)
        fail(cache, err, &w->write.op.why);
}

static void forget_sent_events(struct cache_work *w)
{
    for (; w->events_sent > 0; w->events_sent--) {
        struct outgoing *event = container_of(list_shift(&w->events), struct outgoing, node);
        free(event->json);
        free(event);
    }
}

static void on_written(struct op *op, enum err err)
{
    struct cache_work *w = container_of(op, struct cache_work, write.op);
    struct cache *cache = op->owner;
    struct list_node *node;
    bool had_events = w->events_sent > 0;

    if (err != E_OK) {
        fail(cache, err, &op->why);
        cache_look(cache);
        return;
    }
    forget_sent_events(w);
    if (w->extra_sent != w->extra) { /* the rest of the events, and then the end */
        try_again(cache, 0);
        return;
    }
    w->extra = 0;
    if (had_events && cache->options->emitted != NULL)
        cache->options->emitted(cache->options->ctx);
    while ((node = list_shift(&w->recorded)) != NULL)
        op_end(container_of(node, struct op, node), E_OK);
    if (!list_is_empty(&w->waiting))
        loop_at_turn_end(loop_of(cache), &w->record_turn);
    cache_look(cache);
}

static void on_turn(struct turn *turn)
{
    struct cache_work *w = container_of(turn, struct cache_work, record_turn);
    struct list_node *node;

    commit(w->write.op.owner);
    while ((node = list_shift(&w->canceled)) != NULL)
        op_end(container_of(node, struct op, node), E_CANCELED);
}

static void on_abort(struct op *op)
{
    struct cache *cache = op->runner;

    list_remove(&op->node);
    list_push(&cache->work->canceled, &op->node);
    loop_at_turn_end(loop_of(cache), &cache->work->record_turn);
}

/* ---- exported ---- */

void cache_record_init(struct cache *cache)
{
    struct cache_work *w = cache->work;

    list_init(&w->waiting);
    list_init(&w->recorded);
    list_init(&w->canceled);
    list_init(&w->events);
    w->record_turn.run = on_turn;
    w->record_timer = timer_new(loop_of(cache), commit, cache);
    w->write.op.done = on_written;
    w->write.op.owner = cache;
}

void cache_record_done(struct cache *cache)
{
    struct cache_work *w = cache->work;

    w->events_sent = 0;
    for (struct list_node *node = w->events.head.next; node != &w->events.head; node = node->next)
        w->events_sent++;
    forget_sent_events(w);
    turn_cancel(&w->record_turn);
    timer_free(w->record_timer);
    for (size_t i = 0; i < COUNT_OF(w->texts); i++)
        buf_done(&w->texts[i]);
}

bool cache_record_is_idle(const struct cache *cache)
{
    return !cache->work->write.op.is_busy && list_is_empty(&cache->work->canceled);
}

enum err cache_record_with(struct cache *cache, unsigned extra, struct op *op)
{
    op_begin(op, on_abort, cache);
    list_push(&cache->work->waiting, &op->node);
    cache->work->extra |= extra;
    loop_at_turn_end(loop_of(cache), &cache->work->record_turn);
    return E_OK;
}

enum err cache_record(struct cache *cache, struct op *op)
{
    return cache_record_with(cache, 0, op);
}

void cache_event(struct cache *cache, struct lifecycle *event)
{
    const struct operation *operation = cache->operation;
    struct id id = id_next();
    struct buf json;

    event->resource = slice_of(cache->id);
    event->id = id_slice(&id);
    event->unix_us = clock_unix_us();
    event->operation_id = operation != NULL ? operation->record.id : NULL;
    event->operation = operation != NULL ? operation->kind->name : NULL;
    event->epoch = cache->state.epoch;
    buf_init(&json, LIFECYCLE_MAX_BYTES);
    lifecycle_write(&json, event);
    struct outgoing *outgoing = mem_new(struct outgoing);
    outgoing->json = buf_detach(&json);
    if (outgoing->json != NULL)
        list_push(&cache->work->events, &outgoing->node);
    else
        free(outgoing);
}
