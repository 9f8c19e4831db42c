#include "caches/replacement.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"

#define MARK "replacement" /* of operation->work */

static struct replacement *task_of(struct routine *routine)
{
    return container_of(routine, struct replacement, routine);
}

/* ---- the record ---- */

static const char *mark_text(const struct cache *cache, const char *name)
{
    const struct operation *operation = cache->operation;
    return operation != NULL
               ? json_string_value(json_object_get(json_object_get(operation->work, MARK), name))
               : NULL;
}

const char *replacement_old(const struct cache *cache)
{
    return mark_text(cache, "old");
}

const char *replacement_new(const struct cache *cache)
{
    return mark_text(cache, "new");
}

bool replacement_keeps(const struct cache *cache, const char *name)
{
    const char *old = replacement_old(cache);
    return old != NULL && replacement_new(cache) == NULL && slice_eq(slice_of(old), slice_of(name));
}

static struct cache_member *record_of(const struct cache *cache, const char *name)
{
    return name != NULL ? cache_state_find(&cache->state, slice_of(name)) : NULL;
}

static bool is_primary(const struct cache *cache, const struct cache_member *member)
{
    return member == cache_shard_primary(cache_shard_with(cache, member->name));
}

static void set_mark(struct replacement *task, const struct cache_member *new)
{
    const struct cache_member *old = record_of(task->cache, task->name);
    json_t *mark = json_object();

    json_object_set_new(mark, "old", json_string(task->name));
    if (new != NULL)
        json_object_set_new(mark, "new", json_string(new->name));
    json_object_set_new(mark, "program",
                        json_string(task->program != NULL ? task->program : old->program));
    json_object_set_new(mark, "before", json_string(old->program));
    json_object_set_new(task->cache->operation->work, MARK, mark);
}

static enum stage record(struct replacement *task)
{
    return routine_wait(&task->routine, &task->op, cache_record(task->cache, &task->op));
}

static enum stage drop_mark(struct replacement *task)
{
    json_object_del(task->cache->operation->work, MARK);
    return record(task);
}

static enum stage wait_task(struct replacement *task, enum err started)
{
    return routine_wait(&task->routine, &task->task.routine.op, started);
}

static enum stage announce(struct replacement *task)
{
    const struct cache_member *member = record_of(task->cache, task->name);

    task->op = (struct op){0};
    announcer_begin(task->cache->announcer, !is_primary(task->cache, member), &task->op);
    return routine_wait(&task->routine, &task->op, E_OK);
}

static enum stage end_unknown(struct replacement *task)
{
    return routine_end(&task->routine, cause_set(&task->routine.why, E_NOT_FOUND,
                                                 "%s: there is no such server", task->name));
}

/* ---- begin ---- */

enum { BEGIN_TELL, BEGIN_ADD, BEGIN_START, BEGIN_END };

static enum stage add(struct replacement *task)
{
    struct cache *cache = task->cache;
    struct cause *why = &task->routine.why;
    const struct cache_shard *shard = cache_shard_with(cache, task->name);
    struct cache_numbers numbers = cache_spec_numbers(&cache->spec, &cache->host);
    struct cache_member *new = NULL;
    bool has_room = caches_budget_check(cache->caches, numbers.maxmemory_bytes, why) == E_OK;

    if (!has_room)
        log_warn("CACHE-IN-PLACE", "%s: %s is stopped and started where it is: %s", cache->name,
                 task->name, why->text);
    enum err err = has_room ? cache_add_member(cache, shard->id, task->program, &new, why) : E_OK;
    if (err)
        return routine_end(&task->routine, err);
    set_mark(task, new);
    return record(task);
}

/* One that is there already, or has become the primary since, stays as it is. */
static enum stage start_new(struct replacement *task, const struct cache_member *new)
{
    if (new == NULL || is_primary(task->cache, new) ||
        (new->is_in_sync &&cache_is_up(task->cache, new->name)))
        return STAGE_GOES_ON;
    return wait_task(task, cache_start_member(task->cache, new->name, false, &task->task));
}

static enum stage begin_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct replacement *task = task_of(routine);
    const char *new = replacement_new(task->cache);

    if (err)
        return routine_end(routine, err);
    if (stage < BEGIN_START && replacement_old(task->cache) != NULL)
        return routine_go(routine, BEGIN_START);
    if (record_of(task->cache, task->name) == NULL)
        return end_unknown(task);
    switch (stage) {
    case BEGIN_TELL:
        return announce(task);
    case BEGIN_ADD:
        return add(task);
    case BEGIN_START:
        return start_new(task, record_of(task->cache, new));
    default:
        return routine_end(routine, E_OK);
    }
}

static enum stage restart_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct replacement *task = task_of(routine);

    if (err || stage == BEGIN_START || replacement_old(task->cache) != NULL)
        return routine_end(routine, err);
    if (record_of(task->cache, task->name) == NULL)
        return end_unknown(task);
    if (stage == BEGIN_TELL)
        return announce(task);
    set_mark(task, NULL);
    return record(task);
}

/* ---- end ---- */

enum { END_RECORD, END_STOP, END_START, END_OPEN, END_NOTE, END_TELL };

static void set_program(struct cache_member *member, const char *program)
{
    free(member->program);
    member->program = slice_dup(slice_of(program));
}

/* Where a new one is there the old one goes; else it is stopped to be started again. */
static enum stage end_record(struct replacement *task, struct cache_member *old)
{
    const char *program = mark_text(task->cache, "program");

    if (replacement_new(task->cache) != NULL) {
        (void)routine_go(&task->routine, END_NOTE);
        return wait_task(task, cache_stop_member(task->cache, old->name, STOP_DROP, &task->task));
    }
    if (program != NULL)
        set_program(old, program);
    old->state = MEMBER_STOPPING;
    old->is_in_sync = false;
    return record(task);
}

static enum stage end_stop(struct replacement *task, const struct cache_member *old)
{
    task->op = (struct op){0};
    member_stop(cache_server(task->cache, old->name),
                is_primary(task->cache, old) ? STOP_SAVE : STOP_DROP, &task->op);
    return routine_wait(&task->routine, &task->op, E_OK);
}

static enum stage end_start(struct replacement *task, const struct cache_member *old)
{
    return wait_task(task, cache_start_member(task->cache, old->name, is_primary(task->cache, old),
                                              &task->task));
}

/* It does not start: as it was before, once. */
static enum stage start_as_before(struct replacement *task, struct cache_member *old, enum err err)
{
    const char *before = mark_text(task->cache, "before");

    if (err == E_CANCELED || task->err != E_OK || before == NULL) {
        old->state = MEMBER_STOPPING; /* still this step's */
        return routine_end(&task->routine, err);
    }
    task->err = err;
    task->why = task->routine.why;
    set_program(old, before);
    return routine_go(&task->routine, END_START);
}

static enum stage end_open(struct replacement *task, const struct cache_member *old)
{
    if (!is_primary(task->cache, old))
        return STAGE_GOES_ON;
    return wait_task(task, cache_open_member(task->cache, old->name, &task->task));
}

static enum stage end_tell(struct replacement *task)
{
    announcer_tell(task->cache->announcer, NOTICE_ENDED, true);
    task->routine.why = task->why;
    return routine_end(&task->routine, task->err);
}

static enum stage end_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct replacement *task = task_of(routine);
    struct cache_member *old = record_of(task->cache, replacement_old(task->cache));

    if (stage == END_OPEN && err != E_OK && old != NULL)
        return start_as_before(task, old, err);
    if (err)
        return routine_end(routine, err);
    if (stage == END_RECORD && replacement_old(task->cache) == NULL)
        return routine_end(routine, E_OK);
    if (stage < END_NOTE && old == NULL)
        return routine_go(routine, END_NOTE);
    switch (stage) {
    case END_RECORD:
        return end_record(task, old);
    case END_STOP:
        return end_stop(task, old);
    case END_START:
        return end_start(task, old);
    case END_OPEN:
        return end_open(task, old);
    case END_NOTE:
        return drop_mark(task);
    default:
        return end_tell(task);
    }
}

/* ---- undo ---- */

static enum stage undo_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct replacement *task = task_of(routine);
    const char *new = replacement_new(task->cache);

    if (err || stage > 1)
        return routine_end(routine, err);
    if (stage == 0 && record_of(task->cache, new) != NULL)
        return wait_task(task, cache_stop_member(task->cache, new, STOP_DROP, &task->task));
    return stage == 0 ? STAGE_GOES_ON : drop_mark(task);
}

/* ---- exported ---- */

static enum err start(struct cache *cache, const char *name, struct replacement *task,
                      operation_run *run)
{
    task->cache = cache;
    task->op = (struct op){0};
    task->err = E_OK;
    task->why.text[0] = '\0';
    snprintf(task->name, sizeof task->name, "%s", name);
    routine_start(&task->routine, cache->options->loop, run);
    return E_OK;
}

enum err replacement_begin(struct cache *cache, const char *name, const char *program,
                           struct replacement *task)
{
    task->program = program;
    return start(cache, name, task, begin_run);
}

enum err replacement_restart(struct cache *cache, const char *name, struct replacement *task)
{
    task->program = NULL;
    return start(cache, name, task, restart_run);
}

enum err replacement_end(struct cache *cache, struct replacement *task)
{
    return start(cache, "", task, end_run);
}

enum err replacement_undo(struct cache *cache, struct replacement *task)
{
    return start(cache, "", task, undo_run);
}

void replacement_done(struct replacement *task)
{
    member_task_done(&task->task);
}
