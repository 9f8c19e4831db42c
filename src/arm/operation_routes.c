#include "arm/operation_routes.h"

#include <string.h>

#include "arm/accepted.h"
#include "arm/call.h"
#include "arm/group_removal.h"
#include "store/operations.h"

/* Its record, for operation_record_done(); false, and answered. */
static bool read_operation(const struct arm_call *call, struct operation_record *ret)
{
    struct slice id = arm_name(call, "operation");
    char document_id[OPERATION_ID_MAX_BYTES];
    struct slice document = SLICE_NONE;
    struct cause why;

    *ret = (struct operation_record){0};
    if (operation_document_id(id, document_id))
        document = arm_document(call->router, slice_of(document_id));
    if (document.data != NULL && operation_record_read(ret, document, &why) == E_OK)
        return true;
    operation_record_done(ret);
    answer_error(call->request, 404, "OperationNotFound",
                 "there is no operation '%.*s', or it ended more than an hour ago", SLICE_ARG(id));
    return false;
}

static void write_error(struct buf *out, const struct operation_record *record)
{
    if (record->status != OPERATION_FAILED) {
        member_json(out, "error", SLICE_NONE);
        return;
    }
    member_open(out, "error");
    member_text(out, "code", slice_of(record->error_code));
    member_text(out, "message", slice_of(record->error_text));
    buf_add_byte(out, '}');
}

static void write_time(struct buf *out, const char *name, uint64_t unix_ms)
{
    if (unix_ms != 0)
        member_time(out, name, unix_ms * 1000, 7);
    else
        member_json(out, name, SLICE_NONE);
}

static void write_status(struct buf *out, struct slice id, const struct operation_record *record)
{
    member_text(out, "id", id);
    member_text(out, "name", slice_of(record->id));
    member_text(out, "status", slice_of(operation_status_name(record->status)));
    write_time(out, "startTime", record->started_unix_ms);
    write_time(out, "endTime", record->ended_unix_ms);
    member_json(out, "percentComplete", SLICE_NONE);
    member_json(out, "properties", SLICE_NONE);
    write_error(out, record);
    buf_add(out, SLICE("}\n"));
}

static void answer(const struct arm_call *call, bool is_result)
{
    struct operation_record record;
    struct buf body;

    if (!read_operation(call, &record))
        return;
    bool goes_on = record.status == OPERATION_IN_PROGRESS;
    if (goes_on)
        accepted_retry_after(call->request);
    if (is_result && record.status == OPERATION_FAILED &&
        strcmp(record.kind, group_errand.name) == 0) {
        /* Who removes a group looks at nothing else. */
        answer_error(call->request, 409, record.error_code, "%s", record.error_text);
    } else {
        buf_init(&body, ANSWER_MAX_BYTES);
        write_status(&body, arm_id(call), &record);
        answer_json(call->request, is_result && goes_on ? 202 : 200, &body);
    }
    operation_record_done(&record);
}

void arm_operation_status(const struct arm_call *call)
{
    answer(call, false);
}

void arm_operation_result(const struct arm_call *call)
{
    answer(call, true);
}
