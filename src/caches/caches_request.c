/* From what is asked for to one commit.
 *
 *   PROGRAM --> PREPARE --> CHECK --> COMMIT --> (end of the operation) --> ended
 *
 * PROGRAM: of a cache that is new, which server it will run. PREPARE: all that can be judged by
 * what stands in the documents. CHECK: what has to be measured, if its servers are here. COMMIT:
 * only if nobody has changed it meanwhile, and no operation runs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "caches/caches_internal.h"
#include "caches/change.h"
#include "caches/transfer_ways.h"
#include "loop/loop.h"
#include "store/server_find.h"
#include "json/member.h"

#define DOCUMENT_ID_MAX_BYTES (CACHE_ID_MAX_BYTES + 16)

struct caches_inquiry {
    struct routine routine;
    struct list_node node;
    struct caches *caches;
    struct caches_request *request;
    /* what is asked for */
    char *id, *location, *tags, *properties, *arguments;
    const char *kind_name; /* NULL = follows from the properties */
    bool is_patch, waits_for_end;
    /* what follows */
    const struct operation_kind *kind; /* NULL = there is nothing to do but to write it down */
    struct program program;
    struct cache_host host;
    struct cache_spec spec, old_spec;
    struct cache_state state;
    bool has_cache, is_creation, has_change;
    char *old_document;
    struct operation_record record;
    struct operation *check;
    struct buf asked, document, state_text, record_text, running, event;
    struct resource_write write;
    struct op op;
    char ids[4][DOCUMENT_ID_MAX_BYTES]; /* by their place in the commit */
};

/* ---- what is there ---- */

static bool was_created(const struct cache_state *state)
{
    for (size_t i = 0; i < state->shard_count; i++)
        if (state->shards[i].primary != NULL)
            return true;
    return false;
}

static enum err load(struct caches_inquiry *q, struct cause *why)
{
    const struct caches *caches = q->caches;
    struct slice document = caches_document(caches, slice_of(q->id), "");
    struct slice state = caches_document(caches, slice_of(q->id), STATE_SUFFIX);

    q->has_cache = document.data != NULL && state.data != NULL;
    cache_state_init(&q->state);
    if (!q->has_cache)
        return E_OK;
    q->old_document = slice_dup(document);
    struct slice shown = jx_scan_member(document, SLICE("id"));
    if (shown.len > 2) { /* its case stays as it was made */
        free(q->id);
        q->id = slice_dup((struct slice){shown.data + 1, shown.len - 2});
    }
    enum err err = cache_state_read(&q->state, state, why);
    if (err == E_OK)
        err = cache_spec_read_stored(&q->old_spec, jx_scan_member(document, SLICE("properties")),
                                     why);
    q->host.has_tls = q->state.tls_port != 0;
    return err;
}

static enum err check_free(const struct caches_inquiry *q, struct cause *why)
{
    struct slice running = caches_document(q->caches, slice_of(q->id), OPERATION_SUFFIX);
    struct slice kind = jx_scan_member(running, SLICE("kind"));

    if (running.data == NULL)
        return E_OK;
    return cause_set(why, E_EXISTS, "the operation %.*s is running on this cache; wait for its end",
                     SLICE_ARG(kind));
}

static enum err check_owner(const struct caches_inquiry *q, struct cause *why)
{
    const struct caches_options *o = &q->caches->options;
    struct slice owner = slice_of(q->state.owner);

    if (!q->has_cache || caches_find(q->caches, slice_of(q->id)) != NULL || o->is_gone == NULL ||
        !o->is_gone(o->ctx, owner))
        return E_OK;
    return cause_set(why, E_CLOSED,
                     "the node %.*s, where the servers of this cache are, is not running",
                     SLICE_ARG(owner));
}

static enum err check_name(const struct caches_inquiry *q, struct cause *why)
{
    struct slice name = caches_name_of(slice_of(q->id)), id;
    size_t at = 0;
    enum err err = cache_name_check(name, why);

    while (err == E_OK && caches_next(q->caches, &at, &id))
        if (slice_eq_nocase(caches_name_of(id), name) && !slice_eq_nocase(id, slice_of(q->id)))
            err = cause_set(why, E_EXISTS, "the name is taken by %.*s", SLICE_ARG(id));
    return err;
}

/* ---- what is wished ---- */

static const char *default_program(const struct caches_inquiry *q, const struct cache_spec *spec)
{
    const char *said = cache_config_said(&spec->config, "redgrid-server-path");
    return said != NULL ? said : q->caches->options.settings.program;
}

static enum err read_wish(struct caches_inquiry *q, struct cause *why)
{
    if (q->is_patch)
        cache_spec_copy(&q->spec, &q->old_spec);
    else
        cache_spec_init(&q->spec, &q->host);
    if (!q->is_patch && q->has_cache && !q->is_creation)
        cache_spec_keep(&q->spec, &q->old_spec);
    enum err err = cache_spec_read(&q->spec, &q->host, slice_of(q->properties), why);
    if (err == E_OK && !q->spec.has_sku)
        err = cause_set(why, E_BAD_INPUT,
                        "properties.sku: is missing; name, family and capacity are needed");
    return err;
}

static const char *const change_kinds[] = {[CHANGE_NONE] = NULL,
                                           [CHANGE_UPDATE] = "update",
                                           [CHANGE_SCALE] = "scale",
                                           [CHANGE_PATCH] = "patch",
                                           [CHANGE_CREATE] = "create"};

/* What a creation decides once and for all. */
static enum err plan(struct caches_inquiry *q, struct cause *why)
{
    const struct caches_options *o = &q->caches->options;
    struct cache_numbers numbers = cache_spec_numbers(&q->spec, &q->host);
    enum err err = caches_budget_check(q->caches, numbers.servers * numbers.maxmemory_bytes, why);

    cache_state_done(&q->state);
    cache_state_init(&q->state);
    if (err == E_OK)
        err = cache_place_ports(q->caches, &q->spec, &q->state.port, why);
    if (err)
        return err;
    q->state.tls_port = q->host.has_tls ? (uint16_t)(q->state.port + 1) : 0;
    q->state.owner = slice_dup(slice_of(o->node));
    q->state.host_name = slice_dup(slice_of(
        o->settings.host_name[0] != '\0' ? o->settings.host_name : o->settings.addresses[0]));
    cache_secrets_make(&q->state.secrets);
    return E_OK;
}

static enum err find_kind(struct caches_inquiry *q, const char *name, struct cause *why)
{
    q->kind = operation_kind_find(slice_of(name));
    return q->kind != NULL ? E_OK
                           : cause_set(why, E_UNSUPPORTED, "'%s' is not possible here", name);
}

static void write_changed(struct caches_inquiry *q)
{
    member_open(&q->asked, "changed");
    cache_spec_write_changed(&q->asked, &q->old_spec, &q->spec);
    buf_add_byte(&q->asked, '}');
}

static enum err prepare_put(struct caches_inquiry *q, struct cause *why)
{
    enum cache_change change;
    enum err err = check_name(q, why);

    if (err == E_OK && q->is_patch && !q->has_cache)
        return E_NOT_FOUND;
    q->is_creation = !q->has_cache || (!was_created(&q->state) && !q->is_patch);
    if (err == E_OK)
        err = read_wish(q, why);
    if (err == E_OK)
        err = cache_spec_change(q->is_creation ? NULL : &q->old_spec, &q->spec, &q->host, NULL,
                                &change, why);
    if (err)
        return err;
    q->has_change = !q->is_creation && change != CHANGE_NONE;
    if (change != CHANGE_NONE)
        err = find_kind(q, change_kinds[change], why);
    if (err == E_OK && q->is_creation)
        err = plan(q, why);
    if (err == E_OK && q->has_change)
        write_changed(q);
    return err;
}

static enum err prepare_act(struct caches_inquiry *q, struct cause *why)
{
    enum err err = q->has_cache ? find_kind(q, q->kind_name, why) : E_NOT_FOUND;

    if (err == E_OK && !q->kind->is_removal && !was_created(&q->state))
        err = cause_set(why, E_EXISTS, "its creation failed: put it again, or delete it");
    cache_spec_copy(&q->spec, &q->old_spec);
    return err;
}

static enum err accept(struct caches_inquiry *q, struct cause *why)
{
    const struct operation_wish wish = {.spec = &q->spec,
                                        .before = q->is_creation ? NULL : &q->old_spec,
                                        .state = q->is_creation ? NULL : &q->state,
                                        .host = &q->host,
                                        .arguments = slice_of(q->arguments)};
    struct slice said = q->arguments != NULL ? slice_of(q->arguments) : SLICE("{}");

    if (q->kind == NULL)
        return E_OK;
    if (q->arguments != NULL && !jx_scan_is_object(said))
        return cause_set(why, E_BAD_INPUT, "the body is no JSON object");
    if (q->kind->accept != NULL) {
        buf_clear(&q->asked);
        enum err err = q->kind->accept(&wish, &q->asked, why);
        if (err)
            return err;
        said = SLICE("{}");
    }
    if (q->asked.len == 0)
        buf_add(&q->asked, said);
    return buf_err(&q->asked);
}

/* ---- what is written ---- */

static void write_document(struct caches_inquiry *q)
{
    struct slice old = slice_of(q->old_document);
    struct slice location = jx_scan_member(old, SLICE("location"));
    struct slice tags = q->tags != NULL ? slice_of(q->tags)
                        : q->is_patch   ? jx_scan_member(old, SLICE("tags"))
                                        : SLICE_NONE;
    struct buf *out = &q->document;

    member_text(out, "name", caches_name_of(slice_of(q->id)));
    member_text(out, "id", slice_of(q->id));
    member_text(out, "kind", SLICE("cache"));
    if (location.data != NULL)
        member_json(out, "location", location);
    else
        member_text_if(out, "location", slice_of(q->location));
    member_json(out, "tags", tags.data != NULL ? tags : SLICE("{}"));
    member_open(out, "properties");
    cache_spec_write_stored(out, &q->spec);
    buf_add_byte(out, '}');
}

static void write_arguments(struct caches_inquiry *q)
{
    struct buf text;

    buf_init(&text, RESOURCE_MAX_BYTES);
    member_json(&text, "asked", buf_slice(&q->asked));
    if (q->has_change) {
        member_open(&text, "before");
        cache_spec_write_stored(&text, &q->old_spec);
    }
    buf_add_byte(&text, '}');
    q->record.arguments = buf_detach(&text);
}

static void write_started(struct caches_inquiry *q)
{
    struct id id = id_next();
    struct buf shown;
    struct lifecycle event = {.kind = LIFECYCLE_OPERATION_STARTED,
                              .resource = slice_of(q->id),
                              .id = id_slice(&id),
                              .unix_us = clock_unix_us(),
                              .operation_id = q->record.id,
                              .operation = q->kind->name,
                              .epoch = q->state.epoch};

    buf_init(&shown, RESOURCE_MAX_BYTES);
    transfer_write_shown(&shown, buf_slice(&q->asked));
    event.about.started.requested = buf_slice(&shown);
    lifecycle_write(&q->event, &event);
    buf_done(&shown);
}

static enum err prepare(struct caches_inquiry *q, struct cause *why)
{
    enum err err = load(q, why);

    if (err == E_OK)
        err = q->kind_name != NULL ? prepare_act(q, why) : prepare_put(q, why);
    if (err == E_OK)
        err = check_owner(q, why);
    if (err == E_OK)
        err = check_free(q, why);
    if (err == E_OK)
        err = accept(q, why);
    if (err || q->kind == NULL)
        return err;
    operation_record_init(&q->record, slice_of(q->id), q->kind->name);
    write_arguments(q);
    return E_OK;
}

/* ---- the check ---- */

static enum stage begin_check(struct caches_inquiry *q)
{
    struct cache *cache = caches_find(q->caches, slice_of(q->id));
    struct operation_record record = {0};
    struct buf text;

    if (cache == NULL || q->kind == NULL || q->kind->check == NULL || q->is_creation)
        return STAGE_GOES_ON;
    buf_init(&text, RESOURCE_MAX_BYTES);
    operation_record_write(&text, &q->record);
    enum err err = operation_record_read(&record, buf_slice(&text), &q->routine.why);
    buf_done(&text);
    if (err == E_OK)
        err = operation_new(cache, &record, &q->check, &q->routine.why);
    operation_record_done(&record);
    if (err)
        return routine_end(&q->routine, err);
    q->check->spec = &q->spec;
    routine_start(&q->check->routine, q->caches->options.loop, q->kind->check);
    return routine_wait(&q->routine, &q->check->routine.op, E_OK);
}

/* ---- the commit ---- */

static void add(struct caches_inquiry *q, struct resource_change *changes, size_t *count,
                const char *suffix, struct slice document)
{
    char *id = q->ids[*count];

    snprintf(id, sizeof q->ids[0], "%s%s", q->id, suffix);
    changes[(*count)++] = (struct resource_change){slice_of(id), document};
}

static enum stage commit(struct caches_inquiry *q)
{
    struct resource_change changes[COMMIT_CHANGES_MAX];
    struct resource_event event = {slice_of(q->id), SLICE_NONE};
    char operation[OPERATION_ID_MAX_BYTES], running[DOCUMENT_ID_MAX_BYTES];
    struct resource_commit commit = {.changes = changes, .events = &event};

    if (q->kind_name == NULL) {
        write_document(q);
        if (q->kind == NULL && slice_eq(buf_slice(&q->document), slice_of(q->old_document)))
            return routine_end(&q->routine, E_OK);
        add(q, changes, &commit.change_count, "", buf_slice(&q->document));
        commit.replaced = slice_of(q->old_document);
    }
    if (q->is_creation) {
        cache_state_write(&q->state_text, &q->state);
        add(q, changes, &commit.change_count, STATE_SUFFIX, buf_slice(&q->state_text));
    }
    if (q->kind != NULL) {
        operation_record_write(&q->record_text, &q->record);
        (void)operation_document_id(slice_of(q->record.id), operation);
        changes[commit.change_count++] =
            (struct resource_change){slice_of(operation), buf_slice(&q->record_text)};
        member_text(&q->running, "id", slice_of(q->record.id));
        member_text(&q->running, "kind", slice_of(q->kind->name));
        buf_add_byte(&q->running, '}');
        add(q, changes, &commit.change_count, OPERATION_SUFFIX, buf_slice(&q->running));
    }
    if (q->kind != NULL && !q->kind->is_quiet) {
        write_started(q);
        event.event = buf_slice(&q->event);
        commit.event_count = 1;
    }
    snprintf(running, sizeof running, "%s%s", q->id, q->has_cache ? OPERATION_SUFFIX : "");
    commit.absent = slice_of(running);
    return routine_wait(&q->routine, &q->write.op,
                        resources_commit(q->caches->options.resources, &commit, &q->write));
}

/* ---- the end ---- */

static void look_at_end(struct caches_inquiry *q)
{
    struct operation_record record = {0};
    char id[OPERATION_ID_MAX_BYTES];

    if (!q->waits_for_end || !q->op.is_busy || !operation_document_id(slice_of(q->record.id), id))
        return;
    struct slice document = resources_get(q->caches->options.resources, slice_of(id));
    if (document.data == NULL || operation_record_read(&record, document, NULL) != E_OK ||
        record.status == OPERATION_IN_PROGRESS) {
        operation_record_done(&record);
        return;
    }
    enum err err = E_OK;
    if (record.status == OPERATION_FAILED)
        err = cause_set(&q->op.why, E_FAILED, "%s", record.error_text);
    operation_record_done(&record);
    op_end(&q->op, err);
}

void caches_review_inquiries(struct caches *caches)
{
    struct caches_inquiry *q;

    list_each (&caches->inquiries, struct caches_inquiry, node, q)
        look_at_end(q);
}

static void on_wait_aborted(struct op *op)
{
    struct caches_inquiry *q = op->runner;

    /* the operation goes on; only nobody waits for it here any more */
    op->is_busy = false;
    loop_later(q->caches->options.loop, op, E_CANCELED);
}

static enum stage wait_for_end(struct caches_inquiry *q)
{
    if (!q->waits_for_end)
        return STAGE_GOES_ON;
    q->op = (struct op){0};
    op_begin(&q->op, on_wait_aborted, q);
    loop_at_turn_end(q->caches->options.loop, &q->caches->turn);
    return routine_wait(&q->routine, &q->op, E_OK);
}

/* ---- the routine ---- */

/* Which program a creation would run; nobody else needs to know here. */
static enum stage ask_program(struct caches_inquiry *q)
{
    struct cache_spec spec = {0};

    if (q->kind_name != NULL || q->is_patch ||
        caches_document(q->caches, slice_of(q->id), "").data != NULL)
        return STAGE_GOES_ON;
    if (q->properties != NULL) /* its mistakes are told later */
        (void)!cache_spec_read_stored(&spec, slice_of(q->properties), NULL);
    char *program = server_find(default_program(q, &spec));
    enum err err = E_OK;
    if (program == NULL)
        err = cause_set(&q->routine.why, E_BAD_INPUT,
                        "there is no server program '%s' to run; install redis-server or "
                        "valkey-server, or set caches.server",
                        default_program(q, &spec));
    else
        program_check(q->caches->options.loop, program, &q->program, &q->op);
    free(program);
    cache_spec_done(&spec);
    return err ? routine_end(&q->routine, err) : routine_wait(&q->routine, &q->op, E_OK);
}

enum { ASK_PROGRAM, ASK_PREPARE, ASK_COMMIT, ASK_WAIT, ASK_END };

static enum stage run(struct routine *routine, uint32_t stage, enum err err)
{
    struct caches_inquiry *q = container_of(routine, struct caches_inquiry, routine);

    if (stage == ASK_PREPARE && (err == E_NOT_FOUND || err == E_UNSUPPORTED || err == E_DENIED))
        err = E_BAD_INPUT; /* the program, named */
    if (stage == ASK_WAIT && err == E_EXISTS)
        err = cause_set(&routine->why, E_EXISTS,
                        "another operation has begun on this cache at the same moment, or it was "
                        "changed; try again");
    if (err)
        return routine_end(routine, err);
    switch (stage) {
    case ASK_PROGRAM:
        return ask_program(q);
    case ASK_PREPARE:
        q->host.has_tls = q->host.has_tls && q->program.has_tls;
        err = prepare(q, &routine->why);
        return err ? routine_end(routine, err) : begin_check(q);
    case ASK_COMMIT:
        return commit(q);
    case ASK_WAIT:
        return wait_for_end(q);
    default:
        return routine_end(routine, E_OK);
    }
}

static void inquiry_free(struct caches_inquiry *q)
{
    struct buf *texts[] = {&q->asked,       &q->document, &q->state_text,
                           &q->record_text, &q->running,  &q->event};

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buf_done(texts[i]);
    operation_free(q->check);
    operation_record_done(&q->record);
    cache_spec_done(&q->spec);
    cache_spec_done(&q->old_spec);
    cache_state_done(&q->state);
    free(q->id);
    free(q->location);
    free(q->tags);
    free(q->properties);
    free(q->arguments);
    free(q->old_document);
    free(q);
}

static void on_end(struct op *op, enum err err)
{
    struct caches_inquiry *q = container_of(op, struct caches_inquiry, routine.op);
    struct caches_request *request = q->request;
    struct caches *caches = q->caches;

    request->is_new = q->is_creation && !q->has_cache;
    request->op.why = op->why;
    request->inquiry = NULL;
    if (err == E_OK && q->kind != NULL && !q->waits_for_end)
        snprintf(request->operation, sizeof request->operation, "%s", q->record.id);
    list_remove(&q->node);
    inquiry_free(q);
    op_end(&request->op, err);
    caches_inquiry_ended(caches);
}

static void on_abort(struct op *op)
{
    struct caches_inquiry *q = op->runner;
    op_abort(&q->routine.op);
}

static char *copy(struct slice text)
{
    return text.data != NULL ? slice_dup(text) : NULL;
}

static struct caches_inquiry *inquiry_new(struct caches *caches, struct slice id,
                                          struct caches_request *request)
{
    struct caches_inquiry *q = mem_new(struct caches_inquiry);
    struct buf *texts[] = {&q->asked,       &q->document, &q->state_text,
                           &q->record_text, &q->running,  &q->event};

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buf_init(texts[i], RESOURCE_MAX_BYTES);
    q->caches = caches;
    q->request = request;
    q->host = caches->host;
    q->id = slice_dup(id);
    q->routine.op.done = on_end;
    request->operation[0] = '\0';
    request->is_new = false;
    request->inquiry = q;
    list_push(&caches->inquiries, &q->node);
    return q;
}

static enum err begin(struct caches_inquiry *q)
{
    op_begin(&q->request->op, on_abort, q);
    routine_start(&q->routine, q->caches->options.loop, run);
    return E_OK;
}

static enum err check_id(struct caches *caches, struct slice id, struct caches_request *request)
{
    if (caches->is_stopping)
        return cause_set(&request->op.why, E_CLOSED, "the server stops");
    return id.len < CACHE_ID_MAX_BYTES && caches_is_cache(id)
               ? E_OK
               : cause_set(&request->op.why, E_BAD_INPUT, "%.*s is no id of a cache",
                           SLICE_ARG(id));
}

/* ---- exported ---- */

enum err caches_put(struct caches *caches, const struct cache_wish *wish,
                    struct caches_request *request)
{
    enum err err = check_id(caches, wish->id, request);

    if (err)
        return err;
    struct caches_inquiry *q = inquiry_new(caches, wish->id, request);
    q->location = copy(wish->location);
    q->tags = copy(wish->tags);
    q->properties = copy(wish->properties);
    q->is_patch = wish->is_patch;
    return begin(q);
}

enum err caches_act(struct caches *caches, struct slice id, const char *kind,
                    struct slice arguments, struct caches_request *request)
{
    enum err err = check_id(caches, id, request);

    if (err)
        return err;
    struct caches_inquiry *q = inquiry_new(caches, id, request);
    q->kind_name = kind;
    q->arguments = copy(arguments);
    return begin(q);
}

enum err caches_delete(struct caches *caches, struct slice id, struct caches_request *request)
{
    return caches_act(caches, id, "delete", SLICE_NONE, request);
}

enum err caches_regenerate(struct caches *caches, struct slice id, size_t key, bool disconnects,
                           struct caches_request *request)
{
    char arguments[64];
    int len = snprintf(arguments, sizeof arguments, "{\"key\":%zu,\"disconnect\":%s}", key,
                       disconnects ? "true" : "false");
    enum err err =
        caches_act(caches, id, "regenerateKey", (struct slice){arguments, (size_t)len}, request);

    if (err == E_OK)
        request->inquiry->waits_for_end = true;
    return err;
}

void caches_cancel_inquiries(struct caches *caches)
{
    struct caches_inquiry *q;

    list_each (&caches->inquiries, struct caches_inquiry, node, q)
        op_abort(&q->routine.op);
}

uint64_t caches_files_max(void)
{
    struct rlimit files;
    return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0;
}
