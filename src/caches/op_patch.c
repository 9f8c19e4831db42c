/* Patch (caches.md 7.3): all servers get another program, or the same one anew, one after the
 * other, and the cache keeps its data.
 *
 *   replicas: REPLACE each --> successor: START one for the primary --> move: HANDOVER to a new one
 *   --> rest: STOP the old primary, and REPLACE what was no replica before
 *
 * In `work`: {"program","before","todo":[names],"replacement","handover"}. Undone up to the move:
 * replicas that have the new program are replaced by such with the old one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "caches/cache_handover.h"
#include "caches/cache_internal.h"
#include "caches/replacement.h"
#include "store/server_find.h"

struct scratch {
    struct replacement replacement;
    struct cache_handover handover;
    struct program program, now;
    struct op op;
    char name[MEMBER_NAME_MAX_BYTES]; /* who is worked on */
};

/* ---- may it be ---- */

static enum err accept(const struct operation_wish *wish, struct buf *ret, struct cause *why)
{
    struct jx_view view;
    json_t *json = NULL;
    const char *path = NULL;
    enum err err =
        jx_parse(wish->arguments.len > 0 ? wish->arguments : SLICE("{}"), NULL, NULL, &json, why);

    if (err)
        return err;
    jx_view_init(&view, json, NULL);
    (void)jx_text(&view, "serverPath", &path);
    if (view.err == E_OK && wish->spec->shards != 0)
        jx_view_error(&view, NULL, "a cache with shards cannot be patched yet");
    if (view.err == E_OK && path != NULL) {
        buf_add(ret, SLICE("{\"serverPath\":"));
        jx_write_string(ret, slice_of(path));
        buf_add_byte(ret, '}');
    }
    json_decref(json);
    return view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
}

/* The path; free() ends it; NULL: there is no such program. */
static char *wanted_program(const struct operation *operation, struct cause *why)
{
    const char *said = json_string_value(json_object_get(operation->arguments, "serverPath"));

    if (said == NULL)
        said = cache_config_said(&operation->spec->config, "redgrid-server-path");
    if (said == NULL)
        said = operation->cache->options->settings.program;
    char *found = server_find(said);
    if (found == NULL)
        (void)!cause_set(why, E_BAD_INPUT, "serverPath: there is no server program '%s'", said);
    return found;
}

static enum stage ask_programs(struct operation *operation)
{
    struct routine *routine = &operation->routine;
    struct scratch *s = operation->scratch;
    const struct cache_member *primary = cache_primary(operation->cache, 0);
    char *path = wanted_program(operation, &routine->why);

    if (path == NULL)
        return routine_end(routine, E_BAD_INPUT);
    program_check(operation->cache->options->loop, path, &s->program, &s->op);
    free(path);
    if (primary != NULL) {
        program_check(operation->cache->options->loop, primary->program, &s->now,
                      &s->replacement.op);
        (void)routine_wait(routine, &s->replacement.op, E_OK);
    }
    return routine_wait(routine, &s->op, E_OK);
}

static enum err judge_programs(const struct operation *operation, struct cause *why)
{
    const struct scratch *s = operation->scratch;
    const struct program *program = &s->program;

    if (program->rdb_version < s->now.rdb_version)
        return cause_set(why, E_BAD_INPUT,
                         "serverPath: %s %s reads data up to version %u, and that of the cache has "
                         "%u, of %s %s: there is no way back",
                         program->name, program->text, program->rdb_version, s->now.rdb_version,
                         s->now.name, s->now.text);
    if (operation->cache->state.tls_port != 0 && !program->has_tls)
        return cause_set(why, E_BAD_INPUT,
                         "serverPath: %s %s is built without TLS, and the cache has a TLS port",
                         program->name, program->text);
    return E_OK;
}

static enum stage check(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);

    if (err == E_NOT_FOUND || err == E_DENIED || err == E_UNSUPPORTED || err == E_TIMEOUT)
        err = E_BAD_INPUT;
    if (err)
        return routine_end(routine, err);
    if (stage == 0)
        return ask_programs(operation);
    return routine_end(routine, judge_programs(operation, &routine->why));
}

/* ---- who has what ---- */

static const char *work_text(const struct operation *operation, const char *name)
{
    return json_string_value(json_object_get(operation->work, name));
}

static bool is_primary(const struct cache *cache, const char *name)
{
    const struct cache_member *primary = cache_primary(cache, 0);
    return primary != NULL && slice_eq(slice_of(primary->name), slice_of(name));
}

/* Where in `todo`; its size, if it is not there: it is new. */
static size_t place_of(const struct operation *operation, const char *name)
{
    const json_t *todo = json_object_get(operation->work, "todo");
    size_t i = 0;

    while (i < json_array_size(todo) &&
           !slice_eq(jx_slice(json_array_get(todo, i)), slice_of(name)))
        i++;
    return i;
}

static bool is_old(const struct operation *operation, const char *name)
{
    return place_of(operation, name) < json_array_size(json_object_get(operation->work, "todo"));
}

static void strike(struct operation *operation, const char *name)
{
    if (is_old(operation, name))
        json_array_remove(json_object_get(operation->work, "todo"), place_of(operation, name));
}

/* Once, in front of everything. */
static enum err plan(struct operation *operation, struct cause *why)
{
    const struct cache_shard *shard = cache_shard_of(operation->cache, 0);
    json_t *todo = json_array();

    if (work_text(operation, "program") != NULL) {
        json_decref(todo);
        return E_OK;
    }
    for (size_t i = 0; i < shard->member_count; i++)
        json_array_append_new(todo, json_string(shard->members[i].name));
    json_object_set_new(operation->work, "todo", todo);
    json_object_set_new(operation->work, "before",
                        json_string(cache_shard_primary(shard)->program));
    char *program = wanted_program(operation, why);
    if (program == NULL)
        return E_NOT_FOUND;
    json_object_set_new(operation->work, "program", json_string(program));
    free(program);
    return E_OK;
}

/* The next that is no primary; NULL = none. `program` NULL: of those that are to do; else of those
 * that have another one. */
static const char *next_replica(const struct operation *operation, const char *program)
{
    const struct cache_shard *shard = cache_shard_of(operation->cache, 0);

    for (size_t i = 0; i < shard->member_count; i++) {
        const struct cache_member *member = &shard->members[i];
        bool is_it = program != NULL ? !slice_eq(slice_of(member->program), slice_of(program))
                                     : is_old(operation, member->name);
        if (is_it && !is_primary(operation->cache, member->name))
            return member->name;
    }
    return NULL;
}

/* ---- one after the other ---- */

enum { PICK, BEGUN, ENDED, UNDONE };

/* Who is under way, or the next; false: all are done. */
static bool pick(struct operation *operation, const char *program)
{
    struct scratch *s = operation->scratch;
    const char *name = replacement_old(operation->cache);

    if (name == NULL)
        name = next_replica(operation, program);
    snprintf(s->name, sizeof s->name, "%s", name != NULL ? name : "");
    return name != NULL;
}

static enum stage wait_replacement(struct operation *operation, enum err started)
{
    struct scratch *s = operation->scratch;
    return routine_wait(&operation->routine, &s->replacement.routine.op, started);
}

static enum stage replace_next(struct operation *operation, uint32_t stage, const char *program)
{
    struct scratch *s = operation->scratch;
    struct cache *cache = operation->cache;
    const char *to = program != NULL ? program : work_text(operation, "program");

    switch (stage) {
    case PICK:
        if (!pick(operation, program))
            return routine_end(&operation->routine, E_OK);
        return wait_replacement(operation, replacement_begin(cache, s->name, to, &s->replacement));
    case BEGUN:
        return wait_replacement(operation, replacement_end(cache, &s->replacement));
    default:
        strike(operation, s->name);
        return routine_go(&operation->routine, PICK);
    }
}

static enum stage replicas(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);

    if (err == E_OK && stage == PICK)
        err = plan(operation, &routine->why);
    return err ? routine_end(routine, err) : replace_next(operation, stage, NULL);
}

/* What is half done goes first, whichever way it was meant. */
static enum stage undo_replicas(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const char *before = work_text(operation, "before");

    if (err || before == NULL)
        return routine_end(routine, err);
    if (stage == PICK && replacement_old(operation->cache) != NULL) {
        (void)routine_go(routine, PICK);
        return wait_replacement(operation, replacement_undo(operation->cache, &s->replacement));
    }
    return replace_next(operation, stage, before);
}

/* A late one that does not start: the patch fails, and goes on. */
static enum stage give_up(struct operation *operation, enum err err)
{
    struct scratch *s = operation->scratch;

    operation_fail(operation, operation_error_code(err), "%s",
                   cause_text(&operation->routine.why, err));
    strike(operation, s->name);
    (void)routine_go(&operation->routine, PICK);
    return wait_replacement(operation, replacement_undo(operation->cache, &s->replacement));
}

static enum stage rest(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);

    if (err == E_CANCELED || err == E_CLOSED || (err != E_OK && stage == PICK))
        return routine_end(routine, err);
    return err ? give_up(operation, err) : replace_next(operation, stage, NULL);
}

/* ---- the primary ---- */

static enum stage successor(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const struct cache_member *primary = cache_primary(operation->cache, 0);

    if (err || stage > 0 || !is_old(operation, primary->name))
        return routine_end(routine, err);
    return wait_replacement(operation,
                            replacement_begin(operation->cache, primary->name,
                                              work_text(operation, "program"), &s->replacement));
}

static enum stage undo_successor(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;

    if (err || stage > 0)
        return routine_end(routine, err);
    return wait_replacement(operation, replacement_undo(operation->cache, &s->replacement));
}

/* A new one, in sync; NULL = none. */
static const char *find_heir(const struct operation *operation)
{
    const struct cache_shard *shard = cache_shard_of(operation->cache, 0);

    for (size_t i = 0; i < shard->member_count; i++) {
        const struct cache_member *member = &shard->members[i];
        if (member->is_in_sync && !is_old(operation, member->name) &&
            cache_is_up(operation->cache, member->name))
            return member->name;
    }
    return NULL;
}

static enum stage move(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    struct cache *cache = operation->cache;

    if (err || stage > 0)
        return routine_end(routine, err);
    const char *heir = find_heir(operation);
    bool is_under_way = json_object_get(operation->work, "handover") != NULL;
    bool is_alone = cache_shard_of(cache, 0)->member_count == 1; /* it stays where it is */
    if (!is_under_way && (is_alone || !is_old(operation, cache_primary(cache, 0)->name)))
        return routine_end(routine, E_OK);
    if (heir == NULL && !is_under_way)
        return routine_end(routine,
                           cause_set(&routine->why, E_NOT_FOUND, "no patched replica is in sync"));
    return routine_wait(routine, &s->handover.routine.op,
                        cache_hand_over(cache, heir != NULL ? heir : cache_primary(cache, 0)->name,
                                        "patch", &s->handover));
}

static void done(void *scratch)
{
    struct scratch *s = scratch;
    replacement_done(&s->replacement);
}

static const struct operation_step steps[] = {
    {"replicas", replicas, undo_replicas},
    {"successor", successor, undo_successor},
    {"move", move, NULL},
    {"rest", rest, NULL},
};

const struct operation_kind operation_patch = {
    .name = "patch",
    .phase = PHASE_UPDATING,
    .undoing = PHASE_UPDATING,
    .event = LIFECYCLE_PATCHING_COMPLETED,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = 3,
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
    .accept = accept,
    .check = check,
};
