/* Import (caches.md 7.5; not of a cluster): a side server takes the files in, and then the place of
 * the cache's servers. The cache serves its old data until then.
 *
 *   fetch: the files come to the folder of a new member --> check: the server program reads each
 * --> load --> fit: limits, persistence --> copy: a replica of it, if the tier has one
 *   --> swap (from here on only forward): it is the primary --> done: the others go, replicas come
 *
 * `work`: {"side": its name, "fetched": files, "copy": name, "loads": again, "old": [names]}.
 * Undone, side server and copy go, and nothing has changed. What is found dead after a restart of
 * the daemon is loaded again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_crew.h"
#include "caches/cache_internal.h"
#include "caches/import_load.h"
#include "caches/program.h"
#include "caches/rdb.h"
#include "caches/transfer_ways.h"
#include "loop/loop.h"
#include "store/datadir.h"
#include "json/member.h"

#define PATH_MAX_BYTES 4300
#define LOADS_MAX 3 /* again, in front of the swap */

struct scratch {
    struct transfer_ways ways;
    struct op op;
    struct program program;
    struct import_load load;
    struct member_task task;
    struct crew_task crew;
    char dir[PATH_MAX_BYTES - 100], path[PATH_MAX_BYTES];
    size_t at;
    bool keeps_dump;
};

/* ---- what it works on ---- */

static const char *name_of(const struct operation *operation, const char *what)
{
    return json_string_value(json_object_get(operation->work, what));
}

/* NULL: it is not there, or not any more. */
static struct cache_member *member_of(const struct operation *operation, const char *what)
{
    const char *name = name_of(operation, what);
    return name != NULL ? cache_state_find(&operation->cache->state, slice_of(name)) : NULL;
}

static bool is_side_up(const struct operation *operation)
{
    const char *name = name_of(operation, "side");
    return name != NULL && cache_is_up(operation->cache, name);
}

static const json_t *files_of(const struct operation *operation)
{
    return json_object_get(operation->arguments, "files");
}

static size_t file_count(const struct operation *operation)
{
    return json_array_size(files_of(operation));
}

static enum stage record(struct operation *operation)
{
    struct scratch *s = operation->scratch;

    s->op = (struct op){0};
    return routine_wait(&operation->routine, &s->op, cache_record(operation->cache, &s->op));
}

static enum stage on_pool(struct operation *operation,
                          enum err (*work)(void *ctx, struct cause *why))
{
    struct scratch *s = operation->scratch;

    s->op = (struct op){0};
    return routine_wait(&operation->routine, &s->op,
                        work_run(operation->cache->options->loop, work, s, &s->op));
}

/* A new member that nobody else works on. */
static enum err add_member(struct operation *operation, const char *what)
{
    struct cache *cache = operation->cache;
    const struct cache_member *primary = cache_primary(cache, 0);
    char *program = slice_dup(slice_of(primary != NULL ? primary->program : NULL));
    struct cache_member *member;
    enum err err = cache_add_member(cache, 0, program, &member, &operation->routine.why);

    free(program);
    if (err)
        return err;
    member->is_side = true;
    (void)json_object_set_new(operation->work, what, json_string(member->name));
    return E_OK;
}

static enum stage stop_member(struct operation *operation, const char *what)
{
    struct scratch *s = operation->scratch;
    const char *name = name_of(operation, what);

    if (name == NULL)
        return STAGE_GOES_ON;
    return routine_wait(&operation->routine, &s->task.routine.op,
                        cache_stop_member(operation->cache, name, STOP_DROP, &s->task));
}

/* Stops it, as an undo. */
static enum stage undo_member(struct routine *routine, uint32_t stage, enum err err,
                              const char *what)
{
    if (err || stage > 0)
        return routine_end(routine, err);
    return stop_member(operation_of(routine), what);
}

/* ---- fetch ---- */

static enum err make_folder(void *ctx, struct cause *why) /* on the pool */
{
    return folder_make(((struct scratch *)ctx)->dir, why);
}

enum { FETCH_SIDE, FETCH_FOLDER, FETCH_NEXT, FETCHED };

static enum stage begin_fetch(struct operation *operation)
{
    enum err err = E_OK;

    if (member_of(operation, "side") != NULL)
        return STAGE_GOES_ON;
    err = add_member(operation, "side");
    return err ? routine_end(&operation->routine, err) : record(operation);
}

static enum stage fetch_next(struct operation *operation, size_t at)
{
    struct scratch *s = operation->scratch;

    if (at >= file_count(operation))
        return routine_end(&operation->routine, E_OK);
    import_write_path(s->dir, at, s->path, sizeof s->path);
    s->ways = transfer_ways_of(operation->cache);
    s->op = (struct op){0};
    transfer_fetch(&s->ways, jx_slice(json_array_get(files_of(operation), at)), s->path, &s->op);
    return routine_wait(&operation->routine, &s->op, E_OK);
}

static enum stage fetch(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    size_t at = (size_t)json_integer_value(json_object_get(operation->work, "fetched"));

    if (err && stage == FETCHED)
        (void)!cause_wrap(&routine->why, err, "files[%zu]", at);
    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case FETCH_SIDE:
        return begin_fetch(operation);
    case FETCH_FOLDER:
        snprintf(s->dir, sizeof s->dir, "%s", member_of(operation, "side")->dir);
        return on_pool(operation, make_folder);
    case FETCH_NEXT:
        return fetch_next(operation, at);
    default:
        (void)json_object_set_new(operation->work, "fetched", json_integer((json_int_t)at + 1));
        (void)routine_go(routine, FETCH_NEXT);
        return record(operation);
    }
}

static enum stage undo_fetch(struct routine *routine, uint32_t stage, enum err err)
{
    return undo_member(routine, stage, err, "side");
}

/* ---- check ---- */

enum { CHECK_PROGRAM, CHECK_NEXT, CHECKED };

static enum stage check_next(struct operation *operation, const struct cache_member *side)
{
    struct scratch *s = operation->scratch;

    if (s->at >= file_count(operation))
        return routine_end(&operation->routine, E_OK);
    import_write_path(side->dir, s->at, s->path, sizeof s->path);
    s->op = (struct op){0};
    rdb_check(&(struct rdb_check){.loop = operation->cache->options->loop,
                                  .program = side->program,
                                  .path = s->path,
                                  .version_max = s->program.rdb_version},
              &s->op);
    return routine_wait(&operation->routine, &s->op, E_OK);
}

static enum stage check_files(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const struct cache_member *side = member_of(operation, "side");

    if (err && stage == CHECKED)
        (void)!cause_wrap(&routine->why, err, "files[%zu]", s->at);
    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case CHECK_PROGRAM:
        s->op = (struct op){0};
        program_check(operation->cache->options->loop, side->program, &s->program, &s->op);
        return routine_wait(routine, &s->op, E_OK);
    case CHECK_NEXT:
        return check_next(operation, side);
    default:
        s->at++;
        return routine_go(routine, CHECK_NEXT);
    }
}

/* ---- load, fit, copy: each finds the side server as the steps before left it ---- */

static enum stage load_side(struct operation *operation)
{
    struct scratch *s = operation->scratch;

    return routine_wait(&operation->routine, &s->load.routine.op,
                        import_load_start(operation->cache, name_of(operation, "side"),
                                          file_count(operation), &s->load));
}

static enum stage fit_side(struct operation *operation)
{
    struct scratch *s = operation->scratch;

    return routine_wait(&operation->routine, &s->load.routine.op,
                        import_fit_start(operation->cache, name_of(operation, "side"), &s->load));
}

static enum stage load(struct routine *routine, uint32_t stage, enum err err)
{
    if (err || stage > 0)
        return routine_end(routine, err);
    return load_side(operation_of(routine));
}

static enum stage fit(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);

    if (err || stage > 1)
        return routine_end(routine, err);
    if (stage == 0)
        return is_side_up(operation) ? STAGE_GOES_ON : load_side(operation);
    return fit_side(operation);
}

enum { COPY_LOAD, COPY_FIT, COPY_ADD, COPY_START, COPY_END };

/* A copy that there is no room for comes after the swap. */
static enum stage add_copy(struct operation *operation)
{
    struct cache *cache = operation->cache;
    struct routine *routine = &operation->routine;

    if (cache_spec_numbers(&cache->spec, &cache->host).replicas == 0)
        return routine_end(routine, E_OK);
    if (member_of(operation, "copy") != NULL)
        return STAGE_GOES_ON;
    if (add_member(operation, "copy") != E_OK) {
        log_info("CACHE-IMPORT", "%s: a replica comes after the swap: %s", cache->name,
                 routine->why.text);
        return routine_end(routine, E_OK);
    }
    return record(operation);
}

static enum stage copy(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;

    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case COPY_LOAD:
        if (is_side_up(operation))
            return routine_go(routine, COPY_ADD);
        return load_side(operation);
    case COPY_FIT:
        return fit_side(operation);
    case COPY_ADD:
        return add_copy(operation);
    case COPY_START:
        return routine_wait(
            routine, &s->task.routine.op,
            cache_start_member(operation->cache, name_of(operation, "copy"), false, &s->task));
    default:
        return routine_end(routine, E_OK);
    }
}

static enum stage undo_copy(struct routine *routine, uint32_t stage, enum err err)
{
    return undo_member(routine, stage, err, "copy");
}

/* ---- swap ---- */

static bool is_primary(const struct operation *operation, const char *what)
{
    const struct cache_member *member = member_of(operation, what);
    return member != NULL && member == cache_primary(operation->cache, 0);
}

/* The side server and its copy become members like others, and the others old. */
static void swap_names(struct operation *operation)
{
    struct cache_shard *shard = cache_shard_of(operation->cache, 0);
    json_t *old = json_array();

    for (size_t i = 0; i < shard->member_count; i++) {
        struct cache_member *member = &shard->members[i];
        if (!member->is_side) {
            (void)json_array_append_new(old, json_string(member->name));
            member->state = MEMBER_STOPPING;
            member->is_in_sync = false;
        }
        member->is_side = false;
    }
    (void)json_object_set_new(operation->work, "old", old);
    cache_name_primary(operation->cache, shard, member_of(operation, "side"));
}

/* The next of the old members that runs; NULL: there is none. */
static const char *next_old(const struct operation *operation, size_t *at)
{
    const json_t *old = json_object_get(operation->work, "old");

    while (*at < json_array_size(old)) {
        const char *name = json_string_value(json_array_get(old, (*at)++));
        if (cache_is_up(operation->cache, name))
            return name;
    }
    return NULL;
}

enum { SWAP_SIDE, SWAP_FIT, SWAP_TELL, SWAP_NAMES, SWAP_SHUT, SWAP_SHUT_MORE, SWAP_OPEN, SWAP_END };

static enum stage begin_swap(struct operation *operation)
{
    struct routine *routine = &operation->routine;
    json_int_t loads = json_integer_value(json_object_get(operation->work, "loads"));
    struct cache_member *replica = member_of(operation, "copy");

    if (is_primary(operation, "side"))
        return routine_go(routine, SWAP_SHUT);
    if (is_side_up(operation))
        return routine_go(routine, SWAP_TELL);
    if (loads >= LOADS_MAX) {
        operation_fail(operation, "ServerFailed",
                       "the server with the imported data ended before it could serve it");
        return routine_end(routine, E_OK);
    }
    (void)json_object_set_new(operation->work, "loads", json_integer(loads + 1));
    if (replica != NULL)
        replica->is_in_sync = false;
    return load_side(operation);
}

static enum stage tell_swap(struct operation *operation)
{
    struct scratch *s = operation->scratch;

    s->op = (struct op){0};
    announcer_begin(operation->cache->announcer, false, &s->op);
    return routine_wait(&operation->routine, &s->op, E_OK);
}

static enum stage shut_next(struct operation *operation)
{
    struct scratch *s = operation->scratch;
    const char *name = next_old(operation, &s->at);

    if (name == NULL)
        return routine_go(&operation->routine, SWAP_OPEN);
    return routine_wait(&operation->routine, &s->task.routine.op,
                        cache_close_member(operation->cache, name, &s->task));
}

static enum stage swap(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;

    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case SWAP_SIDE:
        return begin_swap(operation);
    case SWAP_FIT:
        return fit_side(operation);
    case SWAP_TELL:
        return tell_swap(operation);
    case SWAP_NAMES:
        if (!is_side_up(operation)) /* just now */
            return routine_go(routine, SWAP_SIDE);
        swap_names(operation);
        return record(operation);
    case SWAP_SHUT:
        return shut_next(operation);
    case SWAP_SHUT_MORE:
        return routine_go(routine, SWAP_SHUT);
    case SWAP_OPEN:
        return routine_wait(
            routine, &s->task.routine.op,
            cache_open_member(operation->cache, name_of(operation, "side"), &s->task));
    default:
        announcer_tell(operation->cache->announcer, NOTICE_FAILOVER_COMPLETE, false);
        return routine_end(routine, E_OK);
    }
}

/* ---- done ---- */

static enum err remove_imported(void *ctx, struct cause *why) /* on the pool */
{
    struct scratch *s = ctx;

    (void)why;
    for (size_t i = 0; i < IMPORT_FILES_MAX; i++) {
        import_write_path(s->dir, i, s->path, sizeof s->path);
        (void)unlink(s->path);
    }
    snprintf(s->path, sizeof s->path, "%s/dump.rdb", s->dir);
    if (!s->keeps_dump)
        (void)unlink(s->path);
    return E_OK;
}

static enum stage clean(struct operation *operation)
{
    struct scratch *s = operation->scratch;
    const struct cache_member *side = member_of(operation, "side");

    if (side == NULL)
        return STAGE_GOES_ON;
    snprintf(s->dir, sizeof s->dir, "%s", side->dir);
    s->keeps_dump = cache_spec_has_rdb(&operation->cache->spec);
    return on_pool(operation, remove_imported);
}

enum { DONE_STOP, DONE_STOP_MORE, DONE_FILL, DONE_CLEAN, DONE_NO, DONE_NO_MORE, DONE_END };

/* One old member after the other, until none is recorded any more. */
static enum stage stop_next(struct operation *operation)
{
    struct scratch *s = operation->scratch;
    const json_t *old = json_object_get(operation->work, "old");

    for (; s->at < json_array_size(old); s->at++) {
        const char *name = json_string_value(json_array_get(old, s->at));
        if (cache_state_find(&operation->cache->state, slice_of(name)) != NULL)
            return routine_wait(&operation->routine, &s->task.routine.op,
                                cache_stop_member(operation->cache, name, STOP_DROP, &s->task));
    }
    return routine_go(&operation->routine, DONE_FILL);
}

static enum stage done(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;

    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case DONE_STOP:
        if (!is_primary(operation, "side") && !is_primary(operation, "copy"))
            return routine_go(routine, DONE_NO);
        return stop_next(operation);
    case DONE_STOP_MORE:
        return routine_go(routine, DONE_STOP);
    case DONE_FILL:
        return routine_wait(routine, &s->crew.routine.op,
                            cache_crew_fill(operation->cache, 0, NULL, &s->crew));
    case DONE_CLEAN:
        announcer_tell(operation->cache->announcer, NOTICE_ENDED, false);
        (void)routine_go(routine, DONE_END);
        return clean(operation);
    case DONE_NO: /* the old primary serves: there was no swap, or it was taken back by a crash */
        operation_fail(operation, "ServerFailed",
                       "the server with the imported data ended before it could serve it");
        return stop_member(operation, "side");
    case DONE_NO_MORE:
        return stop_member(operation, "copy");
    default:
        return routine_end(routine, E_OK);
    }
}

/* ---- may it be done? ---- */

static enum err read_body(struct jx_view *view, struct buf *ret, struct cause *why)
{
    static const char *const formats[] = {"RDB", NULL};
    const json_t *files = jx_view_member(view, "files");
    size_t count = json_array_size(files), format;

    (void)jx_word(view, "format", formats, &format);
    if (count == 0 || count > IMPORT_FILES_MAX)
        jx_view_error(view, "files", "is not an array of 1 to %d URLs of RDB files",
                      IMPORT_FILES_MAX);
    member_open(ret, "files");
    for (size_t i = 0; i < count && i < IMPORT_FILES_MAX; i++) {
        struct slice text = jx_slice(json_array_get(files, i));
        if (text.len == 0)
            jx_view_error(view, "files", "item %zu is not a URL", i);
        buf_add_byte(ret, i == 0 ? '[' : ',');
        jx_write_string(ret, text);
    }
    buf_add(ret, SLICE("]}"));
    if (view->err) {
        *why = view->why;
        return view->err;
    }
    return buf_err(ret);
}

static enum err accept(const struct operation_wish *wish, struct buf *ret, struct cause *why)
{
    if (wish->spec->shards != 0)
        return cause_set(why, E_BAD_INPUT, "an import into shards is not possible yet");
    return transfer_accept(wish->arguments, read_body, ret, why);
}

static enum stage check(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct transfer_ways ways = transfer_ways_of(operation->cache);

    (void)stage;
    for (size_t i = 0; i < file_count(operation) && err == E_OK; i++) {
        struct file_url url;
        err = file_url_read(jx_slice(json_array_get(files_of(operation), i)), &ways.dirs, &url,
                            &routine->why);
        if (err == E_OK)
            file_url_done(&url);
        else
            (void)!cause_wrap(&routine->why, err, "files[%zu]", i);
    }
    return routine_end(routine, err);
}

static void scratch_done(void *scratch)
{
    struct scratch *s = scratch;

    import_load_done(&s->load);
    member_task_done(&s->task);
    crew_task_done(&s->crew);
}

static const struct operation_step steps[] = {
    {"fetch", fetch, undo_fetch}, {"check", check_files, NULL}, {"load", load, NULL},
    {"fit", fit, NULL},           {"copy", copy, undo_copy},    {"swap", swap, NULL},
    {"done", done, NULL},
};
#define SWAP 5

const struct operation_kind operation_import = {
    .name = "import",
    .phase = PHASE_UPDATING,
    .undoing = PHASE_UPDATING,
    .event = LIFECYCLE_IMPORT_COMPLETED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = SWAP,
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = scratch_done,
    .accept = accept,
    .check = check,
};
