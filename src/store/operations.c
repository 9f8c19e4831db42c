#include "store/operations.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/date.h"
#include "loop/timer.h"
#include "store/resources.h"
#include "json/json.h"
#include "json/member.h"

#define PREFIX "/operations/"
#define SWEEP_MS 60000
#define TIME_DIGITS 3

static const char *const statuses[] = {
#define STATUS_WORD(name, text) [name] = (text),
    OPERATION_STATUSES(STATUS_WORD) NULL
#undef STATUS_WORD
};

const char *operation_status_name(enum operation_status status)
{
    return statuses[status];
}

/* ---- the record ---- */

void operation_record_init(struct operation_record *record, struct slice resource, const char *kind)
{
    struct id id = id_next();

    *record = (struct operation_record){.started_unix_ms = clock_unix_ms()};
    memcpy(record->id, id.text, sizeof record->id);
    record->resource = slice_dup(resource);
    record->kind = slice_dup(slice_of(kind));
}

void operation_record_done(struct operation_record *record)
{
    free(record->resource);
    free(record->kind);
    free(record->arguments);
    free(record->work);
    free(record->step);
    free(record->error_code);
    free(record->error_text);
    *record = (struct operation_record){0};
}

void operation_record_error(struct operation_record *record, const char *code, const char *text)
{
    char *new_code = code != NULL ? slice_dup(slice_of(code)) : NULL;
    char *new_text = code != NULL ? slice_dup(slice_of(text != NULL ? text : "")) : NULL;

    free(record->error_code);
    free(record->error_text);
    record->error_code = new_code;
    record->error_text = new_text;
}

void operation_record_end(struct operation_record *record, const char *error_code,
                          const char *error_text)
{
    free(record->arguments);
    free(record->work);
    record->arguments = record->work = NULL;
    record->status = error_code != NULL ? OPERATION_FAILED : OPERATION_SUCCEEDED;
    record->ended_unix_ms = clock_unix_ms();
    operation_record_error(record, error_code, error_text);
}

static void read_time(struct jx_view *view, const char *field, uint64_t *ret)
{
    const char *text;
    bool has_zone;

    if (jx_text(view, field, &text) && !date_parse_iso(slice_of(text), ret, &has_zone))
        jx_view_error(view, field, "is no time");
}

static void read_object(struct jx_view *view, const char *field, char **ret)
{
    const json_t *object = jx_view_member(view, field);
    struct buf text;

    if (!json_is_object(object))
        return;
    buf_init(&text, RESOURCE_MAX_BYTES);
    jx_dump(&text, object);
    *ret = buf_detach(&text);
}

static void read_record(struct jx_view *view, struct operation_record *record)
{
    struct jx_view error;
    size_t status = OPERATION_IN_PROGRESS;

    jx_text_copy(view, "id", record->id, sizeof record->id);
    jx_text_dup(view, "resource", &record->resource);
    jx_text_dup(view, "kind", &record->kind);
    if (record->id[0] == '\0' || record->resource == NULL || record->kind == NULL)
        jx_view_error(view, "id", "it has no id, resource or kind");
    read_object(view, "arguments", &record->arguments);
    read_object(view, "work", &record->work);
    jx_text_dup(view, "step", &record->step);
    (void)jx_bool(view, "isUndoing", &record->is_undoing);
    (void)jx_word(view, "status", statuses, &status);
    record->status = (enum operation_status)status;
    jx_view_down(view, "error", &error);
    jx_text_dup(&error, "code", &record->error_code);
    jx_text_dup(&error, "message", &record->error_text);
    jx_view_join(view, &error);
    read_time(view, "startTime", &record->started_unix_ms);
    read_time(view, "endTime", &record->ended_unix_ms);
}

enum err operation_record_read(struct operation_record *record, struct slice document,
                               struct cause *why)
{
    struct jx_view view;
    json_t *json;
    enum err err = jx_parse(document, "operation", NULL, &json, why);

    if (err)
        return err;
    jx_view_init(&view, json, "operation");
    read_record(&view, record);
    json_decref(json);
    if (view.err && why != NULL)
        *why = view.why;
    return view.err;
}

void operation_record_write(struct buf *out, const struct operation_record *record)
{
    member_text(out, "id", slice_of(record->id));
    member_text(out, "resource", slice_of(record->resource));
    member_text(out, "kind", slice_of(record->kind));
    member_json_if(out, "arguments", slice_of(record->arguments));
    member_text_if(out, "step", slice_of(record->step));
    if (record->is_undoing)
        member_bool(out, "isUndoing", true);
    member_json_if(out, "work", slice_of(record->work));
    member_text(out, "status", slice_of(statuses[record->status]));
    if (record->error_code != NULL) {
        member_open(out, "error");
        member_text(out, "code", slice_of(record->error_code));
        member_text(out, "message", slice_of(record->error_text));
        buf_add_byte(out, '}');
    }
    member_time(out, "startTime", record->started_unix_ms * 1000, TIME_DIGITS);
    if (record->ended_unix_ms != 0)
        member_time(out, "endTime", record->ended_unix_ms * 1000, TIME_DIGITS);
    buf_add_byte(out, '}');
}

bool operation_document_id(struct slice id, char ret[OPERATION_ID_MAX_BYTES])
{
    for (size_t i = 0; i < id.len; i++) {
        char c = lower_of(id.data[i]);
        if (c != '-' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
    }
    if (id.len != ID_LEN)
        return false;
    memcpy(ret, PREFIX, sizeof PREFIX);
    slice_lower(id, ret + sizeof PREFIX - 1);
    ret[sizeof PREFIX - 1 + ID_LEN] = '\0';
    return true;
}

/* ---- the sweeper ---- */

struct operations_sweeper {
    struct resources *resources;
    struct timer *timer;
    struct resource_write write;
};

static bool is_over(struct slice id, struct slice document)
{
    struct operation_record record = {0};

    if (!slice_has_prefix(id, SLICE(PREFIX)))
        return false;
    bool is_old = operation_record_read(&record, document, NULL) == E_OK &&
                  record.ended_unix_ms != 0 &&
                  clock_unix_ms() > record.ended_unix_ms + OPERATION_KEPT_MS;
    operation_record_done(&record);
    return is_old;
}

/* One after the other: there are few, and there is time. */
static void sweep(void *ctx)
{
    struct operations_sweeper *sweeper = ctx;
    struct slice id, document;
    size_t at = 0;

    timer_set(sweeper->timer, SWEEP_MS);
    if (sweeper->write.op.is_busy)
        return;
    while (resources_next(sweeper->resources, &at, &id, &document))
        if (is_over(id, document)) {
            (void)!resource_delete(sweeper->resources, id, &sweeper->write);
            return;
        }
}

static void on_swept(struct op *op, enum err err)
{
    struct operations_sweeper *sweeper = container_of(op, struct operations_sweeper, write.op);

    if (err == E_OK && timer_is_set(sweeper->timer))
        timer_set(sweeper->timer, 0); /* perhaps there are more */
}

struct operations_sweeper *operations_sweeper_new(struct loop *loop, struct resources *resources)
{
    struct operations_sweeper *sweeper = mem_new(struct operations_sweeper);

    sweeper->resources = resources;
    sweeper->write.op.done = on_swept;
    sweeper->timer = timer_new(loop, sweep, sweeper);
    timer_set(sweeper->timer, SWEEP_MS);
    return sweeper;
}

void operations_sweeper_stop(struct operations_sweeper *sweeper)
{
    if (sweeper != NULL)
        timer_clear(sweeper->timer);
}

void operations_sweeper_free(struct operations_sweeper *sweeper)
{
    if (sweeper == NULL)
        return;
    timer_free(sweeper->timer);
    free(sweeper);
}
