#include "api/log_ring.h"

#include <stdlib.h>

#include "api/answer.h"
#include "base/list.h"
#include "base/mem.h"
#include "http/server.h"
#include "loop/loop.h"
#include "json/json.h"

#define FOLLOW_MAX_BYTES (1024 * 1024)
#define FIELDS_MAX_BYTES 512

/* One line: its fields lie behind each other in `bytes`, whose memory is used again and again. */
struct line {
    enum log_level level;
    uint64_t unix_us;
    size_t id, category, function, invocation, text; /* lengths, in this order */
    struct buf bytes;
};

struct follower {
    struct list_node node;
    struct http_stream *stream;
    char *function; /* NULL = all */
    uint64_t next;  /* number of the next line to send */
    uint64_t missed;
    bool is_gone;
};

struct log_ring {
    struct loop *loop;
    struct line lines[LOG_RING_LINES];
    uint64_t count; /* of all lines ever; line n is lines[n % LOG_RING_LINES] */
    struct list followers;
    struct turn turn;
};

static size_t keep(struct line *line, struct slice field, size_t max_bytes)
{
    field = slice_first(field, max_bytes);
    buf_add(&line->bytes, field);
    return field.len;
}

static void on_record(void *ctx, const struct log_record *record)
{
    struct log_ring *ring = ctx;
    struct line *line = &ring->lines[ring->count % LOG_RING_LINES];

    buf_clear(&line->bytes);
    line->level = record->level;
    line->unix_us = record->unix_us;
    line->id = keep(line, record->id, FIELDS_MAX_BYTES);
    line->category = keep(line, record->category, FIELDS_MAX_BYTES);
    line->function = keep(line, record->function, FIELDS_MAX_BYTES);
    line->invocation = keep(line, record->invocation, FIELDS_MAX_BYTES);
    line->text = keep(line, record->text, LOG_RING_LINE_MAX_BYTES);
    ring->count++;
    if (!list_is_empty(&ring->followers))
        loop_at_turn_end(ring->loop, &ring->turn);
}

static struct slice function_of(const struct line *line)
{
    return (struct slice){line->bytes.data + line->id + line->category, line->function};
}

static bool matches(const struct line *line, struct slice function)
{
    return function.len == 0 ||
           (line->function > 0 && slice_eq_nocase(function_of(line), function));
}

static void add_line(struct buf *out, const struct line *line)
{
    const struct {
        const char *name;
        size_t len;
    } fields[] = {{"id", line->id},
                  {"category", line->category},
                  {"function", line->function},
                  {"invocation", line->invocation}};
    struct slice rest = buf_slice(&line->bytes);

    buf_add_byte(out, '{'); /* what stands before is another line */
    member_time(out, "time", line->unix_us, 6);
    member_text(out, "level", slice_of(log_level_name(line->level)));
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (fields[i].len > 0)
            member_text(out, fields[i].name, slice_first(rest, fields[i].len));
        rest = slice_from(rest, fields[i].len);
    }
    member_text(out, "message", rest.data != NULL ? rest : SLICE(""));
    buf_add(out, SLICE("}\n"));
}

static uint64_t oldest(const struct log_ring *ring)
{
    return ring->count > LOG_RING_LINES ? ring->count - LOG_RING_LINES : 0;
}

/* first_of finds where the last `lines` matching lines begin. */
static uint64_t first_of(const struct log_ring *ring, const struct log_query *query)
{
    uint64_t at = ring->count, found = 0;

    while (at > oldest(ring) && found < query->lines) {
        at--;
        found += matches(&ring->lines[at % LOG_RING_LINES], query->function);
    }
    return at;
}

static void follower_free(struct follower *follower)
{
    list_remove(&follower->node);
    http_stream_end(follower->stream);
    free(follower->function);
    free(follower);
}

/* A client that is too slow loses lines, and is told how many. */
static void feed(struct log_ring *ring, struct follower *follower)
{
    struct slice function = slice_of(follower->function);
    struct buf out;

    buf_init(&out, ANSWER_MAX_BYTES);
    uint64_t from = follower->next > oldest(ring) ? follower->next : oldest(ring);
    follower->missed += from - follower->next;
    for (; from < ring->count; from++)
        if (matches(&ring->lines[from % LOG_RING_LINES], function))
            add_line(&out, &ring->lines[from % LOG_RING_LINES]);
    if (out.len > 0) {
        enum err err = http_stream_write(follower->stream, buf_slice(&out));
        follower->is_gone = follower->is_gone || err == E_CLOSED;
        if (err == E_LIMIT)
            follower->missed += ring->count - follower->next;
    }
    follower->next = ring->count;
    buf_clear(&out);
    if (follower->missed > 0 && !follower->is_gone) {
        buf_addf(
            &out,
            "{\"level\":\"warn\",\"id\":\"LOG-MISSED\",\"message\":\"%llu lines were not sent: "
            "the reader is too slow\"}\n",
            (unsigned long long)follower->missed);
        if (http_stream_write(follower->stream, buf_slice(&out)) == E_OK)
            follower->missed = 0;
    }
    buf_done(&out);
}

static void on_turn_end(struct turn *turn)
{
    struct log_ring *ring = container_of(turn, struct log_ring, turn);
    struct follower *follower;

    list_each (&ring->followers, struct follower, node, follower) {
        if (!follower->is_gone)
            feed(ring, follower);
        if (follower->is_gone)
            follower_free(follower);
    }
}

static void on_gone(void *ctx)
{
    follower_free(ctx);
}

struct log_ring *log_ring_new(struct loop *loop)
{
    struct log_ring *ring = mem_new(struct log_ring);

    ring->loop = loop;
    ring->turn.run = on_turn_end;
    list_init(&ring->followers);
    for (size_t i = 0; i < LOG_RING_LINES; i++)
        buf_init(&ring->lines[i].bytes, LOG_RING_LINE_MAX_BYTES + 4 * FIELDS_MAX_BYTES);
    log_tap(on_record, ring);
    return ring;
}

void log_ring_end(struct log_ring *ring)
{
    struct follower *follower;

    list_each (&ring->followers, struct follower, node, follower)
        follower_free(follower);
}

void log_ring_free(struct log_ring *ring)
{
    if (ring == NULL)
        return;
    log_tap(NULL, NULL);
    turn_cancel(&ring->turn);
    log_ring_end(ring);
    for (size_t i = 0; i < LOG_RING_LINES; i++)
        buf_done(&ring->lines[i].bytes);
    free(ring);
}

void log_ring_answer(struct log_ring *ring, const struct log_query *query,
                     struct http_request *request)
{
    uint64_t first = first_of(ring, query);
    struct buf body;

    if (query->is_following) {
        struct follower *follower = mem_new(struct follower);
        follower->function = query->function.len > 0 ? slice_dup(query->function) : NULL;
        follower->next = first;
        follower->stream = http_respond_stream(
            request, 200,
            &(struct http_stream_options){.content_type = "application/x-ndjson",
                                          .buffer_max_bytes = FOLLOW_MAX_BYTES,
                                          .gone = on_gone,
                                          .ctx = follower});
        list_push(&ring->followers, &follower->node);
        loop_at_turn_end(ring->loop, &ring->turn);
        return;
    }
    buf_init(&body, ANSWER_MAX_BYTES);
    for (uint64_t at = first; at < ring->count; at++)
        if (matches(&ring->lines[at % LOG_RING_LINES], query->function))
            add_line(&body, &ring->lines[at % LOG_RING_LINES]);
    http_respond(request, 200, "application/x-ndjson", &body);
}
