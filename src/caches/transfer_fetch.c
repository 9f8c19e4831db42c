/*           +--- http: GET, retry ---+
 * OPEN -----+                        +--> SYNC --> done
 *           +--- file: COPY .. ------+
 * All but GET is on the pool. A failure leads to REMOVE. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "caches/transfer_retry.h"
#include "http/client.h"
#include "loop/loop.h"
#include "loop/routine.h"

#define PIECE_TIMEOUT_MS 60000

struct fetch {
    struct routine routine;
    struct op *owner;
    const struct transfer_ways *ways;
    char *text; /* the URL as it was given */
    struct file_url url;
    char *path;
    int from, to;        /* descriptors; -1 = none */
    uint64_t most_bytes; /* that it may have */
    size_t copied;       /* by the last COPY */
    struct op work;
    struct http_call call;
    struct http_sink sink;
    struct slice piece; /* of the sink */
    struct transfer_retry retry;
    enum err err; /* how it ends after REMOVE */
    struct cause why;
};

/* ---- on the pool ---- */

static enum err system_error(const char *what, struct cause *why)
{
    int number = errno;

    return cause_set(why, err_from_errno(number), "%s: %s", what, strerror(number));
}

static enum err too_large(const struct fetch *fetch, struct cause *why)
{
    return cause_set(why, E_LIMIT,
                     "has more than %" PRIu64 " bytes, which is half of what is free on the disk "
                     "of %s: there must be room for it twice",
                     fetch->most_bytes, fetch->path);
}

static enum err open_source(struct fetch *fetch, struct cause *why)
{
    struct stat info;
    enum err err = file_open(fetch->url.path, &fetch->ways->dirs, &fetch->from, why);

    if (err == E_OK && fstat(fetch->from, &info) != 0)
        err = system_error("stat", why);
    if (err == E_OK && (uint64_t)info.st_size > fetch->most_bytes)
        err = too_large(fetch, why);
    return err;
}

static enum err open_files(void *ctx, struct cause *why)
{
    struct fetch *fetch = ctx;
    struct statvfs disk;

    fetch->to = open(fetch->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fetch->to < 0 || fstatvfs(fetch->to, &disk) != 0)
        return system_error(fetch->path, why);
    fetch->most_bytes = (uint64_t)disk.f_bavail * disk.f_frsize / 2;
    return fetch->url.path != NULL ? open_source(fetch, why) : E_OK;
}

static enum err copy_piece(void *ctx, struct cause *why)
{
    struct fetch *fetch = ctx;

    ssize_t got = sendfile(fetch->to, fetch->from, NULL, TRANSFER_BLOCK_BYTES);
    if (got < 0)
        return system_error(fetch->path, why);
    fetch->copied = (size_t)got;
    return E_OK;
}

static enum err write_piece(void *ctx, struct cause *why)
{
    struct fetch *fetch = ctx;

    while (fetch->piece.len > 0) {
        ssize_t done = write(fetch->to, fetch->piece.data, fetch->piece.len);
        if (done < 0 && errno != EINTR)
            return system_error(fetch->path, why);
        fetch->piece = slice_from(fetch->piece, done > 0 ? (size_t)done : 0);
    }
    return E_OK;
}

static enum err empty_file(void *ctx, struct cause *why)
{
    struct fetch *fetch = ctx;

    if (ftruncate(fetch->to, 0) != 0 || lseek(fetch->to, 0, SEEK_SET) != 0)
        return system_error(fetch->path, why);
    return E_OK;
}

static enum err sync_file(void *ctx, struct cause *why)
{
    struct fetch *fetch = ctx;

    return fsync(fetch->to) == 0 ? E_OK : system_error(fetch->path, why);
}

static enum err close_files(void *ctx, struct cause *why)
{
    struct fetch *fetch = ctx;

    (void)why;
    if (fetch->from >= 0)
        close(fetch->from);
    if (fetch->to >= 0)
        close(fetch->to);
    if (fetch->err != E_OK)
        (void)unlink(fetch->path);
    return E_OK;
}

/* ---- on the loop ---- */

static enum stage on_pool(struct fetch *fetch, enum err (*work)(void *ctx, struct cause *why))
{
    return routine_wait(&fetch->routine, &fetch->work,
                        work_run(fetch->ways->loop, work, fetch, &fetch->work));
}

static enum err take_piece(struct http_sink *sink, struct slice bytes, struct op *op)
{
    struct fetch *fetch = container_of(sink, struct fetch, sink);

    fetch->piece = bytes;
    return work_run(fetch->ways->loop, write_piece, fetch, op);
}

enum { OPEN, MOVE, GOT, EMPTY, COPIED, SYNC, CLOSE, CLOSED };

static enum stage fail(struct fetch *fetch, enum err err)
{
    fetch->err = cause_wrap(&fetch->routine.why, err, "'%s'", fetch->url.shown);
    fetch->why = fetch->routine.why;
    return routine_go(&fetch->routine, CLOSE);
}

static enum stage get(struct fetch *fetch)
{
    struct http_call *call = &fetch->call;

    *call = (struct http_call){.method = SLICE("GET"),
                               .timeout_ms = PIECE_TIMEOUT_MS,
                               .response_max_bytes = fetch->most_bytes,
                               .sink = &fetch->sink};
    enum err err = url_parse(slice_of(fetch->url.text), &call->url, &fetch->routine.why);
    if (err == E_OK && fetch->ways->http == NULL)
        return fail(fetch, cause_set(&fetch->routine.why, E_UNSUPPORTED, "only file: is possible"));
    if (err == E_OK)
        err = http_send(fetch->ways->http, call);
    if (err != E_OK && call->op.why.text[0] != '\0')
        fetch->routine.why = call->op.why;
    return routine_wait(&fetch->routine, &call->op, err);
}

/* Refused for good, or a passing weakness of the server? */
static enum err judge_status(const struct fetch *fetch, struct cause *why)
{
    int status = fetch->call.status;
    struct slice code = http_call_header(&fetch->call, SLICE("x-ms-error-code"));
    enum err err = status == 404                                     ? E_NOT_FOUND
                   : status == 401 || status == 403                  ? E_DENIED
                   : status >= 500 || status == 408 || status == 429 ? E_FAILED
                                                                     : E_BAD_INPUT;

    if (status == 200)
        return E_OK;
    return cause_set(why, err, "was answered with %d%s%.*s", status, code.len > 0 ? " " : "",
                     SLICE_ARG(code));
}

static enum stage on_got(struct fetch *fetch, enum err err)
{
    struct routine *routine = &fetch->routine;

    if (err == E_OK)
        err = judge_status(fetch, &routine->why);
    if (err == E_OK)
        return routine_go(routine, SYNC);
    if (err == E_LIMIT)
        (void)!too_large(fetch, &routine->why);
    if (transfer_retry_begin(&fetch->retry, fetch->ways, err))
        return routine_wait(routine, &fetch->retry.op, E_OK);
    return fail(fetch, err);
}

static enum stage move(struct fetch *fetch)
{
    if (fetch->url.path == NULL)
        return get(fetch);
    (void)routine_go(&fetch->routine, COPIED);
    return on_pool(fetch, copy_piece);
}

static enum stage run_fetch(struct routine *routine, uint32_t stage, enum err err)
{
    struct fetch *fetch = container_of(routine, struct fetch, routine);

    if (stage == GOT)
        return on_got(fetch, err);
    if (err && stage == OPEN)
        return routine_end(routine, err);
    if (err && stage < CLOSE)
        return fail(fetch, err);
    switch (stage) {
    case OPEN:
        err = file_url_read(slice_of(fetch->text), &fetch->ways->dirs, &fetch->url, &routine->why);
        return err ? routine_end(routine, err) : on_pool(fetch, open_files);
    case MOVE:
        return move(fetch);
    case EMPTY:
        (void)routine_go(routine, MOVE);
        return on_pool(fetch, empty_file);
    case COPIED:
        return fetch->copied > 0 ? move(fetch) : routine_go(routine, SYNC);
    case SYNC:
        return on_pool(fetch, sync_file);
    case CLOSE:
        if (err && fetch->err == E_OK)
            return fail(fetch, err);
        return on_pool(fetch, close_files);
    default:
        routine->why = fetch->why;
        return routine_end(routine, fetch->err);
    }
}

static void on_ended(struct op *op, enum err err)
{
    struct fetch *fetch = container_of(op, struct fetch, routine.op);
    struct op *owner = fetch->owner;

    owner->why = op->why;
    timer_free(fetch->retry.timer);
    file_url_done(&fetch->url);
    explicit_bzero(fetch->text, strlen(fetch->text));
    free(fetch->text);
    free(fetch->path);
    free(fetch);
    op_end(owner, err);
}

static void on_abort(struct op *op)
{
    struct fetch *fetch = op->runner;

    op_abort(&fetch->routine.op);
}

void transfer_fetch(const struct transfer_ways *ways, struct slice url, const char *path,
                    struct op *op)
{
    struct fetch *fetch = mem_new(struct fetch);

    fetch->owner = op;
    fetch->ways = ways;
    fetch->text = slice_dup(url);
    fetch->path = slice_dup(slice_of(path));
    fetch->from = fetch->to = -1;
    fetch->sink.take = take_piece;
    fetch->routine.op.done = on_ended;
    op_begin(op, on_abort, fetch);
    routine_start(&fetch->routine, ways->loop, run_fetch);
}
