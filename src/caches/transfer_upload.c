/* Upload:   OPEN --> READ --> STORE --> READ .. --> SYNC --> CLOSE
 *                              |  ^
 *                              +--+ retry
 * Commit:   COUNT --> COMMIT (retry)          Drop:   DROP
 * Each of them is one routine over the same struct; a target is blobs or a directory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "blob/blob.h"
#include "caches/transfer_place.h"
#include "caches/transfer_retry.h"
#include "loop/loop.h"
#include "loop/routine.h"

struct upload {
    struct routine routine;
    struct op *owner;
    const struct transfer_ways *ways;
    char *container, *name, *attempt, *path; /* as given */
    struct transfer_place place;
    struct blob_place blobs;
    struct blob_call call;
    char *part;   /* of a directory: the temporary name */
    int from, to; /* descriptors; -1 = none */
    int folder;
    char *block;
    size_t block_bytes; /* most */
    size_t got;         /* in `block`; 0 = the file is at its end */
    uint64_t index;     /* of the block */
    uint64_t count;     /* of blocks, for the commit */
    struct op work;
    struct transfer_retry retry;
    enum err err; /* how it ends after CLOSE */
    struct cause why;
};

static bool is_local(const struct upload *upload)
{
    return upload->place.url.path != NULL;
}

/* ---- on the pool ---- */

static enum err system_error(const char *what, struct cause *why)
{
    int number = errno;

    return cause_set(why, err_from_errno(number), "%s: %s", what, strerror(number));
}

static enum err open_source(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;
    struct stat info;

    upload->from = open(upload->path, O_RDONLY | O_CLOEXEC);
    if (upload->from < 0 || fstat(upload->from, &info) != 0)
        return system_error(upload->path, why);
    upload->count = ((uint64_t)info.st_size + upload->block_bytes - 1) / upload->block_bytes;
    if (!is_local(upload) && upload->count > BLOB_BLOCKS_MAX)
        return cause_set(why, E_LIMIT,
                         "%s: %" PRIu64 " blocks of %zu bytes, of which a blob has "
                         "at most %d",
                         upload->path, upload->count, upload->block_bytes, BLOB_BLOCKS_MAX);
    return E_OK;
}

static enum err open_folder(struct upload *upload, struct cause *why)
{
    return file_open_folder(upload->place.url.path, &upload->ways->dirs, &upload->folder, why);
}

static enum err open_files(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;
    enum err err = open_source(upload, why);

    if (err != E_OK || !is_local(upload))
        return err;
    err = open_folder(upload, why);
    if (err)
        return err;
    upload->to = openat(upload->folder, upload->part,
                        O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    return upload->to < 0 ? system_error(upload->part, why) : E_OK;
}

static enum err read_block(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;

    upload->got = 0;
    while (upload->got < upload->block_bytes) {
        ssize_t got =
            read(upload->from, upload->block + upload->got, upload->block_bytes - upload->got);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return system_error(upload->path, why);
        upload->got += got > 0 ? (size_t)got : 0;
    }
    return E_OK;
}

/* Where it belongs, so that another try changes nothing. */
static enum err write_block(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;
    struct slice rest = {upload->block, upload->got};
    off_t at = (off_t)(upload->index * upload->block_bytes);

    while (rest.len > 0) {
        ssize_t done = pwrite(upload->to, rest.data, rest.len, at);
        if (done < 0 && errno != EINTR)
            return system_error(upload->part, why);
        rest = slice_from(rest, done > 0 ? (size_t)done : 0);
        at += done > 0 ? done : 0;
    }
    return E_OK;
}

static enum err sync_part(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;

    return fsync(upload->to) == 0 ? E_OK : system_error(upload->part, why);
}

/* A commit that has happened already finds the name alone. */
static enum err rename_part(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;
    enum err err = open_folder(upload, why);

    if (err)
        return err;
    if (renameat(upload->folder, upload->part, upload->folder, upload->name) != 0 &&
        (errno != ENOENT || faccessat(upload->folder, upload->name, F_OK, 0) != 0))
        return system_error(upload->part, why);
    return fsync(upload->folder) == 0 ? E_OK : system_error(upload->place.url.path, why);
}

static enum err drop_part(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;
    struct cause ignored;

    (void)why;
    if (open_folder(upload, &ignored) == E_OK)
        (void)unlinkat(upload->folder, upload->part, 0);
    return E_OK;
}

static enum err close_files(void *ctx, struct cause *why)
{
    struct upload *upload = ctx;

    (void)why;
    if (upload->to >= 0) {
        close(upload->to);
        if (upload->err != E_OK)
            (void)unlinkat(upload->folder, upload->part, 0);
    }
    if (upload->folder >= 0)
        close(upload->folder);
    if (upload->from >= 0)
        close(upload->from);
    return E_OK;
}

/* ---- what the routines share ---- */

static enum stage on_pool(struct upload *upload, enum err (*work)(void *ctx, struct cause *why))
{
    return routine_wait(&upload->routine, &upload->work,
                        work_run(upload->ways->loop, work, upload, &upload->work));
}

static enum err prepare(struct upload *upload, struct cause *why)
{
    const struct transfer_target target = {.container = slice_of(upload->container),
                                           .name = slice_of(upload->name)};
    enum err err = transfer_place_read(&upload->place, &target, &upload->ways->dirs, why);
    struct buf part;

    if (err == E_OK && upload->ways->http == NULL && !is_local(upload))
        err = cause_set(why, E_UNSUPPORTED, "container: only file: is possible");
    upload->blobs =
        (struct blob_place){upload->ways->http, &upload->place.account, upload->place.container};
    buf_init(&part, 2 * TRANSFER_NAME_MAX_BYTES);
    buf_addf(&part, ".%s.%s.part", upload->name, upload->attempt);
    upload->part = slice_dup(buf_slice(&part));
    buf_done(&part);
    return err;
}

static struct blob_blocks blocks_of(const struct upload *upload)
{
    return (struct blob_blocks){slice_of(upload->name), slice_of(upload->attempt)};
}

/* `close` is the stage that closes, in all of them. */
static enum stage fail(struct upload *upload, uint32_t close_stage, enum err err)
{
    upload->err = err;
    upload->why = upload->routine.why;
    return routine_go(&upload->routine, close_stage);
}

static enum stage finish(struct upload *upload)
{
    upload->routine.why = upload->why;
    return routine_end(&upload->routine, upload->err);
}

/* ---- upload ---- */

enum { UPLOAD_BEGIN, UPLOAD_READ, UPLOAD_STORE, UPLOAD_STORED, UPLOAD_CLOSE, UPLOAD_END };

static enum stage store_block(struct upload *upload)
{
    struct blob_blocks blocks = blocks_of(upload);
    struct slice block = {upload->block, upload->got};

    if (upload->got == 0) {
        (void)routine_go(&upload->routine, UPLOAD_CLOSE);
        return is_local(upload) ? on_pool(upload, sync_part) : STAGE_GOES_ON;
    }
    if (is_local(upload))
        return on_pool(upload, write_block);
    enum err err =
        blob_put_block(&upload->blobs, &blocks, (uint32_t)upload->index, block, &upload->call);
    return routine_wait(&upload->routine, &upload->call.op, err);
}

static enum stage on_stored(struct upload *upload, enum err err)
{
    if (err == E_OK) {
        upload->index++;
        upload->retry.failures = 0;
        return routine_go(&upload->routine, UPLOAD_READ);
    }
    if (!transfer_retry_begin(&upload->retry, upload->ways, err))
        return fail(upload, UPLOAD_CLOSE, err);
    (void)routine_go(&upload->routine, UPLOAD_STORE);
    return routine_wait(&upload->routine, &upload->retry.op, E_OK);
}

static enum stage run_upload(struct routine *routine, uint32_t stage, enum err err)
{
    struct upload *upload = container_of(routine, struct upload, routine);

    if (err && stage <= UPLOAD_STORE)
        return fail(upload, UPLOAD_CLOSE, err);
    switch (stage) {
    case UPLOAD_BEGIN:
        err = prepare(upload, &routine->why);
        if (err)
            return fail(upload, UPLOAD_CLOSE, err);
        upload->block = mem_zeroed(1, upload->block_bytes);
        return on_pool(upload, open_files);
    case UPLOAD_READ:
        return on_pool(upload, read_block);
    case UPLOAD_STORE:
        return store_block(upload);
    case UPLOAD_STORED:
        return on_stored(upload, err);
    case UPLOAD_CLOSE:
        return err ? fail(upload, UPLOAD_CLOSE, err) : on_pool(upload, close_files);
    default:
        return finish(upload);
    }
}

/* ---- commit ---- */

enum { COMMIT_BEGIN, COMMIT_SEND, COMMIT_SENT, COMMIT_CLOSE, COMMIT_END };

static enum stage begin_commit(struct upload *upload)
{
    enum err err = prepare(upload, &upload->routine.why);

    if (err)
        return fail(upload, COMMIT_CLOSE, err);
    if (!is_local(upload))
        return on_pool(upload, open_source);
    (void)routine_go(&upload->routine, COMMIT_CLOSE);
    return on_pool(upload, rename_part);
}

static enum stage on_committed(struct upload *upload, enum err err)
{
    if (err == E_OK)
        return routine_go(&upload->routine, COMMIT_CLOSE);
    if (!transfer_retry_begin(&upload->retry, upload->ways, err))
        return fail(upload, COMMIT_CLOSE, err);
    (void)routine_go(&upload->routine, COMMIT_SEND);
    return routine_wait(&upload->routine, &upload->retry.op, E_OK);
}

static enum stage run_commit(struct routine *routine, uint32_t stage, enum err err)
{
    struct upload *upload = container_of(routine, struct upload, routine);
    struct blob_blocks blocks = blocks_of(upload);

    if (err && stage != COMMIT_SENT && stage != COMMIT_END)
        return fail(upload, COMMIT_CLOSE, err);
    switch (stage) {
    case COMMIT_BEGIN:
        return begin_commit(upload);
    case COMMIT_SEND:
        err = blob_commit(&upload->blobs, &blocks, (uint32_t)upload->count, &upload->call);
        return routine_wait(routine, &upload->call.op, err);
    case COMMIT_SENT:
        return on_committed(upload, err);
    case COMMIT_CLOSE:
        return on_pool(upload, close_files);
    default:
        return finish(upload);
    }
}

/* ---- drop ---- */

enum { DROP_BEGIN, DROP_CLOSE, DROP_END };

static enum stage run_drop(struct routine *routine, uint32_t stage, enum err err)
{
    struct upload *upload = container_of(routine, struct upload, routine);

    switch (stage) {
    case DROP_BEGIN:
        if (err == E_OK)
            err = prepare(upload, &routine->why);
        return err == E_OK && is_local(upload) ? on_pool(upload, drop_part) : STAGE_GOES_ON;
    case DROP_CLOSE:
        return on_pool(upload, close_files);
    default:
        return routine_end(routine, E_OK);
    }
}

/* ---- the life of all three ---- */

static void on_ended(struct op *op, enum err err)
{
    struct upload *upload = container_of(op, struct upload, routine.op);
    struct op *owner = upload->owner;

    owner->why = op->why;
    timer_free(upload->retry.timer);
    transfer_place_done(&upload->place);
    explicit_bzero(upload->container, strlen(upload->container));
    free(upload->container);
    free(upload->name);
    free(upload->attempt);
    free(upload->path);
    free(upload->part);
    free(upload->block);
    free(upload);
    op_end(owner, err);
}

static void on_abort(struct op *op)
{
    struct upload *upload = op->runner;

    op_abort(&upload->routine.op);
}

static void start(const struct transfer_ways *ways, const struct transfer_target *target,
                  const char *path, struct op *op,
                  enum stage (*run)(struct routine *routine, uint32_t stage, enum err err))
{
    struct upload *upload = mem_new(struct upload);

    upload->owner = op;
    upload->ways = ways;
    upload->container = slice_dup(target->container);
    upload->name = slice_dup(target->name);
    upload->attempt = slice_dup(target->attempt);
    upload->path = slice_dup(slice_of(path));
    upload->from = upload->to = upload->folder = -1;
    upload->block_bytes = ways->block_bytes > 0 ? ways->block_bytes : TRANSFER_BLOCK_BYTES;
    upload->routine.op.done = on_ended;
    op_begin(op, on_abort, upload);
    routine_start(&upload->routine, ways->loop, run);
}

void transfer_upload(const struct transfer_ways *ways, const struct transfer_target *target,
                     const char *path, struct op *op)
{
    start(ways, target, path, op, run_upload);
}

void transfer_commit(const struct transfer_ways *ways, const struct transfer_target *target,
                     const char *path, struct op *op)
{
    start(ways, target, path, op, run_commit);
}

void transfer_drop(const struct transfer_ways *ways, const struct transfer_target *target,
                   struct op *op)
{
    start(ways, target, NULL, op, run_drop);
}
