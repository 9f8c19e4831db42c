/* --version --told--> asks for TLS --told--> found.  Each is a run of the program. */
#include "caches/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/routine.h"
#include "loop/timer.h"

#define TIMEOUT_MS 10000
#define SAID_MAX_BYTES 4096

/* The first line is unknown to a server without TLS, the second to all: it ends at one of them. */
#define TLS_QUESTION "tls-port 0\nredgrid-asks-for tls\n"
#define TLS_ANSWER "at line 2"

struct check {
    struct routine routine;
    struct loop *loop;
    struct op *op;
    struct program *ret, found;
    char *path;
    struct process *process;
    struct timer *limit;
    struct op run;
    struct buf said;
    int exit_code, signal;
    bool is_late;
};

/* ---- what it says ---- */

uint32_t program_version(struct slice text)
{
    struct slice word;
    uint32_t version = 0;

    for (unsigned shift = 16; slice_cut(&text, '.', &word); shift -= 8) {
        uint64_t part;
        if (!slice_to_u64(word, &part) || part > 255)
            return 0;
        version |= (uint32_t)part << shift;
        if (shift == 0)
            break;
    }
    return version;
}

/* As the servers' rdb.h have it; the newest that is known for those that are newer. */
static uint32_t rdb_version(bool is_valkey, uint32_t version)
{
    static const struct {
        bool is_valkey;
        uint32_t since, rdb_version;
    } rows[] = {
        {true, 0x090000, 80},  {true, 0, 11},         {false, 0x080400, 13}, {false, 0x070400, 12},
        {false, 0x070200, 11}, {false, 0x070000, 10}, {false, 0, 9},
    };
    size_t at = 0;

    while (rows[at].is_valkey != is_valkey || version < rows[at].since)
        at++;
    return rows[at].rdb_version;
}

/* Redis server v=7.0.15 sha=00000000:0 malloc=.. */
enum err program_read(struct slice answer, struct program *ret, struct cause *why)
{
    static const struct {
        struct slice head;
        const char *name;
    } rows[] = {{SLICE_INIT("Redis server v="), "redis"},
                {SLICE_INIT("Valkey server v="), "valkey"}};
    struct program found = {0};
    struct slice rest = answer, text;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!slice_has_prefix(answer, rows[i].head))
            continue;
        rest = slice_from(answer, rows[i].head.len);
        snprintf(found.name, sizeof found.name, "%s", rows[i].name);
    }
    (void)slice_cut(&rest, ' ', &text);
    text = slice_trim(text);
    found.version = found.name[0] != '\0' ? program_version(text) : 0;
    if (found.version == 0)
        return cause_set(why, E_UNSUPPORTED,
                         "is no server: a redis-server or valkey-server answers to --version");
    snprintf(found.text, sizeof found.text, "%.*s", SLICE_ARG(text));
    if (found.version < PROGRAM_VERSION_MIN)
        return cause_set(why, E_UNSUPPORTED, "is version %s: 7.0 or newer is needed", found.text);
    found.rdb_version = rdb_version(strcmp(found.name, "valkey") == 0, found.version);
    *ret = found;
    return E_OK;
}

/* ---- asking it ---- */

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    struct check *check = ctx;

    (void)is_stderr;
    buf_add(&check->said, line);
    buf_add_byte(&check->said, '\n');
}

static void on_exited(void *ctx, int exit_code, int signal)
{
    struct check *check = ctx;

    check->exit_code = exit_code;
    check->signal = signal;
    op_end(&check->run, E_OK);
}

static void kill_run(struct check *check)
{
    if (check->process != NULL)
        process_signal(check->process, SIGKILL); /* it ends the op */
}

static void on_limit(void *ctx)
{
    struct check *check = ctx;

    check->is_late = true;
    kill_run(check);
}

static void abort_run(struct op *op)
{
    kill_run(op->runner);
}

static enum stage start(struct check *check, const char *argument, struct slice input)
{
    const char *const args[] = {check->path, argument, NULL};

    process_free(check->process);
    check->process = NULL;
    buf_clear(&check->said);
    enum err err = process_start(check->loop,
                                 &(struct process_options){.file = check->path,
                                                           .args = args,
                                                           .input = input,
                                                           .fd = -1,
                                                           .death_signal = SIGKILL,
                                                           .line = on_line,
                                                           .exited = on_exited,
                                                           .ctx = check},
                                 &check->process, &check->routine.why);
    if (!err)
        op_begin(&check->run, abort_run, check);
    return routine_wait(&check->routine, &check->run, err);
}

static enum stage read_version(struct check *check)
{
    struct routine *routine = &check->routine;
    enum err err = program_read(buf_slice(&check->said), &check->found, &routine->why);

    if (err && check->exit_code != 0 && check->said.len > 0) /* its own words say more */
        err = cause_set(&routine->why, E_UNSUPPORTED, "ended with code %d: %.*s", check->exit_code,
                        SLICE_ARG(slice_trim(buf_slice(&check->said))));
    if (err)
        return routine_end(routine, err);
    return start(check, "-", SLICE(TLS_QUESTION));
}

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    struct check *check = container_of(routine, struct check, routine);

    if (check->is_late)
        err = cause_set(&routine->why, E_TIMEOUT, "did not end within %d s", TIMEOUT_MS / 1000);
    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case 0:
        return start(check, "--version", SLICE_NONE);
    case 1:
        return read_version(check);
    default:
        check->found.has_tls = strstr(buf_text(&check->said), TLS_ANSWER) != NULL;
        return routine_end(routine, E_OK);
    }
}

static void on_ended(struct op *op, enum err err)
{
    struct check *check = container_of(op, struct check, routine.op);
    struct op *owner = check->op;

    if (err == E_OK) {
        *check->ret = check->found;
    } else {
        owner->why = op->why;
        if (strncmp(owner->why.text, check->path, strlen(check->path)) != 0)
            (void)cause_wrap(&owner->why, err, "%s", check->path);
    }
    process_free(check->process);
    timer_free(check->limit);
    buf_done(&check->said);
    free(check->path);
    free(check);
    op_end(owner, err);
}

static void on_abort(struct op *op)
{
    struct check *check = op->runner;

    op->abort = NULL;
    op_abort(&check->routine.op);
}

void program_check(struct loop *loop, const char *path, struct program *ret, struct op *op)
{
    struct check *check = mem_new(struct check);

    check->loop = loop;
    check->op = op;
    check->ret = ret;
    check->path = slice_dup(slice_of(path));
    buf_init(&check->said, SAID_MAX_BYTES);
    check->limit = timer_new(loop, on_limit, check);
    timer_set(check->limit, TIMEOUT_MS);
    check->routine.op.done = on_ended;
    op_begin(op, on_abort, check);
    routine_start(&check->routine, loop, run);
}
