/* [LAST] --> READ --some are meant--> ACT --> [REST] --> READ
 *             |--none, or a listing--> READ
 *             |--no more, or time or limit reached--> DONE
 * A failure leads to DONE, and so does a cancel, but never out of the middle of ACT. */
#include "router/sweep.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/document.h"
#include "router/head.h"
#include "router/router_internal.h"
#include "json/scan.h"

#define PAGE_MAX_BYTES (4 * 1024 * 1024) /* of bodies; the last may go beyond */
#define TIME_TEXT_BYTES 24

enum sweep_state { LAST, READ, ACT, REST, DONE };

static void go(struct sweep *s, enum sweep_state state);

static struct scope *scope_of(const struct sweep *s)
{
    struct scope *scope = catalog_scope(s->router->catalog, slice_of(s->scope));

    return scope != NULL && scope->topic != NULL ? scope : NULL;
}

static void keep(char **text, struct slice value)
{
    free(*text);
    *text = slice_dup(value);
}

/* ---- the newest ---- */

static enum err start_last(struct sweep *s)
{
    return queue_dead_last(s->queue, &s->call);
}

static enum sweep_state judge_last(struct sweep *s)
{
    struct queue_dead_entry entry;
    uint32_t at = 0;

    if (!queue_dead_next(s->call.reply, &at, &entry))
        return DONE;
    keep(&s->until, entry.id);
    return READ;
}

/* ---- a page ---- */

/* With a rate, so many that the pace is kept four times a second. */
static size_t page_count(const struct sweep *s)
{
    size_t count = QUEUE_BATCH_MAX;

    if (s->query.rate > 0 && s->query.rate / 4 < count)
        count = s->query.rate / 4 > 0 ? s->query.rate / 4 : 1;
    if (s->query.id_count > 0 && s->query.id_count - s->looked_at < count)
        count = s->query.id_count - s->looked_at;
    return count;
}

static enum err read_ids(struct sweep *s)
{
    struct slice ids[QUEUE_BATCH_MAX];

    for (size_t i = 0; i < s->asked; i++)
        ids[i] = slice_of(s->query.ids[s->looked_at + i]);
    return queue_dead_find(s->queue, ids, s->asked, PAGE_MAX_BYTES, &s->call);
}

static enum err read_range(struct sweep *s)
{
    char since[TIME_TEXT_BYTES], before[TIME_TEXT_BYTES];
    struct queue_dead_range range = {.after = slice_of(s->cursor),
                                     .until = slice_of(s->until),
                                     .count = s->asked,
                                     .max_bytes = PAGE_MAX_BYTES};

    snprintf(since, sizeof since, "%" PRIu64, s->query.since_unix_ms);
    snprintf(before, sizeof before, "%" PRIu64, s->query.before_unix_ms - 1);
    if (s->cursor == NULL && s->query.since_unix_ms != 0)
        range.after = slice_of(since);
    if (s->until == NULL && s->query.before_unix_ms != 0)
        range.until = slice_of(before);
    return queue_dead(s->queue, &range, &s->call);
}

static enum err start_read(struct sweep *s)
{
    s->id_count = 0;
    s->asked = page_count(s);
    return s->query.id_count > 0 ? read_ids(s) : read_range(s);
}

static void take_in(struct sweep *s, const struct queue_dead_entry *entry,
                    const struct event_rules *rules)
{
    struct event *event = NULL;
    struct refusal why;
    struct dead_found found;

    dead_found_read(&found, entry);
    if (head_read(rules, entry->head, entry->body, &event, &why) == E_OK)
        found.event = event;
    if (dead_query_wants(&s->query, &found, &s->lookup)) {
        s->matched++;
        s->ids[s->id_count++] = entry->id;
        s->is_full = s->query.limit > 0 && s->matched >= s->query.limit;
        if (s->has_room && (s->kind == SWEEP_LIST || s->query.is_dry))
            s->has_room = s->found(s, &found);
    }
    event_unref(event);
}

/* Of ids that were asked for and are not there, nothing comes. */
static size_t looked_at(const struct sweep *s, struct slice last, size_t bytes)
{
    size_t i = s->asked;

    if (bytes < PAGE_MAX_BYTES && !s->is_full)
        return s->looked_at + s->asked;
    while (i > 1 && !slice_eq(slice_of(s->query.ids[s->looked_at + i - 1]), last))
        i--;
    return s->looked_at + i;
}

/* A listing ends when its answer has no more room; whoever asked goes on behind it. */
static bool is_enough(const struct sweep *s)
{
    return s->is_full || (s->kind == SWEEP_LIST && !s->has_room);
}

static bool is_late(const struct sweep *s)
{
    uint64_t past_ms = loop_now_ms(s->router->options.loop) - s->begun_ms;

    return s->query.seconds > 0 && past_ms >= (uint64_t)s->query.seconds * 1000;
}

/* All that is to be done with a page is done: from now on the cursor is behind it. */
static enum sweep_state judge_page(struct sweep *s)
{
    if (s->page_end != NULL)
        keep(&s->cursor, slice_of(s->page_end));
    if (s->is_over)
        return DONE;
    if (!is_enough(s) && !is_late(s) && !s->is_canceled)
        return READ;
    if (s->cursor != NULL)
        keep(&s->next, slice_of(s->cursor));
    return DONE;
}

static enum sweep_state judge_read(struct sweep *s)
{
    const struct scope *scope = scope_of(s);
    struct queue_dead_entry entry;
    size_t bytes = 0, came = 0;

    if (scope == NULL) {
        s->result = cause_set(&s->op.why, E_NOT_FOUND, "the topic was deleted meanwhile");
        return DONE;
    }
    const struct event_rules rules = topic_rules(scope->topic);
    for (uint32_t at = 0; !is_enough(s) && queue_dead_next(s->call.reply, &at, &entry); came++) {
        bytes += entry.body.len;
        take_in(s, &entry, &rules);
        keep(&s->page_end, entry.id);
    }
    if (s->query.id_count > 0)
        s->looked_at = looked_at(s, slice_of(s->page_end), bytes);
    s->is_over = s->query.id_count > 0 ? s->looked_at == s->query.id_count : came == 0;
    return s->id_count == 0 || s->kind == SWEEP_LIST || s->query.is_dry ? judge_page(s) : ACT;
}

/* ---- what is done with it ---- */

static enum err start_act(struct sweep *s)
{
    if (s->kind == SWEEP_PURGE)
        return queue_purge(s->queue, s->ids, s->id_count, &s->call);
    return queue_redrive(s->queue, s->ids, s->id_count, &s->call);
}

static void tell(const struct sweep *s, uint64_t count)
{
    const struct scope *scope = scope_of(s);
    const struct member *member = scope != NULL ? catalog_member(scope, slice_of(s->name)) : NULL;

    if (member == NULL)
        return;
    if (s->kind == SWEEP_PURGE && member->tally != NULL)
        tally_dropped(member->tally, count);
    else if (s->kind == SWEEP_REDRIVE && member->active != NULL)
        active_wake(member->active);
}

static enum sweep_state judge_act(struct sweep *s)
{
    int64_t count = 0;

    if (resp_int(s->call.reply->root, &count) && count > 0)
        s->done += (uint64_t)count;
    tell(s, count > 0 ? (uint64_t)count : 0);
    enum sweep_state next = judge_page(s);
    return next == READ && s->query.rate > 0 ? REST : next;
}

static enum err start_rest(struct sweep *s)
{
    timer_wait(s->timer, s->id_count * 1000 / s->query.rate, &s->rest);
    return E_OK;
}

static enum sweep_state judge_rest(struct sweep *s)
{
    (void)s;
    return READ;
}

/* ---- the machine ---- */

static enum err finish(struct sweep *s)
{
    timer_free(s->timer);
    s->timer = NULL;
    list_remove(&s->node);
    struct router *router = s->router;
    op_end(&s->op, s->result == E_OK && s->is_canceled ? E_CANCELED : s->result);
    router_go_on(router); /* the sweep may be gone */
    return E_OK;
}

#define TO(state) (1u << (state))
static const struct step {
    const char *name;
    enum err (*start)(struct sweep *s);
    enum sweep_state (*judge)(struct sweep *s);
    unsigned to; /* all that may follow */
} steps[] = {
    [LAST] = {"last", start_last, judge_last, TO(READ) | TO(DONE)},
    [READ] = {"read", start_read, judge_read, TO(READ) | TO(ACT) | TO(DONE)},
    [ACT] = {"act", start_act, judge_act, TO(READ) | TO(REST) | TO(DONE)},
    [REST] = {"rest", start_rest, judge_rest, TO(READ) | TO(DONE)},
    [DONE] = {"done", finish, NULL, 0},
};

static void go(struct sweep *s, enum sweep_state state)
{
    assert(steps[s->state].to & TO(state) || s->state == state);
    s->state = state;
    enum err err = steps[state].start(s);
    if (err != E_OK) /* DONE cannot fail, and has ended it */
        loop_later(s->router->options.loop, &s->call.op, err);
}

static void on_step(struct sweep *s, const struct op *op, enum err err)
{
    if (err != E_OK && !(s->state == REST && s->is_canceled)) {
        s->result = err;
        s->op.why = op->why;
        if (s->cursor != NULL)
            keep(&s->next, slice_of(s->cursor));
    }
    enum sweep_state next = err == E_OK ? steps[s->state].judge(s) : DONE;
    go(s, s->is_canceled && next != ACT ? DONE : next);
}

static void on_called(struct op *op, enum err err)
{
    on_step(container_of(op, struct sweep, call.op), op, err);
}

static void on_rested(struct op *op, enum err err)
{
    on_step(container_of(op, struct sweep, rest), op, err);
}

static void on_abort(struct op *op)
{
    sweep_cancel(container_of(op, struct sweep, op));
}

static void read_settings(struct sweep *s, const struct member *member)
{
    const struct subscription_rules rules = scope_rules(member->scope);
    struct subscription subscription;
    struct cause why; /* of one that is faulty, what can be read */

    subscription_init(&subscription, slice_of(s->name), &rules);
    (void)subscription_read(&subscription, &rules,
                            jx_scan_member(slice_of(member->document), SLICE("properties")), &why);
    s->is_queue = subscription.is_queue;
    s->delivery = subscription.delivery;
    subscription_done(&subscription);
}

void sweep_start(struct sweep *sweep, struct router *router, const struct member *member)
{
    struct sweep *s = sweep;
    struct slice document = slice_of(member->document);
    char *queue = document_text(document, "queue");
    bool is_bounded = s->kind == SWEEP_LIST || s->query.id_count > 0 || s->query.until != NULL;

    s->router = router;
    s->scope = slice_dup(slice_of(member->scope->id));
    s->name = document_text(document, "name");
    s->queue = queue_new(router->options.redis, slice_of(queue));
    s->timer = timer_new(router->options.loop, NULL, NULL);
    s->begun_ms = loop_now_ms(router->options.loop);
    s->has_room = true;
    s->is_canceled = router->is_stopping;
    s->call.op.done = on_called;
    s->rest.done = on_rested;
    s->cursor = s->query.from != NULL ? slice_dup(slice_of(s->query.from)) : NULL;
    s->until = s->query.until != NULL ? slice_dup(slice_of(s->query.until)) : NULL;
    lookup_init(&s->lookup, 0);
    read_settings(s, member);
    free(queue);
    list_push(&router->sweeps, &s->node);
    op_begin(&s->op, on_abort, s);
    s->state = is_bounded ? READ : LAST;
    go(s, (enum sweep_state)s->state);
}

void sweep_cancel(struct sweep *sweep)
{
    sweep->is_canceled = true;
    op_abort(&sweep->rest);
}

void sweep_done(struct sweep *sweep)
{
    dead_query_done(&sweep->query);
    lookup_done(&sweep->lookup);
    queue_free(sweep->queue);
    free(sweep->scope);
    free(sweep->name);
    free(sweep->cursor);
    free(sweep->page_end);
    free(sweep->next);
    free(sweep->until);
}
