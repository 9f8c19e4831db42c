/* One script a beat, so that time, heartbeat and the look at the others are one moment. One call in
 * flight: the timer starts the next when the last one has ended. */
#include "store/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"
#include "store/datadir.h"

#define NODES_KEY "rg:{meta}:nodes"
#define NODES_FILE "nodes"
#define FILE_MAX_BYTES (64 * 1024)
#define STOP_TIMEOUT_MS 1000
#define SEEN_MAX 10000

/* Returns now, then id and score of each. A day of silence ends an entry. */
#define BEAT_SCRIPT                                                                                \
    "local t = redis.call('TIME') "                                                                \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "                                           \
    "redis.call('ZADD', KEYS[1], now, ARGV[1]) "                                                   \
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 86400000) "                             \
    "local r = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') "                                \
    "table.insert(r, 1, string.format('%.0f', now)) "                                              \
    "return r"

struct seen {
    int64_t score; /* its last heartbeat, the store's time */
    uint64_t beat; /* our beat at which it was last in the set */
    bool is_dead;
};

struct nodes {
    struct loop *loop;
    struct redis *redis;
    char *id;
    uint32_t heartbeat_ms, dead_ms;
    void (*died)(void *ctx);
    void *ctx;
    struct map earlier; /* ids of earlier runs; the value says nothing */
    struct map seen;    /* id -> struct seen */
    uint64_t beat;
    int64_t now;              /* the store's time, at the last beat */
    uint64_t steady_since_ms; /* from here on every beat came in time; 0 = the last one failed */
    uint64_t beaten_at_ms;
    size_t alive;
    struct timer *timer;
    struct redis_call call;
    struct op *stopped;
};

/* ---- DATA/nodes ---- */

static void read_earlier(struct nodes *nodes, struct slice text)
{
    static char there;
    struct slice line;

    while (slice_cut(&text, '\n', &line))
        if (slice_trim(line).len > 0)
            map_set(&nodes->earlier, slice_trim(line), &there);
}

static enum err remember(struct nodes *nodes, const struct datadir *data, struct cause *why)
{
    char path[DATADIR_PATH_MAX_BYTES];
    struct buf text;
    size_t lines = 0;

    snprintf(path, sizeof path, "%s/" NODES_FILE, datadir_path(data));
    buf_init(&text, FILE_MAX_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return cause_set(why, err_from_errno(errno), "%s: cannot be read", path);
    char *room = buf_reserve(&text, FILE_MAX_BYTES / 2);
    ssize_t len = fd < 0 ? 0 : read(fd, room, FILE_MAX_BYTES / 2);
    buf_grow(&text, len > 0 ? (size_t)len : 0);
    if (fd >= 0)
        close(fd);
    read_earlier(nodes, buf_slice(&text));
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    for (; lines >= NODES_KEPT; lines--)
        buf_consume(&text, slice_find_byte(buf_slice(&text), '\n') + 1);
    buf_addf(&text, "%s\n", nodes->id);
    enum err err = datadir_replace(data, NODES_FILE, buf_slice(&text), why);
    buf_done(&text);
    return err;
}

/* ---- heartbeats ---- */

static void look_at(struct nodes *nodes, struct slice id, int64_t score)
{
    struct seen *seen = map_get(&nodes->seen, id);

    if (seen == NULL) {
        if (nodes->seen.count >= SEEN_MAX)
            return;
        seen = mem_new(struct seen);
        map_set(&nodes->seen, id, seen);
    }
    seen->score = score;
    seen->beat = nodes->beat;
}

/* Silence counts only while the store answered us all along: after an outage the others need a
 * moment to say that they live. Who is absent is no more than silent: a store that lost its data
 * has lost everybody. */
static void judge(struct nodes *nodes, int64_t now)
{
    bool is_steady = loop_now_ms(nodes->loop) - nodes->steady_since_ms >= nodes->dead_ms;
    bool has_news = false;
    size_t at = 0;
    struct slice id;
    void *value;

    nodes->alive = 0;
    while (map_next(&nodes->seen, &at, &id, &value)) {
        struct seen *seen = value;
        bool is_silent = now - seen->score > nodes->dead_ms;
        bool was_dead = seen->is_dead;
        if (slice_eq(id, slice_of(nodes->id)))
            is_silent = false;
        seen->is_dead = is_silent && (is_steady || was_dead);
        nodes->alive += !is_silent && seen->beat == nodes->beat;
        if (seen->is_dead && !was_dead) {
            log_info("NODE-GONE", "node %.*s is gone: its messages are taken over", SLICE_ARG(id));
            has_news = true;
        }
    }
    if (has_news && nodes->died != NULL)
        nodes->died(nodes->ctx);
}

static void read_beat(struct nodes *nodes, const struct resp *root)
{
    int64_t now, score;
    const struct resp *first = resp_child(root, 0);

    if (first == NULL || !resp_int(first, &now))
        return;
    uint64_t now_ms = loop_now_ms(nodes->loop);
    bool is_late = now_ms - nodes->beaten_at_ms > 2 * (uint64_t)nodes->heartbeat_ms;
    nodes->beat++;
    nodes->now = now;
    nodes->beaten_at_ms = now_ms;
    if (is_late || nodes->steady_since_ms == 0) /* the store, or we, stood still */
        nodes->steady_since_ms = now_ms;
    for (uint32_t i = 1; i + 1 < root->count; i += 2) {
        const struct resp *id = resp_child(root, i), *at = resp_child(root, i + 1);
        double exact;
        if (at->type == RESP_DOUBLE || at->type == RESP_BULK)
            score = slice_to_f64(at->text, &exact) ? (int64_t)exact : 0;
        else
            score = at->integer;
        look_at(nodes, id->text, score);
    }
    judge(nodes, now);
}

static void finish(struct nodes *nodes, enum err err)
{
    struct op *stopped = nodes->stopped;

    nodes->stopped = NULL;
    op_end(stopped, err);
}

static void on_removed(struct op *op, enum err err)
{
    finish(container_of(op, struct nodes, call.op), err);
}

static void start_removal(struct nodes *nodes)
{
    const struct slice args[] = {SLICE("ZREM"), SLICE(NODES_KEY), slice_of(nodes->id)};

    timer_clear(nodes->timer);
    nodes->call.op.done = on_removed;
    nodes->call.timeout_ms = STOP_TIMEOUT_MS;
    enum err err = redis_call(nodes->redis, args, COUNT_OF(args), &nodes->call);
    if (err)
        loop_later(nodes->loop, &nodes->call.op, err);
}

static void on_beaten(struct op *op, enum err err)
{
    struct nodes *nodes = container_of(op, struct nodes, call.op);

    if (err == E_OK)
        read_beat(nodes, nodes->call.reply->root);
    else
        nodes->steady_since_ms = 0;
    if (err == E_REDIS)
        log_warn("NODE-BEAT", "the store refuses the heartbeat: %s", cause_text(&op->why, err));
    if (nodes->stopped != NULL)
        start_removal(nodes);
    else
        timer_set(nodes->timer, nodes->heartbeat_ms);
}

static void on_timer(void *ctx)
{
    struct nodes *nodes = ctx;
    const struct slice args[] = {SLICE("EVAL"), SLICE(BEAT_SCRIPT), SLICE("1"), SLICE(NODES_KEY),
                                 slice_of(nodes->id)};

    nodes->call.op.done = on_beaten;
    nodes->call.timeout_ms = 0;
    if (redis_call(nodes->redis, args, COUNT_OF(args), &nodes->call) != E_OK) {
        nodes->steady_since_ms = 0; /* the client tells of the outage, and connects again */
        timer_set(nodes->timer, nodes->heartbeat_ms);
    }
}

/* ---- exported ---- */

enum err nodes_start(const struct nodes_options *options, struct nodes **ret, struct cause *why)
{
    struct nodes *nodes = mem_new(struct nodes);

    nodes->loop = options->loop;
    nodes->redis = options->redis;
    nodes->id = slice_dup(slice_of(options->id));
    nodes->heartbeat_ms = options->heartbeat_ms;
    nodes->dead_ms = options->dead_ms;
    nodes->died = options->died;
    nodes->ctx = options->ctx;
    nodes->timer = timer_new(options->loop, on_timer, nodes);
    enum err err = remember(nodes, options->data, why);
    if (err) {
        nodes_free(nodes);
        return err;
    }
    timer_set(nodes->timer, 0);
    *ret = nodes;
    return E_OK;
}

bool nodes_is_earlier(const struct nodes *nodes, struct slice id)
{
    return map_get(&nodes->earlier, id) != NULL;
}

bool nodes_is_dead(const struct nodes *nodes, struct slice id)
{
    const struct seen *seen = map_get(&nodes->seen, id);

    if (slice_eq(id, slice_of(nodes->id)))
        return false;
    return (seen != NULL && seen->is_dead) || map_get(&nodes->earlier, id) != NULL;
}

bool nodes_is_gone(struct nodes *nodes, struct slice id)
{
    bool is_known = map_get(&nodes->seen, id) != NULL || map_get(&nodes->earlier, id) != NULL ||
                    slice_eq(id, slice_of(nodes->id));

    if (!is_known && id.len == ID_LEN)
        look_at(nodes, id, nodes->now);
    return nodes_is_dead(nodes, id);
}

size_t nodes_count(const struct nodes *nodes)
{
    return nodes->alive;
}

void nodes_stop(struct nodes *nodes, struct op *op)
{
    op_begin(op, NULL, nodes);
    nodes->stopped = op;
    if (!nodes->call.op.is_busy)
        start_removal(nodes);
}

void nodes_free(struct nodes *nodes)
{
    size_t at = 0;
    struct slice id;
    void *seen;

    if (nodes == NULL)
        return;
    timer_free(nodes->timer);
    while (map_next(&nodes->seen, &at, &id, &seen))
        free(seen);
    map_done(&nodes->seen);
    map_done(&nodes->earlier);
    free(nodes->id);
    free(nodes);
}
