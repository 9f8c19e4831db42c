#include "caches/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "event/publish.h"
#include "event/source.h"
#include "event/write.h"
#include "json/scan.h"

#define CACHE "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Cache/Redis/c1"
#define TIME "2026-01-02T03:04:05.1234560+00:00"
#define HEAD(prefix, name)                                                                         \
    "{\"id\":\"i1\",\"topic\":\"" CACHE "\",\"subject\":\"" name "\",\"eventType\":\"" prefix name \
    "\",\"eventTime\":\"" TIME "\",\"data\":{\"name\":\"" name "\",\"timestamp\":\"" TIME "\","
#define TAIL "},\"dataVersion\":\"1.0\",\"metadataVersion\":\"1\"}"
#define AZURE(name, status) HEAD("Microsoft.Cache.", name) "\"status\":\"" status "\"" TAIL
#define OURS(name, more)                                                                           \
    HEAD("Redgrid.Cache.", name)                                                                   \
    "\"operationId\":\"o1\",\"operation\":\"patch\",\"epoch\":8," more TAIL

static struct lifecycle event_of(enum lifecycle_kind kind)
{
    return (struct lifecycle){.kind = kind,
                              .resource = SLICE(CACHE),
                              .id = SLICE("i1"),
                              .unix_us = 1767323045123456,
                              .operation_id = "o1",
                              .operation = "patch",
                              .epoch = 8};
}

static void check(const struct lifecycle *event, const char *expected)
{
    struct buf out;

    buf_init(&out, LIFECYCLE_MAX_BYTES);
    lifecycle_write(&out, event);
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void those_of_azure_have_three_members(void **state)
{
    static const struct {
        enum lifecycle_kind kind;
        bool is_failed;
        const char *text;
    } rows[] = {
        {LIFECYCLE_SCALING_COMPLETED, false, AZURE("ScalingCompleted", "Succeeded")},
        {LIFECYCLE_PATCHING_COMPLETED, true, AZURE("PatchingCompleted", "Failed")},
        {LIFECYCLE_IMPORT_COMPLETED, false, AZURE("ImportRDBCompleted", "Succeeded")},
        {LIFECYCLE_EXPORT_COMPLETED, true, AZURE("ExportRDBCompleted", "Failed")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct lifecycle event = event_of(rows[i].kind);
        event.is_failed = rows[i].is_failed;
        check(&event, rows[i].text);
    }
}

static void operations_are_told(void **state)
{
    struct lifecycle event = event_of(LIFECYCLE_OPERATION_STARTED);

    (void)state;
    event.about.started.requested = SLICE("{\"serverPath\":\"/x\"}");
    check(&event, OURS("OperationStarted", "\"requested\":{\"serverPath\":\"/x\"}"));
    event = event_of(LIFECYCLE_OPERATION_FAILED);
    event.about.failed.code = "Broken";
    event.about.failed.message = "a \"b\"";
    event.about.failed.step = "new";
    event.about.failed.is_rolled_back = true;
    check(&event,
          OURS("OperationFailed", "\"error\":{\"code\":\"Broken\",\"message\":\"a \\\"b\\\"\"}"
                                  ",\"step\":\"new\",\"rolledBack\":true"));
    event = event_of(LIFECYCLE_CREATED);
    event.about.created.server_version = "7.0.15";
    check(&event, OURS("Created", "\"serverVersion\":\"7.0.15\""));
    event = event_of(LIFECYCLE_UPDATED);
    event.about.updated.changed = SLICE("[\"enableNonSslPort\"]");
    check(&event, OURS("Updated", "\"changed\":[\"enableNonSslPort\"]"));
    event = event_of(LIFECYCLE_FLUSH_COMPLETED);
    event.about.ended.duration_ms = 5;
    check(&event, OURS("FlushCompleted", "\"durationMs\":5"));
    event.kind = LIFECYCLE_REBOOT_COMPLETED;
    event.about.ended.reboot_type = "AllNodes";
    check(&event, OURS("RebootCompleted", "\"durationMs\":5,\"rebootType\":\"AllNodes\""));
    event = event_of(LIFECYCLE_KEYS_REGENERATED);
    event.about.keys.key_type = "Primary";
    event.operation_id = event.operation = NULL;
    check(&event,
          HEAD("Redgrid.Cache.", "KeysRegenerated") "\"operationId\":null,\"operation\":null,"
                                                    "\"epoch\":8,\"keyType\":\"Primary\"" TAIL);
}

static void servers_are_told_of(void **state)
{
    struct lifecycle event = event_of(LIFECYCLE_FAILOVER_COMPLETED);

    (void)state;
    event.about.failover.reason = "patch";
    event.about.failover.from = "n1";
    event.about.failover.to = "n3";
    event.about.failover.gap_us = 2100;
    check(&event, OURS("FailoverCompleted", "\"reason\":\"patch\",\"shardId\":0,\"from\":\"n1\","
                                            "\"to\":\"n3\",\"gapMs\":2.1,\"dataLoss\":\"none\""));
    event = event_of(LIFECYCLE_NODE_DOWN);
    event.about.node.node = "n1";
    event.about.node.shard = 2;
    event.about.node.is_primary = true;
    event.about.node.exit_code = -1;
    event.about.node.signal = 9;
    check(&event, OURS("NodeDown", "\"node\":\"n1\",\"shardId\":2,\"role\":\"primary\","
                                   "\"exitCode\":null,\"signal\":9"));
    event.kind = LIFECYCLE_NODE_UP;
    event.about.node.is_primary = false;
    event.about.node.signal = -1;
    check(&event, OURS("NodeUp", "\"node\":\"n1\",\"shardId\":2,\"role\":\"replica\","
                                 "\"exitCode\":null,\"signal\":null"));
    event = event_of(LIFECYCLE_DATA_LOST);
    event.about.lost.reason = "crash";
    check(&event, OURS("DataLost", "\"shardId\":0,\"reason\":\"crash\""));
    event = event_of(LIFECYCLE_MEMORY_PRESSURE);
    event.about.memory.used_bytes = 9;
    event.about.memory.max_bytes = 10;
    event.about.memory.evicted_keys = 1;
    check(&event, OURS("MemoryPressure", "\"usedBytes\":9,\"maxBytes\":10,\"evictedKeys\":1"));
}

/* Every kind is one that subscribers are told of, and the router takes it as it is, in both
 * schemas. */
static void the_router_takes_each(void **state)
{
    const struct event_source *source = event_source_find(SLICE("Microsoft.Cache.Redis"));
    const struct publish_rules rules = {
        .event = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE(CACHE)}, .next_id = id_next};
    struct buf out;

    (void)state;
    buf_init(&out, LIFECYCLE_MAX_BYTES);
    assert_int_equal(source->kind_count, LIFECYCLE_KINDS);
    for (int kind = 0; kind < LIFECYCLE_KINDS; kind++) {
        struct lifecycle event = event_of((enum lifecycle_kind)kind);
        struct event_batch batch;
        struct refusal why = {0};
        assert_true(event_source_has(source, slice_of(lifecycle_type(event.kind))));
        buf_clear(&out);
        lifecycle_write(&out, &event);
        assert_true(jx_scan_is_object(buf_slice(&out)));
        struct publish_request request = {.content_type = SLICE("application/json"),
                                          .body = buf_slice(&out)};
        if (publish_read(&rules, &request, &batch, &why) != E_OK)
            fail_msg("%s: %s", buf_text(&out), why.text.text);
        assert_int_equal(batch.count, 1);
        buf_clear(&out);
        event_write(&out, batch.events[0], SCHEMA_CLOUD_EVENT, NULL);
        assert_true(
            slice_eq(jx_scan_member(buf_slice(&out), SLICE("source")), SLICE("\"" CACHE "\"")));
        assert_true(
            slice_eq(jx_scan_member(buf_slice(&out), SLICE("time")), SLICE("\"" TIME "\"")));
        event_batch_done(&batch);
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_azure_have_three_members),
        cmocka_unit_test(operations_are_told),
        cmocka_unit_test(servers_are_told_of),
        cmocka_unit_test(the_router_takes_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
