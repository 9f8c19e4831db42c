#include "caches/member.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/member_internal.h"
#include "loop/loop.h"
#include "loop/pid_watch.h"
#include "loop/process.h"
#include "loop/timer.h"
#include "redis/client.h"
#include "store/instance_files.h"
#include "store/probe.h"
#include "wire/url.h"

#define QUESTION_MAX_BYTES 1024

static char *copy(const char *text)
{
    return text != NULL ? slice_dup(slice_of(text)) : NULL;
}

static void copy_record(struct cache_member *to, const struct cache_member *from)
{
    *to = *from;
    to->name = copy(from->name);
    to->address = copy(from->address);
    to->dir = copy(from->dir);
    to->program = copy(from->program);
    to->version = copy(from->version);
}

static void record_done(struct cache_member *record)
{
    free(record->name);
    free(record->address);
    free(record->dir);
    free(record->program);
    free(record->version);
}

struct member *member_new(const struct member_options *options)
{
    struct member *member = mem_new(struct member);
    struct buf name;

    member->loop = options->loop;
    member->hub = options->hub;
    copy_record(&member->record, options->record);
    member->password = copy(options->password);
    member->hang_ms = options->hang_ms;
    member->is_detached = options->is_detached;
    member->down = options->down;
    member->ctx = options->ctx;
    buf_init(&name, 2 * CACHE_STATE_MAX_BYTES);
    buf_addf(&name, "%s/%s", options->cache, options->record->name);
    member->name = buf_detach(&name);
    member_log_init(&member->log, member->name);
    member->folder_fd = -1;
    member->sequence.timer = timer_new(options->loop, NULL, NULL);
    return member;
}

void member_free(struct member *member)
{
    if (member == NULL)
        return;
    assert(member->sequence.op == NULL);
    if (member->watch != NULL && !member->is_detached)
        member_kill_group(member, member->pid);
    member_disconnect(member);
    member_watch_end(member);
    member_forget_run(member);
    timer_free(member->sequence.timer);
    member_log_done(&member->log);
    record_done(&member->record);
    explicit_bzero(member->password, strlen(member->password));
    free(member->password);
    free(member->name);
    free(member);
}

/* ---- what it is ---- */

bool member_is_up(const struct member *member)
{
    return member->life == LIFE_UP;
}

bool member_was_adopted(const struct member *member)
{
    return member->was_adopted;
}

pid_t member_pid(const struct member *member)
{
    return member->pid;
}

uint64_t member_start_time(const struct member *member)
{
    return member->start_time;
}

uint32_t member_version(const struct member *member)
{
    return member->version;
}

const char *member_version_text(const struct member *member)
{
    return member->version_text;
}

const struct cache_member *member_record(const struct member *member)
{
    return &member->record;
}

const char *member_name(const struct member *member)
{
    return member->name;
}

struct redis *member_redis(const struct member *member)
{
    return member->life == LIFE_UP ? member->redis : NULL;
}

/* ---- how it is reached ---- */

enum err member_reach(struct member *member, struct cause *why)
{
    int len =
        snprintf(member->socket, sizeof member->socket, "%s/" SERVER_SOCKET, member->record.dir);

    if (len >= (int)sizeof member->socket) {
        if (member->folder_fd >= 0)
            close(member->folder_fd);
        member->folder_fd = open(member->record.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (member->folder_fd < 0)
            return cause_set(why, err_from_errno(errno), "%s: %s", member->record.dir,
                             strerror(errno));
        snprintf(member->socket, sizeof member->socket, "/proc/self/fd/%d/" SERVER_SOCKET,
                 member->folder_fd);
    }
    member->target = (struct stream_target){.path = member->socket};
    return E_OK;
}

static void add_path(struct buf *out, struct slice path)
{
    struct slice part;

    for (bool is_first = true; slice_cut(&path, '/', &part); is_first = false) {
        if (!is_first)
            buf_add_byte(out, '/');
        url_add_escaped(out, part);
    }
}

enum err member_connect(struct member *member, struct cause *why)
{
    struct redis_options *options;
    struct buf url;

    buf_init(&url, QUESTION_MAX_BYTES);
    buf_add(&url, SLICE("unix://" MEMBER_ADMIN ":"));
    url_add_escaped(&url, slice_of(member->password));
    buf_add_byte(&url, '@');
    add_path(&url, slice_of(member->socket));
    buf_addf(&url, "?syncTimeout=%u", member->hang_ms);
    enum err err = buf_err(&url);
    if (!err)
        err = redis_options_parse(buf_slice(&url), &options, why);
    explicit_bzero(url.data, url.len);
    buf_done(&url);
    if (err)
        return err;
    member->redis = redis_open(member->hub, options, REDIS_SHARED, "redgrid");
    redis_options_unref(options);
    return E_OK;
}

void member_disconnect(struct member *member)
{
    if (member->redis != NULL)
        redis_close(member->redis);
    member->redis = NULL;
}

void member_ask(struct member *member, const struct member_command *commands, size_t count,
                uint32_t timeout_ms, struct op *op)
{
    struct buf question;

    buf_init(&question, QUESTION_MAX_BYTES);
    resp_write_array(&question, 3);
    resp_write_bulk(&question, SLICE("AUTH"));
    resp_write_bulk(&question, SLICE(MEMBER_ADMIN));
    resp_write_bulk(&question, slice_of(member->password));
    for (size_t i = 0; i < count; i++) {
        resp_write_array(&question, commands[i].count);
        for (size_t k = 0; k < commands[i].count; k++)
            resp_write_bulk(&question, commands[i].args[k]);
    }
    probe_free(member->probe);
    member->target.timeout_ms = timeout_ms;
    member->probe =
        probe_ask(member->loop, &member->target, buf_slice(&question), (uint32_t)count + 1, op);
    explicit_bzero(question.data, question.len);
    buf_done(&question);
}

bool member_is_alive_error(const char *text)
{
    static const char *const words[] = {"LOADING", "BUSY", "MASTERDOWN"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* ---- its end ---- */

bool member_lock_is_free(const struct member *member)
{
    int fd;
    enum err err = instance_lock(member->record.dir, &fd, NULL);

    if (err == E_OK)
        close(fd);
    return err == E_OK || err == E_NOT_FOUND;
}

/* As long as the lock is held one of the group lives, so its number belongs to nobody else. */
void member_kill_group(const struct member *member, pid_t pid)
{
    if (pid > 1 && !member_lock_is_free(member))
        (void)kill(-pid, SIGKILL);
}

void member_kill(struct member *member)
{
    if (member->life != LIFE_IDLE)
        member_kill_group(member, member->pid);
}

void member_forget_run(struct member *member)
{
    process_free(member->process);
    pid_watch_free(member->watch);
    probe_free(member->probe);
    member->process = NULL;
    member->watch = NULL;
    member->probe = NULL;
    member->pid = 0;
    member->start_time = 0;
    member_log_close(&member->log);
    if (member->folder_fd >= 0)
        close(member->folder_fd);
    member->folder_fd = -1;
}

static void tell_down(struct member *member)
{
    struct member_end end = {
        .exit_code = member->exit_code, .signal = member->signal, .is_hang = member->is_hang};
    struct buf words;

    buf_init(&words, sizeof end.last_words);
    last_words_write(&words, &member->log.words);
    snprintf(end.last_words, sizeof end.last_words, "%s", buf_text(&words));
    buf_done(&words);
    member_watch_end(member);
    member_forget_run(member);
    member->life = LIFE_IDLE;
    if (member->down != NULL)
        member->down(member->ctx, member, &end);
}

void member_on_exited(void *ctx, int exit_code, int signal)
{
    struct member *member = ctx;

    member_kill_group(member, member->pid);
    member_log_read(&member->log, true);
    member_disconnect(member);
    member->has_ended = true;
    member->exit_code = exit_code;
    member->signal = signal;
    log_debug("MEMBER-ENDED", "%s: process %d ended: code %d, signal %d", member->name,
              (int)member->pid, exit_code, signal);
    if (member->life == LIFE_UP) /* else the sequence under way will see it */
        tell_down(member);
}

void member_on_adopted_ended(void *ctx)
{
    member_on_exited(ctx, -1, 0);
}

/* ---- sequences ---- */

static void on_sequence_ended(struct op *op, enum err err)
{
    struct member *member = container_of(op, struct member, sequence.routine.op);
    struct op *owner = member->sequence.op;

    member->sequence.op = NULL;
    if (err)
        owner->why = op->why;
    (void)cause_wrap(&owner->why, err, "%s", member->name);
    op_end(owner, err);
}

static void on_sequence_abort(struct op *op)
{
    struct member *member = op->runner;

    op->abort = NULL;
    op_abort(&member->sequence.routine.op);
}

void member_sequence_begin(struct member *member, struct op *op,
                           enum stage (*run)(struct routine *routine, uint32_t stage, enum err err))
{
    struct member_sequence *sequence = &member->sequence;

    assert(sequence->op == NULL);
    op_begin(op, on_sequence_abort, member);
    sequence->op = op;
    sequence->tries = 0;
    sequence->err = E_OK;
    sequence->why.text[0] = '\0';
    sequence->heard_at_ms = loop_now_ms(member->loop);
    sequence->routine.op.done = on_sequence_ended;
    routine_start(&sequence->routine, member->loop, run);
}

enum stage sequence_pause(struct member *member, uint64_t ms, uint32_t stage)
{
    struct member_sequence *sequence = &member->sequence;

    (void)routine_go(&sequence->routine, stage);
    timer_wait(sequence->timer, ms, &sequence->wait);
    return routine_wait(&sequence->routine, &sequence->wait, E_OK);
}
