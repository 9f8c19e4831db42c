/* LOCK --ours, server started--> ASK --> ANSWER --PONG--> CONNECTED --> up
 *  ^ |                            ^------- '- not yet         any --it ended--> E_CRASHED
 *  | '-held--> LOOK --lives------/             ... --bad--> KILL, until the lock is free --> failed
 *  '-- free -- '^ not yet
 * An adoption begins at LOOK, and fails where a start would go back to LOCK. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/member_internal.h"
#include "caches/program.h"
#include "loop/loop.h"
#include "loop/pid_watch.h"
#include "loop/process.h"
#include "redis/client.h"
#include "store/folder.h"
#include "store/instance_files.h"
#include "store/probe.h"
#include "store/server_find.h"

#define ASK_FIRST_MS 2
#define ASK_LATER_MS 20
#define ASKED_FIRST 50 /* times */

enum { LOCK, LOCKED, LOOK, ASK, ANSWER, CONNECTED, KILL };

/* ---- ends ---- */

static enum stage end(struct member *member, enum err err)
{
    struct member_sequence *sequence = &member->sequence;

    if (sequence->config.data != NULL)
        explicit_bzero(sequence->config.data, sequence->config.len);
    buf_done(&sequence->config);
    if (err == E_OK) {
        member->life = LIFE_UP;
        member_watch_begin(member);
    } else {
        member_disconnect(member);
        member_forget_run(member);
        member->life = LIFE_IDLE;
    }
    return routine_end(&sequence->routine, err);
}

/* What was started is killed first; what was to be adopted is left alone. */
static enum stage fail(struct member *member, enum err err)
{
    struct member_sequence *sequence = &member->sequence;

    if (member->process == NULL)
        return end(member, err);
    sequence->err = err;
    sequence->why = sequence->routine.why;
    return routine_go(&sequence->routine, KILL);
}

static enum stage kill_it(struct member *member, enum err err)
{
    (void)err;
    if (!member->has_ended || !member_lock_is_free(member)) {
        process_signal(member->process, SIGKILL);
        return sequence_pause(member, ASK_LATER_MS, KILL);
    }
    member->sequence.routine.why = member->sequence.why;
    return end(member, member->sequence.err);
}

/* ---- our own ---- */

static enum err prepare(void *ctx, struct cause *why) /* on the pool */
{
    struct member *member = ctx;
    const char *dir = member->record.dir;
    enum err err = folder_make(dir, why);

    if (!err)
        err = instance_lock(dir, &member->sequence.lock_fd, why);
    if (err)
        return err;
    member->sequence.has_lock = true;
    return member->sequence.keeps_files ? E_OK : folder_empty(dir, INSTANCE_LOCK_FILE, why);
}

static enum stage lock(struct member *member, enum err err)
{
    struct member_sequence *sequence = &member->sequence;

    (void)err;
    sequence->has_lock = false;
    return routine_wait(&sequence->routine, &sequence->wait,
                        work_run(member->loop, prepare, member, &sequence->wait));
}

static enum err spawn(struct member *member, struct cause *why)
{
    const char *const args[] = {member->record.program, "-", NULL};
    const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    enum err err = buf_err(&member->sequence.config);

    if (!err)
        err = member_log_open(&member->log, member->record.dir, why);
    if (!err)
        err = member_reach(member, why);
    if (err)
        return err;
    member_log_forget(&member->log); /* they were another run's */
    return process_start(member->loop,
                         &(struct process_options){.file = member->record.program,
                                                   .args = args,
                                                   .env = env,
                                                   .cwd = member->record.dir,
                                                   .input = buf_slice(&member->sequence.config),
                                                   .output = member->log.fd,
                                                   .fd = member->sequence.lock_fd,
                                                   .death_signal = SIGTERM,
                                                   .is_detached = member->is_detached,
                                                   .exited = member_on_exited,
                                                   .ctx = member},
                         &member->process, why);
}

static enum stage locked(struct member *member, enum err err)
{
    struct member_sequence *sequence = &member->sequence;

    if (err == E_EXISTS)
        return routine_go(&sequence->routine, LOOK);
    if (!err)
        err = spawn(member, &sequence->routine.why);
    if (sequence->has_lock)
        close(sequence->lock_fd); /* the server has its own copy, and with it the lock */
    if (err)
        return end(member, err);
    member->pid = process_id(member->process);
    member->start_time = pid_start_time(member->pid);
    sequence->heard_at_ms = loop_now_ms(member->loop);
    return sequence_pause(member, ASK_FIRST_MS, ASK);
}

/* ---- one that lives ---- */

static uint64_t silent_ms(const struct member *member)
{
    return loop_now_ms(member->loop) - member->sequence.heard_at_ms;
}

/* There is a lock, and no server: it begins or ends this moment, or left a child that saves. */
static enum stage look_for_rest(struct member *member)
{
    pid_t leader = recorded_pid(member->record.dir, MEMBER_PID_FILE);

    if (silent_ms(member) > member->hang_ms)
        return end(member, cause_set(&member->sequence.routine.why, E_EXISTS,
                                     "%s is in use by another process", member->record.dir));
    if (leader > 1 && pid_start_time(leader) == 0)
        member_kill_group(member, leader);
    return sequence_pause(member, ASK_LATER_MS, LOOK);
}

static enum stage look(struct member *member, enum err err)
{
    struct member_sequence *sequence = &member->sequence;
    struct cause *why = &sequence->routine.why;

    (void)err;
    member->pid = 0;
    if (member_lock_is_free(member)) {
        if (sequence->may_start)
            return routine_go(&sequence->routine, LOCK);
        return end(member, cause_set(why, E_NOT_FOUND, "no server runs in %s", member->record.dir));
    }
    member->pid = leftover_pid(member->record.dir, MEMBER_PID_FILE);
    if (member->pid == 0)
        return look_for_rest(member);
    err = member_reach(member, why);
    return err ? end(member, err) : routine_go(&sequence->routine, ASK);
}

static enum stage take_over(struct member *member)
{
    struct cause *why = &member->sequence.routine.why;
    enum err err = pid_watch_new(member->loop, member->pid, member_on_adopted_ended, member,
                                 &member->watch, why);

    if (err == E_NOT_FOUND) /* just now */
        return sequence_pause(member, ASK_FIRST_MS, LOOK);
    if (!err)
        err = member_log_open(&member->log, member->record.dir, why);
    if (err)
        return end(member, err);
    member->was_adopted = true;
    member->start_time = pid_start_time(member->pid);
    return STAGE_GOES_ON;
}

/* ---- both ---- */

static enum stage ask(struct member *member, enum err err)
{
    const struct member_command commands[] = {COMMAND(SLICE("INFO"), SLICE("server")),
                                              COMMAND(SLICE("PING"))};

    (void)err;
    member_ask(member, commands, COUNT_OF(commands), member->hang_ms, &member->sequence.wait);
    return routine_wait(&member->sequence.routine, &member->sequence.wait, E_OK);
}

static enum stage ask_again(struct member *member)
{
    bool is_first = member->sequence.tries++ < ASKED_FIRST && member->process != NULL;

    return sequence_pause(member, is_first ? ASK_FIRST_MS : ASK_LATER_MS,
                          member->process != NULL ? ASK : LOOK);
}

static enum stage give_up_silent(struct member *member)
{
    if (member->process != NULL)
        return fail(member, cause_set(&member->sequence.routine.why, E_TIMEOUT,
                                      "process %d said nothing for %u ms and was killed",
                                      (int)member->pid, member->hang_ms));
    log_warn("MEMBER-HANGS",
             "%s: process %d of an earlier run has not answered for %u ms: "
             "killing it",
             member->name, (int)member->pid, member->hang_ms);
    member_kill_group(member, member->pid);
    member->sequence.heard_at_ms = loop_now_ms(member->loop);
    return sequence_pause(member, ASK_LATER_MS, LOOK);
}

static enum stage judge_refusal(struct member *member)
{
    struct cause *why = &member->sequence.routine.why;

    if (member_is_alive_error(why->text)) {
        member->sequence.heard_at_ms = loop_now_ms(member->loop);
        return ask_again(member);
    }
    bool is_about_us =
        strstr(why->text, "WRONGPASS") != NULL || strstr(why->text, "NO") == why->text;
    if (!is_about_us && silent_ms(member) <= member->hang_ms)
        return ask_again(member); /* too many clients, say */
    return fail(member,
                cause_wrap(why, E_REDIS, "process %d does not let us in", (int)member->pid));
}

/* The value of a line of INFO; nothing if there is none. */
static struct slice info_value(struct slice info, struct slice name)
{
    struct slice line;

    while (slice_cut(&info, '\n', &line))
        if (slice_has_prefix(line, name))
            return slice_trim(slice_from(line, name.len));
    return SLICE_NONE;
}

static void note_version(struct member *member, struct slice info)
{
    struct slice redis = info_value(info, SLICE("redis_version:"));
    struct slice valkey = info_value(info, SLICE("valkey_version:"));

    member->version = program_version(redis);
    snprintf(member->version_text, sizeof member->version_text, "%s%.*s",
             valkey.len > 0 ? "valkey " : "", SLICE_ARG(valkey.len > 0 ? valkey : redis));
}

static enum stage accept_pong(struct member *member)
{
    struct member_sequence *sequence = &member->sequence;
    struct slice info = probe_answer(member->probe);
    struct cause *why = &sequence->routine.why;
    uint64_t pid = 0;

    if (!slice_to_u64(info_value(info, SLICE("process_id:")), &pid) || pid != (uint64_t)member->pid)
        return fail(member,
                    cause_set(why, E_REDIS, "the socket in %s is of process %llu, not %d",
                              member->record.dir, (unsigned long long)pid, (int)member->pid));
    note_version(member, info);
    if (member->process == NULL) {
        enum stage stage = take_over(member);
        if (stage != STAGE_GOES_ON)
            return stage;
    }
    enum err err = member_connect(member, why);
    if (err)
        return fail(member, err);
    redis_ready(member->redis, &sequence->wait);
    return routine_wait(&sequence->routine, &sequence->wait, E_OK);
}

static enum stage judge(struct member *member, enum err err)
{
    if (err == E_OK)
        return accept_pong(member);
    if (err == E_REDIS)
        return judge_refusal(member);
    if (silent_ms(member) > member->hang_ms)
        return give_up_silent(member);
    return ask_again(member);
}

static enum stage connected(struct member *member, enum err err)
{
    return err ? fail(member, err) : end(member, E_OK);
}

/* It ended in whichever stage. */
static enum stage judge_end(struct member *member)
{
    struct member_sequence *sequence = &member->sequence;

    if (member->process != NULL)
        return end(member, server_ended(&sequence->routine.why, member->record.program,
                                        member->exit_code, member->signal, &member->log.words));
    member->has_ended = false; /* one that was being adopted */
    member_disconnect(member);
    member_forget_run(member);
    return sequence_pause(member, ASK_FIRST_MS, LOOK);
}

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    static enum stage (*const stages[])(struct member * member, enum err err) = {
        [LOCK] = lock,    [LOCKED] = locked,       [LOOK] = look,   [ASK] = ask,
        [ANSWER] = judge, [CONNECTED] = connected, [KILL] = kill_it};
    struct member *member = container_of(routine, struct member, sequence.routine);

    if (stage == LOCK && !member->sequence.may_start)
        stage = LOOK;
    if (stage != KILL && member->has_ended)
        return judge_end(member);
    if (stage != KILL && err == E_CANCELED) {
        if (stage == LOCKED && member->sequence.has_lock)
            close(member->sequence.lock_fd);
        return fail(member, err);
    }
    return stages[stage](member, err);
}

static void begin(struct member *member, struct op *op)
{
    member->life = LIFE_COMING;
    member->was_adopted = member->is_hang = member->has_ended = false;
    member_sequence_begin(member, op, run);
}

void member_start(struct member *member, struct slice config, bool keeps_files, struct op *op)
{
    struct member_sequence *sequence = &member->sequence;

    buf_init(&sequence->config, SERVER_CONFIG_MAX_BYTES);
    buf_add(&sequence->config, config);
    sequence->may_start = true;
    sequence->keeps_files = keeps_files;
    begin(member, op);
}

void member_adopt(struct member *member, struct op *op)
{
    member->sequence.may_start = false;
    begin(member, op);
}
