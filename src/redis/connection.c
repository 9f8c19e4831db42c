/* How bytes are held.
 *
 * In: the stream writes into a chunk; the parser looks at [start, into.len); the replies' texts
 * point into the chunk. A chunk is never written again where a kept reply points: what moves, to
 * the chunk's front or to a new one, is only the tail that is not parsed yet.
 *
 * Out: commands gather in `out`, with large arguments beside it as pieces, until the turn ends;
 * then `out` and `sending` change places and all leaves in one write. */
#include "redis/connection.h"

#include <stdlib.h>
#include <string.h>

#include "loop/loop.h"
#include "redis/reply.h"

#define READ_MIN_BYTES (16 * 1024) /* room that makes a read worth while */
#define PIECES_MAX ((STREAM_PARTS_MAX - 1) / 2)
#define OUT_KEPT_BYTES (1024 * 1024) /* an empty buffer larger than this is given back */

/* A large argument, to be sent after the first `upto` bytes of the buffer. */
struct piece {
    size_t upto;
    struct slice bytes;
};

struct outgoing {
    struct buf bytes;
    struct piece *pieces;
    size_t piece_count, piece_cap;
};

struct connection {
    struct loop *loop;
    struct stream *stream;
    const struct connection_events *events;
    void *ctx;

    struct op read;
    struct chunk *chunk;
    struct buf into; /* the chunk, as the stream sees it */
    size_t start;    /* where the next reply begins in it */
    struct resp_parser parser;
    struct reply_box *box; /* lent to the next reply */

    struct op write;
    struct turn turn;
    struct outgoing out, sending;
    uint64_t added, sent; /* bytes since the connection began */
    uint64_t sending_upto;

    unsigned holds; /* functions on the stack that still need this object */
    bool is_broken;
    bool is_dead;
};

static const struct resp_limits limits = {REPLY_MAX_BYTES, REPLY_NODES_MAX, REPLY_DEPTH_MAX};

/* ---- life ---- */

static void outgoing_done(struct outgoing *out)
{
    buf_done(&out->bytes);
    free(out->pieces);
}

static void release(struct connection *connection)
{
    if (!connection->is_dead || connection->holds > 0 || connection->read.is_busy ||
        connection->write.is_busy)
        return;
    resp_parser_done(&connection->parser);
    reply_unref(&connection->box->reply);
    chunk_unref(connection->chunk);
    outgoing_done(&connection->out);
    outgoing_done(&connection->sending);
    free(connection);
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    connection->is_dead = true;
    turn_cancel(&connection->turn);
    stream_free(connection->stream);
    connection->stream = NULL;
    release(connection);
}

static void report_break(struct connection *connection, enum err err, const struct cause *why)
{
    if (connection->is_dead || connection->is_broken)
        return;
    connection->is_broken = true;
    connection->events->broken(connection->ctx, err, why);
}

/* ---- in ---- */

static void use_chunk(struct connection *connection, struct chunk *chunk)
{
    size_t tail = connection->into.len - connection->start;
    if (tail > 0)
        memmove(chunk->data, connection->into.data + connection->start, tail);
    if (chunk != connection->chunk)
        chunk_unref(connection->chunk);
    connection->chunk = chunk;
    connection->start = 0;
    connection->into =
        (struct buf){.data = chunk->data, .len = tail, .cap = chunk->cap, .max_bytes = chunk->cap};
}

static void make_room(struct connection *connection)
{
    struct chunk *chunk = connection->chunk;
    size_t tail = connection->into.len - connection->start;
    size_t wanted = connection->parser.wanted;
    size_t need = wanted > tail ? wanted : tail + READ_MIN_BYTES;

    if (tail == 0 && chunk->refs == 1 && chunk->cap <= CHUNK_BYTES) {
        connection->start = connection->into.len = 0; /* all of it again */
        return;
    }
    if (chunk->cap - connection->start >= need && (tail > 0 || chunk->cap <= CHUNK_BYTES))
        return;
    if (chunk->refs == 1 && chunk->cap >= need && tail > 0) {
        use_chunk(connection, chunk);
        return;
    }
    if (wanted <= tail && tail > READ_MIN_BYTES)
        need = tail * 2; /* many small elements: their number is known, their size is not */
    use_chunk(connection, chunk_new(need));
}

/* deliver lends the reply; when the callback kept it, it gets the nodes and a share of the chunk.
 */
static void deliver(struct connection *connection)
{
    struct reply_box *box = connection->box;

    box->reply.root = connection->parser.nodes;
    connection->events->reply(connection->ctx, &box->reply);
    if (box->reply.refs == 1) {
        resp_parser_next(&connection->parser);
        return;
    }
    box->cap = connection->parser.cap;
    box->nodes = resp_parser_detach(&connection->parser);
    box->chunk = connection->chunk;
    box->chunk->refs++;
    reply_unref(&box->reply);
    connection->box = box_new();
    resp_parser_attach(&connection->parser, connection->box->nodes, connection->box->cap);
    connection->box->nodes = NULL;
    connection->box->cap = 0;
}

static void read_more(struct connection *connection)
{
    make_room(connection);
    size_t room = connection->into.max_bytes - connection->into.len;
    enum err err = stream_read(connection->stream, &connection->into, room, &connection->read);
    if (err)
        report_break(connection, err, &connection->read.why);
}

static void on_read(struct op *op, enum err err)
{
    struct connection *connection = container_of(op, struct connection, read);
    struct cause why = {0};
    size_t used;

    connection->holds++;
    if (err) {
        why = op->why;
        report_break(connection, err, &why);
    }
    while (err == E_OK && !connection->is_dead && connection->start < connection->into.len) {
        struct slice in = {connection->into.data + connection->start,
                           connection->into.len - connection->start};
        err = resp_parse(&connection->parser, in, &limits, &used, &why);
        if (err == E_OK) {
            connection->start += used;
            deliver(connection);
        } else if (err != E_MORE) {
            report_break(connection, err, &why);
        } else if (connection->events->arriving != NULL) {
            connection->events->arriving(connection->ctx, in.data[0]);
        }
    }
    if (!connection->is_dead && !connection->is_broken)
        read_more(connection);
    connection->holds--;
    release(connection);
}

/* ---- out ---- */

static size_t make_parts(const struct outgoing *out, struct slice *parts)
{
    size_t count = 0;
    size_t from = 0;

    for (size_t i = 0; i < out->piece_count; i++) {
        const struct piece *piece = &out->pieces[i];
        parts[count++] = (struct slice){out->bytes.data + from, piece->upto - from};
        parts[count++] = piece->bytes;
        from = piece->upto;
    }
    parts[count++] = slice_from(buf_slice(&out->bytes), from);
    return count;
}

static void outgoing_clear(struct outgoing *out)
{
    if (out->bytes.cap > OUT_KEPT_BYTES) {
        buf_done(&out->bytes);
        buf_init(&out->bytes, OUT_MAX_BYTES);
    }
    buf_clear(&out->bytes);
    out->piece_count = 0;
}

static void flush(struct connection *connection)
{
    struct slice parts[STREAM_PARTS_MAX];

    if (connection->write.is_busy || connection->is_broken || connection->out.bytes.len == 0)
        return;
    struct outgoing swap = connection->sending;
    connection->sending = connection->out;
    connection->out = swap;
    connection->sending_upto = connection->added;
    size_t count = make_parts(&connection->sending, parts);
    enum err err = stream_write(connection->stream, parts, count, &connection->write);
    if (err)
        report_break(connection, err, &connection->write.why);
}

static void on_turn_end(struct turn *turn)
{
    struct connection *connection = container_of(turn, struct connection, turn);
    connection->holds++;
    flush(connection);
    connection->holds--;
    release(connection);
}

static void on_written(struct op *op, enum err err)
{
    struct connection *connection = container_of(op, struct connection, write);

    connection->holds++;
    outgoing_clear(&connection->sending);
    if (err) {
        report_break(connection, err, &op->why);
    } else if (!connection->is_dead) {
        connection->sent = connection->sending_upto;
        connection->events->wrote(connection->ctx);
    }
    if (!connection->is_dead)
        flush(connection);
    connection->holds--;
    release(connection);
}

static void add_piece(struct outgoing *out, struct slice bytes)
{
    if (out->piece_count == out->piece_cap) {
        out->piece_cap = out->piece_cap == 0 ? 8 : out->piece_cap * 2;
        out->pieces = mem_resize(out->pieces, out->piece_cap, sizeof *out->pieces);
    }
    out->pieces[out->piece_count++] = (struct piece){out->bytes.len, bytes};
}

enum err connection_add(struct connection *connection, struct slice name, const struct slice *args,
                        size_t count, uint64_t *ret_until)
{
    struct outgoing *out = &connection->out;
    size_t len = out->bytes.len;
    size_t piece_count = out->piece_count;
    size_t borrowed = 0;

    resp_write_array(&out->bytes, count + 1);
    resp_write_bulk(&out->bytes, name);
    for (size_t i = 0; i < count; i++) {
        if (args[i].len <= REDIS_COPY_MAX || out->piece_count == PIECES_MAX) {
            resp_write_bulk(&out->bytes, args[i]);
            continue;
        }
        resp_write_bulk_head(&out->bytes, args[i].len);
        add_piece(out, args[i]);
        buf_add(&out->bytes, SLICE("\r\n"));
        borrowed += args[i].len;
    }
    if (buf_err(&out->bytes) != E_OK) {
        out->bytes.len = len;
        out->bytes.missed = false;
        out->piece_count = piece_count;
        return E_LIMIT;
    }
    connection->added += out->bytes.len - len + borrowed;
    *ret_until = borrowed > 0 ? connection->added : 0;
    loop_at_turn_end(connection->loop, &connection->turn);
    return E_OK;
}

uint64_t connection_sent(const struct connection *connection)
{
    return connection->sent;
}

/* ---- beginning ---- */

struct connection *connection_new(struct loop *loop, const struct connection_events *events,
                                  void *ctx)
{
    struct connection *connection = mem_new(struct connection);

    *connection = (struct connection){.loop = loop,
                                      .stream = stream_new(loop),
                                      .events = events,
                                      .ctx = ctx,
                                      .read.done = on_read,
                                      .write.done = on_written,
                                      .turn.run = on_turn_end,
                                      .box = box_new()};
    resp_parser_attach(&connection->parser, connection->box->nodes, connection->box->cap);
    connection->box->nodes = NULL;
    connection->box->cap = 0;
    use_chunk(connection, chunk_new(CHUNK_BYTES));
    buf_init(&connection->out.bytes, OUT_MAX_BYTES);
    buf_init(&connection->sending.bytes, OUT_MAX_BYTES);
    return connection;
}

enum err connection_start(struct connection *connection, const struct stream_target *target,
                          struct op *op)
{
    return stream_connect(connection->stream, target, op);
}

void connection_begin(struct connection *connection)
{
    connection->holds++;
    read_more(connection);
    connection->holds--;
    release(connection);
}
