/* Records that go through a document and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/operations.h"

#define ID "11111111-2222-3333-4444-555555555555"

/* Each is what a write of what was read of it must give. */
static const char *const documents[] = {
    "{\"id\":\"" ID "\",\"resource\":\"/s/c1\",\"kind\":\"scale\",\"arguments\":{\"a\":1},"
    "\"step\":\"size\",\"isUndoing\":true,\"work\":{\"done\":[\"n1\"]},\"status\":\"InProgress\","
    "\"startTime\":\"2026-01-02T03:04:05.678Z\"}",
    "{\"id\":\"" ID "\",\"resource\":\"/s/c1\",\"kind\":\"flush\",\"status\":\"Failed\","
    "\"error\":{\"code\":\"Bad\",\"message\":\"why \\\"not\\\"\"},"
    "\"startTime\":\"2026-01-02T03:04:05.678Z\",\"endTime\":\"2026-01-02T03:04:06.000Z\"}",
};

static void a_document_is_read_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        struct operation_record record = {0};
        struct cause why = {0};
        struct buf out;

        buf_init(&out, 4096);
        if (operation_record_read(&record, slice_of(documents[i]), &why) != E_OK)
            fail_msg("%s", why.text);
        operation_record_write(&out, &record);
        assert_string_equal(buf_text(&out), documents[i]);
        buf_done(&out);
        operation_record_done(&record);
    }
}

static void what_has_ended_forgets_its_work(void **state)
{
    struct operation_record record;

    (void)state;
    operation_record_init(&record, SLICE("/s/c1"), "scale");
    assert_int_equal(strlen(record.id), ID_LEN);
    assert_int_equal(record.status, OPERATION_IN_PROGRESS);
    record.work = slice_dup(SLICE("{}"));
    operation_record_end(&record, "Bad", "why");
    assert_null(record.work);
    assert_int_equal(record.status, OPERATION_FAILED);
    assert_true(record.ended_unix_ms >= record.started_unix_ms);
    operation_record_done(&record);
}

static void what_is_no_record_is_refused(void **state)
{
    static const char *const bad[] = {"", "[]", "{}", "{\"id\":\"" ID "\",\"kind\":\"x\"}",
                                      "{\"id\":\"" ID "\",\"kind\":\"x\",\"resource\":\"/s\","
                                      "\"startTime\":\"now\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct operation_record record = {0};
        assert_int_not_equal(operation_record_read(&record, slice_of(bad[i]), NULL), E_OK);
        operation_record_done(&record);
    }
}

static void only_a_guid_names_a_document(void **state)
{
    char id[OPERATION_ID_MAX_BYTES];

    (void)state;
    assert_true(operation_document_id(SLICE("ABCDEF11-2222-3333-4444-555555555555"), id));
    assert_string_equal(id, "/operations/abcdef11-2222-3333-4444-555555555555");
    assert_false(operation_document_id(SLICE("11111111"), id));
    assert_false(operation_document_id(SLICE("/1111111-2222-3333-4444-555555555555"), id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_read_and_written),
        cmocka_unit_test(what_has_ended_forgets_its_work),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(only_a_guid_names_a_document),
    };
    return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
