#include "arm/errand.h"

#include <stdlib.h>
#include <string.h>

#include "api/changing.h"
#include "arm/arm_internal.h"
#include "arm/group_removal.h"
#include "arm/removal.h"
#include "arm/subscription_errand.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "router/document.h"
#include "json/member.h"

#define OPERATIONS "/operations/" /* how the ids of their documents begin */
#define WORK_MAX_BYTES 1024
#define AGAIN_MS 1000

/* Those that outlive their node. */
static const struct errand_kind *const kinds[] = {&group_errand, &removal_errand,
                                                  &subscription_errand};

static void store(struct errand *errand);

static void drop(struct errand *errand)
{
    list_remove(&errand->node);
    timer_free(errand->timer);
    operation_record_done(&errand->record);
    buf_done(&errand->body);
    buf_done(&errand->document);
    for (size_t i = 0; i < COUNT_OF(errand->beside); i++)
        buf_done(&errand->beside[i]);
    free(errand->replaced);
    free(errand);
}

static void turn_down(struct errand *errand, enum err err, const struct cause *why)
{
    if (errand->request != NULL)
        changing_failed(errand->request, err, why);
    errand->request = NULL;
}

static void answer(struct errand *errand)
{
    if (errand->request != NULL)
        errand->answer(errand);
    errand->request = NULL;
}

static void run(struct errand *errand)
{
    errand->is_running = true;
    errand->kind->run(errand);
}

/* ---- storing ---- */

static void on_begun(struct errand *errand)
{
    errand->is_recorded = true;
    free(errand->replaced);
    errand->replaced = NULL;
    answer(errand);
    if (errand->is_ended && errand->is_gone)
        drop(errand); /* the next start goes on with it */
    else if (errand->is_ended)
        store(errand);
    else if (!errand->is_running)
        run(errand);
}

static void on_not_begun(struct errand *errand, enum err err, const struct cause *why)
{
    turn_down(errand, err, why);
    if (errand->is_running && !errand->is_ended)
        errand->is_gone = true; /* its end has nobody to tell */
    else
        drop(errand);
}

/* As long as the end is not stored, the operation goes on for all who ask. */
static void on_not_ended(struct errand *errand, enum err err, const struct cause *why)
{
    turn_down(errand, err, why);
    if (errand->is_recorded && !errand->arm->is_stopping)
        timer_set(errand->timer, AGAIN_MS);
    else
        drop(errand);
}

static void on_written(struct op *op, enum err err)
{
    struct errand *errand = container_of(op, struct errand, write.op);

    if (errand->is_storing_end && err != E_OK) {
        on_not_ended(errand, err, &op->why);
    } else if (errand->is_storing_end) {
        answer(errand);
        drop(errand);
    } else if (err != E_OK) {
        on_not_begun(errand, err, &op->why);
    } else {
        on_begun(errand);
    }
}

/* Who works on it. */
static void note_node(struct errand *errand)
{
    struct buf work;

    buf_init(&work, WORK_MAX_BYTES);
    member_text(&work, "node", slice_of(errand->arm->options.node));
    buf_add_byte(&work, '}');
    free(errand->record.work);
    errand->record.work = buf_detach(&work);
}

static enum err commit(struct errand *errand)
{
    bool is_new = !errand->is_storing_end && errand->replaced == NULL;
    struct resource_change changes[1 + ERRAND_CHANGES_MAX];
    char id[OPERATION_ID_MAX_BYTES];
    size_t count = 1;

    if (errand->arm->router == NULL)
        return E_CANCELED;
    if (buf_err(&errand->document) != E_OK)
        return buf_err(&errand->document);
    (void)operation_document_id(slice_of(errand->record.id), id);
    changes[0] = (struct resource_change){slice_of(id), buf_slice(&errand->document)};
    if (errand->kind->beside != NULL && (is_new || errand->is_storing_end))
        count += errand->kind->beside(errand, changes + 1);
    return resources_commit(
        router_resources(errand->arm->router),
        &(struct resource_commit){.changes = changes,
                                  .change_count = count,
                                  .replaced = slice_of(errand->replaced),
                                  .absent = is_new && count > 1 ? changes[1].id : SLICE_NONE},
        &errand->write);
}

static void store(struct errand *errand)
{
    errand->is_storing_end = errand->is_ended;
    if (!errand->is_ended)
        note_node(errand);
    buf_clear(&errand->document);
    operation_record_write(&errand->document, &errand->record);
    errand->write = (struct resource_write){.op.done = on_written};
    enum err err = commit(errand);
    if (err != E_OK)
        loop_later(errand->arm->options.loop, &errand->write.op, err);
}

/* ---- those of nodes that are gone ---- */

static const struct errand_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

static bool is_abandoned(const struct arm *arm, const struct operation_record *record)
{
    const struct errand *errand;

    if (record->status != OPERATION_IN_PROGRESS)
        return false;
    list_each (&arm->errands, struct errand, node, errand)
        if (strcmp(errand->record.id, record->id) == 0)
            return false;
    char *node = document_text(slice_of(record->work), "node");
    bool is_gone = node == NULL || arm->options.is_gone(arm->options.ctx, slice_of(node));
    free(node);
    return is_gone;
}

static void claim(struct arm *arm, struct slice document)
{
    struct operation_record record = {0};
    const struct errand_kind *kind = NULL;
    struct cause why;

    if (operation_record_read(&record, document, &why) == E_OK)
        kind = find_kind(record.kind);
    if (kind == NULL || !is_abandoned(arm, &record)) {
        operation_record_done(&record);
        return;
    }
    struct errand *errand = errand_new(arm, kind, NULL, slice_of(record.resource));
    operation_record_done(&errand->record);
    errand->record = record;
    errand->replaced = slice_dup(document);
    log_info("OPERATION-RESUMED", "%s: %s of %s goes on", record.id, record.kind, record.resource);
    store(errand);
}

void errands_resume(struct arm *arm)
{
    struct slice id, document;

    if (arm->router == NULL || arm->is_stopping)
        return;
    for (size_t at = 0; resources_next(router_resources(arm->router), &at, &id, &document);)
        if (slice_has_prefix(id, SLICE(OPERATIONS)))
            claim(arm, document);
}

/* ---- life ---- */

static void on_timer(void *ctx)
{
    struct errand *errand = ctx;

    if (errand->is_ended)
        store(errand);
    else
        run(errand);
}

struct errand *errand_new(struct arm *arm, const struct errand_kind *kind,
                          struct http_request *request, struct slice resource)
{
    struct errand *errand = mem_new(struct errand);

    errand->arm = arm;
    errand->kind = kind;
    errand->request = request;
    operation_record_init(&errand->record, resource, kind->name);
    buf_init(&errand->body, ANSWER_MAX_BYTES);
    buf_init(&errand->document, RESOURCE_MAX_BYTES);
    for (size_t i = 0; i < COUNT_OF(errand->beside); i++)
        buf_init(&errand->beside[i], RESOURCE_MAX_BYTES);
    errand->timer = timer_new(arm->options.loop, on_timer, errand);
    list_push(&arm->errands, &errand->node);
    return errand;
}

void errand_start(struct errand *errand)
{
    run(errand);
}

void errand_record(struct errand *errand)
{
    if (!errand->is_recorded && !errand->is_gone && !errand->write.op.is_busy)
        store(errand);
}

void errand_end(struct errand *errand, enum err err, const struct cause *why)
{
    if (err == E_TIMEOUT)
        err = E_IO; /* the store's; a webhook that is late is refused */
    bool is_cut = err == E_CANCELED && errand->arm->is_stopping;
    bool is_writing = errand->write.op.is_busy; /* on_written() then goes on */

    errand->is_ended = true;
    errand->is_gone = errand->is_gone || is_cut;
    if (!is_cut)
        operation_record_end(&errand->record, err != E_OK ? changing_code(err) : NULL,
                             cause_text(why, err));
    if (is_writing)
        return;
    if (errand->is_gone || (err != E_OK && !errand->is_recorded)) {
        turn_down(errand, err, why);
        drop(errand);
    } else if (errand->kind->is_silent) {
        answer(errand);
        drop(errand);
    } else {
        store(errand);
    }
}

void errand_again(struct errand *errand)
{
    if (errand->arm->is_stopping)
        errand_end(errand, E_CANCELED, NULL);
    else
        timer_set(errand->timer, AGAIN_MS);
}

void errands_stop(struct arm *arm)
{
    struct errand *errand;

    list_each (&arm->errands, struct errand, node, errand) {
        if (!timer_is_set(errand->timer))
            continue; /* what it waits for ends soon */
        timer_clear(errand->timer);
        if (errand->is_ended)
            drop(errand);
        else
            errand_end(errand, E_CANCELED, NULL);
    }
}

const struct errand *errands_find(const struct arm *arm, struct slice resource)
{
    const struct errand *errand;

    list_each (&arm->errands, struct errand, node, errand)
        if (!errand->is_ended && slice_eq_nocase(slice_of(errand->record.resource), resource))
            return errand;
    return NULL;
}
