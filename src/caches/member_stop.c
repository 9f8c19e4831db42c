/* LOOK --lives--> MEASURE --> SHUT_DOWN --> ASKED --> WAIT --lock is free--> stopped
 *  '-- no lock: stopped           ^           |        |
 *                                 '--nothing came of it'--too late: killed--> WAIT
 *                                             '-- it could not save: up again, E_REDIS */
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/member_internal.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "store/folder.h"
#include "store/instance_files.h"
#include "store/probe.h"

#define LOOK_EVERY_MS 5
#define ASK_AGAIN_AFTER 100 /* looks */
#define GIVE_UP_MS 10000    /* after the kill */
#define BYTES_PER_MS 10240

enum { LOOK, MEASURE, SHUT_DOWN, ASKED, WAIT };

static uint64_t left_ms(const struct member *member)
{
    uint64_t now_ms = loop_now_ms(member->loop), limit_ms = member->sequence.limit_at_ms;

    return limit_ms > now_ms ? limit_ms - now_ms : 0;
}

static enum stage end(struct member *member, enum err err)
{
    member_forget_run(member);
    member->life = LIFE_IDLE;
    return routine_end(&member->sequence.routine, err);
}

/* It runs on, as if nobody had asked; unless it was not ours to run. */
static enum stage refuse(struct member *member)
{
    struct cause *why = &member->sequence.routine.why;

    (void)cause_wrap(why, E_REDIS, "does not end");
    if (member->process == NULL && member->watch == NULL)
        return end(member, E_REDIS);
    if (member_connect(member, NULL) != E_OK)
        return end(member, E_REDIS);
    member->life = LIFE_UP;
    member_watch_begin(member);
    return routine_end(&member->sequence.routine, E_REDIS);
}

static void kill_it(struct member *member)
{
    log_warn("MEMBER-KILL", "%s: process %d does not end: killing it", member->name,
             (int)member->pid);
    member_kill_group(member, member->pid);
    member->sequence.err = E_TIMEOUT; /* it was killed */
    member->sequence.limit_at_ms = loop_now_ms(member->loop) + GIVE_UP_MS;
}

static bool is_gone(const struct member *member)
{
    bool is_watched = member->process != NULL || member->watch != NULL;

    return (member->has_ended || !is_watched) && member_lock_is_free(member);
}

static enum stage look(struct member *member, enum err err)
{
    const struct member_command commands[] = {COMMAND(SLICE("INFO"), SLICE("memory"))};
    struct member_sequence *sequence = &member->sequence;

    (void)err;
    sequence->limit_at_ms = loop_now_ms(member->loop) + MEMBER_STOP_MS;
    if (is_gone(member))
        return end(member, E_OK);
    err = member_reach(member, &sequence->routine.why);
    if (err)
        return end(member, err);
    member_ask(member, commands, COUNT_OF(commands), MEMBER_STOP_MS / 2, &sequence->wait);
    return routine_wait(&sequence->routine, &sequence->wait, E_OK);
}

/* To write a dump takes its time. */
static enum stage measure(struct member *member, enum err err)
{
    struct slice info = probe_answer(member->probe), line;
    uint64_t bytes = 0;

    while (err == E_OK && slice_cut(&info, '\n', &line))
        if (slice_has_prefix(line, SLICE("used_memory:")))
            (void)slice_to_u64(slice_trim(slice_from(line, sizeof "used_memory:" - 1)), &bytes);
    if (member->sequence.how == STOP_SAVE)
        member->sequence.limit_at_ms += bytes / BYTES_PER_MS;
    return STAGE_GOES_ON;
}

static enum stage shut_down(struct member *member, enum err err)
{
    static const struct slice modes[] = {
        [STOP_DROP] = SLICE_INIT("NOSAVE"),
        [STOP_SYNC] = SLICE_INIT("NOSAVE"),
        [STOP_SAVE] = SLICE_INIT("SAVE"),
    };
    struct member_sequence *sequence = &member->sequence;
    const struct slice words[] = {SLICE("SHUTDOWN"), modes[sequence->how], SLICE("NOW")};
    const struct member_command command = {.args = words,
                                           .count = sequence->how == STOP_DROP ? 3 : 2};

    (void)err;
    sequence->tries = 0;
    member_ask(member, &command, 1, (uint32_t)left_ms(member) + 1, &sequence->wait);
    return routine_wait(&sequence->routine, &sequence->wait, E_OK);
}

static enum stage asked(struct member *member, enum err err)
{
    bool is_refused = err == E_REDIS && !is_gone(member);

    if (is_refused && member->sequence.how == STOP_SAVE &&
        (left_ms(member) == 0 || strstr(member->sequence.routine.why.text, "SHUTDOWN") != NULL))
        return refuse(member);
    if (is_refused && member->sequence.how != STOP_SAVE)
        kill_it(member);
    return routine_go(&member->sequence.routine, WAIT);
}

static enum stage wait_for_lock(struct member *member, enum err err)
{
    struct member_sequence *sequence = &member->sequence;
    bool was_killed = sequence->err == E_TIMEOUT;

    (void)err;
    if (is_gone(member))
        return end(member, E_OK);
    if (left_ms(member) == 0 && was_killed)
        return end(member, cause_set(&sequence->routine.why, E_TIMEOUT,
                                     "the lock of %s is still held", member->record.dir));
    if (left_ms(member) == 0)
        kill_it(member);
    else if (!was_killed && sequence->tries++ == ASK_AGAIN_AFTER)
        return routine_go(&sequence->routine, SHUT_DOWN);
    return sequence_pause(member, LOOK_EVERY_MS, WAIT);
}

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    static enum stage (*const stages[])(struct member * member, enum err err) = {
        [LOOK] = look,   [MEASURE] = measure,    [SHUT_DOWN] = shut_down,
        [ASKED] = asked, [WAIT] = wait_for_lock,
    };
    struct member *member = container_of(routine, struct member, sequence.routine);

    if (err == E_CANCELED) { /* in a hurry: no more asking */
        kill_it(member);
        stage = WAIT;
    }
    return stages[stage](member, err);
}

void member_stop(struct member *member, enum member_stop how, struct op *op)
{
    member_watch_end(member);
    member_disconnect(member);
    if (member->pid == 0)
        member->pid = leftover_pid(member->record.dir, MEMBER_PID_FILE);
    if (member->pid == 0)
        member->pid = recorded_pid(member->record.dir, MEMBER_PID_FILE); /* what it left */
    member->life = LIFE_GOING;
    member->has_ended = false;
    member->sequence.how = how;
    member_sequence_begin(member, op, run);
}

/* ---- files ---- */

static enum err remove_files(void *ctx, struct cause *why) /* on the pool */
{
    const struct member *member = ctx;
    int fd;
    enum err err = instance_lock(member->record.dir, &fd, why);

    if (err)
        return err == E_NOT_FOUND ? E_OK : err;
    err = folder_remove(member->record.dir, why);
    close(fd);
    return err;
}

static enum stage run_removal(struct routine *routine, uint32_t stage, enum err err)
{
    struct member *member = container_of(routine, struct member, sequence.routine);
    struct op *wait = &member->sequence.wait;

    if (stage > 0)
        return routine_end(routine, err);
    return routine_wait(routine, wait, work_run(member->loop, remove_files, member, wait));
}

void member_remove_files(struct member *member, struct op *op)
{
    member_sequence_begin(member, op, run_removal);
}
