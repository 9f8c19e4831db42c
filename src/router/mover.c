/* READ --some--> PUT (all of a page at once) --> DROP what was written --> READ behind it
 *  | --none--> WAIT, until woken or for a while --> READ from the beginning
 * A page of which nothing could be written leads to WAIT, and so does a failure of the store; after
 * failures it lasts longer each time. */
#include "router/mover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/dead_blob.h"
#include "router/dead_query.h"
#include "router/head.h"

#define PAGE 16
#define PAGE_MAX_BYTES (4 * 1024 * 1024)
#define AGAIN_MS 1000
#define AGAIN_MAX_MS 60000
#define ID_BYTES 44
#define TIME_TEXT_BYTES 24

/* One blob on its way. */
struct put {
    struct blob_call call;
    struct mover *mover;
    struct buf name, body;
    char id[ID_BYTES + 1];
    bool is_written;
};

struct mover {
    struct mover_options options;
    char *queue_id;
    struct queue *queue;
    struct blob_place place;
    struct redis_call call;
    enum { READ, PUT, DROP, WAIT } state;
    struct timer *timer;
    struct put puts[PAGE];
    size_t put_count, under_way;
    char after[ID_BYTES + 1]; /* what was looked at; "" = nothing yet */
    uint32_t again_ms;
    bool has_failed; /* something, since the beginning */
    bool is_told;    /* of the outage */
    bool is_woken;
    bool is_stopping;
    struct op *stopped;
};

static void read_page(struct mover *m);

/* ---- waiting ---- */

static bool end_stop(struct mover *m)
{
    struct op *stopped = m->stopped;

    if (!m->is_stopping || stopped == NULL || m->under_way > 0 || m->call.op.is_busy)
        return m->is_stopping;
    m->stopped = NULL;
    timer_clear(m->timer);
    op_end(stopped, E_OK);
    return true;
}

static void wait(struct mover *m, uint32_t ms)
{
    if (end_stop(m))
        return;
    m->state = WAIT;
    m->after[0] = '\0';
    timer_set(m->timer, ms);
}

static void wait_longer(struct mover *m)
{
    m->again_ms = m->again_ms == 0                 ? AGAIN_MS
                  : m->again_ms < AGAIN_MAX_MS / 2 ? 2 * m->again_ms
                                                   : AGAIN_MAX_MS;
    wait(m, m->again_ms);
}

static void on_timer(void *ctx)
{
    read_page(ctx);
}

/* ---- the storage ---- */

static const char *advice(enum err err)
{
    if (err == E_NOT_FOUND)
        return ": make the container";
    if (err == E_DENIED)
        return ": the key or SAS of the account (setting storage.accounts) must allow to list, "
               "read, write and delete blobs";
    return "";
}

static void tell_failure(struct mover *m, enum err err, const struct cause *why)
{
    if (!m->is_told)
        log_warn("DEAD-LETTER-STORAGE",
                 "%s: dead letters cannot be written to container %s: %s%s; until they can, and "
                 "after 4 hours for good, they stay in the store",
                 m->options.subscription->name, m->options.subscription->dead_letter_container,
                 cause_text(why, err), advice(err));
    m->is_told = true;
}

static void drop_written(struct mover *m);

static void on_put(struct op *op, enum err err)
{
    struct put *put = container_of(op, struct put, call.op);
    struct mover *m = put->mover;

    put->is_written = err == E_OK;
    buf_done(&put->name);
    buf_done(&put->body);
    if (err != E_OK) {
        m->has_failed = true;
        if (err != E_CANCELED)
            tell_failure(m, err, &op->why);
    }
    if (--m->under_way == 0)
        drop_written(m);
}

static void put_one(struct mover *m, const struct queue_dead_entry *entry)
{
    struct put *put = &m->puts[m->put_count];
    struct event *event = NULL;
    struct dead_found found;
    struct refusal refusal;

    if (entry->id.len > ID_BYTES ||
        head_read(&m->options.rules, entry->head, entry->body, &event, &refusal) != E_OK)
        return; /* it stays where it is */
    dead_found_read(&found, entry);
    *put = (struct put){.mover = m, .call.op.done = on_put};
    memcpy(put->id, entry->id.data, entry->id.len);
    buf_init(&put->name, DEAD_BLOB_NAME_MAX_BYTES);
    buf_init(&put->body, DEAD_BLOB_MAX_BYTES);
    dead_blob_add_name(&put->name, slice_of(m->options.subscription->name), slice_of(m->queue_id),
                       entry->id);
    buf_add_byte(&put->body, '[');
    dead_blob_write(&put->body, m->options.subscription, event, &found.dead);
    buf_add_byte(&put->body, ']');
    event_unref(event);
    const struct blob_metadata metadata[] = {{DEAD_BLOB_ENTRY, slice_of(put->id)},
                                             {DEAD_BLOB_QUEUE, slice_of(m->queue_id)}};
    enum err err = buf_err(&put->body);
    if (err == E_OK)
        err = blob_put(&m->place,
                       &(struct blob_writing){buf_slice(&put->name), buf_slice(&put->body),
                                              metadata, COUNT_OF(metadata)},
                       &put->call);
    m->put_count++;
    m->under_way++;
    if (err != E_OK)
        loop_later(m->options.loop, &put->call.op, err);
}

/* ---- the stream ---- */

static void drop_written(struct mover *m)
{
    struct slice ids[PAGE];
    size_t count = 0;

    for (size_t i = 0; i < m->put_count; i++)
        if (m->puts[i].is_written)
            ids[count++] = slice_of(m->puts[i].id);
    if (count == 0) {
        wait_longer(m);
        return;
    }
    m->state = DROP;
    enum err err = queue_purge(m->queue, ids, count, &m->call);
    if (err != E_OK)
        loop_later(m->options.loop, &m->call.op, err);
}

/* All is carried that can be. */
static void rest(struct mover *m)
{
    if (m->is_told)
        log_info("DEAD-LETTER-STORED", "%s: dead letters are written to storage again",
                 m->options.subscription->name);
    m->is_told = false;
    m->again_ms = 0;
    wait(m, m->is_woken ? 0 : m->options.look_ms);
}

static void on_page(struct mover *m)
{
    struct queue_dead_entry entry;
    size_t came = 0;

    m->put_count = 0;
    for (uint32_t at = 0; m->put_count < PAGE && queue_dead_next(m->call.reply, &at, &entry);) {
        came++;
        if (entry.id.len <= ID_BYTES)
            snprintf(m->after, sizeof m->after, "%.*s", SLICE_ARG(entry.id));
        put_one(m, &entry);
    }
    if (m->under_way > 0)
        m->state = PUT;
    else if (came > 0)
        read_page(m);
    else if (m->has_failed)
        wait_longer(m);
    else
        rest(m);
}

static void on_called(struct op *op, enum err err)
{
    struct mover *m = container_of(op, struct mover, call.op);

    if (end_stop(m))
        return;
    if (err != E_OK)
        wait_longer(m);
    else if (m->state == DROP)
        read_page(m);
    else
        on_page(m);
}

static void read_page(struct mover *m)
{
    uint64_t now_unix_ms =
        m->options.now_unix_ms != NULL ? m->options.now_unix_ms() : clock_unix_ms();
    char since[TIME_TEXT_BYTES];

    if (end_stop(m))
        return;
    m->state = READ;
    if (m->after[0] == '\0')
        m->is_woken = m->has_failed = false;
    snprintf(
        since, sizeof since, "%llu",
        (unsigned long long)(now_unix_ms > MOVER_GIVE_UP_MS ? now_unix_ms - MOVER_GIVE_UP_MS : 0));
    enum err err = queue_dead(
        m->queue,
        &(struct queue_dead_range){.after = slice_of(m->after[0] != '\0' ? m->after : since),
                                   .count = PAGE,
                                   .max_bytes = PAGE_MAX_BYTES},
        &m->call);
    if (err != E_OK)
        loop_later(m->options.loop, &m->call.op, err);
}

/* ---- exported ---- */

struct mover *mover_start(const struct mover_options *options)
{
    struct mover *m = mem_new(struct mover);

    m->options = *options;
    m->options.look_ms = options->look_ms > 0 ? options->look_ms : MOVER_LOOK_MS;
    m->queue_id = slice_dup(options->queue);
    m->options.queue = SLICE_NONE;
    m->queue = queue_new(options->redis, slice_of(m->queue_id));
    m->place = (struct blob_place){options->http, options->account,
                                   slice_of(options->subscription->dead_letter_container)};
    m->timer = timer_new(options->loop, on_timer, m);
    m->call.op.done = on_called;
    wait(m, 0);
    return m;
}

void mover_wake(struct mover *mover)
{
    mover->is_woken = true;
    if (mover->state == WAIT && mover->again_ms == 0 && !mover->is_stopping)
        timer_set(mover->timer, 0);
}

void mover_stop(struct mover *mover, struct op *op)
{
    op_begin(op, NULL, mover);
    mover->stopped = op;
    mover->is_stopping = true;
    for (size_t i = 0; i < mover->put_count; i++)
        op_abort(&mover->puts[i].call.op);
    if (mover->state == WAIT)
        timer_set(mover->timer, 0);
}

void mover_free(struct mover *mover)
{
    if (mover == NULL)
        return;
    timer_free(mover->timer);
    queue_free(mover->queue);
    free(mover->queue_id);
    free(mover);
}
