/* store/operations.h - what is asked for now and done later, as everybody may ask about it: a
 * document `/operations/GUID` (store/resources.h) for each, answered by any node.
 *
 *   {"id","resource","kind","arguments","step","isUndoing","work","status","error":{"code",
 *    "message"},"startTime","endTime"}
 *
 * Rules: written before the first thing is done, and once more when it has ended, in the same step
 * as what it changed. Who works on it alone knows what `arguments` and `work` mean. Kept for
 * OPERATION_KEPT_MS after its end. The reader and the writer are pure. */
#ifndef STORE_OPERATIONS_H
#define STORE_OPERATIONS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

struct loop;
struct resources;

#define OPERATION_KEPT_MS 3600000
#define OPERATION_ID_MAX_BYTES 64 /* of the document, its NUL included */

#define OPERATION_STATUSES(X)                                                                      \
    X(OPERATION_IN_PROGRESS, "InProgress")                                                         \
    X(OPERATION_SUCCEEDED, "Succeeded")                                                            \
    X(OPERATION_FAILED, "Failed")
#define OPERATION_ENUM(name, text) name,
enum operation_status { OPERATION_STATUSES(OPERATION_ENUM) };
#undef OPERATION_ENUM
const char *operation_status_name(enum operation_status status); /* as polls are answered */

struct operation_record {
    char id[ID_LEN + 1];
    char *resource;         /* id of what it is about, as it is shown */
    char *kind;             /* "scale" */
    char *arguments, *work; /* JSON objects; NULL = none */
    char *step;             /* that has begun; NULL = none */
    bool is_undoing;
    enum operation_status status;
    char *error_code, *error_text;           /* of a failed one; NULL else */
    uint64_t started_unix_ms, ended_unix_ms; /* 0 = not yet */
};
/* operation_record_init: a fresh one, with an id of its own, that starts now. */
void operation_record_init(struct operation_record *record, struct slice resource,
                           const char *kind);
void operation_record_done(struct operation_record *record); /* leaves zeroes */
/* operation_record_error notes what it will end with, NULL = well; its own texts may be given. */
void operation_record_error(struct operation_record *record, const char *code, const char *text);
/* operation_record_end: it has ended now, well or (with a code) badly; what only its work needed is
 * forgotten. */
void operation_record_end(struct operation_record *record, const char *error_code,
                          const char *error_text);

/* operation_record_read reads a document onto a zeroed record. E_OK; or E_BAD_INPUT, E_LIMIT with
 * the member in `why`: then throw the record away. */
enum err operation_record_read(struct operation_record *record, struct slice document,
                               struct cause *why);
void operation_record_write(struct buf *out, const struct operation_record *record);

/* operation_document_id writes the id of the document of operation `id` (a GUID, in any case);
 * false if it is not one. */
bool operation_document_id(struct slice id, char ret[OPERATION_ID_MAX_BYTES]);

/* The sweeper deletes documents whose time is over, whoever wrote them. Every node has one. */
struct operations_sweeper;
struct operations_sweeper *operations_sweeper_new(struct loop *loop, struct resources *resources);
/* operations_sweeper_stop: before resources_stop(); nothing begins any more. */
void operations_sweeper_stop(struct operations_sweeper *sweeper);
void operations_sweeper_free(struct operations_sweeper *sweeper); /* after it; NULL is fine */

#endif
