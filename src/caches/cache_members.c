/* What operations and repairs are made of: start, stop, open, close, follow. Each records first
 * what it is about to do, so that whoever finds the record knows what may be. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache.h"
#include "caches/cache_internal.h"

static struct member_task *task_of(struct routine *routine)
{
    return container_of(routine, struct member_task, routine);
}

static struct cache_member *record_of(const struct member_task *task)
{
    return cache_state_find(&task->cache->state, slice_of(task->name));
}

/* The side server of an import; NULL: there is none. What is added after it is its copy. */
static const struct cache_member *side_of(const struct cache_shard *shard)
{
    for (size_t i = 0; i < shard->member_count; i++)
        if (shard->members[i].is_side)
            return &shard->members[i];
    return NULL;
}

/* Whom a member is to follow; NULL: nobody, or it is the primary itself. */
static const struct cache_member *leader(const struct cache *cache, const char *name)
{
    const struct cache_shard *shard = cache_shard_with(cache, name);
    const struct cache_member *member = cache_state_find(&cache->state, slice_of(name));

    if (cache->spec.shards != 0 || shard == NULL || member == NULL)
        return NULL;
    const struct cache_member *first =
        member->is_side ? side_of(shard) : cache_shard_primary(shard);
    return first != member ? first : NULL;
}

static const struct cache_member *leader_of(const struct member_task *task)
{
    return leader(task->cache, task->name);
}

static enum stage record(struct member_task *task)
{
    return routine_wait(&task->routine, &task->op, cache_record(task->cache, &task->op));
}

/* Ends it, with the member named in front of what went wrong. */
static enum stage end(struct member_task *task, enum err err)
{
    return routine_end(&task->routine, cause_wrap(&task->routine.why, err, "%s", task->name));
}

static enum stage end_unknown(struct member_task *task)
{
    return end(task, cause_set(&task->routine.why, E_NOT_FOUND, "there is no such server"));
}

static enum stage sync_with(struct member_task *task, const struct cache_member *leader)
{
    struct cache *cache = task->cache;

    task->op = (struct op){0};
    member_sync(cache_server(cache, task->name), cache_server(cache, leader->name),
                cache_sync_limit_ms(cache, task->used_bytes), &task->op);
    return routine_wait(&task->routine, &task->op, E_OK);
}

static void take_process(struct cache_member *record, const struct member *member)
{
    free(record->version);
    record->version = slice_dup(slice_of(member_version_text(member)));
    record->pid = member_pid(member);
    record->start_time = member_start_time(member);
}

/* How much there is to copy decides how long it may take. */
static enum stage measure(struct member_task *task, const struct cache_member *leader)
{
    if (leader == NULL)
        return STAGE_GOES_ON;
    task->op = (struct op){0};
    member_info(cache_server(task->cache, leader->name), &task->info, &task->op);
    return routine_wait(&task->routine, &task->op, E_OK);
}

/* ---- START ---- */

enum { START_RECORD, START_RUN, START_MEASURE, START_SYNC, START_NOTE, START_END };

static enum stage start_server(struct member_task *task)
{
    struct buf config;

    if (cache_is_up(task->cache, task->name)) /* an earlier run of the step, or another daemon's */
        return STAGE_GOES_ON;
    cache_seat_renew(task->cache, task->name);
    buf_init(&config, SERVER_CONFIG_MAX_BYTES);
    cache_config_write_member(task->cache, record_of(task), &config);
    task->op = (struct op){0};
    member_start(cache_server(task->cache, task->name), buf_slice(&config), task->keeps_files,
                 &task->op);
    buf_done(&config);
    return routine_wait(&task->routine, &task->op, E_OK);
}

/* One that was adopted follows whom it followed before. */
static enum stage follow_leader(struct member_task *task, const struct cache_member *leader)
{
    struct cache *cache = task->cache;
    struct member *member = cache_server(cache, task->name);

    if (leader != NULL) {
        member_follow(member, leader->address, cache_link_port(cache, leader), &task->talk);
        (void)routine_wait(&task->routine, &task->talk.op, E_OK);
    }
    return measure(task, leader);
}

static enum stage start_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct member_task *task = task_of(routine);
    struct cache_member *member = record_of(task);
    const struct cache_member *leader = leader_of(task);

    if (err)
        return end(task, err);
    if (member == NULL)
        return end_unknown(task);
    switch (stage) {
    case START_RECORD:
        member->state = MEMBER_STARTING;
        member->is_in_sync = false;
        return record(task);
    case START_RUN:
        return start_server(task);
    case START_MEASURE:
        take_process(member, cache_server(task->cache, task->name));
        return follow_leader(task, leader);
    case START_SYNC:
        task->used_bytes = leader != NULL ? task->info.used_bytes : 0;
        return leader != NULL ? sync_with(task, leader) : STAGE_GOES_ON;
    case START_NOTE:
        member->state = MEMBER_CLOSED;
        member->is_in_sync = leader != NULL;
        return record(task);
    default:
        return end(task, E_OK);
    }
}

/* ---- STOP ---- */

enum { STOP_RECORD, STOP_SERVER, STOP_FILES, STOP_NOTE, STOP_END };

static void forget(struct member_task *task)
{
    struct cache_shard *shard = cache_shard_with(task->cache, task->name);

    cache_seat_free(cache_seat_find(task->cache, task->name));
    cache_shard_remove(shard, record_of(task));
}

static enum stage stop_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct member_task *task = task_of(routine);
    struct cache_member *member = record_of(task);

    if (err)
        return end(task, err);
    if (member == NULL && stage < STOP_END)
        return end(task, E_OK);
    task->op = (struct op){0};
    switch (stage) {
    case STOP_RECORD:
        member->state = MEMBER_STOPPING;
        member->is_in_sync = false;
        return record(task);
    case STOP_SERVER:
        member_stop(cache_server(task->cache, task->name), task->how, &task->op);
        return routine_wait(routine, &task->op, E_OK);
    case STOP_FILES:
        member_remove_files(cache_server(task->cache, task->name), &task->op);
        return routine_wait(routine, &task->op, E_OK);
    case STOP_NOTE:
        forget(task);
        return record(task);
    default:
        return end(task, E_OK);
    }
}

/* ---- OPEN and CLOSE ---- */

enum { OPEN_RECORD, OPEN_ADMIT, OPEN_NOTE, OPEN_END };

void cache_name_primary(struct cache *cache, struct cache_shard *shard, struct cache_member *member)
{
    struct cache_member *old = cache_shard_primary(shard);

    if (old == member)
        return;
    if (old != NULL && old->state == MEMBER_OPEN)
        old->state = MEMBER_CLOSED;
    if (old != NULL)
        old->is_in_sync = false;
    free(shard->primary);
    shard->primary = slice_dup(slice_of(member->name));
    cache->state.epoch++;
}

static enum stage open_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct member_task *task = task_of(routine);
    struct cache_member *member = record_of(task);
    struct member_door door = cache_door(task->cache);

    if (err)
        return end(task, err);
    if (member == NULL)
        return end_unknown(task);
    switch (stage) {
    case OPEN_RECORD:
        cache_name_primary(task->cache, cache_shard_with(task->cache, task->name), member);
        return record(task);
    case OPEN_ADMIT:
        member_admit(cache_server(task->cache, task->name), &door, &task->talk);
        return routine_wait(routine, &task->talk.op, E_OK);
    case OPEN_NOTE:
        member->state = MEMBER_OPEN;
        return record(task);
    default:
        return end(task, E_OK);
    }
}

static enum stage close_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct member_task *task = task_of(routine);

    if (err)
        return end(task, err);
    if (record_of(task) == NULL)
        return end_unknown(task);
    if (stage == 0) {
        member_shut(cache_server(task->cache, task->name), &task->talk);
        return routine_wait(routine, &task->talk.op, E_OK);
    }
    task->offset = member_shut_offset(&task->talk);
    return end(task, E_OK);
}

/* ---- FOLLOW ---- */

enum { FOLLOW_RECORD, FOLLOW_SHUT, FOLLOW_BEGIN, FOLLOW_MEASURE, FOLLOW_SYNC, FOLLOW_NOTE };

static enum stage follow_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct member_task *task = task_of(routine);
    struct cache_member *member = record_of(task);
    const struct cache_member *leader = leader_of(task);

    if (err)
        return end(task, err);
    if (member == NULL || leader == NULL)
        return end_unknown(task);
    switch (stage) {
    case FOLLOW_RECORD:
        member->state = MEMBER_CLOSED;
        member->is_in_sync = false;
        return record(task);
    case FOLLOW_SHUT: /* of a replica this changes nothing; one that was open must not stay it */
        member_shut(cache_server(task->cache, task->name), &task->talk);
        return routine_wait(routine, &task->talk.op, E_OK);
    case FOLLOW_BEGIN:
        member_follow(cache_server(task->cache, task->name), leader->address,
                      cache_link_port(task->cache, leader), &task->talk);
        return routine_wait(routine, &task->talk.op, E_OK);
    case FOLLOW_MEASURE:
        return measure(task, leader);
    case FOLLOW_SYNC:
        task->used_bytes = task->info.used_bytes;
        return sync_with(task, leader);
    case FOLLOW_NOTE:
        member->is_in_sync = true;
        return record(task);
    default:
        return end(task, E_OK);
    }
}

/* ---- exported ---- */

static enum err begin(struct cache *cache, const char *name, struct member_task *task,
                      operation_run *run)
{
    task->cache = cache;
    snprintf(task->name, sizeof task->name, "%s", name);
    task->op = (struct op){0};
    routine_start(&task->routine, cache->options->loop, run);
    return E_OK;
}

enum err cache_start_member(struct cache *cache, const char *name, bool keeps_files,
                            struct member_task *task)
{
    task->keeps_files = keeps_files;
    return begin(cache, name, task, start_run);
}

enum err cache_stop_member(struct cache *cache, const char *name, enum member_stop how,
                           struct member_task *task)
{
    task->how = how;
    return begin(cache, name, task, stop_run);
}

enum err cache_open_member(struct cache *cache, const char *name, struct member_task *task)
{
    return begin(cache, name, task, open_run);
}

enum err cache_close_member(struct cache *cache, const char *name, struct member_task *task)
{
    return begin(cache, name, task, close_run);
}

enum err cache_follow_member(struct cache *cache, const char *name, struct member_task *task)
{
    return begin(cache, name, task, follow_run);
}

void member_task_done(struct member_task *task)
{
    member_talk_done(&task->talk);
}

void cache_config_write_member(struct cache *cache, const struct cache_member *member,
                               struct buf *out)
{
    struct cache_secrets secrets = cache->state.secrets;

    if (secrets.next.text[0][0] != '\0') /* who starts now knows the new ones from the beginning */
        secrets.keys = secrets.next;
    server_config_write(out,
                        &(struct server_config){.spec = &cache->spec,
                                                .host = &cache->host,
                                                .member = member,
                                                .primary = leader(cache, member->name),
                                                .secrets = &secrets,
                                                .tls = cache->host.has_tls ? &cache->tls : NULL});
}

uint64_t cache_sync_limit_ms(const struct cache *cache, uint64_t used_bytes)
{
    return cache->options->settings.sync_timeout_ms + used_bytes / (10 * 1024);
}
