/* [EDGE] --> READ --some are meant--> ACT --> [REST] --> READ
 *             |--none, or a listing--> READ
 *             |--no more--> LIST, GET, .. (sweep_blobs.c) --> DONE
 *             |--time or limit reached--> DONE
 * A failure leads to DONE, and so does a cancel, but never out of the middle of ACT, or from APPEND
 * but by DROP. */
#include "router/sweep_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/document.h"
#include "router/head.h"
#include "json/scan.h"

#define PAGE_MAX_BYTES (4 * 1024 * 1024) /* of bodies; the last may go beyond */
#define TIME_TEXT_BYTES 24

static void go(struct sweep *s, enum sweep_state state);

struct scope *sweep_scope(const struct sweep *s)
{
    struct scope *scope = catalog_scope(s->router->catalog, slice_of(s->scope));

    return scope != NULL && scope->topic != NULL ? scope : NULL;
}

void sweep_keep(char **text, struct slice value)
{
    free(*text);
    *text = slice_dup(value);
}

/* ---- where it ends ---- */

static enum err start_edge(struct sweep *s)
{
    return queue_dead_edge(s->queue, &s->call);
}

static enum sweep_state judge_edge(struct sweep *s)
{
    sweep_keep(&s->until, s->call.reply->root->text);
    return READ;
}

/* ---- a page ---- */

/* With a rate, so many that the pace is kept four times a second. */
static size_t page_count(const struct sweep *s)
{
    size_t count = QUEUE_BATCH_MAX;

    if (s->query.rate > 0 && s->query.rate / 4 < count)
        count = s->query.rate / 4 > 0 ? s->query.rate / 4 : 1;
    if (s->query.id_count > 0 && s->query.stream_id_count - s->looked_at < count)
        count = s->query.stream_id_count - s->looked_at;
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

bool sweep_acts(const struct sweep *s)
{
    return s->kind != SWEEP_LIST && !s->query.is_dry;
}

bool sweep_take(struct sweep *s, const struct dead_found *found)
{
    if (!dead_query_wants(&s->query, found, &s->lookup))
        return false;
    s->matched++;
    s->is_full = s->query.limit > 0 && s->matched >= s->query.limit;
    if (s->has_room && !sweep_acts(s))
        s->has_room = s->found(s, found);
    return true;
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
    if (sweep_take(s, &found))
        s->ids[s->id_count++] = entry->id;
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

bool sweep_pauses(const struct sweep *s)
{
    return is_enough(s) || is_late(s) || s->is_canceled;
}

/* All that is to be done with a page is done: from now on the cursor is behind it. */
static enum sweep_state judge_page(struct sweep *s)
{
    enum sweep_state next = s->is_over ? sweep_blobs(s) : READ;

    if (s->page_end != NULL)
        sweep_keep(&s->cursor, slice_of(s->page_end));
    if (s->query.id_count > 0)
        return s->is_full ? DONE : next;
    if (next == DONE || !sweep_pauses(s))
        return next;
    sweep_keep(&s->next, s->is_over ? SLICE(DEAD_BLOBS) : slice_of(s->cursor));
    return DONE;
}

enum sweep_state sweep_gone(struct sweep *s)
{
    s->result = cause_set(&s->op.why, E_NOT_FOUND, "the topic was deleted meanwhile");
    return DONE;
}

enum sweep_state sweep_rest(struct sweep *s, enum sweep_state next)
{
    s->resume = next; /* before the end too, if somebody is to go on behind it */
    return s->query.rate > 0 && (next != DONE || s->next != NULL) ? REST : next;
}

static enum sweep_state judge_read(struct sweep *s)
{
    const struct scope *scope = sweep_scope(s);
    struct queue_dead_entry entry;
    size_t bytes = 0, came = 0;

    if (scope == NULL)
        return sweep_gone(s);
    const struct event_rules rules = topic_rules(scope->topic);
    for (uint32_t at = 0; !is_enough(s) && queue_dead_next(s->call.reply, &at, &entry); came++) {
        bytes += entry.body.len;
        take_in(s, &entry, &rules);
        sweep_keep(&s->page_end, entry.id);
    }
    if (s->query.id_count > 0)
        s->looked_at = looked_at(s, slice_of(s->page_end), bytes);
    s->is_over = s->query.id_count > 0 ? s->looked_at == s->query.stream_id_count : came == 0;
    return s->id_count == 0 || !sweep_acts(s) ? judge_page(s) : ACT;
}

/* ---- what is done with it ---- */

static enum err start_act(struct sweep *s)
{
    if (s->kind == SWEEP_PURGE)
        return queue_purge(s->queue, s->ids, s->id_count, &s->call);
    return queue_redrive(s->queue, s->ids, s->id_count, &s->call);
}

void sweep_tell(const struct sweep *s, uint64_t count)
{
    const struct scope *scope = sweep_scope(s);
    const struct member *member =
        scope != NULL ? catalog_member(scope, slice_of(s->subscription.name)) : NULL;

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
    sweep_tell(s, count > 0 ? (uint64_t)count : 0);
    return sweep_rest(s, judge_page(s));
}

static enum err start_rest(struct sweep *s)
{
    timer_wait(s->timer, s->id_count * 1000 / s->query.rate, &s->rest);
    return E_OK;
}

static enum sweep_state judge_rest(struct sweep *s)
{
    return s->resume;
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
    unsigned to;  /* all that may follow, beside DONE */
    bool is_blob; /* waits for the storage, not for the store */
} steps[] = {
    [EDGE] = {"edge", start_edge, judge_edge, TO(READ), false},
    [READ] = {"read", start_read, judge_read, TO(READ) | TO(ACT) | TO(LIST) | TO(GET), false},
    [ACT] = {"act", start_act, judge_act, TO(READ) | TO(REST) | TO(LIST) | TO(GET), false},
    [LIST] = {"list", sweep_start_list, sweep_judge_list, TO(LIST) | TO(GET), true},
    [GET] = {"get", sweep_start_get, sweep_judge_get, TO(LIST) | TO(GET) | TO(APPEND) | TO(DROP),
             true},
    [APPEND] = {"append", sweep_start_append, sweep_judge_append, TO(DROP), false},
    [DROP] = {"drop", sweep_start_drop, sweep_judge_drop, TO(LIST) | TO(GET) | TO(REST), true},
    [REST] = {"rest", start_rest, judge_rest, TO(EDGE) | TO(READ) | TO(LIST) | TO(GET), false},
    [DONE] = {"done", finish, NULL, 0, false},
};

static void go(struct sweep *s, enum sweep_state state)
{
    assert((steps[s->state].to | TO(DONE)) & TO(state));
    s->state = state;
    enum err err = steps[state].start(s);
    if (err != E_OK) /* DONE cannot fail, and has ended it */
        loop_later(s->router->options.loop, steps[state].is_blob ? &s->blob.op : &s->call.op, err);
}

/* After APPEND the blob must go, whatever was asked for meanwhile. */
static void go_on(struct sweep *s, enum sweep_state next)
{
    go(s, s->is_canceled && s->state != APPEND ? DONE : next);
}

static void on_called(struct op *op, enum err err)
{
    struct sweep *s = container_of(op, struct sweep, call.op);

    if (err == E_OK) {
        go_on(s, steps[s->state].judge(s));
        return;
    }
    s->result = err;
    s->op.why = op->why;
    if (s->cursor != NULL)
        sweep_keep(&s->next, slice_of(s->cursor));
    go(s, DONE);
}

static void on_blob(struct op *op, enum err err)
{
    struct sweep *s = container_of(op, struct sweep, blob.op);

    go_on(s, err == E_OK ? steps[s->state].judge(s) : sweep_blob_failed(s, err, &op->why));
}

static void on_rested(struct op *op, enum err err)
{
    struct sweep *s = container_of(op, struct sweep, rest);

    go_on(s, err == E_OK ? judge_rest(s) : DONE);
}

static void on_abort(struct op *op)
{
    sweep_cancel(container_of(op, struct sweep, op));
}

static void read_settings(struct sweep *s, const struct member *member)
{
    const struct subscription_rules rules = scope_stored_rules(member->scope);
    const struct blob_accounts *accounts = s->router->options.accounts;
    struct slice document = slice_of(member->document);
    char *name = document_text(document, "name");
    struct cause why; /* of one that is faulty, what can be read */

    subscription_init(&s->subscription, slice_of(name), &rules);
    (void)subscription_read(&s->subscription, &rules, jx_scan_member(document, SLICE("properties")),
                            &why);
    if (s->subscription.dead_letter_account != NULL && accounts != NULL)
        s->account = blob_accounts_find(accounts, slice_of(s->subscription.dead_letter_account));
    free(name);
}

/* "SKIP:MARKER", as sweep_blobs.c writes it; empty = the beginning. */
static void read_blobs_from(struct sweep *s, struct slice from)
{
    size_t colon = slice_find_byte(from, ':');
    struct slice marker = slice_from(from, colon + 1);
    uint64_t skip = 0;

    if (slice_to_u64(slice_first(from, colon), &skip))
        s->skip = skip;
    s->marker = marker.len > 0 ? slice_dup(marker) : NULL;
}

static enum sweep_state first_state(struct sweep *s)
{
    struct slice from = slice_of(s->query.from);

    if (slice_has_prefix(from, SLICE(DEAD_BLOBS))) {
        read_blobs_from(s, slice_from(from, sizeof DEAD_BLOBS - 1));
        return sweep_blobs(s);
    }
    s->cursor = from.len > 0 ? slice_dup(from) : NULL;
    if (s->query.id_count > 0)
        return s->query.stream_id_count > 0 ? READ : sweep_blobs(s);
    return s->kind == SWEEP_LIST || s->until != NULL ? READ : EDGE;
}

void sweep_start(struct sweep *sweep, struct router *router, const struct member *member)
{
    struct sweep *s = sweep;

    s->router = router;
    s->scope = slice_dup(slice_of(member->scope->id));
    s->queue_id = document_text(slice_of(member->document), "queue");
    s->queue = queue_new(router->options.redis, slice_of(s->queue_id));
    s->timer = timer_new(router->options.loop, NULL, NULL);
    s->begun_ms = loop_now_ms(router->options.loop);
    s->has_room = true;
    s->is_canceled = router->is_stopping;
    s->call.op.done = on_called;
    s->blob.op.done = on_blob;
    s->rest.done = on_rested;
    s->until = s->query.until != NULL ? slice_dup(slice_of(s->query.until)) : NULL;
    lookup_init(&s->lookup, 0);
    read_settings(s, member);
    list_push(&router->sweeps, &s->node);
    op_begin(&s->op, on_abort, s);
    s->state = REST; /* for a turn: there may be nothing to look at */
    s->resume = first_state(s);
    loop_later(router->options.loop, &s->rest, E_OK);
}

void sweep_cancel(struct sweep *sweep)
{
    sweep->is_canceled = true;
    op_abort(&sweep->rest);
    if (sweep->state == LIST || sweep->state == GET)
        op_abort(&sweep->blob.op);
}

void sweep_done(struct sweep *sweep)
{
    dead_query_done(&sweep->query);
    subscription_done(&sweep->subscription);
    lookup_done(&sweep->lookup);
    queue_free(sweep->queue);
    blob_listing_done(&sweep->page);
    event_unref(sweep->event);
    free(sweep->scope);
    free(sweep->queue_id);
    free(sweep->cursor);
    free(sweep->page_end);
    free(sweep->next);
    free(sweep->until);
    free(sweep->page_marker);
    free(sweep->marker);
    free(sweep->trouble);
}
