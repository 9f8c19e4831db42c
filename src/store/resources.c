/* LOAD --(position of the feed, then all documents)--> FOLLOW --a change--> FETCH --> FOLLOW
 *   ^                                                     |                  |
 *   +---- when the connection is ready again ---- WAIT <--+---- any error ---+
 *
 * The position is read before the documents: what changes meanwhile is told twice rather than
 * never. The feed is trimmed; a node that slept for longer than it reaches back had an outage, and
 * loads. Both run on a connection of their own, since FOLLOW blocks there. */
#include "store/resources.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "store/outbox.h"

#define DOCUMENTS_KEY "rg:{meta}:resources"
#define CHANGES_KEY "rg:{meta}:changes"
#define CHANGES_KEPT "10000"
#define BLOCK_MS 10000
#define BLOCK_TEXT "10000"
#define FETCH_MAX 100
#define BACKOFF_MS 500

/* KEYS: documents, changes, outbox. ARGV: an id that must be absent, or nothing; what the first
 * document must be now, or nothing; how many documents; for each its id, the text, or nothing if it
 * goes; then scope and text of each event. Answers the id of the last change; nil if the absent one
 * was there, or the first was another. */
static const char commit_script[] =
    "if ARGV[1] ~= '' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return false end "
    "if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], ARGV[4]) ~= ARGV[2] then return false end "
    "local events, change = 4 + 2 * ARGV[3] "
    "for i = 4, events - 1, 2 do "
    "if ARGV[i + 1] ~= '' then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) "
    "else redis.call('HDEL', KEYS[1], ARGV[i]) end "
    "change = redis.call('XADD', KEYS[2], 'MAXLEN', '~', " CHANGES_KEPT ", '*', 'id', ARGV[i]) end "
    "for i = events, #ARGV, 2 do "
    "redis.call('XADD', KEYS[3], '*', 'scope', ARGV[i], 'event', ARGV[i + 1]) end "
    "return change";

enum state { WAIT, LOAD, FOLLOW, FETCH };

struct document {
    struct slice text; /* owned */
    uint64_t round;    /* of loading, in which it was last seen */
};

struct resources {
    struct resources_options options;
    enum state state;
    struct map documents; /* id -> struct document */
    char position[48];    /* in the feed */
    uint64_t seen[2];     /* up to here the changes have been told */
    uint64_t round;
    struct op ready;
    struct op halt;                  /* after resources_stop(), in the next turn */
    struct redis_call first, second; /* LOAD needs two */
    struct list writes;              /* struct resource_write, whose change has not come yet */
    struct timer *timer;
    struct op *loaded, *stopped;
    bool is_stopping;
};

static void wait_for_store(struct resources *r);
static void follow(struct resources *r);

/* ---- documents ---- */

static void tell(struct resources *r, struct slice id, struct slice document)
{
    r->options.changed(r->options.ctx, id, document);
}

static void document_free(struct document *document)
{
    if (document != NULL)
        free((char *)(uintptr_t)document->text.data);
    free(document);
}

static void keep(struct resources *r, struct slice id, struct slice text)
{
    struct document *document = map_get(&r->documents, id);

    if (document != NULL && slice_eq(document->text, text)) {
        document->round = r->round;
        return;
    }
    struct document *old = document;
    document = mem_new(struct document);
    document->text = (struct slice){slice_dup(text), text.len};
    document->round = r->round;
    map_set(&r->documents, id, document);
    document_free(old);
    tell(r, id, document->text);
}

static void forget(struct resources *r, struct slice id)
{
    struct document *document = map_remove(&r->documents, id);

    if (document == NULL)
        return;
    document_free(document);
    tell(r, id, SLICE_NONE);
}

/* What the last loading did not see is gone. `tell` may not walk on a map that changes: one by one.
 */
static void forget_unseen(struct resources *r)
{
    for (;;) {
        char room[RESOURCE_ID_MAX_BYTES];
        struct slice id, gone = SLICE_NONE;
        size_t at = 0;
        void *value;
        while (gone.data == NULL && map_next(&r->documents, &at, &id, &value))
            if (((struct document *)value)->round != r->round)
                gone = slice_lower(id, room);
        if (gone.data == NULL)
            return;
        forget(r, gone);
    }
}

/* ---- the feed ---- */

static bool read_position(struct slice id, uint64_t ret[2])
{
    size_t dash = slice_find_byte(id, '-');
    return slice_to_u64(slice_first(id, dash), &ret[0]) &&
           slice_to_u64(slice_from(id, dash + 1), &ret[1]);
}

static void advance(struct resources *r, struct slice id)
{
    if (id.len < sizeof r->position)
        snprintf(r->position, sizeof r->position, "%.*s", SLICE_ARG(id));
}

static void end_writes(struct resources *r)
{
    struct resource_write *write;

    list_each (&r->writes, struct resource_write, node, write) {
        bool is_seen = write->change[0] < r->seen[0] ||
                       (write->change[0] == r->seen[0] && write->change[1] <= r->seen[1]);
        if (!is_seen)
            continue;
        list_remove(&write->node);
        op_end(&write->op, E_OK);
    }
}

static void end_stop(struct resources *r)
{
    struct op *stopped = r->stopped;

    if (stopped == NULL || r->first.op.is_busy || r->second.op.is_busy || r->ready.is_busy ||
        r->halt.is_busy)
        return;
    r->stopped = NULL;
    op_end(stopped, E_OK);
}

static void fail(struct resources *r, enum err err, const struct cause *why)
{
    if (err == E_REDIS)
        log_warn("STORE-RESOURCES", "the store refuses to tell what there is: %s",
                 cause_text(why, err));
    r->state = WAIT;
    timer_set(r->timer, BACKOFF_MS);
}

/* All up to the position has been told. */
static void caught_up(struct resources *r)
{
    (void)read_position(slice_of(r->position), r->seen);
    end_writes(r);
}

/* True when the callback has nothing else to do. */
static bool is_over(struct resources *r, enum err err, const struct cause *why)
{
    if (r->is_stopping) {
        end_stop(r);
        return true;
    }
    if (err != E_OK)
        fail(r, err, why);
    return err != E_OK;
}

/* ---- LOAD ---- */

static void on_documents(struct op *op, enum err err)
{
    struct resources *r = container_of(op, struct resources, second.op);

    if (is_over(r, err, &op->why) || r->state != LOAD)
        return;
    const struct resp *root = r->second.reply->root;
    const struct resp *at = resp_child(root, 0);
    r->round++;
    for (uint32_t i = 0; i + 1 < root->count; i += 2) {
        const struct resp *text = at + at->span;
        if (at->text.len < RESOURCE_ID_MAX_BYTES)
            keep(r, at->text, text->text);
        at = text + text->span;
    }
    forget_unseen(r);
    caught_up(r);
    if (r->loaded != NULL) {
        struct op *loaded = r->loaded;
        r->loaded = NULL;
        op_end(loaded, E_OK);
    }
    if (!r->is_stopping)
        follow(r);
}

static void on_position(struct op *op, enum err err)
{
    struct resources *r = container_of(op, struct resources, first.op);

    if (is_over(r, err, &op->why))
        return;
    const struct resp *newest = resp_child(r->first.reply->root, 0);
    snprintf(r->position, sizeof r->position, "0-0");
    if (newest != NULL && resp_child(newest, 0) != NULL)
        advance(r, resp_child(newest, 0)->text);
}

static void load(struct resources *r)
{
    const struct slice position[] = {SLICE("XREVRANGE"), SLICE(CHANGES_KEY), SLICE("+"),
                                     SLICE("-"),         SLICE("COUNT"),     SLICE("1")};
    const struct slice all[] = {SLICE("HGETALL"), SLICE(DOCUMENTS_KEY)};

    r->state = LOAD;
    r->first.op.done = on_position;
    r->second.op.done = on_documents;
    enum err err = redis_call(r->options.feed, position, COUNT_OF(position), &r->first);
    if (err == E_OK)
        err = redis_call(r->options.feed, all, COUNT_OF(all), &r->second);
    if (err && !r->first.op.is_busy)
        fail(r, err, NULL); /* else the first brings the same news */
}

/* ---- FOLLOW and FETCH ---- */

static void on_fetched(struct op *op, enum err err)
{
    struct resources *r = container_of(op, struct resources, second.op);

    if (is_over(r, err, &op->why))
        return;
    /* each id is followed by its document */
    const struct resp *root = r->second.reply->root;
    for (uint32_t i = 0; i + 1 < root->count; i += 2) {
        struct slice id = resp_child(root, i)->text;
        const struct resp *document = resp_child(root, i + 1);
        if (id.len >= RESOURCE_ID_MAX_BYTES)
            continue;
        if (document->type == RESP_NIL)
            forget(r, id);
        else
            keep(r, id, document->text);
    }
    caught_up(r);
    if (!r->is_stopping)
        follow(r);
}

/* The documents of the changed ids, as they are now. */
static void fetch(struct resources *r, const struct resp *changes)
{
    static const char script[] = "local a = {} for i, id in ipairs(ARGV) do a[2 * i - 1] = id "
                                 "a[2 * i] = redis.call('HGET', KEYS[1], id) end return a";
    struct slice args[4 + FETCH_MAX] = {SLICE("EVAL"), slice_of(script), SLICE("1"),
                                        SLICE(DOCUMENTS_KEY)};
    size_t count = 4;
    const struct resp *entry = resp_child(changes, 0);

    for (uint32_t i = 0; i < changes->count && count < COUNT_OF(args); i++, entry += entry->span) {
        const struct resp *fields = resp_child(entry, 1);
        if (fields != NULL && fields->count >= 2)
            args[count++] = resp_child(fields, 1)->text;
        advance(r, resp_child(entry, 0)->text);
    }
    r->state = FETCH;
    r->second.op.done = on_fetched;
    r->second.timeout_ms = 0;
    enum err err = redis_call(r->options.feed, args, count, &r->second);
    if (err)
        fail(r, err, NULL);
}

static void on_followed(struct op *op, enum err err)
{
    struct resources *r = container_of(op, struct resources, first.op);
    const struct resp *root, *changes = NULL;

    if (is_over(r, err, &op->why))
        return;
    root = r->first.reply->root;
    if (root->type == RESP_MAP && root->count == 2)
        changes = resp_child(root, 1);
    else if (root->type == RESP_ARRAY && root->count == 1)
        changes = resp_child(resp_child(root, 0), 1);
    if (changes != NULL && changes->count > 0)
        fetch(r, changes);
    else
        follow(r);
}

static void follow(struct resources *r)
{
    char count[16];
    const struct slice args[] = {SLICE("XREAD"),
                                 SLICE("COUNT"),
                                 {count, (size_t)snprintf(count, sizeof count, "%d", FETCH_MAX)},
                                 SLICE("BLOCK"),
                                 SLICE(BLOCK_TEXT),
                                 SLICE("STREAMS"),
                                 SLICE(CHANGES_KEY),
                                 slice_of(r->position)};

    r->state = FOLLOW;
    r->first.op.done = on_followed;
    r->first.timeout_ms = 2 * BLOCK_MS;
    enum err err = redis_call(r->options.feed, args, COUNT_OF(args), &r->first);
    if (err)
        fail(r, err, NULL);
}

/* ---- WAIT ---- */

static void on_ready(struct op *op, enum err err)
{
    struct resources *r = container_of(op, struct resources, ready);

    if (is_over(r, err, &op->why))
        return;
    load(r);
}

static void wait_for_store(struct resources *r)
{
    r->state = WAIT;
    r->ready.done = on_ready;
    redis_ready(r->options.feed, &r->ready);
}

static void on_timer(void *ctx)
{
    struct resources *r = ctx;

    /* a call of the failed round may still be coming home */
    if (r->first.op.is_busy || r->second.op.is_busy)
        timer_set(r->timer, BACKOFF_MS);
    else
        wait_for_store(r);
}

/* ---- exported ---- */

struct resources *resources_start(const struct resources_options *options, struct op *loaded)
{
    struct resources *r = mem_new(struct resources);

    r->options = *options;
    list_init(&r->writes);
    r->timer = timer_new(options->loop, on_timer, r);
    op_begin(loaded, NULL, r);
    r->loaded = loaded;
    wait_for_store(r);
    return r;
}

struct slice resources_get(const struct resources *resources, struct slice id)
{
    char room[RESOURCE_ID_MAX_BYTES];
    const struct document *document = id.len > 0 && id.len < sizeof room
                                          ? map_get(&resources->documents, slice_lower(id, room))
                                          : NULL;
    return document != NULL ? document->text : SLICE_NONE;
}

bool resources_next(const struct resources *resources, size_t *at, struct slice *ret_id,
                    struct slice *ret_document)
{
    void *value;

    if (!map_next(&resources->documents, at, ret_id, &value))
        return false;
    *ret_document = ((const struct document *)value)->text;
    return true;
}

static void on_written(struct op *op, enum err err)
{
    struct resource_write *write = container_of(op, struct resource_write, call.op);

    if (err == E_OK && write->call.reply->root->type == RESP_NIL)
        err = cause_set(&op->why, E_EXISTS, "it is there already, or was changed");
    else if (err == E_OK && !read_position(write->call.reply->root->text, write->change))
        err = cause_set(&op->why, E_BAD_WIRE, "the store did not say which change it was");
    if (err != E_OK || write->resources->is_stopping) {
        write->op.why = op->why;
        op_end(&write->op, err);
        return;
    }
    list_push(&write->resources->writes, &write->node);
    end_writes(write->resources); /* the feed may have been faster */
}

static enum err check(const struct resource_commit *commit, struct cause *why)
{
    assert(commit->change_count > 0 && commit->change_count <= COMMIT_CHANGES_MAX);
    assert(commit->event_count <= COMMIT_EVENTS_MAX);
    for (size_t i = 0; i < commit->change_count; i++) {
        const struct resource_change *change = &commit->changes[i];
        if (change->id.len == 0 || change->id.len >= RESOURCE_ID_MAX_BYTES)
            return cause_set(why, E_LIMIT, "an id has 1 to %d bytes, not %zu",
                             RESOURCE_ID_MAX_BYTES - 1, change->id.len);
        if (change->document.data != NULL && change->document.len == 0)
            return cause_set(why, E_LIMIT, "an empty document");
        if (change->document.len > RESOURCE_MAX_BYTES)
            return cause_set(why, E_LIMIT, "%zu bytes are more than the %d of a document",
                             change->document.len, RESOURCE_MAX_BYTES);
    }
    return E_OK;
}

#define COMMIT_ARGS_MAX (9 + 2 * COMMIT_CHANGES_MAX + 2 * COMMIT_EVENTS_MAX)

enum err resources_commit(struct resources *resources, const struct resource_commit *commit,
                          struct resource_write *write)
{
    char ids[COMMIT_CHANGES_MAX][RESOURCE_ID_MAX_BYTES], absent[RESOURCE_ID_MAX_BYTES], count[16];
    struct slice args[COMMIT_ARGS_MAX] = {SLICE("EVAL"),      slice_of(commit_script),
                                          SLICE("3"),         SLICE(DOCUMENTS_KEY),
                                          SLICE(CHANGES_KEY), SLICE(OUTBOX_KEY)};
    size_t at = 6;

    enum err err = check(commit, &write->op.why);
    if (err != E_OK)
        return err;
    if (resources->is_stopping)
        return E_CANCELED;
    args[at++] = slice_lower(slice_first(commit->absent, sizeof absent), absent);
    args[at++] = commit->replaced;
    args[at++] =
        (struct slice){count, (size_t)snprintf(count, sizeof count, "%zu", commit->change_count)};
    for (size_t i = 0; i < commit->change_count; i++) {
        args[at++] = slice_lower(commit->changes[i].id, ids[i]);
        args[at++] = commit->changes[i].document;
    }
    for (size_t i = 0; i < commit->event_count; i++) {
        args[at++] = commit->events[i].scope;
        args[at++] = commit->events[i].event;
    }
    write->resources = resources;
    write->node = (struct list_node){0};
    write->call = (struct redis_call){.op.done = on_written};
    err = redis_call(resources->options.redis, args, at, &write->call);
    if (err == E_OK)
        op_begin(&write->op, NULL, write);
    return err;
}

enum err resource_put(struct resources *resources, struct slice id, struct slice document,
                      struct resource_write *write)
{
    const struct resource_change change = {id, document.data != NULL ? document : SLICE("")};

    return resources_commit(
        resources, &(struct resource_commit){.changes = &change, .change_count = 1}, write);
}

enum err resource_delete(struct resources *resources, struct slice id, struct resource_write *write)
{
    const struct resource_change change = {id, SLICE_NONE};

    return resources_commit(
        resources, &(struct resource_commit){.changes = &change, .change_count = 1}, write);
}

static void on_halt(struct op *op, enum err err)
{
    struct resources *r = container_of(op, struct resources, halt);
    struct op *loaded = r->loaded;
    struct resource_write *write;

    (void)err;
    list_each (&r->writes, struct resource_write, node, write) {
        list_remove(&write->node);
        op_end(&write->op, E_CANCELED);
    }
    r->loaded = NULL;
    if (loaded != NULL)
        op_end(loaded, E_CANCELED);
    end_stop(r);
}

void resources_stop(struct resources *r, struct op *stopped)
{
    r->is_stopping = true;
    r->stopped = stopped;
    op_begin(stopped, NULL, r);
    timer_clear(r->timer);
    op_abort(&r->ready);
    op_abort(&r->first.op);
    op_abort(&r->second.op);
    r->halt.done = on_halt;
    loop_later(r->options.loop, &r->halt, E_OK);
}

void resources_free(struct resources *r)
{
    size_t at = 0;
    struct slice id;
    void *document;

    if (r == NULL)
        return;
    redis_close(r->options.feed);
    timer_free(r->timer);
    while (map_next(&r->documents, &at, &id, &document))
        document_free(document);
    map_done(&r->documents);
    free(r);
}
