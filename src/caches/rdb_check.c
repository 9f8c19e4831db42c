/* HEAD (on the pool) --> PROGRAM --> ended. The server programs are their own checkers: they look
 * at the name by which they are called. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "caches/rdb.h"
#include "loop/loop.h"
#include "loop/process.h"

#define LINE_BYTES 256

struct checking {
    struct op head; /* of the work */
    struct op *owner;
    struct loop *loop;
    struct process *process;
    char *program, *path;
    uint32_t version_max;
    char line[LINE_BYTES]; /* the last one, or the first that tells of an error */
    enum { BEFORE, NEXT, FOUND } reason;
    bool is_aborted;
};

static void finish(struct checking *checking, enum err err, const struct cause *why)
{
    struct op *owner = checking->owner;

    if (why != NULL)
        owner->why = *why;
    process_free(checking->process);
    free(checking->program);
    free(checking->path);
    free(checking);
    op_end(owner, err);
}

/* ---- the program ---- */

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    struct checking *checking = ctx;

    (void)is_stderr;
    line = slice_trim(line);
    if (line.len == 0 || checking->reason == FOUND)
        return;
    if (slice_has_prefix(line, SLICE("--- RDB ERROR DETECTED"))) {
        checking->reason = NEXT;
        return;
    }
    snprintf(checking->line, sizeof checking->line, "%.*s", SLICE_ARG(line));
    if (checking->reason == NEXT)
        checking->reason = FOUND;
}

static void on_exited(void *ctx, int exit_code, int signal_number)
{
    struct checking *checking = ctx;
    struct cause why = {0};
    enum err err = E_OK;

    if (checking->is_aborted)
        err = cause_set(&why, E_CANCELED, "canceled");
    else if (signal_number != 0)
        err = cause_set(&why, E_CRASHED, "redis-check-rdb ended by signal %d", signal_number);
    else if (exit_code != 0)
        err = cause_set(&why, E_BAD_INPUT, "redis-check-rdb: %s",
                        checking->line[0] != '\0' ? checking->line : "it is broken");
    finish(checking, err, &why);
}

static enum err run_program(struct checking *checking, struct cause *why)
{
    const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    const char *const args[] = {"redis-check-rdb", checking->path, NULL};
    const struct process_options options = {
        .file = checking->program,
        .args = args,
        .env = env,
        .fd = -1,
        .line = on_line,
        .exited = on_exited,
        .ctx = checking,
    };

    return process_start(checking->loop, &options, &checking->process, why);
}

/* ---- the head ---- */

static enum err read_head(void *ctx, struct cause *why) /* on the pool */
{
    struct checking *checking = ctx;
    char head[RDB_HEAD_BYTES];
    uint32_t version;

    int fd = open(checking->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", checking->path, strerror(errno));
    ssize_t got = read(fd, head, sizeof head);
    int number = errno;
    close(fd);
    if (got < 0)
        return cause_set(why, err_from_errno(number), "%s: %s", checking->path, strerror(number));
    enum err err = rdb_version_read((struct slice){head, (size_t)got}, &version, why);
    if (err == E_OK && version > checking->version_max)
        return cause_set(why, E_BAD_INPUT, "has RDB version %u, and the server reads up to %u",
                         version, checking->version_max);
    return err;
}

static void on_head(struct op *op, enum err err)
{
    struct checking *checking = container_of(op, struct checking, head);
    struct cause why = op->why;

    if (err == E_OK && checking->is_aborted)
        err = cause_set(&why, E_CANCELED, "canceled");
    if (err == E_OK)
        err = run_program(checking, &why);
    if (err)
        finish(checking, err, &why);
}

static void on_abort(struct op *op)
{
    struct checking *checking = op->runner;

    checking->is_aborted = true;
    if (checking->process != NULL)
        process_signal(checking->process, SIGKILL);
    op_abort(&checking->head);
}

void rdb_check(const struct rdb_check *check, struct op *op)
{
    struct checking *checking = mem_new(struct checking);

    checking->owner = op;
    checking->loop = check->loop;
    checking->program = slice_dup(slice_of(check->program));
    checking->path = slice_dup(slice_of(check->path));
    checking->version_max = check->version_max;
    checking->head.done = on_head;
    op_begin(op, on_abort, checking);
    (void)!work_run(check->loop, read_head, checking, &checking->head);
}
