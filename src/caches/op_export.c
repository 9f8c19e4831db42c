/* Export (caches.md 7.4): one file of each shard. The cache serves all the while.
 *
 *   save: each shard writes a dump, which gets a name of its own --> upload: they go to the target,
 *   where nobody sees them yet --> commit: they appear --> done: our own are removed
 *
 * Each step goes shard by shard, and `work` says how many it has done. Undone, nothing is left. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "caches/cache_internal.h"
#include "caches/saving.h"
#include "caches/transfer_ways.h"
#include "loop/loop.h"
#include "json/member.h"

#define NAME_MAX_BYTES 1200
#define PATH_MAX_BYTES 4300

struct scratch {
    struct transfer_ways ways;
    struct op op;
    char from[PATH_MAX_BYTES], path[PATH_MAX_BYTES], name[NAME_MAX_BYTES];
    bool keeps_dump;
};

/* ---- what it works on ---- */

static uint32_t count_of(const struct operation *operation, const char *what)
{
    return (uint32_t)json_integer_value(json_object_get(operation->work, what));
}

static void write_name(const struct operation *operation, uint32_t at, char name[NAME_MAX_BYTES])
{
    const struct cache *cache = operation->cache;
    const char *prefix = json_string_value(json_object_get(operation->arguments, "prefix"));

    if (cache->spec.shards != 0)
        snprintf(name, NAME_MAX_BYTES, "%s-shard%" PRIu32 ".rdb", prefix,
                 cache->state.shards[at].id);
    else
        snprintf(name, NAME_MAX_BYTES, "%s.rdb", prefix);
}

static struct transfer_target target_of(const struct operation *operation, uint32_t at, char *name)
{
    write_name(operation, at, name);
    return (struct transfer_target){
        .container = jx_slice(json_object_get(operation->arguments, "container")),
        .name = slice_of(name),
        .attempt = slice_of(operation->record.id)};
}

/* Beside the folders of the members, which come and go. */
static void write_path(const struct cache *cache, uint32_t at, char path[PATH_MAX_BYTES])
{
    char dir[PATH_MAX_BYTES - 100];

    cache_write_dir(cache, dir, sizeof dir);
    snprintf(path, PATH_MAX_BYTES, "%s/export-%" PRIu32 ".rdb", dir, cache->state.shards[at].id);
}

/* Notes that `what` has been done for one more shard, and goes on with the next. */
static enum stage note(struct operation *operation, const char *what)
{
    struct scratch *s = operation->scratch;
    uint32_t count = count_of(operation, what) + 1;

    (void)json_object_set_new(operation->work, what, json_integer(count));
    (void)routine_go(&operation->routine, 0);
    s->op = (struct op){0};
    return routine_wait(&operation->routine, &s->op, cache_record(operation->cache, &s->op));
}

static bool is_last(const struct operation *operation, const char *what)
{
    return count_of(operation, what) >= operation->cache->state.shard_count;
}

/* ---- save ---- */

/* With a schedule of dumps the server keeps its own; else none is to be found at its next start. */
static enum err name_dump(void *ctx, struct cause *why) /* on the pool */
{
    struct scratch *s = ctx;

    (void)unlink(s->path);
    int failed = s->keeps_dump ? link(s->from, s->path) : rename(s->from, s->path);
    if (failed != 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", s->from, strerror(errno));
    return E_OK;
}

enum { SAVE, SAVED, NAMED };

static enum stage save(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct cache *cache = operation->cache;
    struct scratch *s = operation->scratch;
    uint32_t at = count_of(operation, "saved");

    if (err || is_last(operation, "saved"))
        return routine_end(routine, err);
    const struct cache_shard *shard = &cache->state.shards[at];
    const struct cache_member *member = cache_best_replica(cache, shard->id);
    if (member == NULL)
        member = cache_shard_primary(shard);
    switch (stage) {
    case SAVE:
        if (member == NULL || !cache_is_up(cache, member->name))
            return routine_end(routine,
                               cause_set(&routine->why, E_CLOSED, "no server of it lives"));
        snprintf(s->from, sizeof s->from, "%s/dump.rdb", member->dir);
        s->op = (struct op){0};
        saving_dump(cache->options->loop, cache_server(cache, member->name), &s->op);
        return routine_wait(routine, &s->op, E_OK);
    case SAVED:
        write_path(cache, at, s->path);
        s->keeps_dump = cache_spec_has_rdb(&cache->spec);
        return routine_wait(routine, &s->op, work_run(cache->options->loop, name_dump, s, &s->op));
    default:
        return note(operation, "saved");
    }
}

static enum err remove_file(void *ctx, struct cause *why) /* on the pool */
{
    struct scratch *s = ctx;

    (void)why;
    (void)unlink(s->path);
    return E_OK;
}

/* Of save, undone; and the last step. The stage is the shard. */
static enum stage remove_files(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct cache *cache = operation->cache;
    struct scratch *s = operation->scratch;

    if (err || stage >= cache->state.shard_count)
        return routine_end(routine, err);
    write_path(cache, stage, s->path);
    s->op = (struct op){0};
    return routine_wait(routine, &s->op, work_run(cache->options->loop, remove_file, s, &s->op));
}

/* ---- upload and commit ---- */

static enum stage transfer(struct routine *routine, uint32_t stage, enum err err, const char *what,
                           void (*begin)(const struct transfer_ways *ways,
                                         const struct transfer_target *target, const char *path,
                                         struct op *op))
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    uint32_t at = count_of(operation, what);

    if (err || is_last(operation, what))
        return routine_end(routine, err);
    if (stage > 0)
        return note(operation, what);
    struct transfer_target target = target_of(operation, at, s->name);
    write_path(operation->cache, at, s->path);
    s->ways = transfer_ways_of(operation->cache);
    s->op = (struct op){0};
    begin(&s->ways, &target, s->path, &s->op);
    return routine_wait(routine, &s->op, E_OK);
}

static enum stage upload(struct routine *routine, uint32_t stage, enum err err)
{
    return transfer(routine, stage, err, "uploaded", transfer_upload);
}

static enum stage commit(struct routine *routine, uint32_t stage, enum err err)
{
    return transfer(routine, stage, err, "committed", transfer_commit);
}

/* The stage is the shard. */
static enum stage drop(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;

    if (err || stage >= operation->cache->state.shard_count)
        return routine_end(routine, err);
    struct transfer_target target = target_of(operation, stage, s->name);
    s->ways = transfer_ways_of(operation->cache);
    s->op = (struct op){0};
    transfer_drop(&s->ways, &target, &s->op);
    return routine_wait(routine, &s->op, E_OK);
}

/* ---- may it be done? ---- */

static enum err read_body(struct jx_view *view, struct buf *ret, struct cause *why)
{
    static const char *const formats[] = {"RDB", NULL};
    const char *prefix = "", *container = "";
    size_t format;

    (void)jx_text(view, "prefix", &prefix);
    (void)jx_text(view, "container", &container);
    (void)jx_word(view, "format", formats, &format);
    if (prefix[0] == '\0')
        jx_view_error(view, "prefix", "is missing: the file is named PREFIX.rdb");
    if (container[0] == '\0')
        jx_view_error(view, "container",
                      "is missing: the URL of a container with a SAS, or file:///DIRECTORY");
    if (view->err) {
        *why = view->why;
        return view->err;
    }
    member_text(ret, "prefix", slice_of(prefix));
    member_text(ret, "container", slice_of(container));
    buf_add_byte(ret, '}');
    return buf_err(ret);
}

static enum err accept(const struct operation_wish *wish, struct buf *ret, struct cause *why)
{
    return transfer_accept(wish->arguments, read_body, ret, why);
}

static enum stage check(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct transfer_ways ways = transfer_ways_of(operation->cache);
    char name[NAME_MAX_BYTES];

    (void)stage;
    if (err)
        return routine_end(routine, err);
    struct transfer_target target = target_of(operation, 0, name);
    return routine_end(routine, transfer_target_check(&target, &ways.dirs, &routine->why));
}

static const struct operation_step steps[] = {
    {"save", save, remove_files},
    {"upload", upload, drop},
    {"commit", commit, NULL},
    {"done", remove_files, NULL},
};

const struct operation_kind operation_export = {
    .name = "export",
    .phase = PHASE_SUCCEEDED,
    .undoing = PHASE_SUCCEEDED,
    .event = LIFECYCLE_EXPORT_COMPLETED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = COUNT_OF(steps) - 1,
    .scratch_bytes = sizeof(struct scratch),
    .accept = accept,
    .check = check,
};
