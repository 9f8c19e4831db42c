#include "caches/lifecycle.h"

#include "base/clock.h"
#include "json/member.h"

#define TIME_DIGITS 7 /* as .NET writes times, and Azure's events have them */

static void write_started(struct buf *out, const struct lifecycle *event)
{
    member_json(out, "requested", event->about.started.requested);
}

static void write_failed(struct buf *out, const struct lifecycle *event)
{
    member_open(out, "error");
    member_text(out, "code", slice_of(event->about.failed.code));
    member_text(out, "message", slice_of(event->about.failed.message));
    buf_add_byte(out, '}');
    member_text(out, "step", slice_of(event->about.failed.step));
    member_bool(out, "rolledBack", event->about.failed.is_rolled_back);
}

static void write_created(struct buf *out, const struct lifecycle *event)
{
    member_text(out, "serverVersion", slice_of(event->about.created.server_version));
}

static void write_updated(struct buf *out, const struct lifecycle *event)
{
    member_json(out, "changed", event->about.updated.changed);
}

static void write_failover(struct buf *out, const struct lifecycle *event)
{
    member_text(out, "reason", slice_of(event->about.failover.reason));
    member_u64(out, "shardId", event->about.failover.shard);
    member_text(out, "from", slice_of(event->about.failover.from));
    member_text(out, "to", slice_of(event->about.failover.to));
    member_f64(out, "gapMs", (double)event->about.failover.gap_us / 1000);
    member_text(out, "dataLoss",
                event->about.failover.may_have_lost ? SLICE("possible") : SLICE("none"));
}

static void write_flush(struct buf *out, const struct lifecycle *event)
{
    member_u64(out, "durationMs", event->about.ended.duration_ms);
}

static void write_reboot(struct buf *out, const struct lifecycle *event)
{
    write_flush(out, event);
    member_text(out, "rebootType", slice_of(event->about.ended.reboot_type));
}

static void write_keys(struct buf *out, const struct lifecycle *event)
{
    member_text(out, "keyType", slice_of(event->about.keys.key_type));
}

static void write_ending(struct buf *out, const char *name, int number)
{
    if (number >= 0)
        member_i64(out, name, number);
    else
        member_json(out, name, SLICE_NONE);
}

static void write_node(struct buf *out, const struct lifecycle *event)
{
    member_text(out, "node", slice_of(event->about.node.node));
    member_u64(out, "shardId", event->about.node.shard);
    member_text(out, "role", event->about.node.is_primary ? SLICE("primary") : SLICE("replica"));
    write_ending(out, "exitCode", event->about.node.exit_code);
    write_ending(out, "signal", event->about.node.signal);
}

static void write_lost(struct buf *out, const struct lifecycle *event)
{
    member_u64(out, "shardId", event->about.lost.shard);
    member_text(out, "reason", slice_of(event->about.lost.reason));
}

static void write_memory(struct buf *out, const struct lifecycle *event)
{
    member_u64(out, "usedBytes", event->about.memory.used_bytes);
    member_u64(out, "maxBytes", event->about.memory.max_bytes);
    member_u64(out, "evictedKeys", event->about.memory.evicted_keys);
}

static const struct {
    const char *type, *name;
} kinds[LIFECYCLE_KINDS] = {
#define LIFECYCLE_ROW(kind, prefix, name) [kind] = {prefix name, name},
    LIFECYCLES(LIFECYCLE_ROW)
#undef LIFECYCLE_ROW
};

/* What ours say beside what all say; Azure's have none. */
static void (*const writers[LIFECYCLE_KINDS])(struct buf *out, const struct lifecycle *event) = {
    [LIFECYCLE_OPERATION_STARTED] = write_started,
    [LIFECYCLE_OPERATION_FAILED] = write_failed,
    [LIFECYCLE_CREATED] = write_created,
    [LIFECYCLE_UPDATED] = write_updated,
    [LIFECYCLE_FAILOVER_COMPLETED] = write_failover,
    [LIFECYCLE_FLUSH_COMPLETED] = write_flush,
    [LIFECYCLE_REBOOT_COMPLETED] = write_reboot,
    [LIFECYCLE_KEYS_REGENERATED] = write_keys,
    [LIFECYCLE_NODE_DOWN] = write_node,
    [LIFECYCLE_NODE_UP] = write_node,
    [LIFECYCLE_DATA_LOST] = write_lost,
    [LIFECYCLE_MEMORY_PRESSURE] = write_memory,
};

const char *lifecycle_type(enum lifecycle_kind kind)
{
    return kinds[kind].type;
}

/* 2026-01-02T03:04:05.1234567+00:00 */
static void write_time(struct buf *out, const char *name, uint64_t unix_us)
{
    member_open(out, name);
    buf_add_byte(out, '"');
    clock_add_rfc3339(out, unix_us, TIME_DIGITS);
    if (!out->missed)
        out->len--; /* its Z */
    buf_add(out, SLICE("+00:00\""));
}

void lifecycle_write(struct buf *out, const struct lifecycle *event)
{
    const char *name = kinds[event->kind].name;

    buf_add_byte(out, '{');
    member_text(out, "id", event->id);
    member_text(out, "topic", event->resource);
    member_text(out, "subject", slice_of(name));
    member_text(out, "eventType", slice_of(kinds[event->kind].type));
    write_time(out, "eventTime", event->unix_us);
    member_open(out, "data");
    member_text(out, "name", slice_of(name));
    write_time(out, "timestamp", event->unix_us);
    if (writers[event->kind] == NULL) {
        member_text(out, "status", event->is_failed ? SLICE("Failed") : SLICE("Succeeded"));
    } else {
        member_text(out, "operationId", slice_of(event->operation_id));
        member_text(out, "operation", slice_of(event->operation));
        member_u64(out, "epoch", event->epoch);
        writers[event->kind](out, event);
    }
    buf_add_byte(out, '}');
    member_text(out, "dataVersion", SLICE("1.0"));
    member_text(out, "metadataVersion", SLICE("1"));
    buf_add_byte(out, '}');
}
