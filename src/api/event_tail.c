#include "api/event_tail.h"

#include <stdlib.h>

#include "api/answer.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "http/server.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/router.h"
#include "json/json.h"

#define FIELD_MAX_BYTES 300 /* of an event's text; the rest is cut */
#define LINE_MAX_BYTES 8192
#define CHUNK_BYTES ((size_t)64 * 1024)
#define AGAIN_MS 200
#define BEAT_MS 5000

struct watcher {
    struct list_node node;
    struct event_tail *tail;
    struct http_stream *stream;
    char *topic, *subscription; /* NULL = all */
    struct buf out;
    uint64_t lines; /* in `out` */
    uint64_t missed;
    bool is_gone;
};

struct event_tail {
    struct loop *loop;
    struct router *router;
    struct list watchers;
    size_t count;
    struct buf line; /* the newest; its memory is used again and again */
    struct turn turn;
    struct timer *timer; /* somebody missed lines, and is to be told */
    struct timer *beat;  /* while there is somebody */
};

/* ---- lines ---- */

static void add_long(struct buf *out, const char *name, const struct event *event,
                     enum event_field field)
{
    struct buf text;

    buf_init(&text, EVENT_MAX_BYTES);
    event_write_field(&text, event, field);
    struct slice start = slice_first(buf_slice(&text), FIELD_MAX_BYTES);
    member_text(out, name, slice_first(start, utf8_valid_len(start)));
    buf_done(&text);
}

static void add_field(struct buf *out, const char *name, const struct event *event,
                      enum event_field field)
{
    struct slice json = event->fields[field];

    if (json.len == 0 || json.data[0] != '"')
        return;
    if (json.len <= FIELD_MAX_BYTES)
        member_json(out, name, json);
    else
        add_long(out, name, event, field);
}

static void add_number(struct buf *out, const char *name, uint64_t number)
{
    if (number > 0)
        member_u64(out, name, number);
}

static void write_line(struct buf *out, const struct sighting *s)
{
#define SIGHT_NAME(sight, name) [sight] = (name),
    static const char *const names[] = {SIGHTS(SIGHT_NAME)};
#undef SIGHT_NAME
    bool is_attempt = s->sight == SIGHT_FAILED || s->sight == SIGHT_PARKED ||
                      (s->sight == SIGHT_DEAD && s->attempt > 0);

    buf_clear(out);
    member_time(out, "time", clock_unix_us(), 3);
    member_text(out, "what", slice_of(names[s->sight]));
    member_text(out, "topic", slice_of(s->topic));
    member_text_if(out, "subscription",
                   s->subscription != NULL ? slice_of(s->subscription) : SLICE_NONE);
    if (s->event != NULL) {
        add_field(out, "id", s->event, EVENT_ID);
        add_field(out, "type", s->event, EVENT_TYPE);
        add_field(out, "subject", s->event, EVENT_SUBJECT);
    }
    if (s->sight == SIGHT_PUBLISHED || s->count > 0)
        member_u64(out, "count", s->count);
    add_number(out, "attempt", s->attempt);
    if (is_attempt)
        member_text(out, "outcome", slice_of(outcome_name(s->outcome)));
    add_number(out, "status", s->http_status);
    if (s->sight == SIGHT_DELIVERED)
        member_f64(out, "tookMs", (double)s->took_us / 1000);
    if (s->due_unix_ms > 0)
        member_time(out, "until", s->due_unix_ms * 1000, 3);
    member_text_if(out, "reason", s->reason != NULL ? slice_of(s->reason) : SLICE_NONE);
    buf_add(out, SLICE("}\n"));
}

/* ---- watchers ---- */

static void detach(struct event_tail *tail)
{
    timer_clear(tail->beat);
    if (tail->router != NULL)
        *router_watch(tail->router) = (struct watch){0};
}

static void watcher_free(struct watcher *watcher)
{
    struct event_tail *tail = watcher->tail;

    list_remove(&watcher->node);
    http_stream_end(watcher->stream);
    free(watcher->topic);
    free(watcher->subscription);
    buf_done(&watcher->out);
    free(watcher);
    if (--tail->count == 0)
        detach(tail);
}

static void send_lines(struct watcher *watcher)
{
    if (watcher->lines == 0)
        return;
    enum err err = http_stream_write(watcher->stream, buf_slice(&watcher->out));
    watcher->is_gone = watcher->is_gone || err == E_CLOSED;
    if (err == E_LIMIT)
        watcher->missed += watcher->lines;
    watcher->lines = 0;
    buf_clear(&watcher->out);
}

static void send_missed(struct watcher *watcher)
{
    char room[128];
    struct buf line = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    if (watcher->missed == 0 || watcher->is_gone)
        return;
    member_time(&line, "time", clock_unix_us(), 3);
    member_text(&line, "what", SLICE("missed"));
    member_u64(&line, "count", watcher->missed);
    buf_add(&line, SLICE("}\n"));
    enum err err = http_stream_write(watcher->stream, buf_slice(&line));
    watcher->is_gone = err == E_CLOSED;
    if (err == E_OK)
        watcher->missed = 0;
    else if (err == E_LIMIT)
        timer_set(watcher->tail->timer, AGAIN_MS);
}

static bool wants(const struct watcher *watcher, const struct sighting *s)
{
    if (watcher->is_gone ||
        (watcher->topic != NULL && !slice_eq_nocase(slice_of(watcher->topic), slice_of(s->topic))))
        return false;
    return watcher->subscription == NULL ||
           (s->subscription != NULL &&
            slice_eq_nocase(slice_of(watcher->subscription), slice_of(s->subscription)));
}

static void see(void *ctx, const struct sighting *sighting)
{
    struct event_tail *tail = ctx;
    struct watcher *watcher;
    bool is_written = false;

    list_each (&tail->watchers, struct watcher, node, watcher) {
        if (!wants(watcher, sighting))
            continue;
        if (!is_written)
            write_line(&tail->line, sighting);
        is_written = true;
        buf_add(&watcher->out, buf_slice(&tail->line));
        watcher->lines++;
        if (watcher->out.len >= CHUNK_BYTES)
            send_lines(watcher);
    }
    if (is_written)
        loop_at_turn_end(tail->loop, &tail->turn);
}

static void flush(struct event_tail *tail, bool is_last)
{
    struct watcher *watcher;

    list_each (&tail->watchers, struct watcher, node, watcher) {
        send_lines(watcher);
        send_missed(watcher);
        if (watcher->is_gone || is_last)
            watcher_free(watcher);
    }
}

static void on_turn(struct turn *turn)
{
    flush(container_of(turn, struct event_tail, turn), false);
}

static void on_timer(void *ctx)
{
    flush(ctx, false);
}

/* A client that has left is noticed by the second write after that. */
static void on_beat(void *ctx)
{
    struct event_tail *tail = ctx;
    struct watcher *watcher;

    list_each (&tail->watchers, struct watcher, node, watcher)
        if (http_stream_write(watcher->stream, SLICE("\n")) == E_CLOSED)
            watcher_free(watcher);
}

static void on_gone(void *ctx)
{
    watcher_free(ctx);
}

/* ---- exported ---- */

struct event_tail *event_tail_new(struct loop *loop)
{
    struct event_tail *tail = mem_new(struct event_tail);

    tail->loop = loop;
    tail->turn.run = on_turn;
    tail->timer = timer_new(loop, on_timer, tail);
    tail->beat = timer_new(loop, on_beat, tail);
    list_init(&tail->watchers);
    buf_init(&tail->line, LINE_MAX_BYTES);
    return tail;
}

void event_tail_end(struct event_tail *tail)
{
    flush(tail, true);
}

void event_tail_free(struct event_tail *tail)
{
    if (tail == NULL)
        return;
    event_tail_end(tail);
    turn_cancel(&tail->turn);
    timer_free(tail->timer);
    timer_free(tail->beat);
    buf_done(&tail->line);
    free(tail);
}

void event_tail_router(struct event_tail *tail, struct router *router)
{
    tail->router = router;
    if (router != NULL && tail->count > 0)
        *router_watch(router) = (struct watch){see, tail};
}

/* Is there what the query names? Else it was answered. */
static bool is_there(const struct event_tail *tail, struct http_request *request,
                     struct slice topic, struct slice subscription)
{
    const struct catalog *catalog = router_catalog(tail->router);
    bool is_found = subscription.len == 0;
    struct scope *scope;

    if (topic.len > 0 && catalog_topic(catalog, topic) == NULL) {
        answer_error(request, 404, "ResourceNotFound",
                     "there is no topic '%.*s': `redgrid topic list` shows all", SLICE_ARG(topic));
        return false;
    }
    for (size_t at = 0; !is_found && catalog_next_scope(catalog, &at, &scope);)
        is_found = scope->topic != NULL && catalog_member(scope, subscription) != NULL &&
                   (topic.len == 0 || slice_eq_nocase(topic, slice_of(scope->topic->name)));
    if (!is_found)
        answer_error(request, 404, "ResourceNotFound",
                     "there is no subscription '%.*s'%s%.*s: `redgrid subscription list` shows all",
                     SLICE_ARG(subscription), topic.len > 0 ? " of topic " : "", SLICE_ARG(topic));
    return is_found;
}

void event_tail_answer(struct event_tail *tail, struct http_request *request)
{
    struct slice topic = http_request_parameter(request, SLICE("topic"));
    struct slice subscription = http_request_parameter(request, SLICE("subscription"));

    if (tail->router == NULL) {
        answer_error(request, 503, "Starting", "the event router has not started yet");
        return;
    }
    if (tail->count >= EVENT_TAIL_WATCHERS) {
        answer_error(request, 429, "TooManyWatchers", "%d watch already; try again later",
                     EVENT_TAIL_WATCHERS);
        return;
    }
    if (!is_there(tail, request, topic, subscription))
        return;
    struct watcher *watcher = mem_new(struct watcher);
    watcher->tail = tail;
    watcher->topic = topic.len > 0 ? slice_dup(topic) : NULL;
    watcher->subscription = subscription.len > 0 ? slice_dup(subscription) : NULL;
    buf_init(&watcher->out, CHUNK_BYTES + LINE_MAX_BYTES);
    watcher->stream =
        http_respond_stream(request, 200,
                            &(struct http_stream_options){.content_type = "application/x-ndjson",
                                                          .buffer_max_bytes = EVENT_TAIL_MAX_BYTES,
                                                          .gone = on_gone,
                                                          .ctx = watcher});
    list_push(&tail->watchers, &watcher->node);
    if (tail->count++ == 0)
        timer_every(tail->beat, BEAT_MS);
    *router_watch(tail->router) = (struct watch){see, tail};
}
