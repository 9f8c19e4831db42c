/* take_up --> CHECK --> STEP 0 --> .. --> END
 *               |  fails   | fails in front of no_return
 *               v          v
 *              END <-- undo of the steps, backward
 *
 * Each of these is one run of cache_operation_run() as a job of the cache (cache.c): it records
 * where it is, runs the routine of the step, and judges how that ended. Interrupted, it judges
 * nothing: the same comes again. */
#include "caches/operation.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "caches/cache_internal.h"
#include "loop/loop.h"
#include "json/member.h"

#define INTERRUPTIONS_MAX 10 /* of a step that there is a way back from */
#define PATH_MAX_BYTES 4352
#define PREFIX_AZURE "Microsoft."

extern const struct operation_kind operation_create, operation_delete, operation_export,
    operation_failover, operation_flush, operation_import, operation_keys, operation_patch,
    operation_reboot, operation_scale, operation_update;

static const struct operation_kind *const operation_kinds[] = {
    &operation_create, &operation_delete, &operation_export, &operation_failover,
    &operation_flush,  &operation_import, &operation_keys,   &operation_patch,
    &operation_reboot, &operation_scale,  &operation_update,
};

const struct operation_kind *operation_kind_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(operation_kinds); i++)
        if (slice_eq(slice_of(operation_kinds[i]->name), name))
            return operation_kinds[i];
    return NULL;
}

/* ---- the object ---- */

static enum err read_before(struct operation *operation, const json_t *arguments, struct cause *why)
{
    const json_t *before = json_object_get(arguments, "before");
    struct buf text;

    if (!json_is_object(before))
        return E_OK;
    buf_init(&text, RESOURCE_MAX_BYTES);
    jx_dump(&text, before);
    operation->has_before = true;
    enum err err = cache_spec_read_stored(&operation->before, buf_slice(&text), why);
    buf_done(&text);
    return err;
}

static enum err read_object(const char *text, json_t **ret, struct cause *why)
{
    *ret = NULL;
    if (text != NULL)
        return jx_parse(slice_of(text), "operation", NULL, ret, why);
    *ret = json_object();
    return E_OK;
}

enum err operation_new(struct cache *cache, struct operation_record *record, struct operation **ret,
                       struct cause *why)
{
    struct operation *operation = mem_new(struct operation);
    json_t *arguments = NULL;

    operation->cache = cache;
    operation->record = *record;
    *record = (struct operation_record){0};
    operation->spec = &cache->spec;
    operation->kind = operation_kind_find(slice_of(operation->record.kind));
    enum err err =
        operation->kind != NULL
            ? read_object(operation->record.arguments, &arguments, why)
            : cause_set(why, E_UNSUPPORTED, "nobody here knows '%s'", operation->record.kind);
    if (err == E_OK)
        err = read_object(operation->record.work, &operation->work, why);
    if (err == E_OK)
        err = read_before(operation, arguments, why);
    operation->arguments = json_incref(json_object_get(arguments, "asked"));
    if (operation->arguments == NULL)
        operation->arguments = json_object();
    json_decref(arguments);
    operation->is_failed = operation->record.error_code != NULL && !operation->record.is_undoing;
    if (err) {
        operation_free(operation);
        return err;
    }
    if (operation->kind->scratch_bytes > 0)
        operation->scratch = mem_zeroed(1, operation->kind->scratch_bytes);
    *ret = operation;
    return E_OK;
}

static void clear_scratch(struct operation *operation)
{
    if (operation->scratch == NULL)
        return;
    if (operation->kind->scratch_done != NULL)
        operation->kind->scratch_done(operation->scratch);
    memset(operation->scratch, 0, operation->kind->scratch_bytes);
}

void operation_free(struct operation *operation)
{
    if (operation == NULL)
        return;
    clear_scratch(operation);
    json_decref(operation->arguments);
    json_decref(operation->work);
    cache_spec_done(&operation->before);
    operation_record_done(&operation->record);
    free(operation->scratch);
    free(operation);
}

void operation_write(struct operation *operation, struct buf *out)
{
    struct buf work;

    if (operation->record.status == OPERATION_IN_PROGRESS) {
        buf_init(&work, OPERATION_DOCUMENT_MAX_BYTES);
        jx_dump(&work, operation->work);
        free(operation->record.work);
        operation->record.work = buf_detach(&work);
    }
    operation_record_write(out, &operation->record);
}

struct operation *operation_of(struct routine *routine)
{
    return container_of(routine, struct operation, routine);
}

void operation_view(const json_t *object, struct jx_view *view)
{
    jx_view_init(view, object, NULL);
}

/* ---- failing ---- */

const char *operation_error_code(enum err err)
{
    static const struct {
        enum err err;
        const char *code;
    } rows[] = {
        {E_TIMEOUT, "OperationTimedOut"}, {E_CRASHED, "ServerFailed"},
        {E_CLOSED, "ServerFailed"},       {E_BAD_INPUT, "InvalidRequest"},
        {E_LIMIT, "InvalidRequest"},      {E_NOT_FOUND, "NotFound"},
        {E_UNSUPPORTED, "NotSupported"},  {E_FULL, "NotEnoughResources"},
        {E_EXISTS, "NotEnoughResources"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].err == err)
            return rows[i].code;
    return "OperationFailed";
}

void operation_code(struct operation *operation, const char *code)
{
    operation->cache->work->code = code;
}

void operation_fail(struct operation *operation, const char *code, const char *fmt, ...)
{
    char text[CAUSE_MAX_BYTES];
    va_list args;

    if (operation->is_failed)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    operation->is_failed = true;
    operation_record_error(&operation->record, code, text);
    log_warn("CACHE-OPERATION", "%s: %s: %s", operation->cache->name, operation->kind->name, text);
}

/* ---- its end ---- */

static void tell_failed(struct operation *operation)
{
    struct cache *cache = operation->cache;
    struct lifecycle event = {.kind = operation->kind->event, .is_failed = true};

    if (event.kind != LIFECYCLE_KINDS &&
        slice_has_prefix(slice_of(lifecycle_type(event.kind)), SLICE(PREFIX_AZURE)))
        cache_event(cache, &event);
    event = (struct lifecycle){.kind = LIFECYCLE_OPERATION_FAILED};
    event.about.failed.code = operation->record.error_code;
    event.about.failed.message = operation->record.error_text;
    event.about.failed.step = operation->record.step;
    event.about.failed.is_rolled_back = operation->record.is_undoing;
    cache_event(cache, &event);
}

static void tell_succeeded(struct operation *operation)
{
    struct lifecycle event = {.kind = operation->kind->event};

    if (operation->kind->end != NULL)
        operation->kind->end(operation, &event);
    if (event.kind != LIFECYCLE_KINDS)
        cache_event(operation->cache, &event);
}

static void note_result(struct cache *cache, const struct operation *operation, bool is_failed)
{
    struct cache_state *state = &cache->state;

    free(state->error_code);
    free(state->error_text);
    state->error_code = is_failed ? slice_dup(slice_of(operation->record.error_code)) : NULL;
    state->error_text = is_failed ? slice_dup(slice_of(operation->record.error_text)) : NULL;
    state->phase =
        is_failed && operation->kind->phase == PHASE_CREATING ? PHASE_FAILED : PHASE_SUCCEEDED;
}

static enum stage record_end(struct cache *cache)
{
    struct operation *operation = cache->operation;
    struct cache_work *w = cache->work;
    bool is_failed = operation->is_failed || operation->record.is_undoing;
    bool is_removal = operation->kind->is_removal && !is_failed;

    if (is_failed)
        tell_failed(operation);
    else
        tell_succeeded(operation);
    note_result(cache, operation, is_failed);
    operation_record_end(&operation->record, is_failed ? operation->record.error_code : NULL,
                         operation->record.error_text);
    log_info("CACHE-OPERATION", "%s: %s %s", cache->name, operation->kind->name,
             is_failed ? "failed" : "succeeded");
    return routine_wait(&w->routine, &w->op,
                        cache_record_with(cache, is_removal ? RECORD_REMOVAL : RECORD_END, &w->op));
}

/* ---- a step ---- */

void cache_fail_at(const struct cache *cache, const char *place)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/fail-at/%s", cache->options->data, place);
    if (unlink(path) == 0)
        (void)kill(getpid(), SIGKILL);
}

static void fail_at(const struct cache *cache, const char *when)
{
    const struct operation *operation = cache->operation;
    char place[128];

    snprintf(place, sizeof place, "%s.%s%s:%s", operation->kind->name,
             operation->kind->steps[cache->work->step_at].name,
             operation->record.is_undoing ? ".undo" : "", when);
    cache_fail_at(cache, place);
}

static enum stage record_step(struct cache *cache)
{
    struct operation *operation = cache->operation;
    struct cache_work *w = cache->work;

    if (w->is_step_recorded)
        return STAGE_GOES_ON;
    free(operation->record.step);
    operation->record.step = slice_dup(slice_of(operation->kind->steps[w->step_at].name));
    return routine_wait(&w->routine, &w->op, cache_record(cache, &w->op));
}

static enum stage run_step(struct cache *cache)
{
    struct operation *operation = cache->operation;
    struct cache_work *w = cache->work;
    const struct operation_step *step = &operation->kind->steps[w->step_at];
    operation_run *run = w->stage == OPERATION_CHECK    ? operation->kind->check
                         : operation->record.is_undoing ? step->undo
                                                        : step->run;

    if (w->stage == OPERATION_STEP) {
        w->is_step_recorded = true;
        fail_at(cache, "before");
    }
    if (run == NULL)
        return STAGE_GOES_ON;
    w->code = NULL;
    clear_scratch(operation);
    routine_start(&operation->routine, cache->options->loop, run);
    return routine_wait(&w->routine, &operation->routine.op, E_OK);
}

/* ---- and what follows ---- */

static void go_to_step(struct cache_work *w, size_t at)
{
    w->step_at = at;
    w->stage = OPERATION_STEP;
    w->is_step_recorded = false;
    w->tries = w->interruptions = 0;
    w->step_due_ms = 0;
}

static void go_forth(struct cache *cache)
{
    struct cache_work *w = cache->work;
    const struct operation *operation = cache->operation;

    if (w->stage == OPERATION_CHECK)
        go_to_step(w, 0);
    else if (operation->record.is_undoing && w->step_at > 0)
        go_to_step(w, w->step_at - 1);
    else if (operation->record.is_undoing || w->step_at + 1 == operation->kind->step_count)
        w->stage = OPERATION_END;
    else
        go_to_step(w, w->step_at + 1);
}

static void turn_back(struct cache *cache, enum err err, const struct cause *why)
{
    struct cache_work *w = cache->work;
    struct operation *operation = cache->operation;

    operation_fail(operation, w->code != NULL ? w->code : operation_error_code(err), "%s",
                   cause_text(why, err));
    operation->is_failed = true;
    operation->record.is_undoing = true;
    if (operation->has_before) {
        struct cache_spec wanted = cache->spec;
        cache->spec = operation->before;
        operation->before = wanted;
        w->extra |= RECORD_RESTORE;
    }
    if (w->stage == OPERATION_CHECK)
        w->stage = OPERATION_END;
    else
        go_to_step(w, w->step_at);
}

static void try_later(struct cache *cache, enum err err, const struct cause *why)
{
    struct cache_work *w = cache->work;
    uint64_t wait_ms = RETRY_FIRST_MS;

    for (uint32_t i = 0; i < w->tries && wait_ms < RETRY_LAST_MS; i++)
        wait_ms *= 2;
    w->tries++;
    w->step_due_ms = loop_now_ms(cache->options->loop) + wait_ms;
    log_warn("CACHE-OPERATION", "%s: %s: %s: %s; trying again in %u ms", cache->name,
             cache->operation->kind->name, cache->operation->kind->steps[w->step_at].name,
             cause_text(why, err), (unsigned)wait_ms);
}

static bool has_way_back(const struct cache *cache)
{
    const struct operation *operation = cache->operation;

    return cache->work->stage == OPERATION_CHECK ||
           (!operation->record.is_undoing && cache->work->step_at < operation->kind->no_return);
}

static void judge(struct cache *cache, enum err err, const struct cause *why)
{
    struct cache_work *w = cache->work;
    bool is_again = err == E_CANCELED || err == E_CLOSED || (err != E_OK && w->is_interrupted);

    if (is_again && (++w->interruptions < INTERRUPTIONS_MAX || w->is_closing)) {
        /* of a death that showed in this step first we are told in a moment */
        w->step_due_ms = loop_now_ms(cache->options->loop) +
                         (err == E_CLOSED && !w->is_interrupted ? RETRY_FIRST_MS : 0);
        return;
    }
    if (err == E_OK)
        go_forth(cache);
    else if (has_way_back(cache))
        turn_back(cache, err, why);
    else
        try_later(cache, err, why);
}

static void finish(struct cache *cache)
{
    cache->work->is_removed = cache->operation->kind->is_removal && !cache->operation->is_failed;
    operation_free(cache->operation);
    cache->operation = NULL;
}

enum { RUN_RECORD, RUN_STEP, RUN_JUDGE };

enum stage cache_operation_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct cache *cache = cache_of(routine);
    struct cache_work *w = cache->work;

    if (stage != RUN_JUDGE && err != E_OK)
        return routine_end(routine, err);
    switch (stage) {
    case RUN_RECORD:
        return w->stage == OPERATION_END    ? record_end(cache)
               : w->stage == OPERATION_STEP ? record_step(cache)
                                            : STAGE_GOES_ON;
    case RUN_STEP:
        if (w->stage != OPERATION_END)
            return run_step(cache);
        finish(cache);
        return routine_end(routine, E_OK);
    default:
        if (err == E_OK && w->stage == OPERATION_STEP)
            fail_at(cache, "after");
        judge(cache, err, &routine->why);
        return routine_end(routine, E_OK);
    }
}

/* ---- exported ---- */

bool operation_is_due(const struct cache *cache, uint64_t *ret_ms)
{
    const struct cache_work *w = cache->work;

    if (cache->operation == NULL)
        return false;
    if (w->stage == OPERATION_STEP && w->step_due_ms > loop_now_ms(cache->options->loop)) {
        *ret_ms = w->step_due_ms;
        return false;
    }
    return true;
}

static size_t step_of(const struct operation_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->step_count && name != NULL; i++)
        if (slice_eq(slice_of(kind->steps[i].name), slice_of(name)))
            return i;
    return kind->step_count;
}

void operation_take_up(struct cache *cache, struct slice document)
{
    struct cache_work *w = cache->work;
    struct operation_record record = {0};
    struct cause why = {0};
    enum err err = operation_record_read(&record, document, &why);

    if (err == E_OK && record.status != OPERATION_IN_PROGRESS) {
        operation_record_done(&record);
        return;
    }
    if (err == E_OK)
        err = operation_new(cache, &record, &cache->operation, &why);
    operation_record_done(&record);
    if (err) {
        log_error("CACHE-OPERATION", "%s: an operation cannot be gone on with: %s", cache->name,
                  cause_text(&why, err));
        return;
    }
    size_t at = step_of(cache->operation->kind, cache->operation->record.step);
    go_to_step(w, at < cache->operation->kind->step_count ? at : 0);
    w->is_step_recorded = at < cache->operation->kind->step_count;
    if (!w->is_step_recorded && cache->operation->kind->check != NULL)
        w->stage = OPERATION_CHECK;
    cache_look(cache);
}
