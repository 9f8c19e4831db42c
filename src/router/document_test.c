#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "router/document.h"
#include "router/resource_id.h"

#define WAITING "\"waiting\":{\"code\":\"c\",\"token\":\"t\",\"until\":10"

static void a_state_depends_on_the_time(void **state)
{
    static const struct {
        const char *document;
        uint64_t now;
        const char *state;
    } rows[] = {
        {"{\"state\":\"Succeeded\"}", 0, "Succeeded"},
        {"{\"state\":\"Failed\"}", 0, "Failed"},
        {"{\"state\":\"Deleting\"," WAITING "}}", 0, "Deleting"},
        {"{\"state\":\"AwaitingManualAction\"," WAITING "}}", 10, "AwaitingManualAction"},
        {"{\"state\":\"AwaitingManualAction\"," WAITING "}}", 11, "Failed"},
        {"{\"state\":\"Succeeded\"," WAITING ",\"properties\":{}}}", 10, "AwaitingManualAction"},
        {"{\"state\":\"Succeeded\"," WAITING ",\"properties\":{}}}", 11, "Succeeded"},
        {"{\"state\":\"Succeeded\",\"waiting\":5}", 0, "Succeeded"},
        {"{\"state\":\"Succeeded\",\"waiting\":{\"code\":\"c\"}}", 0, "Succeeded"},
        {"{}", 0, "Failed"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(document_state(slice_of(rows[i].document), rows[i].now), rows[i].state);
}

static void what_waited_comes_into_force(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    document_write_confirmed(
        &out, SLICE("{\"name\":\"n\",\"state\":\"Succeeded\",\"properties\":{\"a\":1}," WAITING
                    ",\"properties\":{\"a\":2}}}"));
    assert_string_equal(buf_text(&out),
                        "{\"state\":\"Succeeded\",\"name\":\"n\",\"properties\":{\"a\":2}}");
    buf_clear(&out);
    document_write_confirmed(&out, SLICE("{\"state\":\"AwaitingManualAction\",\"properties\":"
                                         "{\"a\":1}," WAITING "}}"));
    assert_string_equal(buf_text(&out), "{\"state\":\"Succeeded\",\"properties\":{\"a\":1}}");
    buf_clear(&out);
    document_write_deleting(&out, SLICE("{\"queue\":\"q\",\"state\":\"Succeeded\"}"));
    assert_string_equal(buf_text(&out), "{\"state\":\"Deleting\",\"queue\":\"q\"}");
    buf_done(&out);
}

static void what_is_written_is_read(void **state)
{
    const struct waiting waiting = {SLICE("c"), SLICE("t"), 7};
    struct waiting read;
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    document_write_member(&out, &(struct member_draft){.name = SLICE("n"),
                                                       .id = SLICE("/i"),
                                                       .queue = SLICE("q"),
                                                       .state = STATE_AWAITING,
                                                       .properties = SLICE("{\"a\":1}"),
                                                       .waiting = &waiting,
                                                       .later = SLICE("{\"a\":2}")});
    struct slice document = buf_slice(&out);
    assert_true(document_is(document, STATE_AWAITING));
    assert_true(document_waiting(document, &read));
    assert_true(slice_eq(read.code, SLICE("c")));
    assert_true(slice_eq(read.token, SLICE("t")));
    assert_int_equal(read.until_unix_ms, 7);
    char *queue = document_text(document, "queue");
    assert_string_equal(queue, "q");
    free(queue);
    assert_null(document_text(document, "properties"));
    buf_done(&out);
}

static void ids_belong_to_each_other(void **state)
{
    struct buf id;

    (void)state;
    buf_init(&id, 1024);
    resource_id_topic(&id, SLICE("T"));
    size_t len = id.len;
    resource_id_subscription(&id, (struct slice){id.data, 0}, SLICE("ES"));
    assert_int_equal(resource_id_scope(buf_slice(&id)).len, len);
    assert_int_equal(resource_id_scope(slice_first(buf_slice(&id), len)).len, len);
    assert_true(slice_eq(resource_id_topic_name(slice_first(buf_slice(&id), len)), SLICE("T")));
    buf_done(&id);
    assert_true(slice_eq(resource_id_topic_name(SLICE("/s/providers/microsoft.eventgrid/TOPICS/a")),
                         SLICE("a")));
    assert_null(resource_id_topic_name(SLICE("/s/providers/Microsoft.Cache/redis/topics")).data);
    assert_true(resource_id_is_within(SLICE("/a/b"), SLICE("/a")));
    assert_true(resource_id_is_within(SLICE("/a"), SLICE("/a")));
    assert_false(resource_id_is_within(SLICE("/ab"), SLICE("/a")));
    assert_false(resource_id_is_within(SLICE("/a"), SLICE("/a/b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_depends_on_the_time),
        cmocka_unit_test(what_waited_comes_into_force),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(ids_belong_to_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
