/* caches/lifecycle.h - the events that tell of a cache (caches.md 9), in the Event Grid schema, as
 * the outbox takes them. Four are Azure's and have exactly three members in `data`; the others are
 * ours and have more. Which there are, and what each means, is in event/source.c.
 * To add one: a row in LIFECYCLES, and what it says in writers[]; a row in event/source.c. Pure. */
#ifndef CACHES_LIFECYCLE_H
#define CACHES_LIFECYCLE_H

#include "base/buf.h"

#define LIFECYCLE_MAX_BYTES 65536

#define LIFECYCLES(X)                                                                              \
    X(LIFECYCLE_SCALING_COMPLETED, "Microsoft.Cache.", "ScalingCompleted")                         \
    X(LIFECYCLE_PATCHING_COMPLETED, "Microsoft.Cache.", "PatchingCompleted")                       \
    X(LIFECYCLE_IMPORT_COMPLETED, "Microsoft.Cache.", "ImportRDBCompleted")                        \
    X(LIFECYCLE_EXPORT_COMPLETED, "Microsoft.Cache.", "ExportRDBCompleted")                        \
    X(LIFECYCLE_OPERATION_STARTED, "Redgrid.Cache.", "OperationStarted")                           \
    X(LIFECYCLE_OPERATION_FAILED, "Redgrid.Cache.", "OperationFailed")                             \
    X(LIFECYCLE_CREATED, "Redgrid.Cache.", "Created")                                              \
    X(LIFECYCLE_UPDATED, "Redgrid.Cache.", "Updated")                                              \
    X(LIFECYCLE_FAILOVER_COMPLETED, "Redgrid.Cache.", "FailoverCompleted")                         \
    X(LIFECYCLE_FLUSH_COMPLETED, "Redgrid.Cache.", "FlushCompleted")                               \
    X(LIFECYCLE_REBOOT_COMPLETED, "Redgrid.Cache.", "RebootCompleted")                             \
    X(LIFECYCLE_KEYS_REGENERATED, "Redgrid.Cache.", "KeysRegenerated")                             \
    X(LIFECYCLE_NODE_DOWN, "Redgrid.Cache.", "NodeDown")                                           \
    X(LIFECYCLE_NODE_UP, "Redgrid.Cache.", "NodeUp")                                               \
    X(LIFECYCLE_DATA_LOST, "Redgrid.Cache.", "DataLost")                                           \
    X(LIFECYCLE_MEMORY_PRESSURE, "Redgrid.Cache.", "MemoryPressure")
#define LIFECYCLE_ENUM(kind, prefix, name) kind,
enum lifecycle_kind { LIFECYCLES(LIFECYCLE_ENUM) LIFECYCLE_KINDS };
#undef LIFECYCLE_ENUM

/* Texts that are NULL, and JSON that is SLICE_NONE, are written as null. All is borrowed. */
struct lifecycle {
    enum lifecycle_kind kind;
    struct slice resource; /* id of the cache, as it is shown */
    struct slice id;       /* of the event: the same whenever it is told */
    uint64_t unix_us;

    bool is_failed; /* Azure's four: status Failed, else Succeeded */

    const char *operation_id, *operation; /* ours: NULL = outside of operations */
    uint64_t epoch;
    union { /* ours, by kind */
        struct {
            struct slice requested; /* JSON */
        } started;
        struct {
            const char *code, *message, *step;
            bool is_rolled_back;
        } failed;
        struct {
            const char *server_version;
        } created;
        struct {
            struct slice changed; /* JSON: array of member names */
        } updated;
        struct {
            const char *reason; /* request, patch, scale, reboot, crash, hang */
            uint32_t shard;
            const char *from, *to; /* members */
            uint64_t gap_us;
            bool may_have_lost; /* dataLoss possible, else none */
        } failover;
        struct { /* a flush has no type */
            uint64_t duration_ms;
            const char *reboot_type;
        } ended;
        struct {
            const char *key_type; /* Primary, Secondary */
        } keys;
        struct { /* both of NODE_ */
            const char *node;
            uint32_t shard;
            bool is_primary;
            int exit_code, signal; /* -1 = not known, or it did not end so */
        } node;
        struct {
            uint32_t shard;
            const char *reason;
        } lost;
        struct {
            uint64_t used_bytes, max_bytes, evicted_keys;
        } memory;
    } about;
};

/* lifecycle_write appends one JSON object. */
void lifecycle_write(struct buf *out, const struct lifecycle *event);
/* lifecycle_type is the event's type: "Redgrid.Cache.NodeUp". */
const char *lifecycle_type(enum lifecycle_kind kind);

#endif
